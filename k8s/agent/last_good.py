"""What nginx was last brought to, on disk beside the memory: an agent that starts anew goes on with it, also while neither the
cluster nor DNS answers.

Best effort: without it the agent waits for the cluster, as a fresh one does.
"""

import contextlib
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from k8s import model

FILE = "nginx-structure"  # not .json: those are the services' memories


@dataclass(frozen=True, slots=True)
class Kept:
    """`generation`: what nginx called it. `exposures`: what raises may rely on (the weights mean nothing here). `services`: the
    entry by which each was served, as far as nginx needs it. `addresses`: IP addresses by host name, as last resolved.
    """

    generation: str = ""
    exposures: Mapping[str, model.Exposure] = field(default_factory=dict)
    services: Mapping[str, model.Service] = field(default_factory=dict)
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class LastGood:
    """`folder` exists."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._written: Kept | None = None

    def read(self) -> Kept:
        """Empty where nothing can be read or understood."""
        try:
            document = json.loads(self._path.read_text())
            return Kept(
                str(document["generation"]),
                {str(name): model.exposure_from(one) for name, one in document["exposures"].items()},
                {str(name): _service_from(one) for name, one in document.get("services", {}).items()},
                {str(host): _addresses_from(some) for host, some in document.get("addresses", {}).items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Kept()

    def write(self, kept: Kept) -> None:
        if kept == self._written:
            return
        document = {
            "generation": kept.generation,
            "exposures": {name: one.at(0).as_document() for name, one in kept.exposures.items()},
            "services": {name: _document_of(one) for name, one in kept.services.items()},
            "addresses": {host: list(some) for host, some in kept.addresses.items()},
        }
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_text(json.dumps(document))
            fresh.replace(self._path)
            self._written = kept
        except OSError:  # it is tried again the next time; half a file would only take the room that a hold needs
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)


def _document_of(service: model.Service) -> dict[str, Any]:
    return {
        "name": service.name,
        "exposure": service.exposure.at(0).as_document(),
        "old_backend": [service.old_backend.host, service.old_backend.port],
        "paths": [[one.path, one.backend.host, one.backend.port] for one in service.paths],
        "timeout": service.timeout,
        "connect_timeout": service.connect_timeout,
        "upgrade_timeout": service.upgrade_timeout,
        "retries": service.retries,
        "breaker": [service.breaker.failures, service.breaker.pause],
        "health": [service.health.path, service.health.interval, service.health.failures],
    }


def _service_from(document: Mapping[str, Any]) -> model.Service:
    """Raises ValueError, KeyError or TypeError."""
    return model.Service(
        name=document["name"],
        exposure=model.exposure_from(document["exposure"]),
        old_backend=model.Backend(*document["old_backend"]),
        paths=tuple(model.PathBackend(path, model.Backend(host, port)) for path, host, port in document["paths"]),
        timeout=document["timeout"],
        connect_timeout=document["connect_timeout"],
        upgrade_timeout=document["upgrade_timeout"],
        retries=document["retries"],
        breaker=model.Breaker(*document["breaker"]),
        health=model.Health(*document.get("health", ())),  # agents before this one did not keep it
    )


def _addresses_from(some: list[str]) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_address(one)) for one in some)
