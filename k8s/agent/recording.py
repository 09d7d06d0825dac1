"""The agent's decisions, written down where they take effect: a link that moves, a memory that changes, an nginx that reloads.

Each part here is the real one, with a line in the journal for what it did.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path

from aiohttp import typedefs, web

from k8s import model, nginx, protocol
from k8s.agent import breaker, journal, links, memory_file, nginx_process, protection, serving, traffic

_CLOSED = breaker.Breaker()
_received: ContextVar[float | None] = ContextVar("received", default=None)


@contextlib.contextmanager
def received() -> Iterator[None]:
    """What is done within was asked for by something that has just arrived: the links it moves are timed from here."""
    before = _received.set(time.monotonic())
    try:
        yield
    finally:
        _received.reset(before)


@web.middleware
async def requests_received(request: web.Request, handler: typedefs.Handler) -> web.StreamResponse:
    with received():
        return await handler(request)


class RecordedMemory(memory_file.MemoryFolder):
    """Tells records that are accepted, holds that begin and holds that end. `remembered` is what was told last."""

    def __init__(self, folder: Path, said: journal.Journal) -> None:
        super().__init__(folder)
        self._journal = said
        self.remembered: dict[str, protocol.Memory] = {}

    def load(self) -> dict[str, memory_file.Remembered]:
        found = super().load()
        self.remembered = {name: one.memory for name, one in found.items()}
        return found

    def save(self, memory: protocol.Memory, orders: Iterable[model.Hold] = ()) -> None:
        """Told before it is on disk: it is in force already, and a full disk is no reason to be silent."""
        words = tuple(orders)
        before = self.remembered.get(memory.service, protocol.Memory(memory.service))
        self.remembered[memory.service] = memory
        self._tell_record(before, memory)
        self._tell_holds(before, memory, {one.id: one for one in words})
        super().save(memory, words)

    def _tell_record(self, before: protocol.Memory, now: protocol.Memory) -> None:
        record = now.record
        if record is not None and now.digest != before.digest:
            self._journal.audit(
                "record accepted",
                service=now.service,
                generation=record.generation,
                operation=record.operation,
                weight=record.exposure.weight,
                finished=record.finished,
                clears=record.clears,
            )
        elif now.missing and not before.missing:
            self._journal.audit("record gone", service=now.service, generation=now.generation)

    def _tell_holds(self, before: protocol.Memory, now: protocol.Memory, words: dict[str, model.Hold]) -> None:
        held, was = set(now.held), set(before.held)
        for name in sorted(held - was):
            order = words.get(name, model.Hold(now.service, name))
            self._journal.audit(
                "hold begins",
                service=now.service,
                hold=name,
                source="migration-holds" if name in now.present else "told to the agent",
                by=order.by,
                reason=order.reason,
                cause=order.cause,
                since=order.since,
            )
        for name in sorted(was - held):
            operation = now.record.operation if now.record else ""
            self._journal.audit("hold ends", service=now.service, hold=name, generation=now.generation, operation=operation)


class RecordedLinks(links.Links):
    """Tells each move, why, and how long it took since what asked for it arrived. `serving`: whose links they are, once it is."""

    def __init__(self, run: Path, said: journal.Journal) -> None:
        super().__init__(run)
        self._journal = said
        self._last: dict[str, int] = {}
        self.serving: serving.Serving | None = None

    def serve(self, service: str, weight: int) -> None:
        # Asking the disk doubles what a hold of a thousand services costs: only a raise can wait for it.
        before = self._last.pop(service, None) if weight == 0 else None  # unknown again if the move fails
        before = self.served(service) if before is None else before
        super().serve(service, weight)
        self._last[service] = weight
        if before == weight:
            return
        moved = time.monotonic()
        move: dict[str, object] = {"service": service, "from": before, "to": weight}
        if self.serving is None:
            self._journal.audit("link moved", **move, because="the agent starts with what it remembers")
            return
        memory, verdict = self.serving.memories[service], self.serving.served(service).effective
        move["holds"] = verdict.held
        if memory.record is not None:
            move |= {"operation": memory.record.operation, "generation": memory.record.generation}
        self._journal.audit("link moved", **move, because=verdict.because, suppression=verdict.suppression)
        if (since := _received.get()) is not None:
            self._journal.timing("link moved", moved - since, **move)


class RecordedNginx(nginx_process.NginxProcess):
    """Tells each reload, how long it took until nginx itself named the new generation, and what it refused."""

    def __init__(self, said: journal.Journal, *, binary: Path, run: Path, status_url: str) -> None:
        super().__init__(binary=binary, run=run, status_url=status_url)
        self._journal = said
        self._refused = ""

    async def complaint(self, text: str) -> str:
        found = await super().complaint(text)
        if found and found != self._refused:  # it is asked again every few seconds
            self._refused = found
            self._journal.audit("configuration refused", complaint=found)
        return found

    async def apply(self, rendered: nginx.Rendered, *, limit: float = nginx_process.TAKES) -> nginx_process.Outcome:
        began = time.monotonic()
        outcome = await super().apply(rendered, limit=limit)
        if outcome.reloaded:
            self._journal.audit("reload", generation=rendered.generation, served=outcome.served, trouble=outcome.trouble)
            self._journal.timing("reload", time.monotonic() - began, generation=rendered.generation)
        return outcome


class RecordedProtection(protection.Protection):
    """Tells every change of a breaker."""

    def __init__(
        self,
        said: journal.Journal,
        *,
        served: serving.Serving,
        tallies: traffic.Tallies,
        probes: protection.Probes,
        neighbours: protection.Neighbours,
        pod: str,
        latch_after: float,
    ) -> None:
        super().__init__(served=served, tallies=tallies, probes=probes, neighbours=neighbours, pod=pod, latch_after=latch_after)
        self._journal = said

    def review(self, name: str) -> None:
        before = self.breakers.get(name, _CLOSED).phase
        super().review(name)
        now = self.breakers.get(name, _CLOSED)
        if now.phase is not before:
            self._journal.audit("breaker", service=name, phase=str(now.phase), because=now.reason, openings=now.opened)
