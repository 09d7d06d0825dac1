"""Until its end a service must be able to go back: that its old application is still there is watched."""

from handlers import arranging, outside, speaking, tasks
from k8s import views


class OldApplications:
    def __init__(
        self, world: outside.Outside, limits: outside.Limits, *, arranges: arranging.Arranging, work: tasks.Tasks
    ) -> None:
        self._world = world
        self._limits = limits
        self._arranging = arranges
        self._tasks = work
        self._gone: dict[str, float] = {}  # monotonic: since when it has no ready endpoint
        self._called: set[str] = set()

    def look(self, one: views.ServiceView, now: float) -> None:
        """People are called once for each record, over all replicas. `now`: monotonic seconds."""
        if self._arranging.view(one.name).old_ready != 0:
            self._gone.pop(one.name, None)
            return
        if now - self._gone.setdefault(one.name, now) < self._limits.no_proxies:
            return  # a rollout may be at its worst moment
        once = f"old-gone/{one.name}/{one.generation}"
        if once in self._called:
            return
        self._called.add(once)
        sentence = (
            f"{one.name}: its old application has no ready endpoint, so no rollback would be answered. Bring it back now; "
            "nothing soaks until then."
        )
        self._tasks.start(speaking.page(self._world, one.name, sentence, once=once), name=once)
