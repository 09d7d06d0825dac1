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
    fleet: views.Fleet, view: views.ServiceView, clock: ports.Clock, *, cluster: views.ClusterView, ended: bool = False
) -> tuple[model.Hold, ...]:
    """Of this service: what agents hold and the cluster does not show, without those that its record has ended. Of a finished
    service nothing: a hold does not move it. What was placed for all is so here, too, unless a record has ended it for a
    service: those that still hold it are then named one by one.

    `ended`: those alone, where an agent that serves the record holds all the same: it has yet to see that the key is gone,
    or the key came back and was deleted by hand. With the words a hold was placed with, where an agent knows them: its cause
    says when it may be released.
    """
    if view.record is not None and view.record.finished:
        return ()
    standing = {hold.id for hold in view.holds}
    released = {hold_id for one in cluster.services.values() if one.record is not None for hold_id in one.record.clears}
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
                for_all = words[hold_id].service == model.ALL_SERVICES and hold_id not in released
                found[hold_id] = words[hold_id] if for_all else replace(words[hold_id], service=view.name)
            elif hold_id not in found:
                since = clock.now().isoformat(timespec="seconds")
                found[hold_id] = model.Hold(view.name, hold_id, reason="a proxy holds it; adopted", by="ferry", since=since)
    return tuple(found[hold_id] for hold_id in sorted(found))
