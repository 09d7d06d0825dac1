"""The environment of a container: plain values, keys of Secrets and ConfigMaps, fields of the pod, resource limits."""

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from deploy.playground.nodes import in_pod
from deploy.playground.nodes.cluster_objects import ClusterObjects, NotYet

Json = dict[str, Any]
_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_SCALE: dict[str, int | Fraction] = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "m": Fraction(1, 1000),
}


def resolve(container: Json, pod: Json, objects: ClusterObjects, translation: in_pod.InPod) -> dict[str, str]:
    """Every variable the manifest gives. Raises NotYet when a Secret, a ConfigMap or a key is missing and not optional."""
    namespace = pod["metadata"]["namespace"]
    found: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        found |= _all_of(source, namespace, objects)
    for variable in container.get("env") or ():
        given = variable.get("valueFrom")
        if given is None:
            found[variable["name"]] = translation.text(in_pod.expanded(variable.get("value") or "", found))
            continue
        value = _value(given, pod, container, objects)
        if value is not None:
            found[variable["name"]] = value
    return found


def field(pod: Json, path: str) -> str:
    """What the downward API gives for a `fieldPath`. Raises NotYet for a field that it does not know."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    keyed = _KEYED.fullmatch(path)
    if keyed:
        return str((metadata.get(keyed[1]) or {}).get(keyed[2], ""))
    known = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": status.get("podIP", ""),
        "status.podIPs": status.get("podIP", ""),
        "status.hostIP": status.get("hostIP", ""),
    }
    if path not in known:
        raise NotYet(f"the field {path} is not known here; use one of {', '.join(known)}")
    return str(known[path])


def limit(pod: Json, reference: Json, container: str) -> str:
    """What a `resourceFieldRef` gives: the limit (or request) in units of its divisor, rounded up; no limit is 0."""
    wanted = reference.get("containerName") or container
    spec: Json = next((one for one in pod["spec"]["containers"] if one["name"] == wanted), {})
    part, _, name = reference["resource"].partition(".")
    amount = ((spec.get("resources") or {}).get(part) or {}).get(name, "0")
    return str(math.ceil(_quantity(amount) / (_quantity(reference.get("divisor") or "1") or 1)))


def _all_of(source: Json, namespace: str, objects: ClusterObjects) -> dict[str, str]:
    reference = source.get("configMapRef") or source.get("secretRef") or {}
    read = objects.config_map if "configMapRef" in source else objects.secret
    try:
        keys = read(namespace, reference["name"])
    except NotYet:
        if reference.get("optional"):
            return {}
        raise
    return {source.get("prefix", "") + key: _text(key, value) for key, value in keys.items()}


def _value(given: Json, pod: Json, container: Json, objects: ClusterObjects) -> str | None:
    """None: an optional one that is not there."""
    if "fieldRef" in given:
        return field(pod, given["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in given:
        return limit(pod, given["resourceFieldRef"], container["name"])
    reference = given.get("secretKeyRef") or given.get("configMapKeyRef") or {}
    read = objects.secret if "secretKeyRef" in given else objects.config_map
    namespace = pod["metadata"]["namespace"]
    try:
        return _text(reference["key"], _key(read(namespace, reference["name"]), reference))
    except NotYet:
        if reference.get("optional"):
            return None
        raise


def _key(keys: Mapping[str, bytes], reference: Json) -> bytes:
    if reference["key"] not in keys:
        raise NotYet(f"{reference['name']} has no key {reference['key']}; add it and the pod starts by itself")
    return keys[reference["key"]]


def _text(key: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise NotYet(f"the key {key} is no text and cannot be a variable; mount it as a file") from None


def _quantity(amount: object) -> Fraction:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(|k|M|G|Ki|Mi|Gi|m)", str(amount))
    if found is None:
        raise NotYet(f"the quantity {amount} cannot be read; write it as 500m, 128Mi or 2")
    return Fraction(found[1]) * _SCALE[found[2]]
