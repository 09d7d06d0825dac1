"""Applies a kustomize folder of plain resources, without kustomize: its files in order, its namespace, server-side."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.playground.nodes import node_client
from k8s import client, errors

Json = dict[str, Any]
MANAGER = "ferry-playground"
_UNDERSTOOD = {"apiVersion", "kind", "namespace", "resources"}
_FIRST = (
    "Namespace",
    "ServiceAccount",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
)
_LAST = ("StatefulSet", "Deployment")


class ManifestError(ValueError):
    """A folder that cannot be applied; the sentence names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Applied:
    """`Kind namespace/name` of what was applied, and a sentence for each object that this API has no kind for."""

    objects: tuple[str, ...]
    skipped: tuple[str, ...]


def read(folder: Path, *, namespace: str = "") -> list[Json]:
    """Every object of the folder in the order of applying. `namespace` replaces the one of kustomization.yaml.

    Raises ManifestError for a folder that needs more than `resources` and `namespace`.
    """
    listing = folder / "kustomization.yaml"
    try:
        wanted = yaml.safe_load(listing.read_text(encoding="utf-8"))
        beyond = sorted(set(wanted) - _UNDERSTOOD)
        if beyond:
            raise ManifestError(f"{listing}: {', '.join(beyond)} needs kustomize itself; name a folder with plain resources")
        texts = {name: (folder / name).read_text(encoding="utf-8") for name in wanted["resources"]}
        found = [item for text in texts.values() for item in yaml.safe_load_all(text) if item]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ManifestError(f"{listing} cannot be read ({error}); name a kustomize folder of plain resource files") from error
    home = namespace or wanted.get("namespace", "")
    return sorted((_moved(item, home) if home else item for item in found), key=_rank)


async def apply(api: node_client.NodeClient, folder: Path, *, namespace: str = "", force: bool = False) -> Applied:
    """Server-side apply of the whole folder. Raises ManifestError, or errors.ClusterError for the first object refused.

    `force` takes fields over from whoever owns them. A kind is skipped only when the API says that it does not have it.
    """
    known: dict[str, dict[str, Json]] = {}
    done: list[str] = []
    skipped: list[str] = []
    for item in read(folder, namespace=namespace):
        group, kind, metadata = item["apiVersion"], item["kind"], item["metadata"]
        name = f"{kind} {metadata.get('namespace', '')}/{metadata['name']}"
        if group not in known:
            try:
                known[group] = {one["kind"]: one for one in await api.kinds(group)}
            except errors.Missing:
                known[group] = {}
        about = known[group].get(kind)
        if about is None:
            skipped.append(f"{name} was left out: this API server has no {kind} in {group}")
            continue
        await apply_one(api, item, client.Resource(about["name"], group), force=force)
        done.append(name)
    return Applied(tuple(done), tuple(skipped))


async def apply_one(api: client.ClusterClient, item: Json, resource: client.Resource, *, force: bool = False) -> Json:
    """One object, server-side, under the playground's field manager."""
    metadata = item["metadata"]
    place = metadata.get("namespace", "")
    kind = client.PatchKind.APPLY
    return await api.patch(resource, place, metadata["name"], item, kind=kind, field_manager=MANAGER, force=force)


def _moved(item: Json, namespace: str) -> Json:
    """As kustomize's namespace transformer does for these kinds: the object, the namespace itself, the accounts of a binding."""
    metadata = dict(item["metadata"])
    if item["kind"] == "Namespace":
        return {**item, "metadata": {**metadata, "name": namespace}}
    moved = item if item["kind"].startswith("Cluster") else {**item, "metadata": {**metadata, "namespace": namespace}}
    if "subjects" in item:
        subjects = [{**one, "namespace": namespace} if one.get("kind") == "ServiceAccount" else one for one in item["subjects"]]
        moved = {**moved, "subjects": subjects}
    return moved


def _rank(item: Json) -> int:
    kind = item["kind"]
    if kind in _FIRST:
        return _FIRST.index(kind)
    return len(_FIRST) + 1 + _LAST.index(kind) if kind in _LAST else len(_FIRST)
