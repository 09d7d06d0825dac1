"""What the application's own Ingress becomes, and its way back. Pure.

What stood there before is kept on the Ingress itself, as an annotation with its digest: whoever takes the entry away needs
nothing else.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from k8s import model
from k8s.entries import app_routes
from k8s.entries import entry_names as names
from k8s.entries.app_routes import PREFIX, Route
from k8s.entries.entry_names import EntrySettings, Json, Place

Target = tuple[str, int]  # a Service of the application's namespace, and its port
_Choice = Callable[[Route], Json | None]


@dataclass(frozen=True, slots=True)
class Original:
    """What stood there before Ferry. `annotations`: None where there was none. `trouble`: why it cannot be believed."""

    paths: tuple[Json, ...] = ()
    annotations: Mapping[str, str | None] = field(default_factory=dict)
    trouble: str = ""

    @property
    def text(self) -> str:
        return json.dumps({"paths": list(self.paths), "annotations": dict(self.annotations)}, sort_keys=True)

    def backend(self, key: tuple[str, str, str]) -> Json | None:
        """Of this host, path and pathType."""
        return next((dict(one["backend"]) for one in self.paths if _key(one) == key), None)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """An Ingress as it is to be: all of its rules, and annotations to set (None: to take away)."""

    rules: tuple[Json, ...]
    annotations: Mapping[str, str | None]

    def stands(self, item: Mapping[str, Any]) -> bool:
        """Whether it is so already."""
        marks = (item.get("metadata") or {}).get("annotations") or {}
        return rules_of(item) == self.rules and all(marks.get(name) == value for name, value in self.annotations.items())

    def applied_to(self, item: Mapping[str, Any]) -> Json:
        """The Ingress after it."""
        metadata = item.get("metadata") or {}
        marks = {**(metadata.get("annotations") or {}), **self.annotations}
        left = {name: value for name, value in marks.items() if value is not None}
        spec = {**(item.get("spec") or {}), "rules": list(self.rules)}
        return {**item, "metadata": {**metadata, "annotations": left}, "spec": spec}


def rules_of(item: Mapping[str, Any]) -> tuple[Json, ...]:
    return tuple((item.get("spec") or {}).get("rules") or ())


def original_of(item: Mapping[str, Any], service: str) -> Original:
    """What the annotation keeps; one that does not fit its digest is not believed."""
    text = app_routes.annotation(item, names.original_mark(service))
    if not text:
        return Original()
    where = names.place(item)
    if _sha(text) != app_routes.annotation(item, names.digest_mark(service)):
        return Original(trouble=f"what Ingress {where} kept of its original does not fit its digest")
    try:
        kept = json.loads(text)
        paths = tuple({**one, "backend": dict(one["backend"])} for one in kept["paths"])
        return Original(paths, dict(kept["annotations"]))
    except (ValueError, KeyError, TypeError):
        return Original(trouble=f"what Ingress {where} kept of its original cannot be read")


def announced(item: Mapping[str, Any], service: model.Service, targets: Iterable[Target]) -> Rewritten:
    """As it is, and a path that nobody asks for to each new Service: the ingress learns the upstream before it is needed."""
    return Rewritten(_announcing(_plain(item, service), service, targets), {})


def switched(
    item: Mapping[str, Any],
    service: model.Service,
    services: Mapping[Place, Mapping[str, Any]],
    target: Target,
    *,
    direct: EntrySettings | None = None,
    announce: Iterable[Target] = (),
) -> Rewritten:
    """Every path of the service leads to `target`; the original is kept. `direct`: it speaks HTTPS to the new cluster."""
    kept = original_of(item, service.name)
    known = {_key(one): one for one in kept.paths}

    def backend(route: Route) -> Json | None:
        if not app_routes.is_meant(route, service, services):
            return None
        if route.target.name not in app_routes.ours(service.name):
            host, path, path_type = route.key
            known[route.key] = {"host": host, "path": path, "pathType": path_type, "backend": route.path["backend"]}
        return _backend(target)

    rules = _announcing(_with_backends(item, service, backend), service, announce)
    marks: dict[str, str | None] = dict(kept.annotations)
    before: dict[str, str | None] = {}
    if direct is not None:
        marks = dict(_direct_marks(service, direct, names.place(item).namespace))
        before = {name: kept.annotations.get(name, app_routes.annotation(item, name) or None) for name in marks}
    original = Original(tuple(known[key] for key in sorted(known)), before)
    marks |= {names.original_mark(service.name): original.text, names.digest_mark(service.name): _sha(original.text)}
    return Rewritten(rules, marks)


def restored(item: Mapping[str, Any], service: model.Service) -> tuple[Rewritten, str]:
    """The original again, and what had to be guessed, in a sentence.

    Where the original cannot be believed the way to old is the one that `migration.yaml` names: this way is never blocked.
    """
    kept = original_of(item, service.name)
    guessed = [kept.trouble] if kept.trouble else []

    def backend(route: Route) -> Json | None:
        if route.host != service.exposure.old_host or route.target.name not in app_routes.ours(service.name):
            return None
        found = kept.backend(route.key)
        if found is None:
            guessed.append(f"Ingress {route.where} keeps no original for {route.host}{route.key[1]}")
            found = _backend_of(_old_backend(service, route.key[1]))
        return found

    rules = _with_backends(item, service, backend)
    marks: dict[str, str | None] = {names.original_mark(service.name): None, names.digest_mark(service.name): None}
    told = f"{guessed[0]}: what migration.yaml names as old_backend is put there" if guessed else ""
    return Rewritten(tuple(rules), {**kept.annotations, **marks}), told


def is_ours_in(item: Mapping[str, Any], service: model.Service) -> bool:
    """Whether any path of this Ingress leads where only Ferry leads it, or a mark of Ferry's is left on it."""
    if app_routes.annotation(item, names.original_mark(service.name)):
        return True
    return any(
        route.host == service.exposure.old_host
        and (route.target.name in app_routes.ours(service.name) or app_routes.announces(route.path, service))
        for route in app_routes.routes([item])
    )


def _with_backends(item: Mapping[str, Any], service: model.Service, backend: _Choice) -> list[Json]:
    """The rules without announced paths, and with other backends where `backend` says one."""
    rules = []
    for rule in _plain(item, service):
        host = str(rule.get("host") or "")
        paths = [
            path if (chosen := backend(Route(item, host, path))) is None else {**path, "backend": chosen}
            for path in (rule.get("http") or {}).get("paths") or ()
        ]
        rules.append({**rule, "http": {**rule["http"], "paths": paths}} if paths else rule)
    return rules


def _plain(item: Mapping[str, Any], service: model.Service) -> Iterator[Json]:
    """The rules without the announced paths."""
    for rule in rules_of(item):
        paths = (rule.get("http") or {}).get("paths") or []
        left = [path for path in paths if not app_routes.announces(path, service)]
        yield rule if len(left) == len(paths) else {**rule, "http": {**rule["http"], "paths": left}}


def _announcing(rules: Iterable[Json], service: model.Service, targets: Iterable[Target]) -> tuple[Json, ...]:
    extra = [
        {"path": f"{names.announced_path(service.name)}/{target[0]}", "pathType": "Exact", "backend": _backend(target)}
        for target in targets
    ]
    result = []
    for rule in rules:
        if rule.get("host") == service.exposure.old_host and rule.get("http"):
            result.append({**rule, "http": {**rule["http"], "paths": [*rule["http"]["paths"], *extra]}})
            extra = []
        else:
            result.append(rule)
    return tuple(result)


def _direct_marks(service: model.Service, settings: EntrySettings, namespace: str) -> dict[str, str]:
    """How ingress-nginx speaks to the new cluster itself. Without `proxy-ssl-secret` it ignores every other `proxy-ssl-…`."""
    tls = service.exposure.tls
    return {
        PREFIX + "backend-protocol": "HTTPS",
        PREFIX + "upstream-vhost": service.exposure.new_host,
        PREFIX + "proxy-ssl-secret": f"{namespace}/{settings.ca_secret}",
        PREFIX + "proxy-ssl-name": tls.server_name or service.exposure.new_host,
        PREFIX + "proxy-ssl-server-name": "on",
        PREFIX + "proxy-ssl-verify": "on" if tls.verify else "off",
        PREFIX + "proxy-ssl-verify-depth": "3",
    }


def _old_backend(service: model.Service, path: str) -> model.Backend:
    fitting = [one for one in service.paths if path == one.path or path.startswith(one.path.rstrip("/") + "/")]
    return max(fitting, key=lambda one: len(one.path)).backend if fitting else service.old_backend


def _backend_of(backend: model.Backend) -> Json:
    place = names.place_of(backend)
    return _backend((place.name if place else backend.host, backend.port))


def _backend(target: Target) -> Json:
    return {"service": {"name": target[0], "port": {"number": target[1]}}}


def _key(kept: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(kept.get("host") or ""), str(kept.get("path") or ""), str(kept.get("pathType") or "")


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
