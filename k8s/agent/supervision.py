"""What this agent looks after besides following the cluster: nginx's processes and its generation, a document that stays broken,
and connections that outlive a hold. A look every half second, which waits for nobody but nginx: over loopback, and at most a
second, for what it serves. The document is judged beside that, too, by every view as it comes.
"""

import asyncio
import contextlib
import datetime
import logging
import time
from collections.abc import AsyncGenerator, Callable

from k8s import views
from k8s.agent import document_fault, long_lived, nginx_process, nginx_watch, own_hold, processes, serving, structure

log = logging.getLogger("ferry.agent.supervision")


class Supervision:
    """`look_again` is called when the structure is to be followed soon. `run` never ends by itself."""

    def __init__(
        self,
        *,
        process: nginx_process.NginxProcess,
        watch: nginx_watch.NginxWatch,
        nginx: structure.Structure,
        served: serving.Serving,
        fault: document_fault.DocumentFault,
        outliving: long_lived.LongLived,
        view: Callable[[], views.ClusterView],
        changes: Callable[[], AsyncGenerator[views.ClusterView, None]],
        look_again: Callable[[], None],
    ) -> None:
        self._process = process
        self._watch = watch
        self._structure = nginx
        self._serving = served
        self._fault = fault
        self._outliving = outliving
        self._view = view
        self._changes = changes
        self._look_again = look_again
        self._differed = False
        self._asked = self._counted = 0.0

    @property
    def trouble(self) -> list[str]:
        """Sentences."""
        return [one for one in (self._watch.trouble, self._fault.sentence(self._serving), self._outliving.trouble) if one]

    async def run(self) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(self._look_around())
            both.create_task(self._read_along())

    async def _read_along(self) -> None:
        """Every view, as it comes: a document that was whole for a moment was whole."""
        async with contextlib.aclosing(self._changes()) as newer:
            async for view in newer:
                self._judge_document(view, time.monotonic())

    async def _look_around(self) -> None:
        while True:
            now = time.monotonic()
            with contextlib.suppress(OSError):  # no descriptors left: the next look sees as much again
                self._watch.look(now)
            self._judge_document(self._view(), now)
            await self._end_connections(now)
            if now - self._asked >= nginx_watch.ASK_EVERY:
                self._asked = now
                await self._ask_nginx()
            await asyncio.sleep(nginx_watch.EVERY)

    async def _ask_nginx(self) -> None:
        """Another generation than the one nginx was brought to, or none at all: the structure is to see to it at once."""
        expected = self._structure.generation
        if not expected:
            return
        served = await self._process.served()
        differs = served != expected == self._structure.generation
        if differs and not self._differed:
            log.warning("nginx serves %s instead of %s", served or "nothing", expected)
        self._differed = differs
        if differs:
            self._look_again()

    def _judge_document(self, view: views.ClusterView, now: float) -> None:
        since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        order = self._fault.look(view, now, since=since, served=self._serving)
        if order is not None:
            own_hold.place(self._serving, order)

    async def _end_connections(self, now: float) -> None:
        if now - self._counted < long_lived.LOOK_EVERY:
            return
        self._counted = now
        recorded = [name for name, one in self._serving.memories.items() if one.record is not None]
        served, pids = {name: self._serving.link(name) for name in recorded}, tuple(self._watch.pids)
        outlived = await self._outliving.outlived(
            now, served=served, ends=self._structure.ends, standing=lambda: processes.connections(pids)
        )
        found = {name for name in outlived if self._serving.link(name) == 0}  # else it was raised while the others were counted
        if found:
            log.info("connections to new of %s outlived their hold: nginx's workers are replaced", ", ".join(sorted(found)))
            self._outliving.ended(found)
            self._structure.renew()
            self._look_again()
