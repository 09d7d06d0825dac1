"""The transition table, as data: which rule answers which message in which phase. What is not listed is refused."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from handlers import journey_messages, messages
from handlers.rules import (
    approving,
    decision,
    finishing,
    interrupting,
    laddering,
    migration,
    proposing,
    proposing_objects,
    running,
    running_objects,
    stepping,
    superseding,
    waving,
)

# Any: each rule names the message type it answers, and the table's key is what guarantees it.
Rule = Callable[[migration.Migration, Any, datetime], decision.Decision]
Phase = migration.Phase

_REST: tuple[Phase, ...] = (Phase.STEADY, Phase.HELD)
_WAITING: tuple[Phase, ...] = (Phase.PROPOSED, Phase.APPROVED)
_RUNNING: tuple[Phase, ...] = tuple(phase for phase in Phase if phase in migration.RUNNING)


def _each(
    phases: tuple[Phase, ...], message: type[messages.Message], rule: Rule
) -> dict[tuple[Phase, type[messages.Message]], Rule]:
    return {(phase, message): rule for phase in phases}


TRANSITIONS: Mapping[tuple[Phase, type[messages.Message]], Rule] = {
    **_each(_REST, messages.ProposeShift, proposing.propose_shift),
    **_each(_REST, messages.ProposeRelease, proposing.propose_release),
    **_each(_REST, journey_messages.ProposeObjects, proposing_objects.propose_objects),
    **_each(_REST, journey_messages.ProposeFinish, finishing.propose_finish),
    **_each(_REST, journey_messages.ProposeRun, laddering.propose_run),
    **_each(_REST, journey_messages.ProposeWave, waving.propose_wave),
    **_each(tuple(Phase), journey_messages.JoinWave, waving.join),
    **_each(tuple(Phase), journey_messages.LeaveWave, waving.leave),
    (Phase.CONVERGING, journey_messages.WaveEnded): waving.ended,
    **_each(_REST, journey_messages.SkipSoak, laddering.skip_soak),
    **{(phase, kind): superseding.propose_over_waiting for phase in _WAITING for kind in superseding.PROPOSALS},
    **_each(tuple(Phase), journey_messages.PauseRun, laddering.pause),
    **_each(tuple(Phase), journey_messages.ResumeRun, laddering.resume),
    (Phase.STEADY, journey_messages.StepDue): stepping.step_due,
    **_each(tuple(Phase), journey_messages.RunInterrupted, stepping.interrupted),
    (Phase.PROPOSED, messages.Approve): approving.approve,
    (Phase.APPROVED, messages.Approve): approving.approve_again,
    **_each(_WAITING, messages.Reject, approving.reject),
    (Phase.PROPOSED, messages.Confirm): approving.confirm_unapproved,
    (Phase.APPROVED, messages.Confirm): approving.confirm,
    **_each(_WAITING, messages.TimePassed, approving.expire),
    (Phase.ARRANGING, journey_messages.ObjectsArranged): running_objects.arranged,
    (Phase.ARRANGING, journey_messages.ObjectsNotArranged): running_objects.not_arranged,
    (Phase.APPLYING, messages.RecordWritten): running.written,
    (Phase.APPLYING, messages.RecordNotWritten): running.not_written,
    (Phase.CONVERGING, messages.Converged): running.converged,
    (Phase.CONVERGING, messages.NotConverged): running.take_back,
    (Phase.VERIFYING, messages.Verified): running.verified,
    (Phase.VERIFYING, messages.NotVerified): running.take_back,
    (Phase.VERIFYING, messages.NotConverged): running.take_back,
    (Phase.REVERTING, messages.RecordWritten): running.revert_written,
    (Phase.REVERTING, messages.Converged): running.reverted,
    (Phase.REVERTING, messages.RecordNotWritten): running.revert_failed,
    (Phase.REVERTING, messages.NotConverged): running.revert_failed,
    **_each(_RUNNING, messages.TimePassed, running.wait),
    **_each(_REST, messages.TimePassed, interrupting.settle_again),
    **_each(_REST, messages.RecordWritten, interrupting.settle_again),
    **_each(tuple(Phase), messages.HoldsStand, interrupting.holds_stand),
    **_each(_REST, messages.WishLowered, interrupting.wish_lowered),
    **_each(_WAITING, messages.WishLowered, interrupting.wish_lowered_while_waiting),
    **_each(_RUNNING, messages.WishLowered, interrupting.wish_lowered_while_running),
    **_each((*_REST, *_WAITING), messages.RecordRestored, interrupting.record_restored),
    **_each(_RUNNING, messages.RecordRestored, interrupting.record_restored_while_running),
    **_each(tuple(Phase), messages.PlaceHold, interrupting.hold_ordered),
    **_each(tuple(Phase), messages.Alert, interrupting.alert_told),
}
