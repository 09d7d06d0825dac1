"""What the API refuses in Services, Ingresses, pods and what makes pods."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

from deploy.playground.kubernetes import names, selectors
from deploy.playground.kubernetes.failures import Causes
from deploy.playground.kubernetes.kinds import Json

_SERVICE_TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
_PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"]
_PORT_RULE = "must be between 1 and 65535, inclusive"
_POD_MAY_CHANGE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions "
    "to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_port(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535


def _service(item: Json, live: Json | None, causes: Causes) -> None:
    spec = item["spec"]
    kind = spec.get("type")
    if kind not in _SERVICE_TYPES:
        causes.unsupported("spec.type", kind, _SERVICE_TYPES)
    ports = _list(spec.get("ports"))
    if kind == "ExternalName":
        _external_name(spec, causes)
    elif not ports and spec.get("clusterIP") != "None":
        causes.required("spec.ports")
    _service_ports(ports, causes)
    if live is None or kind == "ExternalName":
        return
    before, after = live["spec"].get("clusterIP"), spec.get("clusterIP")
    if before and after and before != after:
        causes.invalid("spec.clusterIPs[0]", [after], "may not change once set")


def _external_name(spec: Json, causes: Causes) -> None:
    target = str(spec.get("externalName") or "").removesuffix(".")
    if not target:
        causes.required("spec.externalName")
    elif why := names.subdomain(target):
        causes.invalid("spec.externalName", target, why)
    if spec.get("clusterIP") == "None":
        causes.forbidden("spec.clusterIPs[0]", "may not be set to 'None' for ExternalName services")


def _service_ports(ports: list[Any], causes: Causes) -> None:
    for number, port in enumerate(ports):
        where = f"spec.ports[{number}]"
        if not _is_port(port.get("port")):
            causes.invalid(f"{where}.port", port.get("port", 0), _PORT_RULE)
        if len(ports) > 1 and not port.get("name"):
            causes.required(f"{where}.name")
        earlier = ports[:number]
        if port.get("name") and any(other.get("name") == port["name"] for other in earlier):
            causes.duplicate(f"{where}.name", port["name"])
        if any((other.get("port"), other.get("protocol")) == (port.get("port"), port.get("protocol")) for other in earlier):
            causes.duplicate(where, port)


def _ingress(item: Json, live: Json | None, causes: Causes) -> None:
    del live
    spec = item.get("spec") or {}
    if not spec.get("rules") and not spec.get("defaultBackend"):
        causes.invalid("spec", "{}", "either `defaultBackend` or `rules` must be specified")
    if spec.get("defaultBackend"):
        _backend(spec["defaultBackend"], "spec.defaultBackend", causes)
    for number, rule in enumerate(_list(spec.get("rules"))):
        where = f"spec.rules[{number}]"
        host = rule.get("host") or ""
        if host and (why := names.subdomain(host.removeprefix("*."))):
            causes.invalid(f"{where}.host", host, why)
        if rule.get("http") is not None and not rule["http"].get("paths"):
            causes.required(f"{where}.http.paths")
        for index, path in enumerate(_list((rule.get("http") or {}).get("paths"))):
            _ingress_path(path, f"{where}.http.paths[{index}]", causes)


def _ingress_path(path: Json, where: str, causes: Causes) -> None:
    path_type, text = path.get("pathType"), path.get("path") or ""
    if not path_type:
        causes.required(f"{where}.pathType", "pathType must be specified")
    elif path_type not in _PATH_TYPES:
        causes.unsupported(f"{where}.pathType", path_type, _PATH_TYPES)
    elif (text or path_type != "ImplementationSpecific") and not text.startswith("/"):
        causes.invalid(f"{where}.path", text, "must be an absolute path")
    _backend(path.get("backend") or {}, f"{where}.backend", causes)


def _backend(backend: Json, where: str, causes: Causes) -> None:
    service = backend.get("service")
    if service is None:
        if backend.get("resource") is None:
            causes.required(where, "backend.service or backend.resource must be specified")
        return
    if not service.get("name"):
        causes.required(f"{where}.service.name")
    port = service.get("port") or {}
    if not port.get("name") and not port.get("number"):
        causes.required(
            f"{where}.service.port.number" if service.get("port") else f"{where}.service.port", "port name or number is required"
        )
    elif port.get("number") and not _is_port(port["number"]):
        causes.invalid(f"{where}.service.port.number", port["number"], _PORT_RULE)


def _template_of(item: Json) -> Json:
    template = (item.get("spec") or {}).get("template")
    return template if isinstance(template, dict) else {}


def _workload(item: Json, live: Json | None, causes: Causes) -> None:
    spec = item["spec"]
    template = _template_of(item)
    labels = (template.get("metadata") or {}).get("labels") or {}
    replicas = spec.get("replicas")
    if replicas is not None and (not isinstance(replicas, int) or replicas < 0):
        causes.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
    if item["kind"] != "Job":
        if not spec.get("selector"):
            causes.required("spec.selector")
        elif not selectors.labels_match(spec["selector"], labels):
            causes.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
        if live is not None and live["spec"].get("selector") != spec.get("selector"):
            causes.invalid("spec.selector", spec.get("selector"), "field is immutable")
    elif live is not None and live["spec"].get("template") != spec.get("template"):
        causes.invalid("spec.template", "the new template", "field is immutable")
    claims = {claim.get("metadata", {}).get("name") for claim in _list(spec.get("volumeClaimTemplates"))}
    pod_spec(template.get("spec") or {}, "spec.template.spec", causes, claims=claims)


def pod_spec(spec: Json, where: str, causes: Causes, *, claims: Iterable[str] = ()) -> None:
    """Containers, their names, images, environment and mounts. `claims`: volumes that a StatefulSet's templates bring."""
    if not _list(spec.get("containers")):
        causes.required(f"{where}.containers")
    volumes = [volume.get("name") for volume in _list(spec.get("volumes"))]
    for number, name in enumerate(volumes):
        if not name:
            causes.required(f"{where}.volumes[{number}].name")
        elif name in volumes[:number]:
            causes.duplicate(f"{where}.volumes[{number}].name", name)
    seen: set[str] = set()
    for group in ("initContainers", "containers"):
        for number, container in enumerate(_list(spec.get(group))):
            _container(container, f"{where}.{group}[{number}]", {*volumes, *claims}, seen, causes)


def _container(container: Json, where: str, volumes: set[str], seen: set[str], causes: Causes) -> None:
    name = container.get("name") or ""
    if not name:
        causes.required(f"{where}.name")
    elif why := names.label(name):
        causes.invalid(f"{where}.name", name, why)
    elif name in seen:
        causes.duplicate(f"{where}.name", name)
    seen.add(name)
    if not container.get("image"):
        causes.required(f"{where}.image")
    for number, port in enumerate(_list(container.get("ports"))):
        if not _is_port(port.get("containerPort")):
            causes.invalid(f"{where}.ports[{number}].containerPort", port.get("containerPort", 0), _PORT_RULE)
    _environment(container, where, causes)
    for number, mount in enumerate(_list(container.get("volumeMounts"))):
        if mount.get("name") not in volumes:
            causes.not_found(f"{where}.volumeMounts[{number}].name", mount.get("name"))
        if not mount.get("mountPath"):
            causes.required(f"{where}.volumeMounts[{number}].mountPath")


def _environment(container: Json, where: str, causes: Causes) -> None:
    for number, variable in enumerate(_list(container.get("env"))):
        if not variable.get("name"):
            causes.required(f"{where}.env[{number}].name")
        elif why := names.environment(variable["name"]):
            causes.invalid(f"{where}.env[{number}].name", variable["name"], why)


def _pod(item: Json, live: Json | None, causes: Causes) -> None:
    pod_spec(item["spec"], "spec", causes)
    if live is not None and _fixed(item["spec"]) != _fixed(live["spec"]):
        causes.forbidden("spec", f"pod updates may not change fields other than {_POD_MAY_CHANGE}")


def _fixed(spec: Json) -> Json:
    fixed = copy.deepcopy(spec)
    for name in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates"):
        fixed.pop(name, None)
    for group in ("initContainers", "containers"):
        for container in _list(fixed.get(group)):
            container.pop("image", None)
    return fixed


def _endpoint_slice(item: Json, live: Json | None, causes: Causes) -> None:
    if item.get("addressType") not in {"IPv4", "IPv6", "FQDN"}:
        causes.unsupported("addressType", item.get("addressType", ""), ["IPv4", "IPv6", "FQDN"])
    if live is not None and live.get("addressType") != item.get("addressType"):
        causes.invalid("addressType", item.get("addressType"), "field is immutable")


def _ingress_class(item: Json, live: Json | None, causes: Causes) -> None:
    controller = (item.get("spec") or {}).get("controller") or ""
    if not controller:
        causes.required("spec.controller")
    if live is not None and (live.get("spec") or {}).get("controller") != controller:
        causes.invalid("spec.controller", controller, "field is immutable")


def _disruption_budget(item: Json, live: Json | None, causes: Causes) -> None:
    del live
    spec = item.get("spec") or {}
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        causes.invalid("spec", "{}", "minAvailable and maxUnavailable cannot be both set")


def _autoscaler(item: Json, live: Json | None, causes: Causes) -> None:
    del live
    spec = item.get("spec") or {}
    target, least, most = spec.get("scaleTargetRef") or {}, spec.get("minReplicas", 1), spec.get("maxReplicas") or 0
    for name in ("kind", "name"):
        if not target.get(name):
            causes.required(f"spec.scaleTargetRef.{name}")
    if most < 1:
        causes.invalid("spec.maxReplicas", most, "must be greater than 0")
    elif most < least:
        causes.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")


RULES: dict[str, Callable[[Json, Json | None, Causes], None]] = {
    "Service": _service,
    "Ingress": _ingress,
    "IngressClass": _ingress_class,
    "EndpointSlice": _endpoint_slice,
    "PodDisruptionBudget": _disruption_budget,
    "HorizontalPodAutoscaler": _autoscaler,
    "Pod": _pod,
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"), _workload),
}
