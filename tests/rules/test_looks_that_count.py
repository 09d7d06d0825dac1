"""What one look says: at 100% old must be known to be there, and where nothing is in force there is no share to judge."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from handlers import judged, sighting
from handlers.rules import gates
from k8s import entry_change, views
from tests.rules import builders

FLEET = views.Fleet(0, ())


@pytest.mark.parametrize(
    ("weight", "old_ready", "counts"), [(100, None, False), (100, 1, True), (75, None, True), (75, 0, False)]
)
def test_backup_time_counts_only_while_old_is_known_to_be_ready(weight: int, old_ready: int | None, counts: bool) -> None:
    entry = replace(builders.ENTERED, old_ready=old_ready)
    one = builders.view(builders.exposure(weight))
    seen = sighting.sight(one, sighting.Around(FLEET, builders.WELL, entry))
    assert (seen.quiet == "") is counts


@pytest.mark.parametrize("state", entry_change.EntryState)
def test_nothing_counts_where_the_host_does_not_lead_to_the_proxies(state: entry_change.EntryState) -> None:
    entry = entry_change.EntryView(state, "", (), 2)
    seen = sighting.sight(builders.view(builders.exposure(25)), sighting.Around(FLEET, builders.WELL, entry))
    assert bool(seen.quiet) is (state in {entry_change.EntryState.DIRECT, entry_change.EntryState.BROKEN})


def test_the_share_is_judged_only_of_what_is_in_force() -> None:
    look = gates.Look(datetime(2026, 1, 2, tzinfo=UTC), {"shop": gates.Measured()})
    for before, asked in ((None, False), (builders.exposure(25), True)):
        found = judged.judgement(look, builders.view(before, wish=25), None, firing=judged.Loud(), blind="")
        assert (gates.Name.SHARE in {gate.name for gate in found.gates}) is asked
