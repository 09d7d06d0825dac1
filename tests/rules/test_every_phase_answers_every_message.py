"""The full product of phases and messages: a rule answers, or a refusal that says why and what to do."""

import string
from datetime import datetime
from typing import Any

import pytest

from handlers import journey_messages, messages
from handlers.rules import decide, migration, phases, refusals
from k8s import entry_change
from tests.rules import builders

Phase = migration.Phase


def concrete() -> set[type[messages.Message]]:
    """Those that the module names: slotted dataclasses leave unslotted doubles among `__subclasses__`."""
    known = (*vars(messages).values(), *vars(journey_messages).values())
    named = {one for one in known if isinstance(one, type) and issubclass(one, messages.Message)}
    return {one for one in named if not any(other is not one and issubclass(other, one) for other in named)}


def sample(kind: type[messages.Message], operation: str) -> messages.Message:
    facts: dict[str, Any] = {
        "id": "m9", "at": builders.NOON, "service": "shop", "actor": builders.CYD, "target": builders.exposure(75),
        "operation": operation, "revision": 1, "generation": 2, "why": "1 of 2", "because": "2 of 2", "holds": (builders.HOLD,),
        "weight": 1, "name": "NewDown", "cause": "f/1", "severity": messages.Severity.CRITICAL, "firing": True,
        "started": builders.NOON, "highest": 9, "stage": entry_change.Stage.PREPARE, "reason": "why not", "told": "all is so",
        "services": ("shop", "cart"), "wave": "wave.0123abcd", "moved": 1,
    }  # fmt: skip
    return kind(**{name: facts[name] for name in facts if name in kind.__dataclass_fields__})


MESSAGES = sorted(concrete(), key=lambda kind: kind.__name__)


def test_nothing_is_forgotten() -> None:
    assert (len(Phase), len(MESSAGES)) == (9, 31)
    assert {message for _, message in phases.TRANSITIONS} <= set(MESSAGES)
    assert len(phases.TRANSITIONS) == 150


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_every_phase_answers_every_message(phase: migration.Phase, kind: type[messages.Message]) -> None:
    reached = builders.in_phase(phase)
    if phase in {Phase.STEADY, Phase.HELD}:
        assert reached.operation is None
    assert reached.phase is phase
    operation = reached.operation.id if reached.operation else "op-unknown"
    answer = decide.decide(reached, sample(kind, operation), builders.NOON)
    assert answer.because
    if (phase, kind) not in phases.TRANSITIONS:
        assert answer.refusal is not None
        assert answer.next.phase is phase
    if answer.refusal:
        assert answer.refusal.what
        assert answer.refusal.why
        assert answer.refusal.remedy


@pytest.mark.parametrize("reason", refusals.Reason)
def test_every_refusal_says_what_why_and_what_to_do(reason: refusals.Reason) -> None:
    what, why, remedy = refusals.WORDS[reason]
    names = {name for text in (what, why, remedy) for _, name, _, _ in string.Formatter().parse(text) if name}
    refusal = refusals.refuse(reason, **{name: f"the {name}" for name in names})
    for text in (refusal.what, refusal.why, refusal.remedy):
        assert text.strip()
        assert "{" not in text
    assert refusal.sentence == f"{refusal.what} {refusal.why} {refusal.remedy}"


def test_holds_and_hand_edits_and_orders_are_never_refused() -> None:
    never = {messages.HoldsStand, messages.PlaceHold, messages.WishLowered, messages.Alert, messages.TimePassed}
    never |= {messages.RecordRestored, journey_messages.RunInterrupted}
    moment: datetime = builders.NOON
    for phase in Phase:
        for kind in never:
            assert decide.decide(builders.in_phase(phase), sample(kind, "x"), moment).refusal is None
