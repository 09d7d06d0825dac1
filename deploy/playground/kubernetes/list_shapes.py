"""How lists and maps of each kind merge: by key, as a set, or as one value. Used by strategic merge and by server-side apply.

A list that is not named here is atomic (replaced as a whole, owned as a whole). A map that is not named here is granular.
Paths are field names from the object's root, without indexes.
"""

from dataclasses import dataclass

from deploy.playground.kubernetes.kinds import Kind

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListShape:
    """`keys`: the fields that identify an item for server-side apply (empty: atomic there); `merge_key`: for strategic merge
    ("" means: not merged by key); `primitives`: a set of plain values."""

    keys: tuple[str, ...] = ()
    merge_key: str = ""
    primitives: bool = False


def _keyed(*keys: str) -> ListShape:
    return ListShape(keys=keys, merge_key=keys[0])


_SET = ListShape(primitives=True)

_CONTAINER = {
    "env": _keyed("name"),
    "ports": _keyed("containerPort", "protocol"),
    "volumeMounts": _keyed("mountPath"),
    "volumeDevices": _keyed("devicePath"),
    "resources.claims": _keyed("name"),
}

_POD_SPEC = {
    **{f"{group}": _keyed("name") for group in ("containers", "initContainers", "ephemeralContainers")},
    **{
        f"{group}.{path}": shape
        for group in ("containers", "initContainers", "ephemeralContainers")
        for path, shape in _CONTAINER.items()
    },
    "volumes": _keyed("name"),
    "imagePullSecrets": _keyed("name"),
    "hostAliases": _keyed("ip"),
    "topologySpreadConstraints": _keyed("topologyKey", "whenUnsatisfiable"),
    "schedulingGates": _keyed("name"),
    "resourceClaims": _keyed("name"),
}

_METADATA = {"finalizers": _SET, "ownerReferences": _keyed("uid")}

_POD_METADATA = {f"metadata.{path}": shape for path, shape in _METADATA.items()}


def _under(prefix: str, shapes: dict[str, ListShape]) -> dict[Path, ListShape]:
    return {tuple(f"{prefix}.{path}".split(".")): shape for path, shape in shapes.items()}


_TEMPLATE = {**{f"spec.{path}": shape for path, shape in _POD_SPEC.items()}, **_POD_METADATA}
_CONDITIONS: dict[Path, ListShape] = {("status", "conditions"): _keyed("type")}

_LISTS: dict[str, dict[Path, ListShape]] = {
    "Pod": {
        **_under("spec", _POD_SPEC),
        **_CONDITIONS,
        ("status", "podIPs"): _keyed("ip"),
        ("status", "hostIPs"): ListShape(merge_key="ip"),
    },
    **{
        kind: {**_under("spec.template", _TEMPLATE), **_CONDITIONS}
        for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job")
    },
    "Service": {("spec", "ports"): ListShape(keys=("port", "protocol"), merge_key="port"), **_CONDITIONS},
    "ServiceAccount": {("secrets",): _keyed("name"), ("imagePullSecrets",): ListShape(merge_key="name")},
    "Node": {**_CONDITIONS, ("status", "addresses"): _keyed("type")},
    "Namespace": {**_CONDITIONS},
    "PodDisruptionBudget": {**_CONDITIONS},
    "HorizontalPodAutoscaler": {**_CONDITIONS},
    "EndpointSlice": {("endpoints", "addresses"): _SET},
}
_EVERYWHERE: dict[Path, ListShape] = {("metadata", "finalizers"): _SET, ("metadata", "ownerReferences"): _keyed("uid")}

_ATOMIC_LAST = {"selector", "nodeSelector", "secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef", "labelSelector",
                "podSelector", "namespaceSelector", "roleRef", "targetRef", "involvedObject", "claimRef"}  # fmt: skip
_ATOMIC_KINDS = {"ControllerRevision": {("data",)}}

# Values a list key takes when an item leaves it out.
KEY_DEFAULTS = {"protocol": "TCP"}


def list_shape(kind: Kind, path: Path) -> ListShape:
    """The shape of the list at `path`."""
    if kind.custom:
        return _EVERYWHERE.get(path, ListShape())
    return _LISTS.get(kind.kind, {}).get(path) or _EVERYWHERE.get(path, ListShape())


def is_atomic_map(kind: Kind, path: Path) -> bool:
    """True for maps that are owned and replaced as one value by server-side apply."""
    if kind.custom or path[0] in {"metadata", "rules"}:
        return False
    return path[-1] in _ATOMIC_LAST or path in _ATOMIC_KINDS.get(kind.kind, ())


def item_key(shape: ListShape, item: object) -> tuple[tuple[str, object], ...] | None:
    """What identifies an item of a keyed list, or None when the item lacks a key field."""
    if not isinstance(item, dict):
        return None
    found = []
    for key in shape.keys:
        value = item.get(key, KEY_DEFAULTS.get(key))
        if value is None:
            return None
        found.append((key, value))
    return tuple(found)
