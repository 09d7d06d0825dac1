"""People in Slack, through the real Bolt app in both modes, up to the use cases: what reaches them, and what people see."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from deploy.playground.slack import interactions, people, records
from handlers import errors, messages
from handlers.rules import migration
from tests.integration import slack_house
from tests.integration.slack_house import SHIFT, House, a_card, asked_for, cards, heard, told

ANN, BOB = f"slack:{people.TEAM_ID}/{people.U_ANN}", f"slack:{people.TEAM_ID}/{people.U_BOB}"


@pytest.fixture(params=["socket", "http"])
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with slack_house.house(mode=request.param) as made:
        yield made


@pytest.fixture
async def socket() -> AsyncIterator[House]:
    async with slack_house.house(mode="socket") as made:
        yield made


async def test_a_shift_becomes_one_card_and_anothers_approval_reaches_the_rules(house: House) -> None:
    card = await asked_for(house)
    shift = await heard(house, messages.ProposeShift)
    assert isinstance(shift, messages.ProposeShift)
    assert (shift.actor.id, shift.service, shift.target.weight, shift.reason) == (ANN, "shop", 25, "the new build is ready")
    assert shift.place == messages.Place(people.C_MIGRATION)
    assert (await house.slack.driver.click(people.U_BOB, card, "ferry.approve")).acknowledged
    approval = await heard(house, messages.Approve)
    assert isinstance(approval, messages.Approve)
    assert (approval.actor.id, approval.actor.approver, approval.actor.refused, approval.revision) == (BOB, True, "", 1)
    assert house.front.of.phase is migration.Phase.APPROVED
    approved = await a_card(house, offers="ferry.confirm")
    await house.slack.driver.click(people.U_ANN, approved, "ferry.confirm")
    await heard(house, messages.Confirm)
    assert await house.chat.drain(5)
    assert len(cards(house)) == 1
    assert house.slack.driver.thread(card.channel, card.ts)


async def test_nobody_approves_their_own_request_and_only_they_are_told(house: House) -> None:
    card = await asked_for(house)
    await house.slack.driver.click(people.U_ANN, card, "ferry.approve")
    await told(house, people.U_ANN, says="another person")
    assert house.front.of.phase is migration.Phase.PROPOSED
    assert house.slack.driver.ephemerals(people.U_BOB) == []


@pytest.mark.parametrize("typed", [False, True])
async def test_whoever_was_an_approver_a_moment_ago_is_none_any_more(house: House, typed: bool) -> None:
    card = await asked_for(house)
    await house.slack.driver.command(people.U_BOB, "/migrate whoami")
    await told(house, people.U_BOB, says=people.U_BOB)
    house.slack.space.groups[people.S_APPROVERS] = replace(people.DEFAULT_GROUPS[0], members=(people.U_CAROL,))
    if typed:
        await house.slack.driver.mention(people.U_BOB, "approve", thread_ts=card.ts)
    else:
        await house.slack.driver.click(people.U_BOB, card, "ferry.approve")
    await told(house, people.U_BOB, says="not one of its approvers")
    assert house.front.of.phase is migration.Phase.PROPOSED


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("shift shop 101% because", "101%"),
        ("shift shop abc% because", "abc%"),
        ("shift shop 25%", "Say why"),
        ("shfit shop 25% because", "shift"),
        ("safe-mode shop", "Say on or off"),
    ],
)
async def test_what_is_no_command_is_answered_to_the_asker_with_what_to_type(house: House, typed: str, says: str) -> None:
    outcome = await house.slack.driver.command(people.U_ANN, f"/migrate {typed}")
    assert says in outcome.text
    assert "/migrate" in outcome.text
    await house.slack.driver.wait_for(lambda: [event.who for event in house.audit.events] == [ANN])
    assert house.front.heard == []
    assert house.slack.driver.messages() == []


@pytest.mark.parametrize("typed", ["shift shoq 25% because", "rollback shoq", "status shoq", "plan shoq 5%"])
async def test_an_unknown_service_is_refused_with_near_names(socket: House, typed: str) -> None:
    await socket.slack.driver.command(people.U_ANN, f"/migrate {typed}")
    answer = await told(socket, people.U_ANN, says="shoq")
    assert "shop" in answer.words
    assert (socket.front.heard, socket.front.held) == ([], [])


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "/migrate shift"),
        ("help", "/migrate shift"),
        ("whoami", "ann"),
        ("list", "shop"),
        ("status", "shop"),
        ("status shop.old.example.com", "1 of 1"),
        ("history shop", "Bob"),
        ("plan shop 25%", "25"),
    ],
)
async def test_questions_are_answered_to_the_asker_and_change_nothing(house: House, typed: str, says: str) -> None:
    assert (await house.slack.driver.command(people.U_ANN, f"/migrate {typed}")).acknowledged
    await told(house, people.U_ANN, says=says)
    assert (house.front.heard, house.front.held) == ([], [])
    assert house.slack.driver.messages() == []


async def test_answers_are_in_the_readers_language(socket: House) -> None:
    await socket.slack.driver.command(people.U_LI, "/migrate whoami")
    first = await told(socket, people.U_LI, says=people.U_LI)
    assert any("\u4e00" <= sign <= "\u9fff" for sign in first.words)


@pytest.mark.parametrize(
    ("typed", "service"), [("rollback shop errors", "shop"), ("safe-mode on shop", "shop"), ("safe-mode on", "all")]
)
async def test_taking_back_is_ordered_at_once_by_any_full_member_anywhere(house: House, typed: str, service: str) -> None:
    await house.slack.driver.command(people.U_LI, f"/migrate {typed}", channel=people.C_GENERAL)
    await house.slack.driver.wait_for(lambda: house.front.held)
    order = house.front.held[0]
    assert (order.service, order.actor.id) == (service, f"slack:{people.TEAM_ID}/{people.U_LI}")
    await house.slack.driver.wait_for(lambda: house.slack.driver.ephemerals(people.U_LI))
    assert house.front.heard == []


async def test_taking_back_works_while_slacks_api_is_away(socket: House) -> None:
    socket.slack.faults.rate_limit(None, times=None, retry_after=60)
    assert (await socket.slack.driver.command(people.U_ANN, "/migrate rollback shop")).acknowledged
    await socket.slack.driver.wait_for(lambda: socket.front.held)
    await socket.slack.driver.command(people.U_ANN, SHIFT)
    shift = await heard(socket, messages.ProposeShift)
    assert isinstance(shift, messages.ProposeShift)
    assert "could not be asked" in shift.actor.refused
    assert socket.front.of.operation is None


async def test_a_rollback_to_a_percentage_lowers_and_is_confirmed_by_typing_it(house: House) -> None:
    await house.slack.driver.command(people.U_ANN, "/migrate rollback shop to 1% slowly")
    await heard(house, messages.Confirm)
    assert [type(message) for message in house.front.heard] == [messages.ProposeShift, messages.Confirm]
    assert len({message.id for message in house.front.heard}) == 2
    assert house.front.of.phase in migration.RUNNING


async def test_a_rollback_never_raises(socket: House) -> None:
    await socket.slack.driver.command(people.U_ANN, "/migrate rollback shop to 50%")
    await told(socket, people.U_ANN, says="only lowers")
    assert socket.front.heard == []


@pytest.mark.parametrize(
    "typed", ["shift shop 25% because", "status shop", "rollback shop to 1%", "approve shop", "safe-mode off"]
)
async def test_while_the_cluster_cannot_be_read_nobody_is_told_that_a_service_does_not_exist(socket: House, typed: str) -> None:
    socket.front.unread = "The cluster cannot be read completely, nothing is raised: the API server has not answered yet"
    await socket.slack.driver.command(people.U_ANN, f"/migrate {typed}")
    answer = await told(socket, people.U_ANN, says="the API server has not answered yet")
    assert "There is no service" not in answer.words
    assert "/migrate rollback" in answer.words
    assert not [event for event in socket.audit.events if "is no service" in event.sentence]
    assert (socket.front.heard, socket.front.held) == ([], [])


@pytest.mark.parametrize("typed", ["rollback shop errors", "safe-mode on shop"])
async def test_while_the_cluster_cannot_be_read_a_hold_is_ordered_for_the_name_as_typed(socket: House, typed: str) -> None:
    socket.front.unread = "The cluster cannot be read completely: the API server has not answered yet"
    await socket.slack.driver.command(people.U_ANN, f"/migrate {typed}")
    await socket.slack.driver.wait_for(lambda: socket.front.held)
    assert socket.front.held[0].service == "shop"


async def test_nothing_is_raised_from_a_channel_that_is_not_listed(socket: House) -> None:
    await socket.slack.driver.command(people.U_ANN, SHIFT, channel=people.C_GENERAL)
    await told(socket, people.U_ANN, says="heard only in")
    ts = await socket.slack.driver.mention(people.U_ANN, "shift shop 25% because", channel=people.C_SHARED)
    await told(socket, people.U_ANN, says="another company")
    assert socket.slack.driver.thread(people.C_SHARED, ts) == []
    assert socket.front.of.operation is None


async def test_a_mention_in_the_cards_thread_approves_that_request_and_confirms_it(house: House) -> None:
    card = await asked_for(house)
    await house.slack.driver.mention(people.U_BOB, "approve", thread_ts=card.ts)
    approval = await heard(house, messages.Approve)
    assert isinstance(approval, messages.Approve)
    assert approval.place == messages.Place(people.C_MIGRATION, card.ts)
    answer = await house.slack.driver.wait_for(lambda: house.slack.driver.ephemerals(people.U_BOB))
    assert answer[0].thread_ts == card.ts
    await house.slack.driver.mention(people.U_ANN, "confirm", thread_ts=card.ts)
    await heard(house, messages.Confirm)


async def test_approve_outside_a_thread_wants_a_name(socket: House) -> None:
    await socket.slack.driver.command(people.U_BOB, "/migrate approve")
    await told(socket, people.U_BOB, says="Nothing waits here")
    await asked_for(socket)
    await socket.slack.driver.command(people.U_BOB, "/migrate approve shop")
    await heard(socket, messages.Approve)


@pytest.mark.parametrize("in_thread", [True, False])
async def test_a_mistyped_mention_is_answered_where_it_was_said_to_the_person_alone(house: House, in_thread: bool) -> None:
    """An answer for one person's eyes in a thread that does not exist would be seen by nobody."""
    card = await asked_for(house)
    ts = await house.slack.driver.mention(people.U_ANN, "shift shop 101% because", thread_ts=card.ts if in_thread else "")
    answer = await told(house, people.U_ANN, says="101%")
    assert (answer.thread_ts or "") == (card.ts if in_thread else "")
    assert house.slack.driver.thread(people.C_MIGRATION, ts) == []


@pytest.mark.parametrize("store_away", [False, True])
async def test_a_mention_that_arrives_twice_is_acted_on_once(house: House, store_away: bool) -> None:
    house.seen.away = store_away
    house.slack.faults.duplicate_events()
    await house.slack.driver.mention(people.U_ANN, "shift shop 25% because")
    await house.slack.driver.wait_for(lambda: len(house.slack.deliveries) == 2 and house.slack._deliveries.idle)
    await a_card(house)
    assert len(house.front.heard) == 1


async def test_a_direct_message_is_answered_there(house: House) -> None:
    im = people.im_id(people.U_ANN)
    await house.slack.driver.say(people.U_ANN, "status shop", channel=im)
    await house.slack.driver.wait_for(
        lambda: any(one.from_bot and "shop" in one.words for one in house.slack.driver.messages(im))
    )


async def test_reject_asks_why_and_the_reason_reaches_the_rules(house: House) -> None:
    card = await asked_for(house)
    await house.slack.driver.click(people.U_BOB, card, "ferry.reject")
    view = await house.slack.driver.wait_for(lambda: house.slack.driver.open_view(people.U_BOB))
    submitted = await house.slack.driver.submit(people.U_BOB, view, {"reason": "wait for the database"})
    assert submitted.closed
    rejection = await heard(house, messages.Reject)
    assert isinstance(rejection, messages.Reject)
    assert (rejection.actor.id, rejection.reason) == (BOB, "wait for the database")
    rejected = await a_card(house, says="wait for the database")
    assert "ferry.approve" not in rejected.action_ids


async def test_details_open_in_a_window(house: House) -> None:
    card = await asked_for(house)
    await house.slack.driver.click(people.U_LI, card, "ferry.details")
    view = await house.slack.driver.wait_for(lambda: house.slack.driver.open_view(people.U_LI))
    assert "shop" in view.words


async def test_the_red_button_asks_once_and_then_orders_the_hold(house: House) -> None:
    await house.slack.driver.command(people.U_ANN, "/migrate status shop")
    status = await told(house, people.U_ANN, says="1 of 1")
    refused = await house.slack.driver.click(people.U_ANN, status, "ferry.hold", confirm=False)
    assert not refused.delivered
    pressed = await house.slack.driver.click(people.U_ANN, status, "ferry.hold")
    assert pressed.dialog is not None
    await house.slack.driver.wait_for(lambda: house.front.held)
    assert house.front.held[0].service == "shop"


async def test_a_stale_click_is_explained_and_heals_the_card(house: House) -> None:
    card = await asked_for(house)
    await house.slack.driver.click(people.U_BOB, card, "ferry.approve")
    approved = await a_card(house, offers="ferry.confirm")
    await house.slack.driver.click(people.U_CAROL, card, "ferry.approve")
    await house.slack.driver.wait_for(lambda: house.slack.driver.ephemerals(people.U_CAROL))
    await house.slack.driver.wait_for(lambda: cards(house)[0].revision > approved.revision)
    assert len([one for one in house.front.heard if isinstance(one, messages.Approve)]) == 2
    assert len(house.front.of.operation.approvals if house.front.of.operation else ()) == 1


async def test_a_decision_is_taken_only_on_the_operations_own_card(house: House) -> None:
    card = await asked_for(house)
    copy = await house.app.client.chat_postMessage(channel=card.channel, text="copy", blocks=list(card.blocks))
    forged = await house.slack.driver.wait_for(lambda: house.slack.driver.find(card.channel, copy["ts"]))
    await house.slack.driver.click(people.U_BOB, forged, "ferry.approve")
    await told(house, people.U_BOB, says="not the card")
    assert not [one for one in house.front.heard if isinstance(one, messages.Approve)]
    assert [event.operation for event in house.audit.events] == [house.front.of.operation.id if house.front.of.operation else ""]


async def test_a_card_may_be_pressed_before_its_place_is_known(house: House) -> None:
    house.cards.may_keep.clear()
    card = await asked_for(house)
    await house.slack.driver.click(people.U_BOB, card, "ferry.approve")
    assert not house.cards.kept
    house.cards.may_keep.set()
    assert isinstance(await heard(house, messages.Approve), messages.Approve)


@pytest.mark.parametrize(
    ("action_id", "value"),
    [
        ("ferry.approve", "op9|x|1"),
        ("ferry.approve", ""),
        ("ferry.approve", "svc1|shop"),
        ("ferry.approve", "op1|unknown-operation|1"),
        ("ferry.hold", "svc1|shop;drop"),
        ("ferry.of_an_older_version", "op1|a|1"),
    ],
)
async def test_a_button_that_ferry_did_not_make_gets_a_kind_sentence(socket: House, action_id: str, value: str) -> None:
    button = {"type": "button", "action_id": action_id, "text": {"type": "plain_text", "text": "Approve"}}
    button |= {"value": value} if value else {}
    posted = await socket.app.client.chat_postMessage(
        channel=people.C_MIGRATION, text="odd", blocks=[{"type": "actions", "elements": [button]}]
    )
    odd = await socket.slack.driver.wait_for(lambda: socket.slack.driver.find(people.C_MIGRATION, posted["ts"]))
    assert (await socket.slack.driver.click(people.U_BOB, odd, action_id)).acknowledged
    await told(socket, people.U_BOB, says="/migrate")
    assert (socket.front.heard, socket.front.held) == ([], [])


async def test_the_acknowledgement_waits_for_nothing(house: House) -> None:
    house.front.gate.clear()
    outcome = await house.slack.driver.command(people.U_ANN, SHIFT)
    assert outcome.acknowledged
    await house.front.waiting_now.wait()
    click = await pressed_while_busy(house)
    assert click.acknowledged
    assert cards(house) == []
    house.front.gate.set()
    await a_card(house)


async def pressed_while_busy(house: House) -> interactions.ClickOutcome:
    """Another person's red button, while the shift is still being thought about."""
    await house.slack.driver.command(people.U_BOB, "/migrate status shop")
    status = await told(house, people.U_BOB, says="1 of 1")
    outcome = await house.slack.driver.click(people.U_BOB, status, "ferry.hold")
    await house.slack.driver.wait_for(lambda: house.front.held)
    return outcome


@pytest.mark.parametrize(
    ("error", "says"),
    [(errors.Away("Redis cannot be used; start it"), "start it"), (RuntimeError("a bug"), "failed inside Ferry")],
)
async def test_whoever_asked_hears_of_a_failure(socket: House, error: Exception, says: str) -> None:
    socket.front.failing = error
    await socket.slack.driver.command(people.U_ANN, SHIFT)
    await told(socket, people.U_ANN, says=says)


async def test_the_home_tab_shows_what_waits_and_its_buttons_work(house: House) -> None:
    await asked_for(house)
    await house.slack.driver.open_home(people.U_BOB)
    home = await house.slack.driver.wait_for(lambda: house.slack.driver.home(people.U_BOB))
    assert "shop" in home.words
    await house.slack.driver.click(people.U_BOB, home, "ferry.refresh")
    again = await house.slack.driver.wait_for(lambda: newer(house.slack.driver.home(people.U_BOB), home))
    await house.slack.driver.click(people.U_BOB, again, "ferry.hold")
    await house.slack.driver.wait_for(lambda: house.front.held)


async def test_what_waits_is_decided_at_home_as_on_its_card(house: House) -> None:
    await asked_for(house)
    await house.slack.driver.open_home(people.U_BOB)
    home = await house.slack.driver.wait_for(lambda: house.slack.driver.home(people.U_BOB))
    await house.slack.driver.click(people.U_BOB, home, "ferry.approve")
    approval = await heard(house, messages.Approve)
    assert isinstance(approval, messages.Approve)
    assert (approval.actor.approver, approval.revision) == (True, 1)
    after = await house.slack.driver.wait_for(lambda: newer(house.slack.driver.home(people.U_BOB), home))
    assert "ferry.approve" not in after.action_ids, "it waits for Bob no more"
    await house.slack.driver.open_home(people.U_ANN)
    hers = await house.slack.driver.wait_for(lambda: house.slack.driver.home(people.U_ANN))
    await house.slack.driver.click(people.U_ANN, hers, "ferry.confirm")
    await heard(house, messages.Confirm)
    assert house.front.of.phase is migration.Phase.APPLYING


def newer(now: records.View | None, before: records.View) -> records.View | None:
    return now if now is not None and now.hash != before.hash else None


async def test_a_guests_home_tab_says_why_it_is_empty(socket: House) -> None:
    await socket.slack.driver.open_home(people.U_GUEST)
    home = await socket.slack.driver.wait_for(lambda: socket.slack.driver.home(people.U_GUEST))
    assert "guests" in home.words
    assert home.action_ids == []
