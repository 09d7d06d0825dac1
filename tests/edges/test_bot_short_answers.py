"""Short answers name what can be used: a channel to go to, a time in the reader's zone, a command to copy."""

import pytest

from bot.slack import answer_cards, buttons, card_parts, origins, parsing, words
from handlers import messages
from handlers.rules import refusals
from tests.edges import card_checks
from tests.edges.test_bot_service_cards import EVERY_LANGUAGE, texts

ENGLISH = words.Words("en")


@EVERY_LANGUAGE
def test_a_refusal_names_the_channel_to_go_to(say: words.Words) -> None:
    why = "changes are heard only in <#C0OPS>, not by <!channel> or <#C0OPS|evil>"
    refusal = refusals.refuse(refusals.Reason.PERSON, service="shop", who="Ann", why=why)
    person = messages.Person("slack:T0/U0ANN", "Ann", refused=why)
    assert say.live("refusal_elsewhere") in answer_cards.refusal_card(refusal, say).text
    other = refusals.refuse(refusals.Reason.PERSON, service="shop", who="Ann", why="guests may not")
    colleague = {"en": "colleague", "zh-CN": "同事"}[say.locale]
    assert colleague in answer_cards.refusal_card(other, say).text
    for shown in (
        answer_cards.refusal_card(refusal, say),
        answer_cards.whoami_card(person, say, channel_ok=False),
        answer_cards.whoami_card(messages.Person("slack:T0/U0ANN", "Ann", refused=why, member=False), say, channel_ok=False),
    ):
        card_checks.passes(shown)
        assert colleague not in shown.text
        assert "only in <#C0OPS>, not by &lt;!channel&gt; or &lt;#C0OPS|evil&gt;" in texts(shown.blocks)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("2026-01-02T12:00:00Z", "<!date^1767355200^{date_short_pretty} {time}|2026-01-02 12:00 UTC>"),
        ("2026-01-02T20:00:00+08:00", "<!date^1767355200^{date_short_pretty} {time}|2026-01-02 12:00 UTC>"),
        ("2026-01-02T12:00:00", "2026-01-02T12:00:00"),
        ("9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59-12:00"),
        ("<!channel>", "&lt;!channel&gt;"),
        ("", "?"),
    ],
)
def test_a_time_that_somebody_wrote_is_shown_like_every_other(written: str, shown: str) -> None:
    assert card_parts.moment(written) == shown


def test_times_in_the_sentences_of_the_rules_are_in_the_readers_zone() -> None:
    expires = "2026-01-02 12:00:00 UTC"
    refusal = refusals.refuse(refusals.Reason.EXPIRED, service="shop", expires=expires, now="2026-99-02 12:00:00 UTC")
    shown = answer_cards.refusal_card(refusal, ENGLISH)
    card_checks.passes(shown)
    card_checks.nothing_foreign_is_live(iter([shown.text]))
    token = "<!date^1767355200^{date_short_pretty} {time}|2026-01-02 12:00 UTC>"
    assert f"It expired at {token}, and now it is 2026-99-02 12:00:00 UTC." in shown.text
    assert answer_cards.sentence_card(f"at {expires}.", ENGLISH).text == f"at {token}."


def test_only_a_mention_in_a_thread_is_answered_in_a_thread() -> None:
    """Nobody ever sees what is whispered into a thread that does not exist."""

    def heard(**event: str) -> origins.Origin:
        return origins.of_event({"event_id": "Ev1", "event": {"user": "U0ANN", "channel": "C0OPS", "ts": "1.1", **event}})

    assert heard().thread == ""
    assert heard(thread_ts="1.0").thread == "1.0"
    assert heard(channel="D0ANN", thread_ts="1.0").thread == ""


@EVERY_LANGUAGE
def test_a_call_about_a_held_service_offers_no_way_back_but_the_way_on(say: words.Words) -> None:
    shown = answer_cards.page_card("shop", "shop is held at 100% old", say, take_back="kubectl …", held=True)
    card_checks.passes(shown)
    assert card_checks.pressed(shown.blocks).keys() == {buttons.Action.STATUS}
    said = texts(shown.blocks)
    assert "kubectl" not in said
    assert "`/migrate safe-mode off shop " in said


@EVERY_LANGUAGE
def test_help_names_every_verb_whole_and_one_alone(say: words.Words) -> None:
    shown = answer_cards.help_card(say)
    card_checks.passes(shown)
    said = texts(shown.blocks)
    assert [example for example in parsing.EXAMPLES.values() if f"`{example}`" not in said] == []
    alone = texts(answer_cards.help_card(say, "run").blocks)
    assert parsing.EXAMPLES["run"] in alone
    assert parsing.EXAMPLES["shift"] not in alone
