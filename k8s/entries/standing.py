"""How an entry stands: what it is meant to be against what stands there, and who changed it. Pure.

What it is meant to be is written on the proxies' Service of the service, so that a bypass is told from a deleted Ingress.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from k8s import entry_change, model
from k8s.entries import app_ingress, app_routes, documents
from k8s.entries import entry_names as names
from k8s.entries.app_routes import Route
from k8s.entries.entry_names import Json, Place
from k8s.entries.steps import Found

_State = entry_change.EntryState


class Mode(StrEnum):
    """What the entry is meant to be: CANARY and REPLACE hand the host to the proxies, PROXY and DIRECT are the forward."""

    CANARY = "canary"
    REPLACE = "replace"
    PROXY = "proxy"
    DIRECT = "direct"
    BYPASSED = "bypassed"


_MEANS = {
    Mode.CANARY: _State.ENTERED,
    Mode.REPLACE: _State.ENTERED,
    Mode.PROXY: _State.FORWARD,
    Mode.DIRECT: _State.FORWARD,
    Mode.BYPASSED: _State.DIRECT,
}
_SAYS = {
    Mode.CANARY: "{host} enters through the proxies, by a canary Ingress",
    Mode.REPLACE: "{host} enters through the proxies, which the application's Ingress names",
    Mode.PROXY: "{host} is forwarded for good, through the proxies",
    Mode.DIRECT: "{host} is forwarded for good, by the ingress itself",
    Mode.BYPASSED: "{host} passes the proxies by, as before Ferry",
}


def mode_of(proxies: Mapping[str, Any] | None) -> Mode | None:
    """What the proxies' Service says; None: it is not there, or says nothing that counts."""
    if proxies is None:
        return None
    try:
        return Mode(app_routes.annotation(proxies, names.MODE))
    except ValueError:
        return None


def view(service: model.Service, found: Found) -> entry_change.EntryView:
    """`found.services` need only hold Ferry's, and those that Ingresses name a port of."""
    old_ready = _old_ready(service, found)
    host = service.exposure.old_host
    routes = app_routes.routes_of(found.ingresses, service, found.services)
    proxies = found.proxies(service)
    mode = mode_of(proxies)
    remains = [route for route in routes if route.target.name in app_routes.ours(service.name)]
    if mode is None:
        home = Place(found.settings.namespace, names.proxies_of(service.name))
        if found.canary(service) is None and not remains:
            return entry_change.EntryView(_State.DIRECT, f"{host} reaches the old application as before Ferry", (), old_ready)
        gone = f"Service {home} was changed{_by(proxies)}" if proxies else f"Service {home} is gone"
        told = f"{gone}, and with it what the entry of {service.name} is meant to be: /migrate prepare {service.name}, or bypass"
        return entry_change.EntryView(_State.BROKEN, told, (gone,), old_ready)
    drift = tuple(dict.fromkeys(_drift(service, found, routes, mode)))
    says = _SAYS[mode].format(host=host)
    if drift:
        ask = {_State.DIRECT: "bypass", _State.ENTERED: "prepare", _State.FORWARD: "finish"}[_MEANS[mode]]
        told = f"meant to be so: {says}; but {drift[0]}. /migrate {ask} {service.name} puts it right"
        past = mode is not Mode.BYPASSED and _past(service, found, routes, mode)
        return entry_change.EntryView(_State.BROKEN, told, drift, old_ready, _MEANS[mode], past)
    if mode in (Mode.CANARY, Mode.REPLACE, Mode.PROXY) and proxies is not None and not found.ready.get(names.place(proxies)):
        falls = "the ingress sends everything to the old application" if mode is Mode.CANARY else "its requests fail"
        told = f"no proxy is ready behind Service {names.place(proxies)}: {falls}"
        return entry_change.EntryView(_State.BROKEN, told, (), old_ready, _MEANS[mode])
    return entry_change.EntryView(_MEANS[mode], says, (), old_ready, _MEANS[mode])


def _past(service: model.Service, found: Found, routes: list[Route], mode: Mode) -> bool:
    """Whether it leads to the old application, or more of it does: by hand that may be done at any time."""
    if mode is Mode.CANARY:
        canary = found.canary(service)
        return canary is None or any(app_routes.annotation(canary, name) != value for name, value in documents.CANARY.items())
    return any(route.target.name not in app_routes.ours(service.name) for route in routes)


def _drift(service: model.Service, found: Found, routes: list[Route], mode: Mode) -> Iterator[str]:
    settings = found.settings
    place = names.place_of(service.old_backend)
    yield from _differs(documents.proxies_service(service, settings, mode), found.proxies(service))
    if place is None or not routes:
        yield f"no Ingress leads {service.exposure.old_host} to {service.old_backend} any more"
        return
    home = Place(settings.namespace, names.proxies_of(service.name))
    canary = found.canary(service)
    if mode is Mode.CANARY:
        wanted = documents.canary_ingress(service, settings, {route.key: dict(route.path) for route in routes}.values())
        yield from _differs(wanted, canary)
    elif canary is not None:
        yield f"Ingress {home} is there{_by(canary)}, and must not be"
    if mode in (Mode.REPLACE, Mode.PROXY):
        yield from _differs(
            documents.way_in(service, settings, place.namespace),
            found.services.get(Place(place.namespace, names.way_in(service.name))),
        )
    target = {
        Mode.REPLACE: {names.way_in(service.name)},
        Mode.PROXY: {names.way_in(service.name)},
        Mode.DIRECT: {names.way_on(), names.way_on(service.name)},
    }.get(mode)
    for route in routes:
        leads_away = route.target.name in app_routes.ours(service.name)
        if route.target.name not in target if target else leads_away:
            by = _by(route.ingress, ("spec", "rules"))
            yield f"Ingress {route.where} leads {route.host}{route.key[1]} to {route.target.name}{by}"
    if mode is Mode.DIRECT:
        yield from _direct(service, found, routes)


def _direct(service: model.Service, found: Found, routes: list[Route]) -> Iterator[str]:
    target = routes[0].target
    yield from _differs(documents.way_on(service, target), found.services.get(target))
    for route in routes:
        wanted = app_ingress.switched(
            route.ingress, service, found.services, (target.name, service.exposure.new_port), direct=found.settings
        )
        wrong = [
            name for name, value in wanted.annotations.items() if value and app_routes.annotation(route.ingress, name) != value
        ]
        if wrong:
            by = _by(route.ingress, *(("metadata", "annotations", name) for name in wrong))
            yield f"Ingress {route.where}: {', '.join(wrong)} changed{by}"


def _differs(wanted: Json, live: Mapping[str, Any] | None) -> Iterator[str]:
    where = names.title(str(wanted["kind"]), names.place(wanted))
    if live is None:
        yield f"{where} is gone"
        return
    fields = list(_fields(wanted, live, ()))
    if fields:
        told = ", ".join(".".join(field).replace(".[", "[") for field in fields)
        yield f"{where}: {told} changed{_by(live, *fields)}"


def _fields(wanted: object, live: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The fields of `wanted` that are not so; what the server fills in beside them is no difference."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for name, value in wanted.items():
            if name not in ("apiVersion", "kind"):
                yield from _fields(value, live.get(name), (*path, str(name)))
    elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        for number, (one, other) in enumerate(zip(wanted, live, strict=True)):
            yield from _fields(one, other, (*path, f"[{number}]"))
    elif wanted != live:
        yield path


def _by(live: Mapping[str, Any] | None, *fields: tuple[str, ...]) -> str:
    """Who wrote it: the last owner of such a field; where nobody owns it any more, whoever wrote last. Never Ferry."""
    entries = [
        entry
        for entry in ((live or {}).get("metadata") or {}).get("managedFields") or ()
        if entry.get("manager") != names.MANAGER and entry.get("subresource") != "status"
    ]
    owners = [entry for entry in entries if any(_owns(entry.get("fieldsV1") or {}, field) for field in fields)]
    last = max(owners or entries, key=lambda entry: str(entry.get("time") or ""), default=None)
    return f" (by {last.get('manager') or 'somebody'}, {last.get('time') or 'nobody knows when'})" if last else ""


def _owns(tree: Mapping[str, Any], field: tuple[str, ...]) -> bool:
    """Whether it owns this field, or all of what it is in; an item of a list counts as the list."""
    for name in field:
        if name.startswith("["):
            return True
        if f"f:{name}" not in tree:
            return False
        tree = tree[f"f:{name}"] or {}
        if not tree:
            return True
    return True


def _old_ready(service: model.Service, found: Found) -> int | None:
    """The fewest of its backends: each path needs its own."""
    places = [names.place_of(backend) for backend in app_routes.backends(service)]
    return min((found.ready.get(place, 0) for place in places if place is not None), default=None)
