"""Waves as values and rules: whose turn it is, who may join on which approval, what halts, what is left afterwards."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import journey_messages, messages
from handlers.rules import decide, decision, effects, gates, journeys, migration, planning, refusals, stepping, waves, waving
from k8s import entry_change
from tests.rules import builders
from tests.rules.builders import ANN, BOB, NOON, Phase

State, Reason, Kind = waves.State, refusals.Reason, migration.Kind
NAME = "wave.0123abcd"
UNTIL = NOON + timedelta(days=30)
SIX = ("shop", "cart", "mail", "news", "pay", "zoo")


def member(service: str = "shop", weight: int = 5, **changes: Any) -> migration.Migration:
    """Well, at rest, with the plan of its raise to 25% made from what is in force."""
    of = builders.on_its_way(weight, journey=builders.soaked(weight))
    journey = replace(of.journey or journeys.Journey(service), service=service)
    of = replace(of, service=service, journey=journey, **changes)
    looked = replace(builders.view(of.exposure, generation=of.generation, wish=of.wish), name=service)
    return replace(of, plan_now=planning.plan(looked, target=builders.exposure(25)))


def plan(*members: migration.Migration) -> migration.Plan:
    several = tuple(migration.Member(one.service, one.plan_now.hash if one.plan_now else "", one.weight, 25) for one in members)
    return migration.Plan(NAME, Kind.WAVE, None, builders.exposure(25), 0, 0, until=UNTIL.isoformat(), members=several)


def wave(*members: migration.Migration) -> migration.Migration:
    """As the use cases load it for a proposal, an approval, a confirmation."""
    return migration.Migration(NAME, Phase.STEADY, plan_now=plan(*members), members=members)


def ask(of: migration.Migration, who: messages.Person = ANN) -> decision.Decision:
    names = tuple(one.service for one in of.members)
    message = journey_messages.ProposeWave(id="m1", at=NOON, service=NAME, actor=who, services=names, weight=25)
    return decide.decide(of, message, NOON)


def approved(*members: migration.Migration) -> migration.Migration:
    seen = wave(*members)
    asked = ask(seen)
    assert asked.refusal is None, asked.refusal
    given = builders.approve(replace(asked.next, plan_now=seen.plan_now, members=members))
    assert given.refusal is None, given.refusal
    return replace(given.next, plan_now=seen.plan_now, members=members)


def begun(*members: migration.Migration) -> migration.Operation:
    return builders.the(builders.confirm(approved(*members)).next)


def joining(of: migration.Migration, of_wave: migration.Operation | None) -> decision.Decision:
    message = journey_messages.JoinWave(id="j", at=NOON, service=of.service, wave=NAME, weight=25)
    return decide.decide(replace(of, wave=of_wave), message, NOON)


def joined(of: migration.Migration, of_wave: migration.Operation) -> migration.Migration:
    answer = joining(of, of_wave)
    assert answer.refusal is None, answer.refusal
    return replace(answer.next, journey=builders.kept(answer), wave=of_wave, turn="")


def test_the_confirmed_wave_is_carried_by_its_first_member_before_anything_is_saved() -> None:
    both = member("shop"), member("cart")
    answer = builders.confirm(approved(*both))
    first = answer.effects[0]
    assert isinstance(first, effects.KeepJourney)
    assert first.journey.service == "shop"
    assert waving.operation_in(first.journey.wave) == answer.next.operation
    assert [type(one) for one in answer.effects].count(effects.WriteRecord) == 0
    assert (builders.the(answer.next).phase, builders.the(answer.next).confirmed_at) == (Phase.CONVERGING, NOON)


def test_a_member_gets_its_part_only_of_a_confirmed_and_approved_wave_and_of_its_own_plan() -> None:
    shop, cart = member("shop"), member("cart")
    of = begun(shop, cart)
    part = joined(cart, of).journey
    assert part is not None
    assert part.standing is not None
    assert (part.standing.wave, part.standing.plan_hash, part.standing.steps) == (NAME, of.plan.hash, (25,))
    assert [one.by for one in part.standing.approvals] == [BOB.id]
    others: list[tuple[migration.Migration, migration.Operation | None]] = [
        (cart, None),
        (cart, replace(of, approvals=())),
        (cart, replace(of, confirmed_at=None)),
        (cart, replace(of, outcome=migration.Outcome.HALTED)),
        (cart, replace(of, phase=Phase.APPROVED)),
        (cart, replace(of, plan=replace(of.plan, until=NOON.isoformat()))),
        (cart, replace(of, plan=replace(of.plan, wish=1))),  # another plan: the approvals are of the first one
        (member("mail"), of),
        (member("cart", generation=2), of),
        (member("cart", weight=10), of),
        (replace(cart, plan_now=None), of),
        (replace(cart, holds=("h1",), phase=Phase.HELD), of),
    ]
    for one, known in others:
        answer = joining(one, known)
        assert answer.refusal is not None
        assert answer.refusal.reason in (Reason.INVALID, Reason.NOT_CHECKED)
        journey = builders.kept(answer)
        assert journey is None or (journey.standing, journey.run) == (None, None)


def test_a_member_steps_only_in_its_turn_and_only_by_the_plan_that_was_approved() -> None:
    shop, cart = member("shop"), member("cart")
    part = joined(cart, begun(shop, cart))
    due = journey_messages.StepDue(id="s", at=NOON, service="cart", weight=25)
    for not_yet in (replace(part, turn=None), replace(part, turn="others are before it"), replace(part, wave=None)):
        answer = decide.decide(not_yet, due, NOON)
        assert answer.refusal is not None
        assert answer.refusal.reason is Reason.STEP_NOT_DUE
        assert builders.written(answer) == []
    answer = builders.decided(part, due)
    [write] = builders.written(answer)
    assert write.approvals == (f"{builders.the(answer.next).standing}/25",)
    assert write.approvals[0].endswith("/cart/25")
    assert write.operation.approvals[0].by == BOB.id
    moved = member("cart", generation=2)
    journey = part.journey
    assert journey is not None
    assert journey.standing is not None
    elsewhere = replace(journey, standing=replace(journey.standing, at=2), soak=moved.journey.soak if moved.journey else None)
    drifted = replace(part, generation=2, plan_now=moved.plan_now, journey=elsewhere)
    answer = builders.decided(drifted, due)
    assert builders.written(answer) == []
    journey = builders.kept(answer)
    assert journey is not None
    assert journey.run is not None
    assert "not as it was" in journey.run.paused
    assert stepping.used_again(replace(part, journey=None), builders.the(builders.decided(part, due).next)) is None


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (member("cart", holds=("h1",)), Reason.HELD),
        (member("cart", blockers=("no eyes",)), Reason.BLOCKED),
        (member("cart", trust=migration.Trust(protected=frozenset({"cart"}))), Reason.PROTECTED),
        (member("cart", trust=migration.Trust(largest_step=10)), Reason.STEP_TOO_LARGE),
        (
            member("cart", entry=entry_change.EntryView(entry_change.EntryState.DIRECT, "direct")),
            Reason.NOT_PREPARED,
        ),
        (member("cart", judgement=gates.Judgement()), Reason.NOT_JUDGED),
        (member("cart", record_finished=True), Reason.FINISHED),
        (replace(member("cart"), plan_now=None), Reason.INVALID),
        (member("cart", weight=25), Reason.INVALID),
        (member("cart", weight=50), Reason.INVALID),
    ],
)
def test_whatever_forbids_one_raise_forbids_the_wave_at_each_of_its_steps(
    spoilt: migration.Migration, reason: refusals.Reason
) -> None:
    good = member("shop"), member("cart")
    bad = (good[0], spoilt)
    asked = ask(wave(*bad))
    assert asked.refusal is not None
    assert asked.refusal.reason is reason
    assert "cart" in asked.refusal.sentence
    seen = wave(*good)
    waiting = replace(ask(seen).next, plan_now=seen.plan_now, members=bad)
    late = builders.approve(waiting)
    assert late.refusal is not None
    confirmed = builders.confirm(replace(approved(*good), members=bad))
    assert confirmed.refusal is not None
    assert confirmed.refusal.reason is reason
    assert not [one for one in confirmed.effects if isinstance(one, effects.KeepJourney)]


def test_ended_is_written_where_it_is_carried_and_calls_people_where_it_halted() -> None:
    shop, cart = member("shop"), member("cart")
    of = begun(shop, cart)
    carrier = replace(shop, journey=replace(shop.journey, wave=waving._text(of)) if shop.journey else None)
    running = migration.Migration(NAME, of.phase, operation=of, members=(carrier,))
    for halted, outcome, pages in (("", migration.Outcome.DONE, 0), ("cart: held", migration.Outcome.HALTED, 1)):
        message = journey_messages.WaveEnded(
            id="e", at=NOON, service=NAME, operation=of.id, moved=0 if halted else 2, halted=halted
        )
        answer = builders.decided(running, message)
        first = answer.effects[0]
        assert isinstance(first, effects.KeepJourney)
        carried = waving.operation_in(first.journey.wave)
        assert carried is not None
        assert carried.outcome is outcome
        assert len([one for one in answer.effects if isinstance(one, effects.PageSomebody)]) == pages


def test_nothing_is_left_of_a_wave_that_was_left_and_another_one_stays() -> None:
    shop, cart = member("shop"), member("cart")
    of = begun(shop, cart)
    part = joined(cart, of)
    message = journey_messages.LeaveWave(id="l", at=NOON, service="cart", wave=NAME, operation=of.id, why="over")
    journey = builders.kept(builders.decided(part, message))
    assert journey is not None
    assert (journey.standing, journey.run) == (None, None)
    assert builders.kept(builders.decided(part, replace(message, wave="wave.ffffffff", operation="op-other"))) is None


# Whose turn it is

OPERATION = begun(member("shop"), member("cart"))


def going(*states: waves.State, order: int = 0, names: tuple[str, ...] = SIX) -> waves.Wave:
    members = tuple(waves.Member(name, 0, 100, state) for name, state in zip(names, states, strict=False))
    return waves.Wave(replace(OPERATION, id=f"op-{order}", confirmed_at=NOON + timedelta(minutes=order)), members)


W, M, D = State.WAITING, State.MOVING, State.DONE
EVEN = dict.fromkeys(SIX, 0.1)


def admitted(*several: waves.Wave, traffic: dict[str, float] | None = None, most: int = 3, percent: int = 100) -> set[str]:
    told = waves.turns(several, EVEN if traffic is None else traffic, migration.Together(most, percent))
    assert set(told) == {one.service for each in several for one in each.of(W)}
    return {name for name, why in told.items() if not why}


def test_so_many_at_once_and_in_their_order() -> None:
    assert admitted(going(W, W, W, W, W)) == {"shop", "cart", "mail"}
    assert admitted(going(D, M, W, W, W)) == {"mail", "news"}
    assert admitted(going(M, M, M, W, W)) == set()
    assert admitted(going(W, W), going(W, W, order=1, names=("pay", "zoo"))) == {"shop", "cart", "pay"}
    assert admitted(going(W, order=1, names=("pay",)), going(M, M, W), most=3) == {"mail"}


def test_so_much_traffic_at_once_and_what_nobody_knows_goes_alone() -> None:
    large = {**EVEN, "shop": 0.9}
    assert admitted(going(W, W, W), traffic=large, percent=20) == {"shop"}
    assert admitted(going(D, W, W, W), traffic=large, percent=20) == {"cart", "mail"}
    assert admitted(going(W, W, W), traffic={}) == {"shop"}
    assert admitted(going(W, W, W), traffic={"shop": 0.1}) == {"shop"}
    assert admitted(going(M, W, W), traffic={"cart": 0.1, "mail": 0.1}) == set()


def test_nobody_moves_before_all_have_joined_or_after_one_halted() -> None:
    assert admitted(going(W, W, State.PLANNED)) == set()
    assert admitted(going(D, State.HALTED, W)) == set()
    assert admitted(going(D, State.HALTED, W), going(W, order=1, names=("pay",))) == {"pay"}


STATES = st.sampled_from([W, W, W, M, D])


@given(
    st.lists(STATES, min_size=1, max_size=6),
    st.dictionaries(st.sampled_from(SIX), st.floats(0, 1), max_size=6),
    st.integers(1, 4),
    st.integers(1, 100),
)
def test_limits_hold_whatever_the_states_and_the_traffic(
    states: list[waves.State], traffic: dict[str, float], most: int, percent: int
) -> None:
    one = going(*states)
    allowed = admitted(one, traffic=traffic, most=most, percent=percent)
    moving = {each.service for each in one.of(M)}
    together = moving | allowed
    assert len(together) <= max(most, len(moving))
    if allowed and len(together) > 1:
        assert together <= set(traffic)
        assert sum(traffic[name] for name in together) * 100 <= percent + 1e-9
    if not moving and one.of(W):
        assert allowed  # somebody always may, or the wave would never end
    waiting = [each.service for each in one.of(W)]
    assert waiting[: len(allowed)] == [name for name in waiting if name in allowed]
