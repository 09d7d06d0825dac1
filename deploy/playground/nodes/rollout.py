"""Which pods a workload should make and let go next. Pure: a workload and its pods in, one step out."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from deploy.playground.nodes import pod_status

Json = dict[str, Any]
HASH = "pod-template-hash"


@dataclass(frozen=True, slots=True)
class Step:
    """`create`: names of new pods, "" for one whose name does not matter. `delete`: pods to end."""

    create: tuple[str, ...] = ()
    delete: tuple[Json, ...] = ()


def template_hash(workload: Json) -> str:
    """Changes when the pods of this workload would."""
    raw = orjson.dumps(workload["spec"]["template"], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(raw).hexdigest()[:10]


def wanted(workload: Json) -> int:
    """Its replicas; none given means 1."""
    replicas = workload["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def is_current(workload: Json, pod: Json) -> bool:
    """Whether the pod was made from the template as it is now."""
    return (pod["metadata"].get("labels") or {}).get(HASH) == template_hash(workload)


def deployment_step(workload: Json, pods: Sequence[Json]) -> Step:
    """Rolling by maxSurge and maxUnavailable, or all at once for Recreate. `pods`: those that it owns, leaving ones too."""
    staying = [pod for pod in pods if not pod_status.is_leaving(pod)]
    new = [pod for pod in staying if is_current(workload, pod)]
    old = [pod for pod in staying if not is_current(workload, pod)]
    replicas = wanted(workload)
    strategy = workload["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        surge, missing = 0, replicas
        if old or len(staying) < len(pods):
            return Step(delete=tuple(old))
    else:
        rolling = strategy.get("rollingUpdate") or {}
        surge = _amount(rolling.get("maxSurge", "25%"), replicas, up=True)
        missing = _amount(rolling.get("maxUnavailable", "25%"), replicas, up=False)
        missing = missing or (0 if surge else 1)
    create = max(0, min(replicas - len(new), replicas + surge - len(staying)))
    spare = sorted(new, key=_least_needed)[: max(0, len(new) - replicas)]
    ready = sum(1 for pod in staying if pod_status.is_ready(pod) and pod not in spare)
    unready_old = [pod for pod in old if not pod_status.is_ready(pod)]
    ready_old = [pod for pod in old if pod_status.is_ready(pod)]
    # Old pods that serve leave only while enough others do.
    leave = ready_old[: max(0, ready - max(0, replicas - missing))]
    return Step(("",) * create, (*spare, *unready_old, *leave))


def stateful_step(workload: Json, pods: Sequence[Json]) -> Step:
    """One at a time and in order: 0 first when they come, the highest first when they leave or change."""
    name = workload["metadata"]["name"]
    names = [f"{name}-{number}" for number in range(wanted(workload))]
    have = {pod["metadata"]["name"]: pod for pod in pods}
    surplus = sorted((pod for pod in pods if pod["metadata"]["name"] not in names), key=_ordinal)
    if any(pod_status.is_leaving(pod) for pod in pods):
        return Step()
    if surplus:
        return Step(delete=(surplus[-1],))
    for each in names:
        if each not in have:
            return Step(create=(each,))
        if not pod_status.is_ready(have[each]) and is_current(workload, have[each]):
            return Step()
    outdated = [have[each] for each in names if not is_current(workload, have[each])]
    return Step(delete=tuple(outdated[-1:]))


def deployment_status(workload: Json, pods: Sequence[Json]) -> Json:
    """Its status, without times."""
    counted = _counts(workload, pods)
    enough = counted["readyReplicas"] >= wanted(workload)
    done = enough and counted["updatedReplicas"] == counted["replicas"] == wanted(workload)
    return {
        **counted,
        "unavailableReplicas": max(0, wanted(workload) - counted["readyReplicas"]),
        "conditions": [
            {
                "type": "Available",
                "status": "True" if enough else "False",
                "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
            },
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"},
        ],
    }


def stateful_status(workload: Json, pods: Sequence[Json]) -> Json:
    """Its status."""
    counted = _counts(workload, pods)
    revision = f"{workload['metadata']['name']}-{template_hash(workload)}"
    return {**counted, "currentReplicas": counted["updatedReplicas"], "updateRevision": revision}


def rolled_out(workload: Json) -> bool:
    """Whether its status says that all of the newest pods, and no others, are ready."""
    status = workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return False
    return all((status.get(name) or 0) == wanted(workload) for name in ("replicas", "updatedReplicas", "readyReplicas"))


def _counts(workload: Json, pods: Sequence[Json]) -> Json:
    staying = [pod for pod in pods if not pod_status.is_leaving(pod)]
    ready = sum(1 for pod in staying if pod_status.is_ready(pod))
    return {
        "observedGeneration": workload["metadata"].get("generation", 0),
        "replicas": len(staying),
        "updatedReplicas": sum(1 for pod in staying if is_current(workload, pod)),
        "readyReplicas": ready,
        "availableReplicas": ready,
    }


def _amount(given: int | str, of: int, *, up: bool) -> int:
    if isinstance(given, int):
        return given
    share = of * int(given.removesuffix("%")) / 100
    return math.ceil(share) if up else math.floor(share)


def _least_needed(pod: Json) -> tuple[bool, str]:
    """Unready ones go first, then by name: which of equal ones goes does not matter, only that it is the same each time."""
    return pod_status.is_ready(pod), pod["metadata"]["name"]


def _ordinal(pod: Json) -> int:
    number = pod["metadata"]["name"].rpartition("-")[2]
    return int(number) if number.isdecimal() else 0
