"""When a document that cannot be read becomes severe, so that an agent sends everything to old by itself.

Every agent that saw the same documents makes the same hold. While the cluster cannot be read nothing is known about the document,
and that time does not count. A missing document needs no hold: it asks for 0 already.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from k8s import hold_document, model, protocol, views
from k8s.agent import serving

PREFIX = hold_document.DOCUMENT_PREFIX
CAUSE = "document"
NAMED = 3  # services or holds in one sentence


@dataclass(frozen=True, slots=True)
class Standing:
    """The holds that a document brought about. `services`: by id, whom each of them holds. `everything`: the ids that were placed
    for all services; a release may have ended those for some of them.
    """

    services: Mapping[str, frozenset[str]]
    everything: frozenset[str]


def standing(served: serving.Serving) -> Standing:
    services: dict[str, set[str]] = {one.id: set() for one in served.holds_for_all if one.id.startswith(PREFIX)}
    everything = set(services)
    for name, memory in served.memories.items():
        for hold in memory.held:
            if hold.startswith(PREFIX):
                services.setdefault(hold, set()).add(name)
    if services:  # one that came by the cluster alone is known for one of all by its words
        everything |= {one.id for orders in served.orders.values() for one in orders if one.service == model.ALL_SERVICES}
    return Standing({hold: frozenset(names) for hold, names in services.items()}, frozenset(everything & services.keys()))


def may_reach_new(memory: protocol.Memory) -> bool:
    """By its record alone: wish, holds and breaker aside. A finished service has no old to go to."""
    record = memory.record
    if record is None or memory.missing or record.finished:
        return False
    return min(record.exposure.weight, memory.cap) > 0


class DocumentFault:
    """`patience`: seconds that a document may be unreadable, in which somebody may put it back."""

    def __init__(self, *, patience: float, by: str) -> None:
        self._patience = patience
        self._by = by
        self._state: views.DocumentState | None = None  # as it was seen last; None: not yet
        self._broken = ""  # version of the first one since it could be read, or was missing, that could not
        self._waited = 0.0
        self._last_look: float | None = None  # when the trouble was seen last; None: not since the cluster was away, or at all
        self._decided = False

    def look(self, view: views.ClusterView, now: float, *, since: str, served: serving.Serving) -> model.Hold | None:
        """The hold for all to place now, once for each trouble. `now`: monotonic seconds; `since`: the same moment for people.

        Where nothing may reach new there is nothing to hold, until something may.
        """
        if not view.synced:
            self._last_look = None
            return None
        self._state = view.document_state
        if self._state is not views.DocumentState.UNREADABLE:
            self._broken, self._waited, self._last_look, self._decided = "", 0.0, None, False
            return None
        self._broken = self._broken or view.document_version
        self._waited += now - self._last_look if self._last_look is not None else 0.0
        self._last_look = now
        if self._decided or self._waited < self._patience:
            return None
        exposed = [one for one in served.memories.values() if may_reach_new(one)]
        if not exposed:
            return None
        self._decided = True
        placed = standing(served).everything
        if all(placed & set(one.held) for one in exposed):
            return None  # another agent's, or one of before this agent began: one is enough
        return self._hold(view, since)

    def _hold(self, view: views.ClusterView, since: str) -> model.Hold:
        reason = f"migration.yaml cannot be relied on for {self._patience:.0f} s: {view.document_trouble}"
        return model.Hold(
            model.ALL_SERVICES, hold_document.document_hold_id(self._broken), reason=reason, by=self._by, since=since, cause=CAUSE
        )

    def sentence(self, served: serving.Serving) -> str:
        """What people should know of it; empty when there is nothing to say. The trouble itself is said by the view."""
        now = standing(served)
        everybody = served.memories.keys()
        of_all = sorted(hold for hold in now.everything if now.services[hold] >= everybody)
        said = [self._of_all(of_all)] if of_all else []
        said += [_of_some(hold, sorted(now.services[hold])) for hold in sorted(now.services.keys() - set(of_all))[:NAMED]]
        if (more := len(now.services) - len(of_all) - NAMED) > 0:
            said.append(f"{more} more such holds stand, see `/migrate status`")
        return "; ".join(said)

    def _of_all(self, holds: list[str]) -> str:
        listed = ", ".join(holds)
        release = "until a person releases it (`/migrate safe-mode off`)"
        match self._state:
            case views.DocumentState.UNREADABLE:
                return f"everything goes to old by {listed}: migration.yaml was not put back in {self._patience:.0f} s"
            case None:
                return f"{listed} holds everything at old {release}"
            case views.DocumentState.MISSING:
                return f"migration.yaml is missing now; {listed} still holds everything at old {release}"
            case _:
                return f"migration.yaml can be read again; {listed} still holds everything at old {release}"


def _of_some(hold: str, services: list[str]) -> str:
    listed = ", ".join(services[:NAMED]) + (f" and {len(services) - NAMED} more" if len(services) > NAMED else "")
    return (
        f"{listed}: held at old by {hold}, because migration.yaml was not corrected in time, until a person releases it"
        f" (`/migrate safe-mode off {services[0]}`)"
    )
