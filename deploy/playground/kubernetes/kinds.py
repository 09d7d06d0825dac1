"""The table of kinds this API serves, and how the real one treats each of them."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

OBJECT_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Kind:
    """One row: a kind of object, where it lives, and which rules of the real API server hold for it."""

    kind: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    status: bool = False  # has a status subresource: the main endpoint cannot write status, and the other way round
    scale: bool = False
    generation: bool = False  # metadata.generation counts changes of the spec
    create_on_update: bool = False  # PUT of a missing name creates
    unconditional_update: bool = True  # PUT without resourceVersion overwrites; otherwise it is refused
    returns_deleted: bool = False  # DELETE answers with the object instead of a Status
    custom: bool = False  # served from a CustomResourceDefinition: no strategic merge patch
    stored: bool = True  # False: a question (an access review), answered and forgotten

    @property
    def api_version(self) -> str:
        """`v1`, or `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """As messages write it: `configmaps`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified(self) -> str:
        """As "is invalid" messages write it: `ConfigMap`, `Deployment.apps`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def singular(self) -> str:
        """Lower-case kind."""
        return self.kind.lower()

    @property
    def path(self) -> str:
        """`/api/v1`, or `/apis/apps/v1`."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


def _apps(kind: str, plural: str, short: str, *, scale: bool = True) -> Kind:
    return Kind(kind, plural, "apps", short_names=(short,), status=True, scale=scale, generation=True)


def _rbac(kind: str, plural: str, *, namespaced: bool) -> Kind:
    return Kind(kind, plural, "rbac.authorization.k8s.io", namespaced=namespaced, create_on_update=True)


def _monitoring(kind: str, plural: str) -> Kind:
    return Kind(kind, plural, "monitoring.coreos.com", generation=True, custom=True, unconditional_update=False)


def _review(kind: str, plural: str, group: str) -> Kind:
    return Kind(kind, plural, group, namespaced=False, stored=False)


NAMESPACE = Kind("Namespace", "namespaces", namespaced=False, short_names=("ns",), status=True, returns_deleted=True)
CONFIG_MAP = Kind("ConfigMap", "configmaps", short_names=("cm",))
SECRET = Kind("Secret", "secrets")
SERVICE = Kind("Service", "services", short_names=("svc",), status=True, create_on_update=True, returns_deleted=True)
ENDPOINTS = Kind("Endpoints", "endpoints", short_names=("ep",), create_on_update=True)
POD = Kind("Pod", "pods", short_names=("po",), status=True, generation=True, returns_deleted=True)
SERVICE_ACCOUNT = Kind("ServiceAccount", "serviceaccounts", short_names=("sa",), returns_deleted=True)
NODE = Kind("Node", "nodes", namespaced=False, short_names=("no",), status=True)
EVENT = Kind("Event", "events", short_names=("ev",), create_on_update=True)

DEPLOYMENT = _apps("Deployment", "deployments", "deploy")
REPLICA_SET = _apps("ReplicaSet", "replicasets", "rs")
STATEFUL_SET = _apps("StatefulSet", "statefulsets", "sts")
DAEMON_SET = _apps("DaemonSet", "daemonsets", "ds", scale=False)
CONTROLLER_REVISION = Kind("ControllerRevision", "controllerrevisions", "apps")

INGRESS = Kind("Ingress", "ingresses", "networking.k8s.io", short_names=("ing",), status=True, generation=True)
INGRESS_CLASS = Kind("IngressClass", "ingressclasses", "networking.k8s.io", namespaced=False, generation=True)
NETWORK_POLICY = Kind("NetworkPolicy", "networkpolicies", "networking.k8s.io", short_names=("netpol",), generation=True)
ENDPOINT_SLICE = Kind("EndpointSlice", "endpointslices", "discovery.k8s.io", generation=True)
LEASE = Kind("Lease", "leases", "coordination.k8s.io", create_on_update=True, unconditional_update=False)

ROLE = _rbac("Role", "roles", namespaced=True)
ROLE_BINDING = _rbac("RoleBinding", "rolebindings", namespaced=True)
CLUSTER_ROLE = _rbac("ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDING = _rbac("ClusterRoleBinding", "clusterrolebindings", namespaced=False)

POD_DISRUPTION_BUDGET = Kind(
    "PodDisruptionBudget",
    "poddisruptionbudgets",
    "policy",
    short_names=("pdb",),
    status=True,
    generation=True,
    unconditional_update=False,
)
HORIZONTAL_POD_AUTOSCALER = Kind(
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    "autoscaling",
    "v2",
    short_names=("hpa",),
    status=True,
    generation=False,
)
JOB = Kind("Job", "jobs", "batch", status=True, generation=True)
SERVICE_MONITOR = _monitoring("ServiceMonitor", "servicemonitors")
POD_MONITOR = _monitoring("PodMonitor", "podmonitors")
PROMETHEUS_RULE = _monitoring("PrometheusRule", "prometheusrules")

SELF_ACCESS_REVIEW = _review("SelfSubjectAccessReview", "selfsubjectaccessreviews", "authorization.k8s.io")
SELF_RULES_REVIEW = _review("SelfSubjectRulesReview", "selfsubjectrulesreviews", "authorization.k8s.io")
ACCESS_REVIEW = _review("SubjectAccessReview", "subjectaccessreviews", "authorization.k8s.io")
TOKEN_REVIEW = _review("TokenReview", "tokenreviews", "authentication.k8s.io")
SELF_REVIEW = _review("SelfSubjectReview", "selfsubjectreviews", "authentication.k8s.io")

KINDS: tuple[Kind, ...] = (
    NAMESPACE, CONFIG_MAP, SECRET, SERVICE, ENDPOINTS, POD, SERVICE_ACCOUNT, NODE, EVENT,
    DEPLOYMENT, REPLICA_SET, STATEFUL_SET, DAEMON_SET, CONTROLLER_REVISION,
    INGRESS, INGRESS_CLASS, NETWORK_POLICY, ENDPOINT_SLICE, LEASE,
    ROLE, ROLE_BINDING, CLUSTER_ROLE, CLUSTER_ROLE_BINDING,
    POD_DISRUPTION_BUDGET, HORIZONTAL_POD_AUTOSCALER, JOB, SERVICE_MONITOR, POD_MONITOR, PROMETHEUS_RULE,
    SELF_ACCESS_REVIEW, SELF_RULES_REVIEW, ACCESS_REVIEW, TOKEN_REVIEW, SELF_REVIEW,
)  # fmt: skip

BY_PATH = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
BY_NAME = {(kind.api_version, kind.kind): kind for kind in KINDS}
