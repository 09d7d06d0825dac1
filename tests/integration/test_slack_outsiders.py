"""Guests, and people of another company who share a channel with us: they ask for, decide and take back nothing, and hear why."""

from collections.abc import AsyncIterator

import pytest

from deploy.playground.slack import people
from tests.integration import slack_house
from tests.integration.slack_house import SHIFT, House, a_card, asked_for, cards, told


@pytest.fixture(params=["socket", "http"])
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with slack_house.house(mode=request.param) as made:
        yield made


@pytest.fixture
async def socket() -> AsyncIterator[House]:
    async with slack_house.house(mode="socket") as made:
        yield made


OUTSIDERS = pytest.mark.parametrize(
    ("who", "because"), [(people.U_GUEST, "guests"), (people.U_STRANGER, "another workspace")], ids=["guest", "stranger"]
)


async def turned_away(house: House, who: str, because: str, *, times: int) -> None:
    """So many answers, each of which says why, and none of which promises what these people may not do."""
    answers = await house.slack.driver.wait_for(
        lambda: found if len(found := house.slack.driver.ephemerals(who)) == times else None
    )
    assert all(because in message.words for message in answers)
    assert not [message.words for message in answers if "stays open" in message.words or "any time" in message.words]


@OUTSIDERS
async def test_guests_and_other_companies_ask_for_nothing_and_take_nothing_back(house: House, who: str, because: str) -> None:
    tried = [
        SHIFT, "/migrate shift shop 1% less", "/migrate rollback shop", "/migrate rollback shop to 1%", "/migrate safe-mode on",
        "/migrate safe-mode off shop", "/migrate safe-mode off", "/migrate approve shop", "/migrate confirm shop",
        "/migrate plan shop 25%", "/migrate rollback shoq", "/migrate status shop", "/migrate list", "/migrate history shop",
    ]  # fmt: skip
    for text in tried:
        await house.slack.driver.command(who, text)
    await turned_away(house, who, because, times=len(tried))
    assert (house.front.heard, house.front.held, cards(house)) == ([], [], [])
    assert {event.who.partition("/")[2] for event in house.audit.events} == {who}
    assert len(house.audit.events) == len(tried)


@OUTSIDERS
@pytest.mark.parametrize("action", ["ferry.approve", "ferry.reject", "ferry.confirm", "ferry.details"])
async def test_guests_and_other_companies_decide_nothing_on_a_card(socket: House, who: str, because: str, action: str) -> None:
    card = await asked_for(socket)
    if action == "ferry.confirm":
        await socket.slack.driver.click(people.U_BOB, card, "ferry.approve")
        card = await a_card(socket, offers=action)
    before = list(socket.front.heard)
    await socket.slack.driver.click(who, card, action)
    await turned_away(socket, who, because, times=1)
    assert socket.front.heard == before
    assert socket.slack.driver.open_view(who) is None


@OUTSIDERS
async def test_guests_and_other_companies_press_no_button_of_a_service(socket: House, who: str, because: str) -> None:
    await socket.chat.page("shop", "look at it")
    page = await a_card(socket, offers="ferry.hold")
    await socket.slack.driver.click(who, page, "ferry.hold")
    await turned_away(socket, who, because, times=1)
    assert socket.front.held == []


@OUTSIDERS
async def test_whoami_tells_guests_and_other_companies_that_they_may_do_nothing(socket: House, who: str, because: str) -> None:
    await socket.slack.driver.command(who, "/migrate whoami")
    answer = await told(socket, who, says=because)
    assert "take nothing back" in answer.words
    assert "at any time" not in answer.words
    assert "hear commands" not in answer.words
