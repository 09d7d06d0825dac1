"""ConfigMaps and Secrets as pods use them: read from a local copy, with word when anything in it changes."""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from typing import Any

from deploy.playground.world import cluster_mirror

Json = dict[str, Any]
CONFIG_MAPS = "/api/v1/configmaps"
SECRETS = "/api/v1/secrets"


class NotYet(Exception):
    """A pod cannot start (or refresh) yet; the sentence says what it waits for."""


class Ticker:
    """Tells any number of waiters that something changed. Take the ticket before looking, await it afterwards."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def ticket(self) -> asyncio.Event:
        return self._next

    def tick(self) -> None:
        past, self._next = self._next, asyncio.Event()
        past.set()


class ClusterObjects:
    """What the mirror holds, by namespace and name. `ticker` tells of every change."""

    def __init__(self, mirror: cluster_mirror.ClusterMirror, ticker: Ticker) -> None:
        self._mirror = mirror
        self.ticker = ticker

    def config_map(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """Its keys. Raises NotYet."""
        found = self._find(CONFIG_MAPS, namespace, name, "ConfigMap")
        plain = {key: value.encode() for key, value in (found.get("data") or {}).items()}
        return plain | _decoded(found.get("binaryData"))

    def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """Its keys. Raises NotYet."""
        return _decoded(self._find(SECRETS, namespace, name, "Secret").get("data"))

    def _find(self, path: str, namespace: str, name: str, kind: str) -> Json:
        for item in self._mirror.of(path):
            if item["metadata"]["name"] == name and item["metadata"]["namespace"] == namespace:
                return item
        raise NotYet(f"{kind} {namespace}/{name} does not exist; create it and the pod starts by itself")


def _decoded(data: Mapping[str, str] | None) -> dict[str, bytes]:
    found = {}
    for key, value in (data or {}).items():
        try:
            found[key] = base64.b64decode(value)
        except (binascii.Error, ValueError):
            raise NotYet(f"the key {key} is no base64; write it again") from None
    return found
