"""The scale subresource: how many replicas, and nothing else of a workload."""

from deploy.playground.kubernetes import failures
from deploy.playground.kubernetes.kinds import Json


def view(item: Json) -> Json:
    """The Scale of a Deployment, ReplicaSet or StatefulSet."""
    metadata, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    shown = {
        name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp") if name in metadata
    }
    labels = (spec.get("selector") or {}).get("matchLabels") or {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": shown,
        "spec": {"replicas": spec.get("replicas", 0)},
        "status": {
            "replicas": status.get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        },
    }


def scaled(item: Json, wanted: Json) -> Json:
    """The workload with the replicas (and the resourceVersion, if given) of a Scale."""
    if wanted.get("kind", "Scale") != "Scale" or wanted.get("apiVersion", "autoscaling/v1") != "autoscaling/v1":
        raise failures.bad_request("the object provided is unrecognized (must be of type Scale)")
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise failures.bad_request("Scale: spec.replicas must be a whole number")
    metadata = dict(item["metadata"])
    version = (wanted.get("metadata") or {}).get("resourceVersion")
    if version:
        metadata["resourceVersion"] = version
    return {**item, "metadata": metadata, "spec": {**item["spec"], "replicas": replicas}}
