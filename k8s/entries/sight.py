"""Ingresses, Services and endpoints of the whole cluster, kept current by one watch a kind: what `standing` judges."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from k8s import client, errors, model
from k8s.entries import app_routes, entry_kinds, old_application
from k8s.entries import entry_names as names
from k8s.entries.entry_names import EntrySettings, Json, Place
from k8s.entries.steps import Found

_PAUSE = 0.5  # seconds before a kind is listed again; after a failure ten times as long
_LASTS = 20  # seconds of one watch: one that says nothing for longer, not even its end, is dead
_REREAD = 300.0  # seconds; a whole list at least so often


class _Kind:
    """One kind, by place. `slim`: what of an object is kept. `trouble`: why it is not current, a sentence."""

    def __init__(self, api: client.ClusterClient, resource: client.Resource, slim: Callable[[Json], Json]) -> None:
        self._api = api
        self._resource = resource
        self._slim = slim
        self.items: dict[Place, Json] = {}
        self.version = 0  # grows with every change
        self.trouble = f"the {resource.plural} of the cluster were not read yet"

    async def follow(self) -> None:
        """Endless; cancel it."""
        while True:
            pause = _PAUSE
            try:
                await self._once()
            except errors.ClusterError as error:
                self.trouble = f"the {self._resource.plural} of the cluster cannot be watched: {error}"
                pause = _PAUSE * 10
                if isinstance(error, errors.Expired):
                    pause = _PAUSE
            await asyncio.sleep(pause)

    async def _once(self) -> None:
        """From a list on until the next one is due. Raises ClusterError."""
        listed = await self._api.list(self._resource, "")
        self.items = {names.place(item): self._slim(item) for item in listed["items"]}
        self.version += 1
        self.trouble = ""
        version = str((listed.get("metadata") or {}).get("resourceVersion") or "")
        due = time.monotonic() + _REREAD
        while time.monotonic() < due:
            version = await self._watched(version)
            await asyncio.sleep(_PAUSE)

    async def _watched(self, version: str) -> str:
        """Everything until this watch ends; answers the version to go on from."""
        events = self._api.watch(self._resource, "", version=version, lasts=_LASTS, silence=_LASTS * 1.25)
        async with contextlib.aclosing(events):
            async for event in events:
                item = event["object"]
                version = str((item.get("metadata") or {}).get("resourceVersion") or version)
                if event["type"] == "BOOKMARK":
                    continue
                if event["type"] == "DELETED":
                    self.items.pop(names.place(item), None)
                else:
                    self.items[names.place(item)] = self._slim(item)
                self.version += 1
        return version


class Sight:
    """From `start` on. What it tells is as old as the API server's events: well under a second, unless a connection died."""

    def __init__(self, api: client.ClusterClient) -> None:
        self._ingresses = _Kind(api, entry_kinds.INGRESSES, lambda item: item)
        self._services = _Kind(api, entry_kinds.SERVICES, _slim_service)
        self._slices = _Kind(api, entry_kinds.SLICES, _slim_slice)
        self._tasks: list[asyncio.Task[None]] = []
        self._hosts: tuple[int, dict[str, list[Json]]] = (0, {})
        self._ready: tuple[int, dict[Place, int]] = (0, {})

    def start(self) -> None:
        kinds = (self._ingresses, self._services, self._slices)
        self._tasks = [asyncio.create_task(kind.follow(), name="entries are watched") for kind in kinds]

    async def stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def trouble(self) -> str:
        """Why it cannot be trusted now; empty: it can."""
        return self._ingresses.trouble or self._services.trouble or self._slices.trouble

    def of(self, service: model.Service, wished: Mapping[str, model.Service], settings: EntrySettings) -> Found:
        """What concerns this service."""
        ingresses = list(self._by_host().get(service.exposure.old_host, ()))
        home = Place(settings.namespace, names.proxies_of(service.name))
        canary = self._ingresses.items.get(home)
        if canary is not None and canary not in ingresses:
            ingresses.append(canary)  # somebody gave it another host
        return Found(tuple(ingresses), self._services.items, self._by_service(), wished, settings)

    def _by_host(self) -> dict[str, list[Json]]:
        if self._hosts[0] != self._ingresses.version:
            hosts: dict[str, list[Json]] = {}
            for item in self._ingresses.items.values():
                for host in {route.host for canary in (False, True) for route in app_routes.routes([item], canaries=canary)}:
                    hosts.setdefault(host, []).append(item)
            self._hosts = (self._ingresses.version, hosts)
        return self._hosts[1]

    def _by_service(self) -> dict[Place, int]:
        if self._ready[0] != self._slices.version:
            self._ready = (self._slices.version, ready_endpoints(self._slices.items.values()))
        return self._ready[1]


def ready_endpoints(slices: Iterable[Mapping[str, Any]]) -> dict[Place, int]:
    """Endpoints that take traffic, by Service; each address once."""
    found: dict[Place, set[str]] = {}
    for item in slices:
        owner = ((item.get("metadata") or {}).get("labels") or {}).get("kubernetes.io/service-name")
        addresses = found.setdefault(Place(names.place(item).namespace, str(owner or "")), set())
        for endpoint in item.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is not False:  # absent means ready
                addresses.update(endpoint.get("addresses") or ())
    return {place: len(addresses) for place, addresses in found.items()}


def _slim_service(item: Json) -> Json:
    if old_application.holder_of(item):
        return item
    where = names.place(item)
    ports = (item.get("spec") or {}).get("ports") or []
    return {"metadata": {"namespace": where.namespace, "name": where.name}, "spec": {"ports": ports}}


def _slim_slice(item: Json) -> Json:
    metadata = item.get("metadata") or {}
    kept = {name: metadata.get(name) for name in ("namespace", "name", "labels")}
    return {"metadata": kept, "endpoints": item.get("endpoints") or []}
