"""The objects around a service: what a stage would change, by a dry run, and carrying out what was approved."""

import asyncio
from collections import defaultdict

from handlers import journey_messages, messages, outside
from handlers.rules import effects
from k8s import entry_change, errors, model

NOWHERE = "nothing here changes objects; upgrade Ferry's bot, or change them by hand"
_TRIES = 3


class Arranging:
    """One at a time a service."""

    def __init__(self, world: outside.Outside, limits: outside.Limits) -> None:
        self._world = world
        self._limits = limits
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def preview(self, service: str, stage: entry_change.Stage) -> entry_change.Arrangement:
        """What the stage would change now. Raises errors.ClusterError: also where there is nothing to plan from."""
        if self._world.entries is None:
            raise errors.Invalid(NOWHERE)
        return await self._world.entries.plan(self._service(service), stage)

    def view(self, service: str) -> entry_change.EntryView:
        return self._world.entries.view(service) if self._world.entries is not None else entry_change.EntryView()

    async def carry_out(self, effect: effects.ArrangeObjects) -> messages.Message:
        """Exactly the plan's objects; safe to repeat."""
        operation = effect.operation
        service = operation.plan.service
        facts = {"id": f"{operation.id}/objects", "service": service, "operation": operation.id}
        try:
            told = await self.arrange(service, effect.stage, operation.plan.objects)
        except errors.ClusterError as error:
            return journey_messages.ObjectsNotArranged(at=self._world.clock.now(), why=str(error), **facts)
        return journey_messages.ObjectsArranged(at=self._world.clock.now(), told=told, **facts)

    async def arrange(self, service: str, stage: entry_change.Stage, objects: tuple[tuple[str, str], ...]) -> str:
        """What was done, one sentence. A lost answer or a busy server is asked again. Raises errors.ClusterError."""
        if self._world.entries is None:
            raise errors.Invalid(NOWHERE)
        async with self._locks[service]:
            for _ in range(_TRIES - 1):
                try:
                    return await self._world.entries.arrange(self._service(service), stage, objects)
                except errors.ClusterError as error:
                    if isinstance(error, errors.Conflict) or not error.retryable:
                        raise
                await self._world.clock.sleep(self._limits.ask)
            return await self._world.entries.arrange(self._service(service), stage, objects)

    def _service(self, name: str) -> model.Service:
        """Its entry in the document, or the last good one. Raises errors.Missing."""
        wished = self._world.cluster.service(name).wished
        if wished is None:
            raise errors.Missing(f"migration.yaml names no service {name}, so nobody knows its objects; add its entry first")
        return wished
