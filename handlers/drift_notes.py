"""What was changed by hand and what became of it: noted for whoever asks, told once over all replicas."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from handlers import answers, messages, outside, speaking
from handlers.rules import decision, effects

Busy = Callable[[str], bool]  # whether this replica works on a service
_KEPT = 200  # of what was put back or accepted lately


@dataclass(slots=True)
class Noted:
    """`seen`: monotonic, when it was seen first. `again`: monotonic, not tried before that. `once`: names this change in all
    replicas.
    """

    service: str
    what: str
    since: datetime
    seen: float
    once: str
    by: str = ""
    became: answers.Became = answers.Became.WAITS
    todo: str = ""
    again: float = 0.0

    @property
    def line(self) -> answers.DriftLine:
        return answers.DriftLine(self.service, self.what, self.since, self.by, self.became, self.todo)

    @property
    def whose(self) -> str:
        return f" (last written by {self.by})" if self.by else ""


class DriftNotes:
    def __init__(self, world: outside.Outside) -> None:
        self._world = world
        self._lately: deque[answers.DriftLine] = deque(maxlen=_KEPT)

    @property
    def lately(self) -> tuple[answers.DriftLine, ...]:
        """Put back or accepted, newest first."""
        return tuple(self._lately)

    async def settled(self, noted: Noted, became: answers.Became, *, told: str, todo: str = "") -> None:
        """`told`: what happened, sentences."""
        noted.became, noted.todo = became, todo
        if became in (answers.Became.PUT_BACK, answers.Became.ACCEPTED):
            self._lately.appendleft(noted.line)
        sentence = f"{told.rstrip('.')}." + (f" {todo}" if todo else "")
        await self.tell(noted.service, sentence, once=f"{noted.once}/{became}")

    async def tell(self, service: str, sentence: str, *, once: str) -> None:
        if not await speaking.first(self._world, f"drift/{once}"):
            return
        event = effects.AuditEvent(effects.EventKind.DRIFT, decision.FERRY, service, "", sentence, messages.Source.CLUSTER)
        await speaking.spoken(self._world.audit.record(event))
        if self._world.notices is not None:
            await speaking.spoken(self._world.notices.tell(service, sentence))
