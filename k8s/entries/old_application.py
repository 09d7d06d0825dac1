"""What goes when a service is finished, and what stays: found by the old Service's selector. Pure.

Nothing goes that anybody else may need: another Service's pods, another Ingress' backend, data, settings.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from k8s import model, record_document
from k8s.entries import app_routes
from k8s.entries import entry_names as names
from k8s.entries.entry_names import Json, Place
from k8s.entries.steps import Course, Delete, Found, Step, UntilGone

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


@dataclass(frozen=True, slots=True)
class _Old:
    """The old application: its Services, and the workloads that only they select."""

    services: tuple[Json, ...]
    workloads: tuple[tuple[str, Json], ...]
    needed: tuple[str, ...]  # why other workloads stay


def removal(service: model.Service, found: Found) -> Course:
    """Scalers first, so that nothing starts pods again; then workloads until their pods are gone, budgets, Services."""
    if found.settings.namespace in {place.namespace for place in _places(service)}:
        return Course(troubles=(f"{service.old_backend} is in Ferry's own namespace: nothing there is an old application",))
    old = _old(service, found)
    troubles = list(_troubles(service, found))
    scalers = [item for item in found.owned.get("HorizontalPodAutoscaler", ()) if _scales(item, old)]
    budgets = [item for item in found.owned.get("PodDisruptionBudget", ()) if _guards(item, old, found)]
    steps: list[Step] = [_delete("HorizontalPodAutoscaler", item) for item in scalers]
    steps += [_delete(kind, item) for kind, item in old.workloads]
    steps += [UntilGone(names.place(item).namespace, labels) for _, item in old.workloads if (labels := _pod_labels(item))]
    steps += _ending(old, found)
    steps += [_delete("PodDisruptionBudget", item) for item in budgets]
    steps += [_delete("Service", item) for item in old.services]
    return Course(tuple(steps), tuple(_left(service, found, old)), tuple(troubles))


def holder_of(item: Mapping[str, Any] | None) -> str:
    """The service that one of Ferry's objects is for; empty: it is not Ferry's."""
    labels = ((item or {}).get("metadata") or {}).get("labels") or {}
    return str(labels.get(record_document.SERVICE_LABEL) or "")


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """A LabelSelector; an empty one selects everything, None nothing."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _expression(one, labels) for one in selector.get("matchExpressions") or ()
    )


def _expression(one: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    has, values = labels.get(str(one.get("key"))), one.get("values") or ()
    match one.get("operator"):
        case "In":
            return has in values
        case "NotIn":
            return has not in values
        case "Exists":
            return has is not None
        case "DoesNotExist":
            return has is None
    return False


def _old(service: model.Service, found: Found) -> _Old:
    own = [found.services[place] for place in _places(service) if place in found.services]
    governing: list[Json] = []
    workloads: list[tuple[str, Json]] = []
    needed: list[str] = []
    for kind in WORKLOADS:
        for item in found.owned.get(kind, ()):
            if not any(_chosen(one, item) for one in own):
                continue
            others = [one for one in found.services.values() if one not in own and _chosen(one, item)]
            ruled = [one for one in others if kind == "StatefulSet" and _rules(one, item) and not _asked(one, found)]
            others = [one for one in others if one not in ruled]
            if others:
                who = ", ".join(sorted(f"Service {names.place(one)}" for one in others))
                needed.append(f"{kind} {names.place(item)} stays, because {who} leads to its pods, too")
            else:
                workloads.append((kind, item))
                governing += ruled
    return _Old((*own, *governing), tuple(workloads), tuple(needed))


def _troubles(service: model.Service, found: Found) -> Iterator[str]:
    """Who still needs an old Service."""
    if not _forwarded(service, found):
        yield (
            f"{service.exposure.old_host} is not forwarded for good: as long as that is so, the old application is its way back. "
            f"/migrate finish {service.name} first"
        )
    for place in _places(service):
        for route in app_routes.routes(found.ingresses):
            if route.target == place:
                first = f": /migrate finish {service.name} first" if route.host == service.exposure.old_host else ""
                yield f"Ingress {route.where} leads {route.host}{route.key[1]} to Service {place}{first}"
        for other in found.wished.values():
            if other.name == service.name or place not in _places(other):
                continue
            if app_routes.routes_of(found.ingresses, other, found.services) and not _forwarded(other, found):
                yield f"service {other.name} has the same old Service {place} and is not finished: finish it first"


def _forwarded(other: model.Service, found: Found) -> bool:
    proxies = found.proxies(other)
    return proxies is not None and app_routes.annotation(proxies, names.MODE) in ("proxy", "direct")


def _left(service: model.Service, found: Found, old: _Old) -> Iterator[str]:
    yield from old.needed
    for where in dict.fromkeys(route.where for route in app_routes.routes_of(found.ingresses, service, found.services)):
        yield f"Ingress {where} stays: it is the forward, and DNS points at its load balancer"
    for one in old.services:
        if not _selector(one):
            yield f"Service {names.place(one)} selects no pods: whatever answered behind it is not found, and stays"
    yield from _strangers(old, found)
    for kind, item in old.workloads:
        for what in sorted(set(_uses(item))):
            yield f"{what} of {kind} {names.place(item)} stays: others may use it, and data is never deleted here"


def _strangers(old: _Old, found: Found) -> Iterator[str]:
    """Pods of the old Services that belong to nothing of the above: bare ones, or those of some other controller."""
    known = [item for kind in WORKLOADS for item in found.owned.get(kind, ())]
    for pod in found.owned.get("Pod", ()):
        labels = (pod.get("metadata") or {}).get("labels") or {}
        if not any(_service_selects(one, labels, names.place(pod).namespace) for one in old.services):
            continue
        if not any(_same_pods(item, pod) for item in known):
            owners = [f"{one.get('kind')} {one.get('name')}" for one in (pod["metadata"].get("ownerReferences") or ())]
            yield f"pod {names.place(pod)} stays: it belongs to {', '.join(owners) or 'nobody'}, which Ferry does not remove"


def _ending(old: _Old, found: Found) -> list[Step]:
    """Pods whose workload went in an earlier try, and that have not ended yet."""
    return [
        UntilGone(names.place(one).namespace, selector)
        for one in old.services
        if not old.workloads
        and (selector := _selector(one))
        and any(
            _service_selects(one, pod["metadata"].get("labels") or {}, names.place(pod).namespace)
            and pod["metadata"].get("deletionTimestamp")
            for pod in found.owned.get("Pod", ())
        )
    ]


def _uses(item: Mapping[str, Any]) -> Iterator[str]:
    spec = item.get("spec") or {}
    pod = (spec.get("template") or {}).get("spec") or {}
    for claim in spec.get("volumeClaimTemplates") or ():
        yield f"PersistentVolumeClaims {(claim.get('metadata') or {}).get('name')}-…"
    for volume in pod.get("volumes") or ():
        yield from _sources(volume)
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield from _sources(source)
    for container in [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]:
        for source in container.get("envFrom") or ():
            yield from _sources({"configMap": source.get("configMapRef"), "secret": source.get("secretRef")})
        for variable in container.get("env") or ():
            source = variable.get("valueFrom") or {}
            yield from _sources({"configMap": source.get("configMapKeyRef"), "secret": source.get("secretKeyRef")})


def _sources(source: Mapping[str, Any]) -> Iterator[str]:
    for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret"), ("persistentVolumeClaim", "PersistentVolumeClaim")):
        found = source.get(key) or {}
        name = found.get("name") or found.get("secretName") or found.get("claimName")
        if name:
            yield f"{kind} {name}"


def _places(service: model.Service) -> list[Place]:
    places = [names.place_of(backend) for backend in app_routes.backends(service)]
    return list(dict.fromkeys(place for place in places if place is not None))


def _pod_labels(item: Mapping[str, Any]) -> dict[str, str]:
    return dict((((item.get("spec") or {}).get("template") or {}).get("metadata") or {}).get("labels") or {})


def _selector(service: Mapping[str, Any]) -> dict[str, str]:
    return dict((service.get("spec") or {}).get("selector") or {})


def _chosen(service: Mapping[str, Any], workload: Mapping[str, Any]) -> bool:
    return _service_selects(service, _pod_labels(workload), names.place(workload).namespace)


def _service_selects(service: Mapping[str, Any], labels: Mapping[str, str], namespace: str) -> bool:
    """A Service without a selector selects nothing."""
    selector = _selector(service)
    return (
        bool(selector)
        and names.place(service).namespace == namespace
        and all(labels.get(key) == value for key, value in selector.items())
    )


def _rules(service: Mapping[str, Any], workload: Mapping[str, Any]) -> bool:
    """It only gives the StatefulSet's pods their names."""
    return (workload.get("spec") or {}).get("serviceName") == names.place(service).name


def _asked(service: Mapping[str, Any], found: Found) -> bool:
    return any(route.target == names.place(service) for route in app_routes.routes(found.ingresses))


def _scales(item: Mapping[str, Any], old: _Old) -> bool:
    target = (item.get("spec") or {}).get("scaleTargetRef") or {}
    wanted = (str(target.get("kind")), Place(names.place(item).namespace, str(target.get("name"))))
    return wanted in {(kind, names.place(one)) for kind, one in old.workloads}


def _guards(item: Mapping[str, Any], old: _Old, found: Found) -> bool:
    """It guards pods that go, and none that stay."""
    selector, namespace = (item.get("spec") or {}).get("selector"), names.place(item).namespace
    going = [one for _, one in old.workloads if names.place(one).namespace == namespace]
    pods = [_pod_labels(one) for one in going]
    # Workloads may have gone in an earlier try: then the Services say whose budget it is.
    pods += [labels for one in old.services if (labels := _selector(one)) and names.place(one).namespace == namespace]
    if not any(selects(selector, labels) for labels in pods):
        return False
    staying: Iterable[Json] = (one for kind in WORKLOADS for one in found.owned.get(kind, ()) if one not in going)
    return not any(names.place(one).namespace == namespace and selects(selector, _pod_labels(one)) for one in staying)


def _same_pods(workload: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    labels = (pod.get("metadata") or {}).get("labels") or {}
    same = names.place(workload).namespace == names.place(pod).namespace
    return same and selects((workload.get("spec") or {}).get("selector"), labels)


def _delete(kind: str, item: Mapping[str, Any]) -> Delete:
    return Delete(kind, names.place(item), str((item.get("metadata") or {}).get("uid") or ""))
