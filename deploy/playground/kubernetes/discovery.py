"""What the API says about itself: groups, resources, and as much OpenAPI as kubectl needs to choose its parameters."""

from deploy.playground.kubernetes.kinds import KINDS, OBJECT_VERBS, Json, Kind
from deploy.playground.kubernetes.paths import subresources_of

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0+stand-in",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2025-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "laptop",
}


def document(path: str) -> Json | None:
    """The discovery document at a path, or None."""
    return _DOCUMENTS.get(path.rstrip("/"))


def _version(group: str) -> str:
    """The one version of a group that is served."""
    return next(kind.version for kind in KINDS if kind.group == group)


def _group(name: str) -> Json:
    version = {"groupVersion": f"{name}/{_version(name)}", "version": _version(name)}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(group: str) -> list[Json]:
    found: list[Json] = []
    for kind in (kind for kind in KINDS if kind.group == group):
        entry: Json = {
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": list(OBJECT_VERBS) if kind.stored else ["create"],
        }
        if kind.short_names:
            entry["shortNames"] = list(kind.short_names)
        if kind.plural in {"pods", "services", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs"}:
            entry["categories"] = ["all"]
        found.append(entry)
        found.extend(_subresource(kind, name, verbs) for name, verbs in subresources_of(kind).items())
    return found


def _subresource(kind: Kind, name: str, verbs: tuple[str, ...]) -> Json:
    entry: Json = {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(verbs),
    }
    other = {
        "scale": ("autoscaling", "Scale"),
        "token": ("authentication.k8s.io", "TokenRequest"),
        "eviction": ("policy", "Eviction"),
        "binding": ("", "Binding"),
    }.get(name)
    if other is not None:
        entry |= {"group": other[0], "version": "v1", "kind": other[1]}
    return entry


def _openapi(group: str) -> Json:
    """Which parameters a patch takes: kubectl reads from this that the server does the validation and knows rehearsals."""
    names = ("dryRun", "fieldManager", "fieldValidation", "force", "pretty")
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]
    paths: Json = {}
    for kind in (kind for kind in KINDS if kind.group == group and kind.stored):
        home = f"{kind.path}/namespaces/{{namespace}}" if kind.namespaced else kind.path
        about = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        operation = {
            "parameters": parameters,
            "x-kubernetes-group-version-kind": about,
            "responses": {"200": {"description": "OK"}},
        }
        paths[f"{home}/{kind.plural}/{{name}}"] = {"patch": operation}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]}, "paths": paths}


def _all() -> dict[str, Json]:
    groups = sorted({kind.group for kind in KINDS if kind.group})
    found: dict[str, Json] = {
        "/version": dict(VERSION),
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in groups]},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": _resources("")},
        "/openapi/v3/api/v1": _openapi(""),
    }
    for name in groups:
        found[f"/apis/{name}"] = {"kind": "APIGroup", "apiVersion": "v1", **_group(name)}
        served = f"{name}/{_version(name)}"
        listed = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": served, "resources": _resources(name)}
        found[f"/apis/{served}"] = listed
        found[f"/openapi/v3/apis/{served}"] = _openapi(name)
    roots = [path.removeprefix("/openapi/v3/") for path in found if path.startswith("/openapi/v3/")]
    found["/openapi/v3"] = {"paths": {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in roots}}
    return found


_DOCUMENTS = _all()
