"""What the API server fills in when an object leaves it out. Changes the object it is given (a private copy)."""

import base64
from collections.abc import Callable, Iterable

from deploy.playground.kubernetes.kinds import Json, Kind

_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_ROLLING = {"maxUnavailable": "25%", "maxSurge": "25%"}


def fill_in(kind: Kind, item: Json) -> None:
    """Applies the defaults of the kind."""
    filler = _FILLERS.get(kind.kind)
    if filler is not None and not kind.custom:
        filler(item)


def _defaults(target: Json, **values: object) -> None:
    for name, value in values.items():
        if target.get(name) is None:
            target[name] = value


def _maps(owner: Json, name: str) -> Iterable[Json]:
    return [item for item in owner.get(name) or () if isinstance(item, dict)]


def _secret(item: Json) -> None:
    _defaults(item, type="Opaque")
    plain = item.pop("stringData", None)
    if plain:
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        item["data"] = {**(item.get("data") or {}), **encoded}


def _service(item: Json) -> None:
    spec = item.setdefault("spec", {})
    _defaults(spec, type="ClusterIP", sessionAffinity="None")
    for port in _maps(spec, "ports"):
        _defaults(port, protocol="TCP")
        _defaults(port, targetPort=port.get("port"))
    if spec["sessionAffinity"] == "ClientIP":
        _defaults(spec, sessionAffinityConfig={"clientIP": {"timeoutSeconds": 10800}})
    if spec["type"] != "ExternalName":
        _defaults(spec, internalTrafficPolicy="Cluster", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        _defaults(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _defaults(spec, allocateLoadBalancerNodePorts=True)
    item.setdefault("status", {}).setdefault("loadBalancer", {})


def _container(container: Json) -> None:
    image = str(container.get("image", ""))
    tag = image.rpartition("/")[2]
    floating = "@" not in image and (":" not in tag or tag.endswith(":latest"))
    _defaults(
        container,
        imagePullPolicy="Always" if floating else "IfNotPresent",
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    for port in _maps(container, "ports"):
        _defaults(port, protocol="TCP")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if isinstance(probe, dict):
            _defaults(probe, **_PROBE)
            if isinstance(probe.get("httpGet"), dict):
                _defaults(probe["httpGet"], path="/", scheme="HTTP")
    for variable in _maps(container, "env"):
        field = (variable.get("valueFrom") or {}).get("fieldRef")
        if isinstance(field, dict):
            _defaults(field, apiVersion="v1")


def _volume(volume: Json) -> None:
    if not set(volume) - {"name"}:
        volume["emptyDir"] = {}
    for source in ("configMap", "secret", "projected", "downwardAPI"):
        if isinstance(volume.get(source), dict):
            _defaults(volume[source], defaultMode=420)
    for part in _maps(volume.get("projected") or {}, "sources"):
        if isinstance(part.get("serviceAccountToken"), dict):
            _defaults(part["serviceAccountToken"], expirationSeconds=3600)


def _pod_spec(spec: Json) -> None:
    _defaults(
        spec,
        restartPolicy="Always",
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        terminationGracePeriodSeconds=30,
        securityContext={},
    )
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    for group in ("initContainers", "containers"):
        for container in _maps(spec, group):
            _container(container)
    for volume in _maps(spec, "volumes"):
        _volume(volume)


def _pod(item: Json) -> None:
    spec = item.setdefault("spec", {})
    _pod_spec(spec)
    _defaults(spec, enableServiceLinks=True, serviceAccountName="default", preemptionPolicy="PreemptLowerPriority", priority=0)
    spec["serviceAccount"] = spec["serviceAccountName"]
    item.setdefault("status", {}).setdefault("phase", "Pending")
    _defaults(item["status"], qosClass=_quality(spec))


def _quality(spec: Json) -> str:
    asked = [container.get("resources") or {} for container in _maps(spec, "containers")]
    if not any(one.get("limits") or one.get("requests") for one in asked):
        return "BestEffort"
    equal = all(
        {"cpu", "memory"} <= set(one.get("limits") or {}) and (one.get("requests") or one["limits"]) == one["limits"]
        for one in asked
    )
    return "Guaranteed" if equal else "Burstable"


def _template(spec: Json) -> None:
    template = spec.get("template")
    if isinstance(template, dict) and isinstance(template.get("spec"), dict):
        template.setdefault("metadata", {})
        _pod_spec(template["spec"])


def _deployment(item: Json) -> None:
    spec = item.setdefault("spec", {})
    _template(spec)
    _defaults(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={})
    strategy = spec["strategy"]
    _defaults(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _defaults(strategy, rollingUpdate={})
        _defaults(strategy["rollingUpdate"], **_ROLLING)


def _replica_set(item: Json) -> None:
    _template(item.setdefault("spec", {}))
    _defaults(item["spec"], replicas=1)


def _stateful_set(item: Json) -> None:
    spec = item.setdefault("spec", {})
    _template(spec)
    _defaults(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady", serviceName="")
    _defaults(spec, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})


def _daemon_set(item: Json) -> None:
    spec = item.setdefault("spec", {})
    _template(spec)
    _defaults(spec, revisionHistoryLimit=10)
    _defaults(spec, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}})


def _job(item: Json) -> None:
    spec = item.setdefault("spec", {})
    _template(spec)
    _defaults(spec, parallelism=1, completions=1, backoffLimit=6, completionMode="NonIndexed", suspend=False)


def _autoscaler(item: Json) -> None:
    spec = item.setdefault("spec", {})
    _defaults(spec, minReplicas=1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _namespace(item: Json) -> None:
    item.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    item.setdefault("status", {}).setdefault("phase", "Active")
    item["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = item["metadata"]["name"]


def _network_policy(item: Json) -> None:
    spec = item.setdefault("spec", {})
    if spec.get("podSelector") is None:
        spec["podSelector"] = {}
    _defaults(spec, policyTypes=["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    for rule in [*_maps(spec, "ingress"), *_maps(spec, "egress")]:
        for port in _maps(rule, "ports"):
            _defaults(port, protocol="TCP")


def _role_binding(item: Json) -> None:
    _defaults(item.setdefault("roleRef", {}), apiGroup="rbac.authorization.k8s.io")
    for subject in _maps(item, "subjects"):
        _defaults(subject, **({} if subject.get("kind") == "ServiceAccount" else {"apiGroup": "rbac.authorization.k8s.io"}))


def _endpoint_slice(item: Json) -> None:
    for port in _maps(item, "ports"):
        _defaults(port, protocol="TCP", name="")


def _endpoints(item: Json) -> None:
    for subset in _maps(item, "subsets"):
        for port in _maps(subset, "ports"):
            _defaults(port, protocol="TCP")


_FILLERS: dict[str, Callable[[Json], None]] = {
    "Secret": _secret,
    "Service": _service,
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "HorizontalPodAutoscaler": _autoscaler,
    "Namespace": _namespace,
    "NetworkPolicy": _network_policy,
    "RoleBinding": _role_binding,
    "ClusterRoleBinding": _role_binding,
    "EndpointSlice": _endpoint_slice,
    "Endpoints": _endpoints,
    "Ingress": lambda item: item.setdefault("status", {}).setdefault("loadBalancer", {}) and None,
}
