"""Whatever comes, in whatever order: no raise is written without another person's approval and a later confirmation."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from handlers import messages
from handlers.rules import approvals, decide, effects, migration, planning
from k8s import exposure, model
from tests.rules import builders
from tests.rules.builders import NOON

PEOPLE = [builders.ANN, builders.BOB, builders.CYD, builders.GUEST, builders.STRANGER, builders.LAY, builders.UNLISTED]
KINDS = (
    "shift", "release", "approve", "approve", "approve", "reject", "confirm", "confirm", "hold", "wish", "time", "written",
    "not written", "converged", "not converged", "verified", "not verified", "edit",
)  # fmt: skip
STEPS = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from(PEOPLE),
        st.sampled_from([0, 5, 25, 50, 100]),
        st.integers(-10, 50),
        st.booleans(),
    ),
    max_size=25,
)


def planned(of: migration.Migration, target: model.Exposure | None) -> migration.Plan:
    holds = tuple(model.Hold("shop", one) for one in of.holds)
    seen = builders.view(of.exposure, generation=of.generation, wish=of.wish, holds=holds)
    return planning.plan(seen, target=target) if target else planning.plan(seen, release=True)


def replanned(of: migration.Migration) -> migration.Migration:
    """As the use cases do before they ask: the same change planned again from the live cluster."""
    if of.operation is None:
        return of
    release = of.operation.plan.kind is migration.Kind.RELEASE
    return replace(of, plan_now=planned(of, None if release else of.operation.plan.after))


def message_for(  # noqa: PLR0911, PLR0912  # one line a kind of message; splitting would hide the list
    kind: str, of: migration.Migration, who: messages.Person, weight: int, number: int, *, right: bool
) -> messages.Message:
    operation = of.operation or of.last
    name = operation.id if operation and right else "op-elsewhere"
    awaited = effects.revert_id(name) if of.phase is migration.Phase.REVERTING else name
    common: dict[str, Any] = {"id": f"m{number}", "at": NOON, "service": "shop"}
    revision = operation.revision if operation and right else 1
    match kind:
        case "shift":
            return messages.ProposeShift(**common, actor=who, target=builders.exposure(weight))
        case "release":
            return messages.ProposeRelease(**common, actor=who)
        case "approve":
            return messages.Approve(**common, actor=who, operation=name, revision=revision)
        case "reject":
            return messages.Reject(**common, actor=who, operation=name)
        case "confirm":
            return messages.Confirm(**common, actor=who, operation=name)
        case "hold":
            return messages.HoldsStand(**common, holds=(model.Hold("shop", f"h{number % 3}"),))
        case "wish":
            return messages.WishLowered(**common, weight=weight)
        case "written":
            return messages.RecordWritten(**common, operation=awaited, generation=of.generation + 1)
        case "not written":
            return messages.RecordNotWritten(**common, operation=awaited, why="conflict")
        case "converged":
            return messages.Converged(**common, operation=awaited, because="all")
        case "not converged":
            return messages.NotConverged(**common, operation=awaited, why="1 of 2")
        case "verified":
            return messages.Verified(**common, operation=awaited, because="share as asked")
        case "not verified":
            return messages.NotVerified(**common, operation=awaited, why="errors")
        case _:
            return messages.TimePassed(**common)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_no_sequence_of_messages_writes_a_raise_without_four_eyes(
    steps: list[tuple[str, messages.Person, int, int, bool]],
) -> None:
    of, now, used = builders.at(5), NOON, set[str]()
    heard: set[tuple[str, str, str]] = set()  # (operation, person, plan hash) of approvals that were really sent and not refused
    for number, (kind, who, weight, minutes, right) in enumerate(steps):
        now += timedelta(minutes=minutes)
        if kind == "edit":
            of = replace(of, wish=weight)
        message = message_for(kind, of, who, weight, number, right=right)
        if isinstance(message, messages.ProposeShift):
            of = replace(of, plan_now=planned(of, message.target))
        elif isinstance(message, messages.ProposeRelease):
            of = replace(of, plan_now=planned(of, None))
        elif right:
            of = replanned(of)
        answer = decide.decide(of, message, now)
        if isinstance(message, messages.Approve) and answer.refusal is None and of.operation:
            heard.add((of.operation.id, message.actor.id, of.operation.plan.hash))
        for write in builders.written(answer):
            _judge(of, message, write, heard)
            assert used.isdisjoint(write.approvals)
            used.update(write.approvals)
        for back in builders.taken_back(answer):
            assert of.exposure is not None
            assert back.exposure.weight == 0 or exposure.at_most(back.exposure, of.exposure)
        of = answer.next


def _judge(
    of: migration.Migration, message: messages.Message, write: effects.WriteRecord, heard: set[tuple[str, str, str]]
) -> None:
    assert isinstance(message, messages.Confirm)
    operation = write.operation
    if operation.plan.kind is migration.Kind.LOWER:
        assert write.exposure.weight == 0 or (of.exposure and exposure.at_most(write.exposure, of.exposure))
        assert not write.clears
        return
    assert message.actor.id == operation.requester
    assert operation.confirmed_at is not None
    counted = approvals.counting(operation, operation.confirmed_at)
    assert counted
    for approval in counted:
        assert (operation.id, approval.by, operation.plan.hash) in heard
        assert approval.by != operation.requester
        assert approval.at <= operation.confirmed_at < operation.expires_at
    assert set(of.holds) <= set(write.clears)
    assert write.expected_generation == of.generation
