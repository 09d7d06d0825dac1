"""The kinds of objects around a service, as paths of the API spell them."""

from collections.abc import Mapping

from k8s import client

SERVICES = client.Resource("services")
INGRESSES = client.Resource("ingresses", "networking.k8s.io/v1")
POLICIES = client.Resource("networkpolicies", "networking.k8s.io/v1")
SLICES = client.Resource("endpointslices", "discovery.k8s.io/v1")
STATEFUL_SETS = client.Resource("statefulsets", "apps/v1")
DAEMON_SETS = client.Resource("daemonsets", "apps/v1")
SCALERS = client.Resource("horizontalpodautoscalers", "autoscaling/v2")
BUDGETS = client.Resource("poddisruptionbudgets", "policy/v1")

RESOURCES: Mapping[str, client.Resource] = {
    "Service": SERVICES,
    "Ingress": INGRESSES,
    "NetworkPolicy": POLICIES,
    "Deployment": client.DEPLOYMENTS,
    "StatefulSet": STATEFUL_SETS,
    "DaemonSet": DAEMON_SETS,
    "HorizontalPodAutoscaler": SCALERS,
    "PodDisruptionBudget": BUDGETS,
}
