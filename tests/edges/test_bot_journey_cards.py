"""Cards of a service's whole way, in every language: what is asked for, how far it is, old beside new, what was found."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bot.slack import buttons, card_parts, dialogs, effect_words, journey_cards, operation_cards, service_cards, words
from handlers import answers, journey_messages
from handlers.rules import gates, journeys, migration
from k8s import entry_change
from tests.edges import card_checks, journey_plans
from tests.edges.test_bot_service_cards import ENGLISH, EVERY_LANGUAGE, LINE, status, texts
from tests.rules import builders

Action = buttons.Action
Kind = migration.Kind
Outcome = migration.Outcome
Phase = migration.Phase
Reading = gates.Reading
KINDS = sorted(effect_words.NO_SHIFT)
UNDER_WAY = [Phase.PROPOSED, Phase.APPROVED, Phase.ARRANGING, Phase.APPLYING, Phase.CONVERGING, Phase.VERIFYING, Phase.REVERTING]
MEASURED = gates.Measured(
    new=gates.Side(Reading.of(4010), Reading.of(4), Reading.of(0.048), Reading.of(0.22)),
    old=gates.Side(Reading.of(12034), Reading.of(14), Reading.of(0.045), Reading(None, "no series")),
    requests=Reading.of(16044),
    share=Reading.of(0.25),
    available=Reading.of(0.9991),
    window=600.0,
)
GATES = (
    gates.Gate("error rate", gates.Verdict.PASS, "0.1% of 4,010 tries failed, the limit is 1%"),
    gates.Gate("p99", gates.Verdict.TOO_FEW, "too few to say", needed=1234),
    gates.Gate("average", gates.Verdict.FAIL, "90 ms is 100% slower"),
)
SOAK = journeys.Soak(25, 3, 11_520.0, builders.NOON)


def run(mode: journey_messages.Mode = journey_messages.Mode.ASK, **changes: Any) -> journeys.Run:
    known = journeys.Run("run-1", mode, "slack:T0/U0ANN", "Ann", builders.NOON)
    return replace(known, **changes)


def way(**changes: Any) -> answers.JourneyStatus:
    known = answers.JourneyStatus(
        service="shop",
        stage=answers.Stage.MOVING,
        weight=25,
        soak=SOAK,
        soak_needed=86_400.0,
        next_step=50,
        waits_for=("20 h 48 min of the soak of 1 d at 25% are missing",),
        run=run(),
        standing=None,
        entry=entry_change.EntryView(entry_change.EntryState.ENTERED, "the canary Ingress stands", (), 3),
        judgement=gates.Judgement(GATES, MEASURED),
        backup_left=None,
        journey=None,
    )
    return replace(known, **changes)


def shown(say: words.Words = ENGLISH, *, weight: int = 25, **changes: Any) -> card_parts.Shown:
    card = service_cards.status_card(status(weight, journey=way(weight=weight, **changes)), say, take_back=LINE, at=builders.NOON)
    card_checks.passes(card)
    card_checks.nothing_foreign_is_live(iter([card.text, *card_checks.live_texts(card.blocks)]))
    return card


@EVERY_LANGUAGE
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("phase", UNDER_WAY)
def test_every_card_of_the_way_and_its_details_fit(phase: Phase, outcome: Outcome, kind: Kind, say: words.Words) -> None:
    of = journey_plans.operation(phase, kind)
    if outcome is not Outcome.OPEN:
        of = of.moved(outcome=outcome, phase=Phase.STEADY, because="it ended so")
    card = operation_cards.operation_card(of, say, take_back=LINE)
    card_checks.passes(card)
    card_checks.view_passes(dialogs.details_view(of, say))
    offered = set(card_checks.pressed(card.blocks))
    if outcome is not Outcome.OPEN:
        assert not offered & {Action.APPROVE, Action.CONFIRM, Action.REJECT, Action.WITHDRAW}
    if kind in (Kind.FINISH, Kind.REMOVE) and outcome is Outcome.DONE:
        assert offered == {Action.DETAILS}, "there is no old to go back to"


@pytest.mark.parametrize("kind", [Kind.PREPARE, Kind.FINISH, Kind.REMOVE, Kind.BYPASS])
def test_a_card_names_its_objects_and_says_when_some_are_left_out(kind: Kind) -> None:
    of = journey_plans.operation(Phase.PROPOSED, kind)
    said = texts(operation_cards.operation_card(of, ENGLISH, take_back=LINE).blocks)
    assert all(f"`{name}`" in said for name, _ in of.plan.objects)
    assert str(kind) in said.lower().replace("removal", "remove")
    many = tuple((f"apply Service team/shop-{number}", f"{number:064x}") for number in range(300))
    large = replace(of, plan=replace(of.plan, objects=many, config_diff="+ line\n" * 9_000))
    card = operation_cards.operation_card(large, ENGLISH, take_back=LINE)
    card_checks.passes(card)
    assert f"and {300 - operation_cards.MOST_OBJECTS} more; Details shows" in texts(card.blocks)
    view = dialogs.details_view(large, ENGLISH)
    card_checks.view_passes(view)
    assert "This diff is cut" in texts(view["blocks"])


def test_the_approval_of_an_end_asks_twice() -> None:
    for kind, says in ((Kind.FINISH, "Approve the end of shop?"), (Kind.REMOVE, "Approve the removal of old shop?")):
        card = operation_cards.operation_card(journey_plans.operation(Phase.PROPOSED, kind), ENGLISH, take_back=LINE)
        assert card_checks.pressed(card.blocks)[Action.APPROVE]["confirm"]["title"]["text"] == says


def test_a_standing_approval_names_its_steps_and_its_end_and_can_be_paused() -> None:
    of = journey_plans.operation(Phase.PROPOSED, Kind.RUN)
    said = texts(operation_cards.operation_card(of, ENGLISH, take_back=LINE).blocks)
    assert "ladder of shop: 25% → 50% → 75% → 100%" in said
    assert "until 2026-12-31 18:00 UTC" in said
    done = of.moved(outcome=Outcome.DONE, phase=Phase.STEADY, because="the ladder climbs")
    card = operation_cards.operation_card(done, ENGLISH, take_back=LINE)
    assert Action.PAUSE in card_checks.pressed(card.blocks)
    assert "still gets 25%" in texts(card.blocks)


def test_the_status_shows_the_ladder_the_soak_and_when_it_ends() -> None:
    said = texts(shown().blocks)
    assert "✓ 5%  ▶ *25%*  · 50%" in said
    assert "Soak at 25%: 3 h 12 min of 1 d, ends <!date^" in said
    assert f"|{(builders.NOON + timedelta(seconds=86_400 - 11_520)):%Y-%m-%d %H:%M} UTC>" in said
    assert "*Next step: 50%*\n• 20 h 48 min of the soak" in said
    assert "asks for every step, in the name of <@U0ANN>" in said
    assert "through the proxies" in said


def test_a_soak_that_does_not_count_names_no_end() -> None:
    said = texts(shown(soak=replace(SOAK, missing="an alert fires", resets=2)).blocks)
    assert "the clock stands still" in said
    assert "It counts no time now because an alert fires" in said
    assert "went back to 0: 2 times" in said
    assert "ends <!date" not in said
    assert "served (1 d of 1 d)" in texts(shown(soak=replace(SOAK, seconds=86_400.0)).blocks)


def test_a_run_says_who_lets_it_climb_until_when_and_why_it_does_not() -> None:
    standing = journeys.Standing(
        "op-1", "slack:T0/U0ANN", "Ann", "h", (5, 25, 50, 75), builders.NOON, builders.exposure(0), (), used=(5, 25)
    )
    auto = run(journey_messages.Mode.AUTO)
    card = shown(run=auto, standing=standing)
    assert "climbs by itself (50%, 75%) on a standing approval until <!date^" in texts(card.blocks)
    assert Action.PAUSE in card_checks.pressed(card.blocks)
    assert "/migrate pause shop" in texts(card.blocks)
    paused = shown(run=replace(auto, paused="the request expired <!channel>"))
    assert "⏸ Paused: the request expired &lt;!channel&gt;" in texts(paused.blocks)
    assert "its standing approval has ended" in texts(paused.blocks)
    assert Action.RESUME in card_checks.pressed(paused.blocks)


def test_old_stands_beside_new_and_what_nobody_knows_is_a_dash() -> None:
    table = journey_cards.side_by_side(MEASURED, 25, ENGLISH).split("\n")
    assert table[0].split() == ["old", "new"]
    assert table[1].split()[:2] == ["12,034", "4,010"]
    assert table[2].split()[:2] == ["75.0%", "25.0%"]
    assert table[3].split()[:4] == ["45", "ms", "48", "ms"]
    assert table[4].split()[:3] == ["–", "220", "ms"]
    assert table[5].split()[:2] == ["0.12%", "0.10%"]
    assert table[6].split()[0] == "99.91%"
    nothing = journey_cards.side_by_side(gates.Measured(), 25, ENGLISH)
    assert not any(sign.isdigit() for sign in nothing.replace("25%", "").replace("p99", "").replace("500", ""))


def test_gates_without_numbers_do_not_look_as_if_they_had_some() -> None:
    alone = gates.Judgement((gates.Gate("alerts", gates.Verdict.PASS, "none fires"),))
    said = texts(shown(judgement=alone).blocks)
    assert "*Gates: pass* (Prometheus has no numbers here)" in said


def test_each_verdict_is_marked_and_says_how_many_requests_it_still_needs() -> None:
    said = texts(shown().blocks)
    assert "*Gates: fail* (within 10 min)" in said
    assert "✓ 0.1% of 4,010 tries failed" in said
    assert "… too few to say (requests still needed: 1,234)" in said
    assert "✗ 90 ms is 100% slower" in said


@pytest.mark.parametrize(
    ("stage", "weight", "says"),
    [
        (answers.Stage.BACKUP, 100, "6 d 2 h"),
        (answers.Stage.FINISHABLE, 100, "/migrate finish shop reason"),
        (answers.Stage.FINISHED, 100, "/migrate finish shop remove reason"),
        (answers.Stage.REMOVED, 100, "/migrate history shop"),
    ],
)
def test_the_status_says_what_comes_next_at_the_end(stage: answers.Stage, weight: int, says: str) -> None:
    left = 6 * 86_400.0 + 7_200 if stage is answers.Stage.BACKUP else None
    card = shown(weight=weight, stage=stage, next_step=None, waits_for=(), run=None, soak=None, backup_left=left)
    assert says in texts(card.blocks)
    over = stage in (answers.Stage.FINISHED, answers.Stage.REMOVED)
    assert (Action.HOLD in card_checks.pressed(card.blocks)) is not over


def test_a_host_that_is_not_prepared_is_prepared_next() -> None:
    entry = entry_change.EntryView(entry_change.EntryState.DIRECT, "it goes straight to the old application")
    card = shown(weight=0, stage=answers.Stage.NEW, next_step=5, waits_for=(), run=None, soak=None, soak_needed=0.0, entry=entry)
    assert "`/migrate preflight shop` → `/migrate prepare shop reason`" in texts(card.blocks)


def test_an_old_application_that_is_gone_and_drift_are_told() -> None:
    entry = entry_change.EntryView(entry_change.EntryState.BROKEN, "the canary is gone", ("weight 50 by hand",), 0)
    said = texts(shown(entry=entry).blocks)
    assert "⚠️ not as it must be. the canary is gone" in said
    assert "no ready endpoint" in said
    assert "weight 50 by hand" in said


@settings(max_examples=30, deadline=None)
@given(some.sampled_from(words.LOCALES), card_checks.HOSTILE)
def test_whatever_is_written_about_a_way_is_not_live_and_fits(locale: str, text: str) -> None:
    entry = entry_change.EntryView(entry_change.EntryState.BROKEN, text, (text,) * 30, 0)
    judged = gates.Judgement(tuple(gates.Gate(name, gates.Verdict.FAIL, text) for name in gates.Name), MEASURED)
    paused = run(paused=text, requester=text, requester_shown=text)
    soak = replace(SOAK, missing=text, resets=3)
    shown(words.Words(locale), entry=entry, judgement=judged, waits_for=(text,) * 30, run=paused, soak=soak)
