"""The volumes of one pod as folders: emptied with the pod, or filled from objects and replaced in one step when they change."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.playground.nodes import environment, in_pod, node_client
from deploy.playground.nodes.cluster_objects import ClusterObjects, NotYet
from k8s import errors

Json = dict[str, Any]
ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
ACCOUNT_VOLUME = "kube-api-access"
_TOKEN_SECONDS = 3607
Files = dict[str, tuple[bytes, int]]  # content and mode by path


class Volumes:
    """`folder`: of this pod, `memory`: its folder on tmpfs. `claims`: for what outlives pods.

    Call `write` before the containers and on every change.
    """

    def __init__(
        self, pod: Json, *, folder: Path, memory: Path, claims: Path, objects: ClusterObjects, api: node_client.NodeClient
    ) -> None:
        self._pod = pod
        self._folder = folder
        self._memory = memory
        self._claims = claims
        self._objects = objects
        self._api = api
        self._written: dict[str, Files] = {}
        self._tokens: dict[str, tuple[str, float]] = {}

    def folder(self, name: str) -> Path:
        """Where a volume of the pod is."""
        volume: Json = next((one for one in self._pod["spec"].get("volumes") or () if one["name"] == name), {})
        if "persistentVolumeClaim" in volume:
            return self._claims / str(self._pod["metadata"]["namespace"]) / str(volume["persistentVolumeClaim"]["claimName"])
        return (self._memory if (volume.get("emptyDir") or {}).get("medium") == "Memory" else self._folder) / name

    def mounts(self, container: Json) -> dict[str, Path]:
        """The folder behind each mountPath of a container, that of the service account included where it is mounted by itself."""
        found = {ACCOUNT_FOLDER: self.folder(ACCOUNT_VOLUME)} if self._mounts_account() else {}
        for mount in container.get("volumeMounts") or ():
            found[mount["mountPath"]] = self.folder(mount["name"]) / mount.get("subPath", "")
        return found

    async def write(self) -> float:
        """Writes what is new. Returns when to call again at the latest (monotonic seconds).

        Raises NotYet, errors.ClusterError.
        """
        spec = self._pod["spec"]
        volumes = list(spec.get("volumes") or ())
        if self._mounts_account():
            volumes.append({"name": ACCOUNT_VOLUME, "projected": {"sources": _account_sources()}})
        for volume in volumes:
            name, folder = volume["name"], self.folder(volume["name"])
            files = await self._files(volume)
            folder.mkdir(parents=True, exist_ok=True)
            if files is not None and files != self._written.get(name):
                publish(folder, files)
                self._written[name] = files
        return min((renew for _, renew in self._tokens.values()), default=float("inf"))

    def _mounts_account(self) -> bool:
        # The pod's word beats that of its account, which the API's own admission looks at; here only the pod's is asked.
        return self._pod["spec"].get("automountServiceAccountToken") is True

    async def _files(self, volume: Json) -> Files | None:
        """The files of a volume that comes from objects; None for one that belongs to the containers."""
        if {"emptyDir", "persistentVolumeClaim"} & set(volume):
            return None
        if "projected" in volume:
            files: Files = {}
            for source in volume["projected"]["sources"]:
                files |= await self._source(source, volume["projected"].get("defaultMode", 0o644))
            return files
        if "secret" in volume:
            reference = {**volume["secret"], "name": volume["secret"]["secretName"]}
            return await self._source({"secret": reference}, reference.get("defaultMode", 0o644))
        for kind in ("configMap", "downwardAPI"):
            if kind in volume:
                return await self._source({kind: volume[kind]}, volume[kind].get("defaultMode", 0o644))
        raise NotYet(f"the volume {volume['name']} is of a sort this node does not have; use emptyDir, configMap or secret")

    async def _source(self, source: Json, mode: int) -> Files:
        namespace = self._pod["metadata"]["namespace"]
        if "serviceAccountToken" in source:
            return {source["serviceAccountToken"]["path"]: ((await self._token(source["serviceAccountToken"])).encode(), mode)}
        if "downwardAPI" in source:
            items = source["downwardAPI"].get("items") or ()
            return {item["path"]: (self._downward(item).encode(), mode) for item in items}
        secret = "secret" in source
        reference = source["secret"] if secret else source["configMap"]
        try:
            keys = (self._objects.secret if secret else self._objects.config_map)(namespace, reference["name"])
            files = _chosen(keys, reference, mode)
        except NotYet:
            if reference.get("optional"):
                return {}
            raise
        if secret:
            return files
        pod_ip = self._pod["status"]["podIP"]
        return {path: (in_pod.address(content, pod_ip), each) for path, (content, each) in files.items()}

    def _downward(self, item: Json) -> str:
        if "fieldRef" in item:
            return environment.field(self._pod, item["fieldRef"]["fieldPath"])
        return environment.limit(self._pod, item["resourceFieldRef"], "")

    async def _token(self, wanted: Json) -> str:
        path = wanted["path"]
        token, renew = self._tokens.get(path, ("", 0.0))
        if time.monotonic() >= renew:
            account = self._pod["spec"].get("serviceAccountName") or "default"
            namespace = self._pod["metadata"]["namespace"]
            seconds, audience = int(wanted.get("expirationSeconds") or 3600), wanted.get("audience", "")
            try:
                token, renew = await self._api.token(namespace, account, seconds=seconds, audience=audience)
            except errors.Missing:
                raise NotYet(f"ServiceAccount {namespace}/{account} does not exist; create it and the pod starts") from None
            self._tokens[path] = token, renew
        return token


def _account_sources() -> list[Json]:
    return [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": _TOKEN_SECONDS}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]


def _chosen(keys: Mapping[str, bytes], reference: Json, mode: int) -> Files:
    items = reference.get("items")
    if not items:
        return {key: (value, mode) for key, value in keys.items()}
    missing = [item["key"] for item in items if item["key"] not in keys]
    if missing:
        raise NotYet(f"{reference['name']} has no key {missing[0]}; add it and the pod starts by itself")
    return {item["path"]: (keys[item["key"]], item.get("mode", mode)) for item in items}


def publish(folder: Path, files: Files) -> None:
    """All files of a volume change at once, as a kubelet does it: `..data` points to a folder of them, and is renamed over."""
    fresh = folder / f"..{time.time_ns()}"
    for path, (content, mode) in files.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(mode)
    fresh.mkdir(exist_ok=True)
    link, swap = folder / "..data", folder / "..data_new"
    before = link.resolve() if link.is_symlink() else None
    swap.symlink_to(fresh.name)
    swap.replace(link)
    shown = {path.partition("/")[0] for path in files}
    for name in shown:
        entry = folder / name
        if not entry.is_symlink():
            entry.symlink_to(f"..data/{name}")
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in shown:
            entry.unlink()
    if before is not None:
        shutil.rmtree(before)
