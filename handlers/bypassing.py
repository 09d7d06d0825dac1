"""Ferry's last way to old: where proxies do not obey a hold, or none is left, the original entry is put back without them.

Only afterwards and beside it all: a hold is written and pushed first, and waits for nothing here. What is finished has no old
to go to.
"""

from collections.abc import Iterator

import structlog

from handlers import arranging, fleets, hold, outside, speaking, tasks
from handlers.messages import Source
from handlers.rules import decision, effects
from k8s import convergence, entry_change, errors, model, views

_log = structlog.get_logger("ferry.bypassing")
_AGAIN = 30.0  # seconds between two tries of what did not succeed
_THROUGH_PROXIES = frozenset({entry_change.EntryState.ENTERED, entry_change.EntryState.BROKEN})


class Bypassing:
    """`look` is asked at every round of the guard and costs nothing."""

    def __init__(
        self,
        world: outside.Outside,
        limits: outside.Limits,
        *,
        asked: fleets.Fleets,
        arranges: arranging.Arranging,
        lane: hold.HoldLane,
        work: tasks.Tasks,
    ) -> None:
        self._world = world
        self._limits = limits
        self._fleets = asked
        self._arranging = arranges
        self._lane = lane
        self._tasks = work
        self._since: dict[tuple[str, str], float] = {}  # service and cause; monotonic
        self._next: dict[tuple[str, str], float] = {}  # when it may be tried
        self._done: set[tuple[str, str]] = set()

    def look(self, view: views.ClusterView) -> None:
        fleet = self._fleets.newest
        if self._world.entries is None or fleet is None or not view.synced:
            return
        now = self._world.clock.monotonic()
        found = {
            (one.name, cause): (one, limit, why)
            for one in view.services.values()
            if self._concerned(one, fleet)
            for cause, limit, why in self._causes(one, fleet)
        }
        self._since = {key: self._since.get(key, now) for key in found}
        self._done &= set(found)
        for key, (one, limit, why) in found.items():
            late = now - self._since[key] >= limit and now >= self._next.get(key, now)
            if late and key not in self._done and not self._tasks.runs(_key(one.name)):
                self._next[key] = now + _AGAIN
                self._tasks.start(self._bypass(one, key, why), key=_key(one.name))

    def _concerned(self, one: views.ServiceView, fleet: views.Fleet) -> bool:
        """Its host goes through the proxies, and there is an old to go to."""
        if one.wished is None or (one.record is not None and one.record.finished):
            return False
        if fleets.only_new_is_left(fleet, one.name):
            return False
        entry = self._arranging.view(one.name)
        exposed = one.in_force is not None and one.in_force.weight > 0
        return entry.state in _THROUGH_PROXIES or (entry.state is entry_change.EntryState.UNKNOWN and exposed)

    def _causes(self, one: views.ServiceView, fleet: views.Fleet) -> Iterator[tuple[str, float, str]]:
        """What must not last, how long it may (seconds), and its words. Who gives no answer has not been proven gone, unless the
        cluster itself sends nothing there any more.
        """
        if not fleet.takes_requests:
            yield "no proxy", self._limits.no_proxies, f"no proxy is ready since {self._limits.no_proxies:g} s"
        for standing in one.holds:
            verdict = convergence.of_lowering(fleet, one.name, generation=_zero(one), hold=standing.id)
            if not isinstance(verdict, convergence.Converged):
                limit = self._limits.hold
                yield f"hold {standing.id}", limit, f"not every proxy obeys the hold {standing.id} after {limit:g} s"

    async def _bypass(self, one: views.ServiceView, key: tuple[str, str], why: str) -> None:
        service, once = one.name, f"bypass/{key[0]}/{key[1]}/{one.generation}"
        if self._arranging.view(service).old_ready == 0:
            told = "its old application has no ready endpoint, so the original entry is not put back: look now"
            await speaking.page(self._world, service, f"{service}: {why}, and {told}.", once=once)
            return
        try:
            done = await self._put_back(service)
        except errors.ClusterError as error:
            _log.warning("the original entry was not put back", service=service, because=str(error))
            how = "`/migrate bypass` tries it again, and docs/OPERATIONS.md says how to do it by hand"
            sentence = f"{service}: {why}, and the original entry could not be put back: {str(error).rstrip('.')}. {how}."
            await speaking.page(self._world, service, sentence, once=f"{once}/failed")
            return
        self._done.add(key)
        because = f"{why}; the original entry was put back without the proxies ({done.rstrip('.')})"
        if one.in_force is not None and one.in_force.weight > 0 and not one.holds:
            order = model.Hold(service, f"bypass-{effects.digest(service, str(one.generation))}", reason=why, by=decision.FERRY)
            await self._lane.place(order)  # what was approved ends with it: the way back begins at 0
        event = effects.AuditEvent(effects.EventKind.SETTLED, decision.FERRY, service, "", because, Source.FERRY)
        await speaking.spoken(self._world.audit.record(event))
        again = f"Everything goes to old. Repair the proxies, then ask for `/migrate prepare {service}` again."
        await speaking.page(self._world, service, f"{service}: {because}. {again}", once=once, held=True)

    async def _put_back(self, service: str) -> str:
        """Raises errors.ClusterError."""
        arrangement = await self._arranging.preview(service, entry_change.Stage.BYPASS)
        against = (*arrangement.conflicts, *arrangement.troubles)
        if against:
            raise errors.Conflict("; ".join(one.rstrip(".") for one in against))
        return await self._arranging.arrange(service, entry_change.Stage.BYPASS, arrangement.objects)


def _zero(one: views.ServiceView) -> int:
    """A record at 0 that was settled after the hold serves as well; 0: it is not at 0."""
    return one.generation if one.in_force is not None and one.in_force.weight == 0 else 0


def _key(service: str) -> str:
    return f"bypass {service}"
