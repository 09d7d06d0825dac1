"""Holds that only agents have, pushed while the API server was away or latches of their own: written into the cluster."""

from dataclasses import replace

from handlers import outside, ports
from k8s import errors, model, proxy_report, views


async def adopt(world: outside.Outside, found: tuple[model.Hold, ...]) -> None:
    """A key that stands already keeps its own words."""
    for hold in found:
        try:
            await world.holds.adopt(hold)
        except errors.ClusterError:
            return  # it counts as reported all the same, and is tried again


def only_reported(fleet: views.Fleet, view: views.ServiceView, clock: ports.Clock) -> tuple[model.Hold, ...]:
    """Of this service: what agents hold and the cluster does not show, without what a record ended that an agent has yet to read.

    With the words it was placed with, where an agent knows them: its cause says when it may be released.
    """
    standing = {hold.id for hold in view.holds}
    found: dict[str, model.Hold] = {}
    for report in fleet.reports:
        one = report.services.get(view.name)
        if one is None:
            continue
        words = {hold.id: hold for hold in one.pushed}
        for hold_id in one.holds:
            if hold_id in standing or _is_behind(one, view, hold_id):
                continue
            if hold_id in words:
                found[hold_id] = replace(words[hold_id], service=view.name)
            elif hold_id not in found:
                since = clock.now().isoformat(timespec="seconds")
                found[hold_id] = model.Hold(view.name, hold_id, reason="a proxy holds it; adopted", by="ferry", since=since)
    return tuple(found[hold_id] for hold_id in sorted(found))


def _is_behind(one: proxy_report.ServiceReport, view: views.ServiceView, hold_id: str) -> bool:
    record = view.record
    return record is not None and hold_id in record.clears and one.generation < record.generation
