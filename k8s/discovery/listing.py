"""Asks the old cluster for what discovery reads, in whichever version of the API it has."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from k8s import client, errors
from k8s.discovery import backends, routes

INGRESSES = tuple(
    client.Resource("ingresses", version)
    for version in ("networking.k8s.io/v1", "networking.k8s.io/v1beta1", "extensions/v1beta1")
)
SERVICES = client.Resource("services")
ENDPOINT_SLICES = tuple(
    client.Resource("endpointslices", version) for version in ("discovery.k8s.io/v1", "discovery.k8s.io/v1beta1")
)


@dataclass(frozen=True, slots=True)
class Listed:
    """`trouble`: what could not be read, a sentence each with what to do."""

    table: routes.Table
    behind: backends.Backends
    trouble: tuple[str, ...] = ()


class Listing:
    """`own_namespace`: Ferry's own objects live there. `limit`: seconds for each list."""

    def __init__(self, api: client.ClusterClient, *, own_namespace: str, limit: float = 8.0) -> None:
        self._api = api
        self._own_namespace = own_namespace
        self._limit = limit

    async def objects(self) -> Listed:
        """Of all namespaces. Raises errors.ClusterError when the Ingresses or Services cannot be read: then nothing is known."""
        ingresses, services, slices = await asyncio.gather(
            self._first(INGRESSES), self._first((SERVICES,)), self._first(ENDPOINT_SLICES), return_exceptions=True
        )
        if isinstance(ingresses, BaseException):
            raise ingresses
        if isinstance(services, BaseException):
            raise services
        trouble: tuple[str, ...] = ()
        if isinstance(slices, errors.ClusterError):
            trouble = (f"Nobody knows which backends are ready: {slices}. Give the bot the rights of bot-discovery-rbac.yaml.",)
        elif isinstance(slices, BaseException):
            raise slices
        known = None if isinstance(slices, errors.ClusterError) else slices
        return Listed(routes.table(ingresses, own_namespace=self._own_namespace), backends.backends(services, known), trouble)

    async def _first(self, versions: Iterable[client.Resource]) -> list[client.Json]:
        """The list in the newest version that the API server has."""
        missing: errors.ClusterError = errors.Missing("the API server has no such kind")
        for resource in versions:
            try:
                return list((await self._api.list(resource, "", limit=self._limit))["items"])
            except errors.Missing as error:
                missing = error
        raise missing
