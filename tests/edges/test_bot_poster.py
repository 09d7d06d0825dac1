"""Cards in Slack: one for each operation, its newest state, whatever Slack does in between."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bot import clock
from bot.slack import answer_cards, card_parts, drift_cards, operation_cards, outgoing, poster, replies, web_client
from bot.slack.words import Live, Words, sentence
from deploy.playground.slack import clock as slack_clock
from deploy.playground.slack import people, records
from deploy.playground.slack.server import SlackStandIn
from handlers import messages
from handlers.rules import migration
from tests.integration.slack_house import MemoryCards
from tests.rules import builders


class Quick(clock.SystemClock):
    """A real clock whose waits are over at once, and remembered: a limit of a minute costs a test nothing."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return super().monotonic() + self.passed

    async def sleep(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        self.waits.append(seconds)
        await asyncio.sleep(0)  # whoever waits beside this one waits for the same seconds
        self.passed += max(until - self.monotonic(), 0.0)


class Bench:
    """The poster against the stand-in. `draw` may be replaced. Slack's own clock runs with the poster's."""

    def __init__(self, slack: SlackStandIn, time: Quick) -> None:
        self.slack, self.time, self.cards = slack, time, MemoryCards()
        self.draw: Any = lambda operation: operation_cards.operation_card(operation, Words("en"), take_back="kubectl patch …")
        self.poster = self.another()

    def another(self) -> poster.Poster:
        """As a second replica, or this one after a restart, would have it."""
        token = self.slack.bot_token
        return poster.Poster(
            outgoing.Outgoing(web_client.open_patient_client(self.slack.api_url, token), self.time),
            self.cards,
            self.time,
            channels=(people.C_MIGRATION,),
            draw_card=self._drawn,
            draw_page=lambda service, text, _held: card_parts.Shown(f"<@{people.U_BOB}> {service}: {text}", []),
            draw_alert=lambda alert: answer_cards.alert_card(alert, Words("en"), take_back="kubectl patch …"),
            draw_notice=lambda service, told: drift_cards.notice_card(service, told, Words("en")),
            draw_line=lambda text: card_parts.Shown(sentence(text), [card_parts.section(Live(sentence(text)))]),
        )

    def _drawn(self, operation: migration.Operation) -> card_parts.Shown:
        shown: card_parts.Shown = self.draw(operation)
        return shown

    def posted(self) -> list[records.Message]:
        return self.slack.driver.messages()

    def calls(self, method: str) -> int:
        return [call.method for call in self.slack.calls].count(method)


class SlackTime(slack_clock.SystemClock):
    """The stand-in's limits refill while the poster waits."""

    def __init__(self, time: Quick) -> None:
        self._time = time

    def now(self) -> float:
        return super().now() + self._time.passed


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    time = Quick()
    async with SlackStandIn(time=SlackTime(time)) as slack:
        made = Bench(slack, time)
        yield made
        await made.poster.drain(0)


def operation(number: int = 1, *, revision: int = 1, because: str = "asked", **changes: Any) -> migration.Operation:
    made = builders.the(builders.proposed(builders.at(5)))
    return replace(made, id=f"op-{number}", revision=revision, because=because, **changes)


def warning(**changes: Any) -> messages.Alert:
    made = messages.Alert(
        id="alert-1",
        at=builders.NOON,
        service="shop",
        name="Slow",
        cause="c/1",
        severity=messages.Severity.WARNING,
        firing=True,
        started=builders.NOON,
    )
    return replace(made, **changes)


def done(number: int = 1, *, revision: int) -> migration.Operation:
    return operation(number, revision=revision, because="served everywhere", outcome=migration.Outcome.DONE)


async def test_fifty_forms_at_once_are_one_message_that_shows_the_newest(bench: Bench) -> None:
    forms = [operation(revision=number, because=f"step {number}") for number in range(1, 50)]
    await asyncio.gather(*(bench.poster.show(form) for form in [*forms, done(revision=50)]))
    assert await bench.poster.drain(10)
    assert bench.calls("chat.postMessage") == 1
    assert len(bench.posted()) == 1
    assert "served everywhere" in bench.posted()[0].words
    assert bench.cards.kept["op-1"] == migration.Card(people.C_MIGRATION, bench.posted()[0].ts)


async def test_forms_that_come_one_after_another_are_updates_with_a_pause_between(bench: Bench) -> None:
    for number in range(1, 6):
        await bench.poster.show(operation(revision=number, because=f"step {number}"))
        assert await bench.poster.drain(10, hurry=False)
    assert (bench.calls("chat.postMessage"), bench.calls("chat.update")) == (1, 4)
    assert len(bench.time.waits) == 4
    assert all(wait > 0.9 for wait in bench.time.waits)


async def test_the_pause_grows_with_the_number_of_cards_so_that_all_stay_below_slacks_limit(bench: Bench) -> None:
    for revision in (1, 2, 3):
        for number in range(40):
            await bench.poster.show(done(number, revision=revision))
        assert await bench.poster.drain(30, hurry=False)
    assert [message.revision for message in bench.posted()] == [2] * 40
    assert max(bench.time.waits) > 40
    assert not [call for call in bench.slack.calls if call.method == "chat.update" and call.status == 429]


async def test_an_older_form_never_overtakes_a_newer_one(bench: Bench) -> None:
    await bench.poster.show(done(revision=7))
    await bench.poster.show(operation(revision=3))
    assert await bench.poster.drain(10)
    await bench.poster.show(operation(revision=4))
    assert await bench.poster.drain(10)
    assert "served everywhere" in bench.posted()[0].words
    assert "ferry.approve" not in bench.posted()[0].action_ids


async def test_after_a_restart_the_same_message_is_updated(bench: Bench) -> None:
    await bench.poster.show(operation())
    assert await bench.poster.drain(10)
    after = bench.another()
    await after.show(done(revision=2))
    assert await after.drain(10)
    assert len(bench.posted()) == 1
    assert bench.posted()[0].revision == 1


async def test_lines_of_the_thread_keep_their_order_and_stand_under_the_card(bench: Bench) -> None:
    one = operation()
    for number in range(5):
        await bench.poster.say(one, f"line {number} <!channel>")
    assert await bench.poster.drain(10)
    card = bench.posted()[0]
    said = "\n".join(message.text for message in bench.slack.driver.thread(card.channel, card.ts))
    assert [said.index(f"line {number}") for number in range(5)] == sorted(said.index(f"line {number}") for number in range(5))
    assert "<!channel>" not in said


async def test_a_429_storm_is_waited_out_and_the_final_state_arrives(bench: Bench) -> None:
    await bench.poster.show(operation())
    assert await bench.poster.drain(10)
    bench.slack.faults.rate_limit("chat.update", times=10, retry_after=30)
    for number in range(2, 10):
        await bench.poster.show(operation(revision=number, because=f"step {number}"))
        await asyncio.sleep(0)
    await bench.poster.show(done(revision=10))
    assert await bench.poster.drain(10)
    assert "served everywhere" in bench.posted()[0].words
    assert sum(wait > 29 for wait in bench.time.waits) == 10
    assert len(bench.posted()) == 1


async def test_slack_down_blocks_nobody_and_later_everything_newest_is_said(bench: Bench) -> None:
    bench.slack.faults.refuse()
    await bench.poster.show(operation())
    await bench.poster.page("shop", "look at it")
    await bench.poster.show(done(revision=2))
    await bench.poster.say(done(revision=2), "it is done")
    await bench.slack.driver.wait_for(lambda: len(bench.time.waits) > 3)
    assert bench.posted() == []
    bench.slack.faults.clear()
    assert await bench.poster.drain(10)
    assert len(bench.posted()) == 2
    card = next(message for message in bench.posted() if "served everywhere" in message.words)
    assert [message.text for message in bench.slack.driver.thread(card.channel, card.ts)] == ["it is done"]


async def test_an_update_whose_answer_was_lost_is_sent_again(bench: Bench) -> None:
    await bench.poster.show(operation())
    assert await bench.poster.drain(10)
    bench.slack.faults.lose_reply("chat.update")
    await bench.poster.show(done(revision=2))
    assert await bench.poster.drain(10)
    assert bench.calls("chat.update") == 2
    assert len(bench.posted()) == 1


async def test_a_card_that_slack_refuses_is_sent_plainer_with_its_buttons(bench: Bench) -> None:
    drawn = bench.draw

    def too_long(one: migration.Operation) -> card_parts.Shown:
        shown = drawn(one)
        return card_parts.Shown(
            shown.text, [{"type": "header", "text": {"type": "plain_text", "text": "x" * 200}}, *shown.blocks]
        )

    bench.draw = too_long
    await bench.poster.show(operation())
    assert await bench.poster.drain(10)
    assert bench.calls("chat.postMessage") == 2
    assert "ferry.approve" in bench.posted()[0].action_ids


async def test_a_card_that_cannot_be_drawn_still_says_what_happens(bench: Bench) -> None:
    def broken(_: migration.Operation) -> card_parts.Shown:
        raise KeyError("a word is missing")

    bench.draw = broken
    await bench.poster.show(operation())
    assert await bench.poster.drain(10)
    assert "shop: raise to 25%" in bench.posted()[0].text


async def test_a_card_that_was_deleted_is_posted_anew_once(bench: Bench) -> None:
    await bench.poster.show(operation())
    assert await bench.poster.drain(10)
    bench.slack.space.remove(bench.posted()[0])
    await bench.poster.show(done(revision=2))
    assert await bench.poster.drain(10)
    assert len(bench.posted()) == 1
    assert bench.cards.kept["op-1"].ts == bench.posted()[0].ts
    assert bench.calls("chat.postMessage") == 2


async def test_a_card_that_another_replica_posted_anew_is_the_card(bench: Bench) -> None:
    await bench.poster.show(operation())
    assert await bench.poster.drain(10)
    bench.slack.space.remove(bench.posted()[0])
    other = bench.another()
    await other.show(operation(revision=2))
    assert await other.drain(10)
    await bench.poster.show(done(revision=3))
    assert await bench.poster.drain(10)
    assert len(bench.posted()) == 1
    assert "served everywhere" in bench.posted()[0].words


async def test_an_answer_that_slack_refuses_is_said_plainly(bench: Bench) -> None:
    odd = card_parts.Shown("the sentence", [{"type": "header", "text": {"type": "plain_text", "text": "x" * 200}}])
    private = replies.Replies(web_client.open_client(bench.slack.api_url, bench.slack.bot_token))
    await private.whisper(people.U_ANN, people.C_MIGRATION, "", odd)
    assert [message.words for message in bench.slack.driver.ephemerals(people.U_ANN)] == ["the sentence"]


async def test_a_channel_that_does_not_let_ferry_in_is_logged_and_given_up(bench: Bench) -> None:
    bench.poster._channels = (people.C_GENERAL,)
    await bench.poster.show(operation())
    await bench.poster.say(operation(), "nobody reads this")
    assert await bench.poster.drain(10)
    assert bench.slack.driver.messages(people.C_GENERAL) == []
    assert bench.cards.kept == {}


async def test_an_alert_is_a_card_in_the_channel_that_mentions_nobody_and_says_how_to_take_traffic_back(bench: Bench) -> None:
    await bench.poster.alert(warning(summary="slow <!channel> <@U0ANN>"))
    assert await bench.poster.drain(10)
    card = bench.posted()[0]
    assert (card.channel, card.thread_ts) == (people.C_MIGRATION, None)
    assert "Slow" in card.text
    assert "kubectl patch" in card.words
    assert "ferry.hold" in card.action_ids
    assert "<!channel>" not in json.dumps([block for block in card.blocks if "mrkdwn" in json.dumps(block)])


async def test_a_storm_of_alerts_leaves_room_for_a_call_for_people(bench: Bench) -> None:
    bench.slack.faults.refuse()
    for number in range(2 * poster.MOST_WAITING):
        await bench.poster.alert(warning(name=f"Slow{number}"))
    await bench.poster.page("shop", "it does not converge")
    bench.slack.faults.clear()
    assert await bench.poster.drain(10)
    assert len(bench.posted()) == poster.MOST_ALERTS + 1
    assert f"<@{people.U_BOB}> shop: it does not converge" in [message.text for message in bench.posted()]


async def test_a_call_for_people_mentions_them(bench: Bench) -> None:
    await bench.poster.page("shop", "it does not converge")
    assert await bench.poster.drain(10)
    assert bench.posted()[0].text == f"<@{people.U_BOB}> shop: it does not converge"


async def test_at_the_end_nothing_pauses(bench: Bench) -> None:
    for revision in (1, 2, 3):
        await bench.poster.show(done(revision=revision))
        assert await bench.poster.drain(10)
    assert bench.calls("chat.update") == 2
    assert bench.time.waits == []


async def test_what_cannot_be_said_in_time_is_dropped_at_the_end(bench: Bench) -> None:
    bench.slack.faults.slow(30)
    await bench.poster.show(operation())
    assert not await bench.poster.drain(0)
    assert await bench.poster.drain(0)


async def test_notices_of_a_service_are_one_card_that_is_updated_and_found_again_by_another_replica(bench: Bench) -> None:
    await bench.poster.tell("shop", "shop: migration.yaml says 75% <!channel>.")
    assert await bench.poster.drain(10)
    for number in range(20):
        await bench.poster.tell("shop", f"number {number}.")
    await bench.poster.tell("cart", "cart: something else.")
    assert await bench.poster.drain(10)
    assert len(bench.posted()) == 2
    shop = next(one for one in bench.posted() if "number 19" in one.text)
    said = json.dumps(shop.blocks)
    assert ("number 19." in said, "number 14." in said, "number 1." in said) == (True, True, False)
    assert "<!channel>" not in json.dumps([one.blocks for one in bench.posted()])
    assert bench.calls("chat.update") < 20
    other = bench.another()
    await other.tell("shop", "from another replica.")
    assert await other.drain(10)
    assert len(bench.posted()) == 2
    assert any("from another replica" in one.text for one in bench.posted())


async def test_notices_whose_card_was_deleted_are_posted_anew(bench: Bench) -> None:
    await bench.poster.tell("shop", "first.")
    assert await bench.poster.drain(10)
    (posted,) = bench.posted()
    await bench.cards.keep("notice/shop", migration.Card(people.C_MIGRATION, "1.000001"))
    await bench.poster.tell("shop", "second.")
    assert await bench.poster.drain(10)
    assert len(bench.posted()) == 2
    assert "second." in next(one for one in bench.posted() if one.ts != posted.ts).text
