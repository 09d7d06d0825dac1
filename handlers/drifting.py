"""Changes by hand of what was approved, in the document and around the services: found, put back or accepted, and told.

Nothing here moves traffic up, and nothing waits for it: what stands above its record is served by no proxy in the meantime.
"""

from handlers import (
    answers,
    arranging,
    document_drift,
    drift_notes,
    entry_drift,
    hold,
    journey_keeping,
    loading,
    outside,
    remembered,
    tasks,
)
from handlers.rules import drifts, effects, migration
from k8s import views

_FEW = 20  # services whose entry is named when nobody can tell of it


class Drifting:
    """`look` is asked at every round of the guard."""

    def __init__(
        self,
        world: outside.Outside,
        limits: outside.Limits,
        *,
        memory: remembered.Remembered,
        loader: loading.Loader,
        ways: journey_keeping.Journeys,
        arranges: arranging.Arranging,
        work: tasks.Tasks,
        feed: hold.Feed,
        busy: drift_notes.Busy,
    ) -> None:
        self._world = world
        self._limits = limits
        self._memory = memory
        self._tasks = work
        self._busy = busy
        self._notes = notes = drift_notes.DriftNotes(world)
        self._document = document_drift.DocumentDrift(world, limits, loader=loader, notes=notes, work=work, busy=busy)
        self._entries = entry_drift.EntryDrift(
            world,
            limits,
            loader=loader,
            ways=ways,
            arranges=arranges,
            notes=notes,
            work=work,
            feed=feed,
            busy=busy,
        )
        self._looked = -limits.tick
        self._lowered: dict[str, str] = {}  # how it was told last, by service

    def look(self, view: views.ClusterView) -> None:
        """Once a tick; asks nobody."""
        now = self._world.clock.monotonic()
        if not view.synced or now - self._looked < self._limits.tick:
            return
        self._looked = now
        self._document.look(view)
        self._entries.look(view)

    def lowered(self, one: views.ServiceView, view: views.ClusterView) -> None:
        """The document is below the record, and the record is about to follow. While something runs, that tells of it."""
        operation = self._memory.open(one.name)
        runs = (operation is not None and operation.phase in migration.RUNNING) or loading.runs(one) or self._busy(one.name)
        if runs or view.document_state is views.DocumentState.MISSING:
            return
        how = drifts.lowered(one)
        once = effects.digest("lowered", one.name, str(one.generation), how)
        if self._lowered.get(one.name) == once:
            return
        self._lowered[one.name] = once
        noted = drift_notes.Noted(
            one.name, how, self._world.clock.now(), self._world.clock.monotonic(), once, by=view.document.writer
        )
        told = f"{how}{noted.whose}; that is accepted, and the record follows"
        todo = f"Up again it goes with `/migrate shift {one.name} …`."
        work = self._notes.settled(noted, answers.Became.ACCEPTED, told=told, todo=todo)
        self._tasks.start(work, name=f"{one.name} was lowered by hand")

    def drift(self, service: str | None = None) -> answers.Drift:
        """Of one service, or of all."""
        view = self._world.cluster.view()
        lines = (*self._document.lines, *self._entries.lines)
        now = tuple(sorted(lines, key=lambda line: (line.service, line.what)))
        accepted = {(line.service, line.what) for line in now}
        before = tuple(line for line in self._notes.lately if (line.service, line.what) not in accepted)
        chosen = tuple(line for line in (*now, *before) if service is None or line.service == service)
        return answers.Drift(chosen, self._unseen(view, service), view.synced)

    def _unseen(self, view: views.ClusterView, service: str | None) -> tuple[str, ...]:
        names = [service] if service is not None else sorted(view.services)[:_FEW]
        known = {
            "how entries stand is not known: nothing looks at objects here"
            if self._world.entries is None
            else self._entries.unseen(name)
            for name in names
        }
        return tuple(sorted(one for one in known if one))
