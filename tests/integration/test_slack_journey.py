"""The verbs of a service's whole way, through the real Bolt app: what reaches the use cases, and what people see."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.slack import buttons
from deploy.playground.slack import people
from handlers import journey_messages, messages
from k8s import entry_change
from tests.edges import test_bot_discover_cards as builders_of_proposals
from tests.integration import slack_house
from tests.integration.slack_house import House, heard, told

Stage = entry_change.Stage
ANN = f"slack:{people.TEAM_ID}/{people.U_ANN}"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with slack_house.house(mode="socket") as made:
        yield made


@pytest.mark.parametrize(
    ("typed", "kind", "fields"),
    [
        ("prepare shop as agreed", journey_messages.ProposeObjects, {"stage": Stage.PREPARE, "reason": "as agreed"}),
        ("bypass shop", journey_messages.ProposeObjects, {"stage": Stage.BYPASS}),
        ("finish shop remove it is idle", journey_messages.ProposeObjects, {"stage": Stage.REMOVE, "reason": "it is idle"}),
        ("finish shop the week is over", journey_messages.ProposeFinish, {"reason": "the week is over"}),
        ("run shop", journey_messages.ProposeRun, {"mode": journey_messages.Mode.ASK, "until": None}),
        ("run shop auto go", journey_messages.ProposeRun, {"mode": journey_messages.Mode.AUTO, "reason": "go"}),
        ("run shop skip enough was seen", journey_messages.SkipSoak, {"reason": "enough was seen"}),
        ("pause shop lunch", journey_messages.PauseRun, {"reason": "lunch"}),
        ("resume shop", journey_messages.ResumeRun, {"reason": ""}),
    ],
)
@pytest.mark.parametrize("mentioned", [False, True])
async def test_a_verb_becomes_its_message(
    house: House, typed: str, kind: type[messages.Command], fields: dict[str, object], mentioned: bool
) -> None:
    driver = house.slack.driver
    await (driver.mention(people.U_ANN, typed) if mentioned else driver.command(people.U_ANN, f"/migrate {typed}"))
    message = await heard(house, kind)
    assert isinstance(message, messages.Command)
    assert (message.service, message.actor.id) == ("shop", ANN)
    assert {name: getattr(message, name) for name in fields} == fields


async def test_how_long_a_standing_approval_lasts_counts_from_now(house: House) -> None:
    await house.slack.driver.command(people.U_ANN, "/migrate run shop auto until 7d go")
    message = await heard(house, journey_messages.ProposeRun)
    assert isinstance(message, journey_messages.ProposeRun)
    assert message.until is not None
    assert message.until - message.at == timedelta(days=7)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("discover", "Accept 2 that nothing stops"),
        ("discover web", "web.kong.example.com"),
        ("preflight shop", "no such name"),
        ("audit", "tried to raise it"),
        ("audit shop", "tried to raise it"),
        ("drift", "Nothing differs"),
        ("drift shop", "not known"),
        ("help run", "climb the ladder"),
    ],
)
async def test_looking_is_answered_to_the_asker_and_changes_nothing(house: House, typed: str, says: str) -> None:
    await house.slack.driver.command(people.U_ANN, f"/migrate {typed}")
    await told(house, people.U_ANN, says=says)
    assert (house.front.heard, house.front.held, house.front.accepted) == ([], [], [])


async def test_everything_that_nothing_stops_is_accepted_as_it_was_shown(house: House) -> None:
    await house.slack.driver.command(people.U_ANN, "/migrate discover")
    card = await told(house, people.U_ANN, says="Accept 2 that nothing stops")
    value = next(
        element["value"]
        for block in reversed(card.blocks)
        for element in block.get("elements", [])
        if element.get("action_id") == buttons.Action.ACCEPT
    )
    await house.slack.driver.click(people.U_ANN, card, buttons.Action.ACCEPT, value=value)
    await told(house, people.U_ANN, says="2 added")
    (asked,) = house.front.accepted
    assert (asked.names, asked.actor.id, len(asked.seen)) == (("api", "web"), ANN, 16)


async def test_an_entry_is_adjusted_in_its_form_and_what_is_wrong_is_said_there(house: House) -> None:
    driver = house.slack.driver
    await driver.command(people.U_ANN, "/migrate discover api")
    card = await told(house, people.U_ANN, says="api.kong.example.com")
    await driver.click(people.U_ANN, card, buttons.Action.ADJUST)
    view = await driver.wait_for(lambda: driver.open_view(people.U_ANN))
    refused = await driver.submit(people.U_ANN, view, {"entry": "services: []"})
    assert "one entry below services" in str(refused.errors)
    good = builders_of_proposals.RAISED.replace("percentage: 5", "percentage: 0")
    assert (await driver.submit(people.U_ANN, view, {"entry": good})).closed
    await told(house, people.U_ANN, says="1 added")
    (asked,) = house.front.accepted
    assert {name: text.strip() for name, text in asked.texts.items()} == {"api": good.strip()}


async def test_a_rollback_to_a_generation_asks_for_what_was_in_force_then(house: House) -> None:
    house.front.past = {7: 3}
    await house.slack.driver.command(people.U_ANN, "/migrate rollback shop to 7 as it was")
    shift = await heard(house, messages.ProposeShift)
    assert isinstance(shift, messages.ProposeShift)
    assert (shift.target.weight, shift.reason) == (3, "as it was")
    await heard(house, messages.Confirm)
    await house.slack.driver.command(people.U_ANN, "/migrate rollback shop to 8")
    await told(house, people.U_ANN, says="No generation 8")


async def test_a_rollback_to_a_generation_that_raises_is_asked_for_like_any_other(house: House) -> None:
    house.front.past = {7: 50}
    await house.slack.driver.command(people.U_ANN, "/migrate rollback shop to 7 as it was")
    await slack_house.a_card(house, offers=buttons.Action.APPROVE)
    assert not [one for one in house.front.heard if isinstance(one, messages.Confirm)]


@pytest.mark.parametrize(("action", "kind"), [("pause", journey_messages.PauseRun), ("resume", journey_messages.ResumeRun)])
async def test_nobody_from_outside_pauses_or_accepts(house: House, action: str, kind: type[messages.Command]) -> None:
    await house.slack.driver.command(people.U_GUEST, f"/migrate {action} shop")
    await house.slack.driver.wait_for(lambda: len(house.audit.events) > 0)
    await house.slack.driver.command(people.U_GUEST, "/migrate discover")
    await house.slack.driver.wait_for(lambda: len(house.audit.events) > 1)
    assert [one for one in house.front.heard if isinstance(one, kind)] == []


async def test_home_opens_the_shift_form_and_shows_the_last_events(house: House) -> None:
    driver = house.slack.driver
    await driver.open_home(people.U_ANN)
    home = await driver.wait_for(lambda: driver.home(people.U_ANN))
    assert "tried to raise it" in str(home.blocks)
    await driver.click(people.U_ANN, home, buttons.Action.SHIFT)
    await driver.wait_for(lambda: driver.open_view(people.U_ANN))
