"""Deployments and StatefulSets become pods on this node; their status says how far they are."""

from collections.abc import Callable
from typing import Any

from deploy.playground.nodes import node_client, rollout
from deploy.playground.world import cluster_mirror
from k8s import client, errors

Json = dict[str, Any]
DEPLOYMENTS = "/apis/apps/v1/deployments"
STATEFUL_SETS = "/apis/apps/v1/statefulsets"
_KINDS: tuple[tuple[str, str, client.Resource, Callable[..., rollout.Step], Callable[..., Json]], ...] = (
    (DEPLOYMENTS, "Deployment", client.DEPLOYMENTS, rollout.deployment_step, rollout.deployment_status),
    (STATEFUL_SETS, "StatefulSet", node_client.STATEFUL_SETS, rollout.stateful_step, rollout.stateful_status),
)


class Workloads:
    """`step` does what the objects ask for now; call it again after every change of workloads and pods."""

    def __init__(self, api: node_client.NodeClient, mirror: cluster_mirror.ClusterMirror, *, node: str) -> None:
        self._api = api
        self._mirror = mirror
        self._node = node

    async def step(self) -> None:
        """Raises errors.ClusterError; what was done stays done, and the next step goes on from there."""
        # Not from the mirror: a pod made a moment ago may be missing there, and would be made twice.
        listed = await self._api.list(client.PODS, "")
        pods = [pod for pod in listed["items"] if pod["spec"].get("nodeName") == self._node]
        owners: set[str] = set()
        for path, kind, resource, decide, describe in _KINDS:
            for workload in self._mirror.of(path):
                uid = workload["metadata"]["uid"]
                owners.add(uid)
                owned = [pod for pod in pods if _owner(pod) == uid]
                if not workload["metadata"].get("deletionTimestamp"):
                    await self._act(workload, kind, decide(workload, owned))
                    await self._describe(workload, resource, describe(workload, owned))
        for pod in pods:
            if _owner(pod) not in {"", *owners} and not pod["metadata"].get("deletionTimestamp"):
                await self._delete(pod)

    async def _act(self, workload: Json, kind: str, step: rollout.Step) -> None:
        for name in step.create:
            await self._api.create(client.PODS, workload["metadata"]["namespace"], self._pod(workload, kind, name))
        for pod in step.delete:
            await self._delete(pod)

    async def _delete(self, pod: Json) -> None:
        metadata = pod["metadata"]
        try:
            await self._api.delete(client.PODS, metadata["namespace"], metadata["name"], uid=metadata["uid"])
        except (errors.Missing, errors.Conflict):
            return  # somebody else was faster

    async def _describe(self, workload: Json, resource: client.Resource, status: Json) -> None:
        before = workload.get("status") or {}
        conditions = {one["type"]: one for one in before.get("conditions") or ()}
        for one in status.get("conditions", ()):
            same = conditions.get(one["type"], {})
            one.update({name: same[name] for name in ("lastTransitionTime", "lastUpdateTime") if name in same})
        if {name: before.get(name) for name in status} == status:
            return
        metadata = workload["metadata"]
        body = {"metadata": {"uid": metadata["uid"]}, "status": status}
        try:
            await self._api.patch(resource, metadata["namespace"], metadata["name"], body, subresource="status")
        except (errors.Missing, errors.Conflict):
            return

    def _pod(self, workload: Json, kind: str, name: str) -> Json:
        template, owner = workload["spec"]["template"], workload["metadata"]
        labels = {**(template["metadata"].get("labels") or {}), rollout.HASH: rollout.template_hash(workload)}
        spec = {**template["spec"], "nodeName": self._node}
        named = {"name": name} if name else {"generateName": f"{owner['name']}-{labels[rollout.HASH]}-"}
        claims = workload["spec"].get("volumeClaimTemplates") or ()
        if claims:
            brought = [
                {
                    "name": claim["metadata"]["name"],
                    "persistentVolumeClaim": {"claimName": f"{claim['metadata']['name']}-{name}"},
                }
                for claim in claims
            ]
            spec["volumes"] = [*(spec.get("volumes") or ()), *brought]
        reference = {"apiVersion": "apps/v1", "kind": kind, "name": owner["name"], "uid": owner["uid"]}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                **named,
                "namespace": owner["namespace"],
                "labels": labels,
                "annotations": template["metadata"].get("annotations") or {},
                "ownerReferences": [{**reference, "controller": True, "blockOwnerDeletion": True}],
            },
            "spec": spec,
        }


def _owner(pod: Json) -> str:
    """The uid of the workload that controls it; empty for a pod made by hand."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return next((str(owner["uid"]) for owner in owners if owner.get("controller")), "")
