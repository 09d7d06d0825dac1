"""Writing `migration-holds`: placing is one merge patch that reads nothing, so that no storm makes a conflict."""

import asyncio
from collections.abc import Iterable, Mapping

from k8s import client, errors, hold_document, model

CONFIG_MAP = "migration-holds"
_TRIES = 8


class HoldBook:
    def __init__(self, api: client.ClusterClient, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def place(self, hold: model.Hold, *, limit: float = 2.0) -> None:
        """Seconds for everything. Safe to repeat: the same hold is the same key. Raises errors.ClusterError.

        A lost answer is tried once more within the limit, because it makes no difference to a hold.
        """
        key, value = hold_document.as_value(hold)
        try:
            async with asyncio.timeout(limit):
                try:
                    await self._place(key, value, limit)
                except errors.Unreachable:
                    await self._place(key, value, limit)
        except TimeoutError:
            raise errors.Unreachable(
                f"hold {key}: no answer within {limit:g} s; push it to the agents and place it again"
            ) from None

    async def _place(self, key: str, value: str, limit: float) -> None:
        change = {"data": {key: value}}
        try:
            await self._api.patch(client.CONFIG_MAPS, self._namespace, CONFIG_MAP, change, limit=limit)
        except errors.Missing:
            await self._make(change, limit)

    async def _make(self, change: Mapping[str, object], limit: float) -> None:
        whole = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP}, **change}
        try:
            await self._api.create(client.CONFIG_MAPS, self._namespace, whole, limit=limit)
        except errors.Conflict:  # somebody else made it in between
            await self._api.patch(client.CONFIG_MAPS, self._namespace, CONFIG_MAP, change, limit=limit)

    async def adopt(self, hold: model.Hold) -> bool:
        """Write down a hold that only agents know of. False: its key stands already, with its own cause and reason.

        Compare-and-set, unlike `place`: what somebody wrote into the key meanwhile must not be lost.
        Raises errors.ClusterError.
        """
        key, value = hold_document.as_value(hold)
        for _ in range(_TRIES):
            try:
                found = await self._api.get(client.CONFIG_MAPS, self._namespace, CONFIG_MAP)
            except errors.Missing:
                await self.place(hold)
                return True
            if key in (found.get("data") or {}):
                return False
            change = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}, "data": {key: value}}
            try:
                await self._api.patch(client.CONFIG_MAPS, self._namespace, CONFIG_MAP, change)
            except errors.Conflict:
                continue
            return True
        raise errors.Conflict(f"{CONFIG_MAP} changed {_TRIES} times while {key} was adopted; it holds at the agents all the same")

    async def standing(self) -> tuple[model.Hold, ...]:
        """What the cluster has now. Raises errors.ClusterError; a missing ConfigMap is no holds."""
        try:
            found = await self._api.get(client.CONFIG_MAPS, self._namespace, CONFIG_MAP)
        except errors.Missing:
            return ()
        return hold_document.holds_from(found.get("data"))

    async def remove(self, holds: Iterable[model.Hold]) -> tuple[str, ...]:
        """Deletes the keys that still say exactly what was seen (compare-and-set); returns the keys that were deleted.

        A key whose value changed meanwhile is another order and stays. Raises errors.Conflict after many lost races.
        """
        wanted = set(holds)
        for _ in range(_TRIES):
            try:
                found = await self._api.get(client.CONFIG_MAPS, self._namespace, CONFIG_MAP)
            except errors.Missing:
                return ()
            data = found.get("data") or {}
            keys = tuple(key for key in sorted(data) if hold_document.hold_from(key, data[key]) in wanted)
            if not keys:
                return ()
            change = {
                "metadata": {"resourceVersion": found["metadata"]["resourceVersion"]},
                "data": dict.fromkeys(keys),
            }
            try:
                await self._api.patch(client.CONFIG_MAPS, self._namespace, CONFIG_MAP, change)
            except errors.Conflict:
                continue
            return keys
        raise errors.Conflict(f"{CONFIG_MAP} changed {_TRIES} times while holds were removed; try again when it is quiet")
