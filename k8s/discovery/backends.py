"""Services and EndpointSlices of the old cluster, as far as a route needs them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]
_OF_SERVICE = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind a route. `port`: what its cluster name is to be asked at; None: `trouble` says why nobody knows.

    `external`: the outside name of an ExternalName Service. `client_ip`: the Service keeps a client at one pod.
    `port_name`, `app_protocol`: as the Service has them. `ready`: endpoints; None: nobody knows.
    """

    port: int | None
    trouble: str = ""
    external: str = ""
    client_ip: bool = False
    headless: bool = False
    port_name: str = ""
    app_protocol: str = ""
    ready: int | None = None


@dataclass(frozen=True, slots=True)
class Backends:
    """`services` by namespace and name; `slices` None: EndpointSlices could not be read."""

    services: Mapping[tuple[str, str], Json] = field(default_factory=dict)
    slices: Mapping[tuple[str, str], tuple[Json, ...]] | None = None

    def behind(self, namespace: str, service: str, port: int | str) -> Behind:
        found = self.services.get((namespace, service))
        if found is None:
            return Behind(None, f"the Service {namespace}/{service} does not exist")
        spec = found.get("spec") or {}
        listed = [one for one in spec.get("ports") or () if isinstance(one, Mapping)]
        one = next((each for each in listed if port in (each.get("port"), each.get("name"))), None)
        external = str(spec.get("externalName") or "") if spec.get("type") == "ExternalName" else ""
        if one is None and external and isinstance(port, int):
            return Behind(port, external=external)
        if one is None:
            return Behind(None, f"the Service {namespace}/{service} has no port {port}", external=external)
        headless = spec.get("clusterIP") == "None"
        asked = self._target(namespace, service, one) if headless else one.get("port")
        return Behind(
            asked if isinstance(asked, int) else None,
            "" if isinstance(asked, int) else f"nobody knows which port the pods of {namespace}/{service} listen at",
            external=external,
            client_ip=spec.get("sessionAffinity") == "ClientIP",
            headless=headless,
            port_name=str(one.get("name") or ""),
            app_protocol=str(one.get("appProtocol") or ""),
            ready=self.ready(namespace, service),
        )

    def ready(self, namespace: str, service: str) -> int | None:
        """Ready endpoints, each address once; None: nobody knows."""
        if self.slices is None:
            return None
        return len(
            {
                address
                for item in self.slices.get((namespace, service), ())
                for endpoint in item.get("endpoints") or ()
                if (endpoint.get("conditions") or {}).get("ready") is not False
                for address in endpoint.get("addresses") or ()
            }
        )

    def _target(self, namespace: str, service: str, port: Json) -> object:
        """A headless Service's name leads to the pods themselves, at their own port."""
        target = port.get("targetPort", port.get("port"))
        if isinstance(target, int):
            return target
        named = [
            one.get("port")
            for item in (self.slices or {}).get((namespace, service), ())
            for one in item.get("ports") or ()
            if (one.get("name") or "") == (port.get("name") or "")
        ]
        return named[0] if named and len(set(named)) == 1 else None


def backends(services: Iterable[Json], slices: Iterable[Json] | None) -> Backends:
    """From the objects as listed."""
    by_service: dict[tuple[str, str], list[Json]] = {}
    for item in slices or ():
        metadata = item.get("metadata") or {}
        name = (metadata.get("labels") or {}).get(_OF_SERVICE)
        if name:
            by_service.setdefault((str(metadata.get("namespace") or ""), str(name)), []).append(item)
    return Backends(
        {_place(one): one for one in services},
        None if slices is None else {place: tuple(some) for place, some in by_service.items()},
    )


def _place(item: Json) -> tuple[str, str]:
    metadata = item.get("metadata") or {}
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
