"""What this replica remembers: operations, holds that are not in the cluster's view yet, the latest time seen.

Memory makes lowering independent of the store. For a raise that waits it counts only as long as the store agrees.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime

from handlers.rules import migration
from k8s import model

_KEPT = 500  # decided operations, for late clicks


class Remembered:
    def __init__(self) -> None:
        self._open: dict[str, migration.Operation] = {}
        self._decided: OrderedDict[str, migration.Operation] = OrderedDict()  # by id, oldest first
        self._last: dict[str, migration.Operation] = {}
        self._holds: dict[str, model.Hold] = {}  # by key
        self._landed: set[str] = set()
        self._latest: datetime | None = None

    def saw(self, now: datetime) -> datetime:
        """The latest time seen: a clock that goes backwards is not believed."""
        self._latest = now if self._latest is None else max(now, self._latest)
        return self._latest

    def keep(self, operation: migration.Operation) -> None:
        """As it is now; an older form of what is known changes nothing."""
        service = operation.plan.service
        known = self.find(operation.id)
        if known is not None and known.revision > operation.revision:
            return
        if operation.outcome is migration.Outcome.OPEN:
            self._open[service] = operation
            return
        if (current := self._open.get(service)) is not None and current.id == operation.id:
            del self._open[service]
        self._decided[operation.id] = operation
        self._decided.move_to_end(operation.id)
        self._last[service] = operation
        while len(self._decided) > _KEPT:
            self._decided.popitem(last=False)

    def open(self, service: str) -> migration.Operation | None:
        return self._open.get(service)

    def all_open(self) -> Mapping[str, migration.Operation]:
        return dict(self._open)

    def last(self, service: str) -> migration.Operation | None:
        """The newest decided one."""
        return self._last.get(service)

    def find(self, operation_id: str) -> migration.Operation | None:
        if operation_id in self._decided:
            return self._decided[operation_id]
        return next((one for one in self._open.values() if one.id == operation_id), None)

    def order(self, hold: model.Hold) -> None:
        """It was ordered; from now on no raise passes, also before the cluster shows it."""
        self._holds[hold.key] = hold

    def landed(self, hold: model.Hold, *, safe: bool = True) -> None:
        """It is in force: in the cluster, or at every agent. Not `safe`: it was, and is no more."""
        if not safe:
            self._landed.discard(hold.key)
        elif hold.key in self._holds:
            self._landed.add(hold.key)

    def forget(self, holds: Iterable[model.Hold]) -> None:
        """The cluster shows them, or a record ended them."""
        for hold in holds:
            self._holds.pop(hold.key, None)
            self._landed.discard(hold.key)

    def ordered(self, service: str, *, landed: bool = False) -> tuple[model.Hold, ...]:
        """Holds for the service, or for all, that the cluster does not show yet. `landed`: only those in force."""
        names = {service, model.ALL_SERVICES}
        return tuple(hold for key, hold in self._holds.items() if hold.service in names and (not landed or key in self._landed))
