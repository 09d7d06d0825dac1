"""What proxies know and the cluster does not: latches of their own, holds pushed while the API server was away, a document
that was low for a moment. It is written down, so that it is seen, settled, and ended only by people.
"""

from handlers import adopting, fleets, hold, messages, outside, remembered
from k8s import model, views


class Listening:
    def __init__(self, world: outside.Outside, *, memory: remembered.Remembered, asked: fleets.Fleets, feed: hold.Feed) -> None:
        self._world = world
        self._memory = memory
        self._fleets = asked
        self._feed = feed
        self._anew: set[tuple[str, int, str]] = set()  # service, generation of the record, id of a hold that it ended
        self._ahead: dict[str, tuple[int, int]] = {}  # generations by service: of the record, of the proxies

    async def listen(self) -> None:
        """One round over all services."""
        fleet = await self._fleets.ask()
        view = self._world.cluster.view()
        if not view.synced:
            return
        self._tell_restored(fleet, view)
        anew = self._held_anew(fleet, view)
        reported: dict[str, model.Hold] = {}  # by key: what is held for all is reported by every service
        for one in view.services.values():
            found = adopting.only_reported(fleet, one, self._world.clock, cluster=view)
            reported |= {hold.key: hold for hold in (*found, *anew.get(one.name, ()))}
        await adopting.adopt(self._world, tuple(reported.values()))
        for name, one in view.services.items():
            lowest = lowest_wish(fleet, one)
            if lowest is not None and self._memory.open(name) is None:
                self._feed(
                    messages.WishLowered(id=f"proxies/wish/{name}", at=self._world.clock.now(), service=name, weight=lowest)
                )

    def _held_anew(self, fleet: views.Fleet, view: views.ClusterView) -> dict[str, tuple[model.Hold, ...]]:
        """Holds that a record has ended and that stand at proxies twice in a row: once, and they have yet to see the end."""
        found = {
            (name, one.generation, hold.id): hold
            for name, one in view.services.items()
            for hold in adopting.only_reported(fleet, one, self._world.clock, cluster=view, ended=True)
        }
        still: dict[str, tuple[model.Hold, ...]] = {}
        for key, one in found.items():
            if key in self._anew:
                still[one.service] = (*still.get(one.service, ()), one)
        self._anew = set(found)
        return still

    def _tell_restored(self, fleet: views.Fleet, view: views.ClusterView) -> None:
        """Proxies are ahead of the record twice in a row: once, and it may be our watch that lags."""
        ahead = {
            name: (one.generation, highest)
            for name, one in view.services.items()
            if one.record is not None and (highest := fleets.highest_generation(fleet, name)) > one.generation
        }
        still = [name for name, generations in ahead.items() if self._ahead.get(name) == generations]
        self._ahead = ahead
        for name in still:
            at, (generation, highest) = self._world.clock.now(), ahead[name]
            self._feed(
                messages.RecordRestored(
                    id=f"proxies/restored/{name}", at=at, service=name, generation=generation, highest=highest
                )
            )


def lowest_wish(fleet: views.Fleet, one: views.ServiceView) -> int | None:
    """The lowest that a proxy saw the document ask for under the record in force, if that is below the record."""
    record = one.record
    if record is None or record.finished:
        return None
    reports = (report.services[one.name] for report in fleet.reports if one.name in report.services)
    seen = [each.lowest_wish for each in reports if each.lowest_wish is not None and each.generation == record.generation]
    lowest = min(seen, default=record.exposure.weight)
    return lowest if lowest < record.exposure.weight else None
