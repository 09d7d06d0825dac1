"""What the API refuses: malformed objects, bad names, values out of range, changes of what may not change."""

from collections.abc import Callable

from deploy.playground.kubernetes import failures, kinds, names, schemas, workload_rules
from deploy.playground.kubernetes.failures import Causes
from deploy.playground.kubernetes.journal import Asked
from deploy.playground.kubernetes.kinds import Json, Kind

MOST_ANNOTATION_BYTES = 256 * 1024
MOST_MAP_BYTES = 1024 * 1024


def named(kind: Kind, namespace: str, body: Json, asked: Asked, *, name: str = "", applying: bool = False) -> Json:
    """A tidy copy of a request's body with its kind, namespace and name settled. Raises 400 when they contradict the URL."""
    _check_kind(kind, body)
    settled, warnings = schemas.settle(kind, body, validation=asked.validation, applying=applying)
    asked.warnings.extend(warnings)
    metadata = settled.get("metadata") or {}
    if name and metadata.get("name") not in {None, "", name}:
        why = f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
        raise failures.bad_request(why)
    if name:
        metadata["name"] = name
    if not kind.namespaced:
        if metadata.pop("namespace", None):
            raise failures.bad_request("namespace is not allowed on this type")
    elif metadata.get("namespace") in {None, "", namespace}:
        metadata["namespace"] = namespace
    else:
        raise failures.bad_request("the namespace of the provided object does not match the namespace sent on the request")
    return {**settled, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def _check_kind(kind: Kind, body: Json) -> None:
    api_version, body_kind = body.get("apiVersion", kind.api_version), body.get("kind", kind.kind)
    if (api_version, body_kind) == (kind.api_version, kind.kind):
        return
    if (api_version, body_kind) not in kinds.BY_NAME:
        known = f'no kind "{body_kind}" is registered for version "{api_version}"'
        raise failures.bad_request(f'{body_kind} in version "{api_version}" cannot be handled as a {kind.kind}: {known}')
    if body_kind == kind.kind:
        why = f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
        raise failures.bad_request(why)
    raise failures.bad_request(f"the object provided is unrecognized (must be of type {kind.kind})")


def check(kind: Kind, item: Json, live: Json | None, causes: Causes) -> None:
    """Everything that makes this object invalid, noted in `causes`. `live` is what it would replace."""
    _metadata(kind, item, live, causes)
    rule = _RULES.get(kind.kind)
    if rule is not None and not kind.custom:
        rule(item, live, causes)


def _metadata(kind: Kind, item: Json, live: Json | None, causes: Causes) -> None:
    metadata = item["metadata"]
    name = metadata.get("name", "")
    if not name:
        causes.required("metadata.name", "name or generateName is required")
    elif live is None and (why := names.object_name(kind.kind, name)):
        causes.invalid("metadata.name", name, why)
    _labels(metadata, causes)
    for number, owner in enumerate(metadata.get("ownerReferences") or ()):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                causes.invalid(f"metadata.ownerReferences[{number}].{field}", owner.get(field, ""), f"{field} must not be empty")
    if live is not None and live["metadata"].get("deletionTimestamp"):
        new = [one for one in metadata.get("finalizers") or () if one not in (live["metadata"].get("finalizers") or ())]
        if new:
            listed = ", ".join(f'"{one}"' for one in new)
            why = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}"
            causes.forbidden("metadata.finalizers", why)


def _labels(metadata: Json, causes: Causes) -> None:
    for key, value in (metadata.get("labels") or {}).items():
        if why := names.qualified(key):
            causes.invalid("metadata.labels", key, why)
        if why := names.label_value(value or ""):
            causes.invalid("metadata.labels", value, why)
    total = 0
    for key, value in (metadata.get("annotations") or {}).items():
        if why := names.qualified(key.lower()):
            causes.invalid("metadata.annotations", key, why)
        total += len(key.encode()) + len((value or "").encode())
    if total > MOST_ANNOTATION_BYTES:
        causes.too_long("metadata.annotations", MOST_ANNOTATION_BYTES)


def _config_map(item: Json, live: Json | None, causes: Causes) -> None:
    _keyed_data(item, live, causes, sections=("data", "binaryData"))
    twice = set(item.get("data") or ()) & set(item.get("binaryData") or ())
    for key in sorted(twice):
        causes.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")


def _secret(item: Json, live: Json | None, causes: Causes) -> None:
    _keyed_data(item, live, causes, sections=("data",))
    if live is not None and live.get("type") != item.get("type"):
        causes.invalid("type", item.get("type"), "field is immutable")


def _keyed_data(item: Json, live: Json | None, causes: Causes, *, sections: tuple[str, ...]) -> None:
    total = 0
    for section in sections:
        for key, value in (item.get(section) or {}).items():
            if why := names.config_key(key):
                causes.invalid(f"{section}[{key}]", key, why)
            total += len((value or "").encode())
    if total > MOST_MAP_BYTES:
        causes.too_long("", MOST_MAP_BYTES)
    if live is not None and live.get("immutable"):
        if not item.get("immutable"):
            causes.forbidden("immutable", "field is immutable when `immutable` is set")
        for section in sections:
            if (item.get(section) or {}) != (live.get(section) or {}):
                causes.forbidden(section, "field is immutable when `immutable` is set")


def _controller_revision(item: Json, live: Json | None, causes: Causes) -> None:
    if item.get("data") is None:
        causes.required("data", "data is mandatory")
    revision = item.get("revision", 0)
    if not isinstance(revision, int) or revision < 0:
        causes.invalid("revision", revision, "must be greater than or equal to 0")
    if live is not None and live.get("data") != item.get("data"):
        causes.invalid("data", "the new data", "field is immutable")


def _lease(item: Json, live: Json | None, causes: Causes) -> None:
    del live
    spec = item.get("spec") or {}
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and (not isinstance(seconds, int) or seconds <= 0):
        causes.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")
    if transitions is not None and (not isinstance(transitions, int) or transitions < 0):
        causes.invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0")


def _role(item: Json, live: Json | None, causes: Causes) -> None:
    del live
    for number, rule in enumerate(item.get("rules") or ()):
        where = f"rules[{number}]"
        if not rule.get("verbs"):
            causes.required(f"{where}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            continue
        if not rule.get("apiGroups"):
            causes.required(f"{where}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            causes.required(f"{where}.resources", "resource rules must supply at least one resource")


def _role_binding(item: Json, live: Json | None, causes: Causes) -> None:
    role = item.get("roleRef") or {}
    if role.get("kind") not in {"Role", "ClusterRole"}:
        causes.unsupported("roleRef.kind", role.get("kind", ""), ["Role", "ClusterRole"])
    if not role.get("name"):
        causes.required("roleRef.name")
    for number, subject in enumerate(item.get("subjects") or ()):
        where = f"subjects[{number}]"
        if not subject.get("name"):
            causes.required(f"{where}.name")
        if subject.get("kind") not in {"ServiceAccount", "User", "Group"}:
            causes.unsupported(f"{where}.kind", subject.get("kind", ""), ["ServiceAccount", "User", "Group"])
        if subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            causes.required(f"{where}.namespace")
    if live is not None and live["roleRef"] != role:
        causes.invalid("roleRef", role, "cannot change roleRef")


_RULES: dict[str, Callable[[Json, Json | None, Causes], None]] = {
    "ConfigMap": _config_map,
    "Secret": _secret,
    "ControllerRevision": _controller_revision,
    "Lease": _lease,
    "Role": _role,
    "ClusterRole": _role,
    "RoleBinding": _role_binding,
    "ClusterRoleBinding": _role_binding,
    **workload_rules.RULES,
}
