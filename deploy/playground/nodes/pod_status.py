"""What the status of a pod says, made from what its containers do. Pure."""

from collections.abc import Mapping
from typing import Any, Protocol

Json = dict[str, Any]


class Seen(Protocol):
    """What is known of one container."""

    state: Json
    last: Json
    restarts: int
    ready: bool


def is_ready(pod: Json) -> bool:
    """Its Ready condition."""
    return _condition(pod, "Ready") == "True"


def is_leaving(pod: Json) -> bool:
    """Deleted, and perhaps still running."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def complaint(pod: Json) -> str:
    """Its name and why it is not ready, for people."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    why = next((one.get("message", "") for one in conditions if one["type"] == "Ready"), "it was not started yet")
    restarts = sum(one.get("restartCount", 0) for one in (pod.get("status") or {}).get("containerStatuses") or ())
    return f"{pod['metadata']['name']}: {why}" + (f", {restarts} restarts" if restarts else "")


def ip(pod: Json) -> str:
    """Empty before it has one."""
    return str((pod.get("status") or {}).get("podIP") or "")


def document(pod: Json, seen: Mapping[str, Seen], *, pod_ip: str, trouble: str, at: str) -> Json:
    """The whole status. `trouble`: why it cannot start, empty when nothing keeps it. `at`: the time now, as the API writes it.

    A condition that says what `pod` says already keeps its time.
    """
    containers = pod["spec"]["containers"]
    started = bool(seen) and all("running" in one.state or one.restarts for one in seen.values())
    ready = bool(seen) and all(one.ready for one in seen.values())
    why = {} if ready else {"reason": "ContainersNotReady", "message": trouble or _unready(seen) or "nothing was started yet"}
    conditions = [
        {"type": "PodScheduled", "status": "True"},
        {"type": "Initialized", "status": "True"},
        {"type": "ContainersReady", "status": _truth(ready), **why},
        {"type": "Ready", "status": _truth(ready), **why},
    ]
    waiting = {"waiting": {"reason": "ContainerCreating", **({"message": trouble} if trouble else {})}}
    return {
        "phase": "Running" if started else "Pending",
        "podIP": pod_ip,
        "podIPs": [{"ip": pod_ip}],
        "hostIP": "127.0.0.1",
        "startTime": (pod.get("status") or {}).get("startTime") or at,
        "conditions": [_timed(pod, condition, at) for condition in conditions],
        "containerStatuses": [
            {
                "name": one["name"],
                "image": one["image"],
                "imageID": one["image"],
                "ready": seen[one["name"]].ready if one["name"] in seen else False,
                "started": one["name"] in seen and "running" in seen[one["name"]].state,
                "restartCount": seen[one["name"]].restarts if one["name"] in seen else 0,
                "state": seen[one["name"]].state if one["name"] in seen else waiting,
                "lastState": seen[one["name"]].last if one["name"] in seen else {},
            }
            for one in containers
        ],
    }


def _unready(seen: Mapping[str, Seen]) -> str:
    names = [name for name, one in seen.items() if not one.ready]
    return f"containers with unready status: [{' '.join(names)}]" if names else ""


def _condition(pod: Json, kind: str) -> str:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return str(next((one["status"] for one in conditions if one["type"] == kind), ""))


def _timed(pod: Json, condition: Json, at: str) -> Json:
    before = (pod.get("status") or {}).get("conditions") or ()
    same: Json = next((one for one in before if (one["type"], one["status"]) == (condition["type"], condition["status"])), {})
    return {**condition, "lastTransitionTime": same.get("lastTransitionTime") or at}


def _truth(value: bool) -> str:
    return "True" if value else "False"
