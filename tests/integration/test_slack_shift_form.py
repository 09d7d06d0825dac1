"""The global shortcut, through the real Bolt app: a form whose submission is a request like any other."""

from collections.abc import AsyncIterator

import pytest

from bot.slack import block_limits, shift_form, words
from deploy.playground.slack import people, records
from handlers import messages
from tests.integration import slack_house
from tests.integration.slack_house import House, a_card, cards, heard, told

GOOD = {"service": "shop", "weight": "25%", "reason": "the new build is ready"}


@pytest.fixture(params=["socket", "http"])
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with slack_house.house(mode=request.param) as made:
        yield made


@pytest.fixture
async def socket() -> AsyncIterator[House]:
    async with slack_house.house(mode="socket") as made:
        yield made


async def opened(house: House, user: str) -> records.View:
    assert (await house.slack.driver.shortcut(user, "shift")).acknowledged
    return await house.slack.driver.wait_for(lambda: house.slack.driver.open_view(user))


async def test_the_form_asks_for_a_shift_that_another_person_approves(house: House) -> None:
    view = await opened(house, people.U_ANN)
    assert (await house.slack.driver.submit(people.U_ANN, view, GOOD)).closed
    shift = await heard(house, messages.ProposeShift)
    assert isinstance(shift, messages.ProposeShift)
    assert (shift.service, shift.target.weight, shift.reason) == ("shop", 25, GOOD["reason"])
    assert (shift.actor.id, shift.actor.refused) == (f"slack:{people.TEAM_ID}/{people.U_ANN}", "")
    card = await a_card(house, offers="ferry.approve")
    assert card.channel == people.C_MIGRATION
    await house.slack.driver.click(people.U_BOB, card, "ferry.approve")
    await heard(house, messages.Approve)


@pytest.mark.parametrize(
    ("field", "value"), [("weight", "101"), ("weight", "-1"), ("weight", "1.5"), ("weight", "some"), ("reason", "   ")]
)
async def test_what_cannot_be_asked_for_is_said_under_its_field_and_the_form_stays(socket: House, field: str, value: str) -> None:
    view = await opened(socket, people.U_ANN)
    submitted = await socket.slack.driver.submit(people.U_ANN, view, {**GOOD, field: value})
    assert not submitted.closed
    assert set(submitted.errors) == {field}
    assert (socket.front.heard, cards(socket)) == ([], [])


@pytest.mark.parametrize(("who", "because"), [(people.U_GUEST, "guests"), (people.U_STRANGER, "another workspace")])
async def test_guests_and_other_companies_get_no_form_but_the_reason(socket: House, who: str, because: str) -> None:
    view = await opened(socket, who)
    assert because in view.words
    assert "shop" not in view.words


async def test_a_form_that_was_filled_in_while_its_service_went_away_is_answered(socket: House) -> None:
    view = await opened(socket, people.U_ANN)
    socket.front.unread = "The cluster cannot be read completely: the API server has not answered yet"
    await socket.slack.driver.submit(people.U_ANN, view, GOOD)
    await told(socket, people.U_ANN, says="the API server has not answered yet")


async def test_without_a_service_to_choose_the_shortcut_says_how_to_ask(socket: House) -> None:
    socket.front.unread = "The cluster cannot be read completely"
    view = await opened(socket, people.U_ANN)
    assert "/migrate shift" in view.words


@pytest.mark.parametrize("locale", words.LOCALES)
@pytest.mark.parametrize("count", [1, 100, 1000])
def test_the_form_keeps_slacks_limits_however_many_services_there_are(locale: str, count: int) -> None:
    view = shift_form.shift_view([f"{'a' * 59}{number}" for number in range(count)], words.Words(locale))
    block_limits.check_view(view)
    assert view["blocks"][0]["element"]["type"] == ("static_select" if count <= 100 else "plain_text_input")


@pytest.mark.parametrize("state", [None, {}, {"values": {}}, {"values": {"service": {"value": {"value": 7}}}}])
def test_a_state_that_is_not_ours_is_refused_by_name(state: object) -> None:
    with pytest.raises(shift_form.FormError):
        shift_form.asked({"state": state}, words.Words("en"))
