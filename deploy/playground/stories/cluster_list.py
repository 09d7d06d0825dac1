"""What stands in the old cluster around its applications, by kind and place, with the fields that people would look at."""

from typing import Any

from deploy.playground import before_ferry, laptop, objects
from k8s import client

APP = before_ferry.APP
HOME, FERRY = APP.namespace, objects.NAMESPACE
_KINDS = {
    "Ingress": client.Resource("ingresses", "networking.k8s.io/v1"),
    "Service": client.Resource("services"),
    "NetworkPolicy": client.Resource("networkpolicies", "networking.k8s.io/v1"),
    "Deployment": client.DEPLOYMENTS,
    "StatefulSet": client.Resource("statefulsets", "apps/v1"),
    "DaemonSet": client.Resource("daemonsets", "apps/v1"),
}
# Written by hand: all that is left when the old application is gone, and nothing else. The second application is untouched.
FINISHED: dict[str, Any] = {
    f"Ingress {HOME}/bbdm-api": {APP.old_host: f"/ ferry-entry-{APP.name}:80"},
    f"Ingress {HOME}/bbdm-web": {objects.SECOND.old_host: "/ bbdm-web:8078"},
    f"Service {HOME}/bbdm-web": "ClusterIP",
    f"Service {HOME}/ferry-entry-{APP.name}": f"ExternalName migration-proxy-{APP.name}.{FERRY}.svc.cluster.local",
    f"Service {HOME}/new-cluster-proxy": f"ExternalName {APP.new_host}",
    f"Service {FERRY}/migration-proxy-{APP.name}": "ClusterIP",
    f"NetworkPolicy {FERRY}/migration-proxy-{APP.name}": "Egress",
}


async def standing(playground: laptop.Playground) -> dict[str, Any]:
    """All of the applications' namespace, and what of Ferry's own is about the one service. Raises errors.ClusterError."""
    found: dict[str, Any] = {}
    for kind, resource in _KINDS.items():
        for item in (await playground.api.list(resource, ""))["items"]:
            metadata = item["metadata"]
            if metadata["namespace"] == HOME or APP.name in metadata["name"]:
                found[f"{kind} {metadata['namespace']}/{metadata['name']}"] = _fields(kind, item["spec"])
    return found


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """One sentence each."""
    missing = [f"{name} is missing" for name in sorted(wanted.keys() - found.keys())]
    extra = [f"{name} should not be there" for name in sorted(found.keys() - wanted.keys())]
    both = sorted(found.keys() & wanted.keys())
    other = [f"{name} is {found[name]}, not {wanted[name]}" for name in both if found[name] != wanted[name]]
    return [*missing, *extra, *other]


def _fields(kind: str, spec: dict[str, Any]) -> Any:
    match kind:
        case "Ingress":
            return {rule["host"]: " ".join(_path(path) for path in rule["http"]["paths"]) for rule in spec["rules"]}
        case "Service":
            return " ".join(filter(None, [spec.get("type", "ClusterIP"), spec.get("externalName", "")]))
        case "NetworkPolicy":
            return " ".join(spec["policyTypes"])
    return spec.get("replicas", "")


def _path(path: dict[str, Any]) -> str:
    service = path["backend"]["service"]
    return f"{path['path']} {service['name']}:{service['port']['number']}"
