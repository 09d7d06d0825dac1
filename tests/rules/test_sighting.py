"""What a look says of a service that soaks: what Ferry changes itself is half done meanwhile, and nobody's drift."""

from dataclasses import replace

import pytest

from handlers import sighting
from handlers.rules import migration
from k8s import entry_change
from tests.rules import builders

Kind, Phase = migration.Kind, migration.Phase
DRIFTED = entry_change.EntryView(entry_change.EntryState.BROKEN, drift=("Ingress aibang/shop was changed.",))


def running(kind: migration.Kind, phase: migration.Phase) -> migration.Operation:
    operation = builders.the(builders.in_phase(Phase.CONVERGING))
    return replace(operation, phase=phase, plan=replace(operation.plan, kind=kind))


@pytest.mark.parametrize(
    ("operation", "resets"),
    [
        (None, True),
        (running(Kind.FINISH, Phase.ARRANGING), False),
        (running(Kind.FINISH, Phase.CONVERGING), False),
        (running(Kind.FINISH, Phase.APPROVED), True),
        (running(Kind.RAISE, Phase.CONVERGING), True),
    ],
)
def test_objects_that_ferry_is_changing_send_no_soak_back(operation: migration.Operation | None, resets: bool) -> None:
    view = builders.view(builders.exposure(100))
    seen = sighting.sight(view, sighting.Around(None, builders.WELL, DRIFTED, operation=operation))
    assert seen.alert_or_drift is resets
    assert seen.missing
