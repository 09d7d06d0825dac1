"""Holds that only agents have, pushed while the API server was away or latches of their own: written into the cluster."""

from dataclasses import replace

from handlers import outside, ports
from k8s import errors, model, views


async def adopt(world: outside.Outside, found: tuple[model.Hold, ...]) -> None:
    """A key that stands already keeps its own words."""
    for hold in found:
        try:
            await world.holds.adopt(hold)
        except errors.ClusterError:
            return  # it counts as reported all the same, and is tried again


def only_reported(
    fleet: views.Fleet, view: views.ServiceView, clock: ports.Clock, *, ended: bool = False
) -> tuple[model.Hold, ...]:
    """Of this service: what agents hold and the cluster does not show, without those that its record has ended.

    `ended`: those alone, where an agent that serves the record holds all the same: it has yet to see that the key is gone,
    or the key came back and was deleted by hand. With the words a hold was placed with, where an agent knows them: its cause
    says when it may be released.
    """
    standing = {hold.id for hold in view.holds}
    cleared = frozenset(view.record.clears) if view.record is not None else frozenset()
    found: dict[str, model.Hold] = {}
    for report in fleet.reports:
        one = report.services.get(view.name)
        if one is None:
            continue
        words = {hold.id: hold for hold in one.pushed}
        for hold_id in one.holds:
            if hold_id in standing or (hold_id in cleared) is not ended or (ended and one.generation < view.generation):
                continue
            if hold_id in words:
                found[hold_id] = replace(words[hold_id], service=view.name)
            elif hold_id not in found:
                since = clock.now().isoformat(timespec="seconds")
                found[hold_id] = model.Hold(view.name, hold_id, reason="a proxy holds it; adopted", by="ferry", since=since)
    return tuple(found[hold_id] for hold_id in sorted(found))
