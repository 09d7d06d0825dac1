"""One entry of `migration.yaml` into the model: every field with its form, its limits and its fix. Pure."""

import re
from collections.abc import Callable
from typing import Any

from k8s import model
from k8s.wish_fields import Place

_PROBE: dict[str, Any] = {"weight": 0, "old_host": "old.probe.invalid", "new_host": "new.probe.invalid"}
_REQUIRED = ("name", "old_host", "new_host", "old_backend", "migration_percentage")
_MAPPING = ("old_service", "old_namespace", "new_service", "new_namespace", "new_cluster_endpoint")
_HOUR, _DAY = 3600.0, 86400.0
Read = Callable[[Place], Any]


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


def service(place: Place) -> tuple[model.Service | None, dict[str, Place]]:
    """One entry of `services` and its fields; None when something of it was refused."""
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


def mapping(place: Place) -> tuple[model.ServiceMapping | None, dict[str, Place]]:
    """One entry of `service_mappings` and its fields; None when something of it was refused."""
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
