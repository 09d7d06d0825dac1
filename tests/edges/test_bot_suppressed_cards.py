"""What the breakers of proxies and their own holds look like to people, in every language; nothing of it is live."""

import re
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

from bot.slack import home_view, list_cards, service_cards, words
from handlers import answers
from handlers.rules import migration
from k8s import model, suppression
from tests.edges import card_checks
from tests.edges.test_bot_service_cards import ANN, ENGLISH, EVERY_LANGUAGE, LINE, line, status, texts
from tests.rules import builders

FIVE = "5 failed tries in a row"
BOTH = suppression.Suppressed(("migration-proxy-0", "migration-proxy-1"), 2, 0, 0, FIVE)
SINCE = replace(BOTH, since="2026-01-02T21:14:00+00:00")
CHINESE = words.Words("zh-CN")
MADE_BY_PROXIES = (
    model.Hold("shop", "latch-0badcafe", reason="new was down for 60 s", by="migration-proxy-0", since="2026-01-02T12:00:00Z"),
    model.Hold("all", "document-0123456789", reason="migration.yaml is broken", by="migration-proxy-1", since="then"),
    model.Hold("shop", "h-1", reason="errors", by="slack:T0/U0BOB", since="2026-01-02T12:00:00Z"),
)


def said_of(say: words.Words, **changes: Any) -> str:
    shown = service_cards.status_card(status(25, **changes), say, take_back=LINE, at=builders.NOON)
    card_checks.passes(shown)
    return texts(shown.blocks)


def test_the_status_says_what_is_approved_what_is_served_why_and_that_it_ends() -> None:
    said = said_of(ENGLISH, suppressed=SINCE)
    date = "<!date^1767388440^{date_short_pretty} {time}|2026-01-02 21:14 UTC>"
    assert (
        f"*25% approved, 0% now:* the breaker at 2 of 2 proxies keeps traffic from the new cluster ({FIVE}, since {date})."
        " It ends by itself when the new cluster answers again" in said
    )
    assert said.startswith("shop: 25% approved, 0% on the new cluster now, at rest")
    assert "since" not in said_of(ENGLISH, suppressed=BOTH), "nobody said since when"
    assert "已批准 25%，当前 0%" in said_of(CHINESE, suppressed=SINCE)
    assert "2 个代理中有 2 个" in said_of(CHINESE, suppressed=SINCE)


@EVERY_LANGUAGE
def test_one_breaker_of_two_is_not_told_as_all_of_them(say: words.Words) -> None:
    one = suppression.Suppressed(("migration-proxy-1",), 2, 0, 25, FIVE)
    said = said_of(say, suppressed=one)
    assert "0–25%" in said
    assert ("1 of 2 proxies" in said) or ("2 个代理中有 1 个" in said)


def test_while_it_is_suppressed_no_raise_is_suggested_and_taking_back_is() -> None:
    said = said_of(ENGLISH, suppressed=BOTH)
    assert "/migrate shift" not in said
    assert "To take the traffic back: `/migrate rollback shop reason`" in said
    waits = builders.the(builders.in_phase(migration.Phase.PROPOSED))
    assert "decide on the card" in said_of(ENGLISH, suppressed=BOTH, operation=waits)


@EVERY_LANGUAGE
def test_the_list_and_the_home_tab_show_it_first(say: words.Words) -> None:
    lines = (line("a", weight=50, wish=50), line("z", weight=25, wish=25, suppressed=BOTH))
    overview = answers.Overview(lines, (), synced=True)
    home = home_view.home(overview, ANN, say, at=builders.NOON)
    card_checks.view_passes(home)
    shown = list_cards.overview_card(overview, say)
    card_checks.passes(shown)
    for said in (texts(shown.blocks), texts(home["blocks"])):
        (told,) = [one for one in said.split("\n") if re.match(r"[▰▱]+ z ", one)]
        assert "⚠️" in told
        assert re.search(r"25% .*0%", told)
        assert said.index(" z 25%") < said.index(" a 50%")
        assert said.count("⚠️") == 1


def test_a_proxys_own_hold_is_told_as_what_it_is() -> None:
    said = said_of(ENGLISH, holds=MADE_BY_PROXIES)
    assert (
        "• latch-0badcafe, made by a proxy itself (migration-proxy-0) because the new cluster failed: new was down for 60 s"
        in said
    )
    assert (
        "• document-0123456789, made by migration-proxy-1 because of migration.yaml: migration.yaml is broken (since then)."
        in said
    )
    assert "• h-1: errors (by <@U0BOB>" in said
    assert "不会自动解除" in said_of(CHINESE, holds=MADE_BY_PROXIES)


@settings(max_examples=30, deadline=None)
@given(some.sampled_from(words.LOCALES), card_checks.HOSTILE, card_checks.HOSTILE)
def test_whatever_an_agent_says_is_not_live(locale: str, why: str, since: str) -> None:
    bad = suppression.Suppressed((why,), 1, 0, 0, why, since=since)
    latch = model.Hold("shop", "latch-" + why[:40], reason=why, by=why, since=since)
    shown = service_cards.status_card(
        status(25, suppressed=bad, holds=(latch,)), words.Words(locale), take_back=LINE, at=builders.NOON
    )
    card_checks.passes(shown)
    card_checks.nothing_foreign_is_live(iter([shown.text, *card_checks.live_texts(shown.blocks)]))


def test_a_breaker_on_trial_that_lets_everything_through_keeps_nothing_from_new() -> None:
    trial = replace(BOTH, lowest=10, highest=10, why=f"half open: {FIVE}")
    shown = service_cards.status_card(status(10, suppressed=trial), ENGLISH, take_back=LINE, at=builders.NOON)
    card_checks.passes(shown)
    said = texts(shown.blocks)
    assert "*10% served, on trial:*" in said
    assert "keeps traffic from" not in said
    assert shown.blocks[0]["text"]["text"] == "shop: 10% on the new cluster, at rest"
    listed = list_cards.overview_card(answers.Overview((line("shop", weight=10, wish=10, suppressed=trial),), (), True), ENGLISH)
    assert "on trial" in texts(listed.blocks)
    assert "keeps traffic from" not in texts(listed.blocks)
    assert "正在试探性放行" in said_of_at(CHINESE, 10, trial)


def test_a_reason_is_told_once_though_one_proxy_tries_again_already() -> None:
    said = said_of(ENGLISH, suppressed=replace(BOTH, why=f"{FIVE}; half open: {FIVE}"))
    assert said.count(FIVE) == 1
    assert f"(half open: {FIVE})" in said
    other = said_of(ENGLISH, suppressed=replace(BOTH, why=f"{FIVE}; half open: no answer"))
    assert f"({FIVE}; half open: no answer)" in other


def said_of_at(say: words.Words, weight: int, suppressed: suppression.Suppressed) -> str:
    shown = service_cards.status_card(status(weight, suppressed=suppressed), say, take_back=LINE, at=builders.NOON)
    card_checks.passes(shown)
    return texts(shown.blocks)
