"""`migration.yaml` into the model: the customer's documents as they are, everything else refused with line and fix. Pure."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import yaml

from k8s import model
from k8s.wish_edit import weights, with_weight
from k8s.wish_fields import Page, Place, Problem, WishError, compose

__all__ = ["Problem", "WishError", "only_mappings", "read", "weights", "with_weight"]

MOST_BYTES = 900 * 1024
WISH_KEY, MAPPINGS_KEY = "migration.yaml", "service_mappings.yaml"
_PROBE: dict[str, Any] = {"weight": 0, "old_host": "old.probe.invalid", "new_host": "new.probe.invalid"}
_REQUIRED = ("name", "old_host", "new_host", "old_backend", "migration_percentage")
_MAPPING = ("old_service", "old_namespace", "new_service", "new_namespace", "new_cluster_endpoint")
_HOUR, _DAY = 3600.0, 86400.0
Read = Callable[[Place], Any]


def only_mappings(text: str) -> bool:
    """It is a mapping document, which belongs to a wish in another file. A text that cannot be read is none."""
    try:
        root = compose(text.removeprefix("\ufeff"), Page(MAPPINGS_KEY))
    except WishError:
        return False
    if not isinstance(root, yaml.MappingNode):
        return False
    return [key.value for key, _ in root.value if isinstance(key, yaml.ScalarNode)] == ["service_mappings"]


def read(text: str, *, source: str = WISH_KEY, mappings: tuple[str, str] | None = None) -> model.Wish:
    """The wish in `text`: a bare document, or a ConfigMap manifest that holds it. `mappings`: (source, text) of the
    mapping document. Raises WishError with every problem found."""
    page = Page(source)
    _demand_size(text, mappings[1] if mappings else "", page)
    problems = page.problems
    root = Place(page, compose(text.removeprefix("\ufeff"), page), "")
    pages = _unwrapped(root)
    if mappings:
        other = Page(mappings[0], problems=problems)
        pages.append(Place(other, compose(mappings[1].removeprefix("\ufeff"), other), ""))
    services: list[tuple[model.Service | None, dict[str, Place]]] = []
    mapped: list[tuple[model.ServiceMapping | None, dict[str, Place]]] = []
    for number, place in enumerate(pages):
        required = ("services",) if number == 0 else ("service_mappings",)
        fields = place.fields(("services", "service_mappings") if number == 0 else required, required) or {}
        services += [_service(entry) for entry in (fields["services"].entries() if "services" in fields else None) or []]
        mapped += [
            _mapping(entry)
            for entry in (fields["service_mappings"].entries() if len(fields) and "service_mappings" in fields else None) or []
        ]
    _demand_unique(services, "name")
    _demand_unique(services, "old_host")
    for mapping, fields in mapped:
        if mapping is not None:
            _demand_agreement(mapping, fields, services)
    page.demand_none()
    return model.Wish(
        services={service.name: service for service, _ in services if service is not None},
        mappings=tuple(mapping for mapping, _ in mapped if mapping is not None),
    )


def _demand_size(text: str, mappings: str, page: Page) -> None:
    size = len((text + mappings).encode("utf-8", "replace"))
    if size > MOST_BYTES:
        names = Counter(re.findall(r"old_backend:\s*[\"']?[a-z0-9-]+\.([a-z0-9-]+)", text)).most_common(3)
        largest = ", ".join(f"{name} ({count})" for name, count in names) or "none found"
        page.refuse(
            0,
            "document",
            f"is {size // 1024} KiB, above {MOST_BYTES // 1024} KiB; split it by namespace: move services whose old_backend is "
            f"in one namespace to the migration-config of a Ferry in a namespace of its own (largest here: {largest})",
        )
    page.demand_none()


def _unwrapped(root: Place) -> list[Place]:
    """The documents themselves: `root`, or what a ConfigMap manifest holds."""
    if not isinstance(root.node, yaml.MappingNode) or not {"kind", "apiVersion"} & {str(key.value) for key, _ in root.node.value}:
        return [root]
    outer = root.fields((), ("kind", "data"), others=True) or {}
    if "kind" in outer:
        outer["kind"].one_of(["ConfigMap"])
    held = (outer["data"].fields((), (WISH_KEY,), others=True) if "data" in outer else None) or {}
    root.page.demand_none()
    return [_inner(held[key]) for key in (WISH_KEY, MAPPINGS_KEY) if key in held]


def _inner(place: Place) -> Place:
    node = place.node
    if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
        place.refuse(f"{place.shown()} is not a text; write | after the colon and indent the document below it")
        place.page.demand_none()
    literal = str(getattr(node, "style", "")) == "|"
    page = Page(place.page.source, node.start_mark.line + (1 if literal else 0), not literal, place.page.problems)
    return Place(page, compose(str(node.value), page), "")


def _exposed(name: str, reader: Read) -> Read:
    """A field of the exposure: its form by `reader`, its value by the model itself."""

    def judged(place: Place) -> Any:
        value = reader(place)
        return None if value is None else place.built(lambda: getattr(model.Exposure(**{**_PROBE, name: value}), name))

    return judged


def _networks(name: str) -> Read:
    def one(place: Place) -> Any:
        value = place.text()
        return None if value is None else place.built(lambda: getattr(model.Exposure(**{**_PROBE, name: (value,)}), name)[0])

    return lambda place: place.each(one)


def _parts(readers: dict[str, Read], make: Callable[..., Any], required: tuple[str, ...] = ()) -> Read:
    """A field that is a mapping of its own, built by `make` once each part is right."""

    def whole(place: Place) -> Any:
        before = len(place.page.problems)
        fields = place.fields(readers, required)
        values = {name: readers[name](part) for name, part in (fields or {}).items()}
        return None if len(place.page.problems) > before else place.built(lambda: make(**values))

    return whole


def _texts(place: Place) -> tuple[str, ...] | None:
    return place.each(Place.text)


def _sticky(place: Place) -> model.Sticky | None:
    text = place.text()
    return None if text is None else place.built(lambda: model.sticky_from(text))


def _backend(place: Place) -> model.Backend | None:
    text = place.text()
    if text is None:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[1-9][0-9]{0,4}", port):
        place.refuse(f"{text!r} has no port; write name.namespace.svc.cluster.local:8080")
        return None
    return place.built(lambda: model.Backend(host, int(port)))


def _name(place: Place) -> str | None:
    text = place.text()
    probe = model.Backend("old.probe.invalid", 80)
    return None if text is None else place.built(lambda: model.Service(text, model.Exposure(**_PROBE), probe).name)


def _ladder(place: Place) -> tuple[int, ...] | None:
    steps = place.each(lambda step: step.whole(1, 100))
    if steps is not None and (not steps or steps[-1] != 100 or list(steps) != sorted(set(steps))):
        place.refuse(f"{list(steps)} does not rise to 100; write rising steps that end in 100, e.g. [5, 25, 50, 75, 100]")
        return None
    return steps


_EXPOSURE: dict[str, Read] = {
    "migration_percentage": lambda place: place.whole(0, 100),
    "old_host": _exposed("old_host", Place.text),
    "new_host": _exposed("new_host", Place.text),
    "new_port": lambda place: place.whole(1, 65535),
    "strategy": lambda place: (text := place.one_of(model.Strategy)) and model.Strategy(text),
    "header": _parts({"name": Place.text, "values": _texts}, model.HeaderRule, ("name", "values")),
    "cidrs": _networks("cidrs"),
    "user": _parts({"source": _sticky, "ids": _texts}, model.UserRule, ("source",)),
    "sticky": _sticky,
    "tls": _parts({"verify": Place.yes_no, "server_name": Place.text, "ca": Place.text}, model.Tls),
    "trusted_proxies": _networks("trusted_proxies"),
    "override_hash": _exposed("override_hash", Place.text),
}
_SERVICE: dict[str, Read] = {
    "name": _name,
    "old_backend": _backend,
    "enabled": Place.yes_no,
    "timeout": lambda place: place.seconds(0.1, _HOUR),
    "connect_timeout": lambda place: place.seconds(0.05, 75),
    "upgrade_timeout": lambda place: place.seconds(1, 7 * _DAY),
    "retries": lambda place: place.whole(0, 10),
    "breaker": _parts(
        {"failures": lambda place: place.whole(1, 1000), "pause": lambda place: place.seconds(0.1, _HOUR)}, model.Breaker
    ),
    "health": _parts(
        {
            "path": Place.text,
            "interval": lambda place: place.seconds(1, _HOUR),
            "failures": lambda place: place.whole(1, 1000),
        },
        model.Health,
    ),
    "paths": lambda place: place.each(_parts({"path": Place.text, "backend": _backend}, model.PathBackend, ("path", "backend"))),
    "ladder": _ladder,
    "soak": lambda place: place.seconds(0, 90 * _DAY),
    "backup": lambda place: place.seconds(0, 366 * _DAY),
    "gates": _parts(
        {
            "error_rate": lambda place: place.number(0, 100),
            "latency_increase": lambda place: place.number(0, 10000),
            "minimum_requests": lambda place: place.whole(1, 1_000_000_000),
        },
        model.Gates,
    ),
    "entry": lambda place: place.one_of(["canary", "replace"]),
}
_KNOWN = [*_REQUIRED, *(name for name in [*_EXPOSURE, *_SERVICE] if name not in _REQUIRED)]


def _service(place: Place) -> tuple[model.Service | None, dict[str, Place]]:
    before = len(place.page.problems)
    fields = place.fields(_KNOWN, _REQUIRED) or {}
    exposed = {name: _EXPOSURE[name](fields[name]) for name in _EXPOSURE if name in fields}
    own = {name: _SERVICE[name](fields[name]) for name in _SERVICE if name in fields}
    if len(place.page.problems) > before:
        return None, fields
    try:
        exposure = model.Exposure(weight=exposed.pop("migration_percentage"), **exposed)
        return model.Service(exposure=exposure, **own), fields
    except model.ModelError as error:
        fields.get(error.field_name, place).refuse(error.sentence)
        return None, fields


def _mapping(place: Place) -> tuple[model.ServiceMapping | None, dict[str, Place]]:
    before = len(place.page.problems)
    fields = place.fields(_MAPPING, _MAPPING) or {}
    values = {name: part.text() for name, part in fields.items()}
    for name, value in values.items():
        pattern = model.HOST_NAME if name == "new_cluster_endpoint" else model.SERVICE_NAME
        if value is not None and not pattern.fullmatch(value):
            fields[name].refuse(f"{value!r} is not allowed; write a lower-case DNS name")
    if len(place.page.problems) > before:
        return None, fields
    return model.ServiceMapping(**{name: str(value) for name, value in values.items()}), fields


def _demand_unique(services: list[tuple[model.Service | None, dict[str, Place]]], name: str) -> None:
    seen: dict[str, Place] = {}
    for _, fields in services:
        place = fields.get(name)
        if place is not None and isinstance(place.node, yaml.ScalarNode):
            first = seen.setdefault(place.node.value, place)
            if first is not place:
                place.refuse(f"{place.shown()} is already {first}; give each service its own {name}, or remove one")


def _demand_agreement(
    mapping: model.ServiceMapping, fields: dict[str, Place], services: list[tuple[model.Service | None, dict[str, Place]]]
) -> None:
    """A mapping that is about a service (same endpoint, or same old Service) must agree with it in both."""
    old = f"{mapping.old_service}.{mapping.old_namespace}"
    partly: list[tuple[str, str, Place]] = []
    for service, places in services:
        if service is None:
            continue
        host = service.old_backend.host
        same_old = host == old or host.startswith(f"{old}.svc")
        same_new = service.exposure.new_host == mapping.new_cluster_endpoint
        if same_old and same_new:
            return
        if same_old:
            partly.append(("new_cluster_endpoint", mapping.new_cluster_endpoint, places["new_host"]))
        elif same_new:
            wrong = "old_namespace" if host.startswith(f"{mapping.old_service}.") else "old_service"
            partly.append((wrong, getattr(mapping, wrong), places["old_backend"]))
    for name, value, place in partly[:3]:
        fields[name].refuse(f"{value!r} disagrees with {place}, which says {place.shown()}; make the two the same")
