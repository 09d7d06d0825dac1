"""The API as a node uses it: also deletes without grace, asks for tokens, and asks which kinds there are."""

import time

from k8s import client

Json = client.Json

SERVICES = client.Resource("services")
SECRETS = client.Resource("secrets")
NAMESPACES = client.Resource("namespaces")
SERVICE_ACCOUNTS = client.Resource("serviceaccounts")
STATEFUL_SETS = client.Resource("statefulsets", "apps/v1")
ENDPOINT_SLICES = client.Resource("endpointslices", "discovery.k8s.io/v1")


class NodeClient(client.ClusterClient):
    """Raises errors.ClusterError like its parent."""

    async def remove(self, resource: client.Resource, namespace: str, name: str, *, uid: str = "") -> None:
        """Deletes at once, without the grace a pod has; with `uid` only that object, another of the same name stays."""
        body: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
        if uid:
            body["preconditions"] = {"uid": uid}
        await self._call("DELETE", resource.path(namespace, name), {}, body)

    async def token(self, namespace: str, account: str, *, seconds: int, audience: str = "") -> tuple[str, float]:
        """A token of a service account, and when to ask for the next (monotonic seconds, at 80% of its life)."""
        spec: Json = {"expirationSeconds": max(seconds, 600), **({"audiences": [audience]} if audience else {})}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = await self._call("POST", SERVICE_ACCOUNTS.path(namespace, account, "token"), {}, body)
        return str(answer["status"]["token"]), time.monotonic() + 0.8 * spec["expirationSeconds"]

    async def kinds(self, group_version: str) -> list[Json]:
        """What discovery says of `v1` or `apps/v1`. Raises errors.Missing when the server does not have the group."""
        root = "/apis/" if "/" in group_version else "/api/"
        answer = await self._call("GET", root + group_version)
        return [kind for kind in answer.get("resources") or () if "/" not in kind["name"]]
