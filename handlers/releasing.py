"""Taking away the keys of holds that a signed record ended. A hold of all becomes one of every other service first."""

from dataclasses import replace

from handlers import outside, remembered
from k8s import errors, model


class Releasing:
    def __init__(self, world: outside.Outside, memory: remembered.Remembered) -> None:
        self._world = world
        self._memory = memory

    async def end(self, service: str, cleared: tuple[str, ...]) -> str:
        """Safe to repeat. Answers why a key still stands; empty: none of them does."""
        ended = [hold for hold in self._world.cluster.service(service).holds if hold.id in cleared]
        try:
            for hold in ended:
                if hold.service == model.ALL_SERVICES:
                    await self._split(hold, service)
            if ended:
                await self._world.holds.remove(tuple(ended))
        except errors.ClusterError as error:
            return f"the record ends the holds, but their keys still stand: {error}"
        self._memory.forget(ended)
        return ""

    async def _split(self, hold: model.Hold, released: str) -> None:
        """All others stay held by the same id: there is no moment without it."""
        view = self._world.cluster.view()
        for name, other in sorted(view.services.items()):
            ended = other.record is not None and hold.id in other.record.clears
            if name not in (released, model.ALL_SERVICES) and not ended:
                await self._world.holds.place(replace(hold, service=name))
