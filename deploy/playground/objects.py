"""The objects of the old cluster that are not Ferry's: the demo applications, their Ingresses, migration.yaml.

The first service is the customer's own, word for word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
NAMESPACE = "migration-system"
CONFIG = "migration-config"
NOTHING_LISTED = "services: []\n"
REDIS_FRONT = "playground-redis"
_PART = {"app.kubernetes.io/part-of": "ferry"}


@dataclass(frozen=True, slots=True)
class App:
    """One application of the old cluster, and where it lives in the new one. `service`: its Service in `namespace`."""

    name: str
    old_host: str
    new_host: str
    service: str
    namespace: str = "aibang-1111111111-bbdm"
    port: int = 8078

    @property
    def cluster_name(self) -> str:
        """The name of its Service inside the old cluster."""
        return f"{self.service}.{self.namespace}.svc.cluster.local"


FIRST = App(
    "api-name01",
    "api-name01.teamname.dev.aliyun.intracloud.cn.aibang",
    "api-name01.kong.dev.aliyun.intracloud.cn.aibang",
    "bbdm-api",
)
# Beside it, so that a fault of one service can be seen not to touch the other.
SECOND = App(
    "web-name02",
    "web-name02.teamname.dev.aliyun.intracloud.cn.aibang",
    "web-name02.kong.dev.aliyun.intracloud.cn.aibang",
    "bbdm-web",
)
APPS = (FIRST, SECOND)


def document(apps: Sequence[App], *, new_port: int, further: Sequence[str] = ()) -> str:
    """`migration.yaml` as the customer writes it; only `new_port` is added, because the new cluster here has a free port.

    `further`: lines of every entry, such as `timeout: 3s`.
    """
    if not apps:
        return NOTHING_LISTED
    more = "".join(f"    {line}\n" for line in further)
    return "services:\n" + "".join(
        f'  - name: "{app.name}"\n'
        f'    old_host: "{app.old_host}"\n'
        f'    new_host: "{app.new_host}"\n'
        f"    new_port: {new_port}\n"
        f'    old_backend: "{app.cluster_name}:{app.port}"\n'
        "    migration_percentage: 0  # 0-100, share of the new cluster\n"
        '    strategy: "weight"  # weight, header, ip\n'
        "    enabled: true\n"
        f"{more}"
        for app in apps
    )


def wish(apps: Sequence[App], *, new_port: int, further: Sequence[str] = ()) -> Json:
    """The ConfigMap with the document; to be created once, never applied again."""
    text = document(apps, new_port=new_port, further=further)
    return _object("v1", "ConfigMap", NAMESPACE, CONFIG, labels=_PART, data={"migration.yaml": text})


def namespace(name: str) -> Json:
    """One namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def application(app: App, address: str) -> list[Json]:
    """The app as it stood before anybody thought of Ferry: its Service, the address behind it, its Ingress."""
    ports = service(app)["spec"]["ports"]
    return [
        service(app),
        _object(
            "discovery.k8s.io/v1", "EndpointSlice", app.namespace, f"{app.service}-1",
            labels={"kubernetes.io/service-name": app.service}, addressType="IPv4", ports=ports,
            endpoints=[{"addresses": [address], "conditions": {"ready": True}}],
        ),
        ingress(app),
    ]  # fmt: skip


def service(app: App) -> Json:
    """Headless: its name gives the application's own address, with nothing of this machine in between."""
    ports = [{"name": "http", "port": app.port, "protocol": "TCP"}]
    return _object("v1", "Service", app.namespace, app.service, spec={"clusterIP": "None", "ports": ports})


def ingress(app: App) -> Json:
    """The app's own."""
    return _object("networking.k8s.io/v1", "Ingress", app.namespace, app.service, spec=_rules(app))


def redis_front() -> Json:
    """An address that stays, before the shipped Redis: the bot's process asks this machine's DNS, which knows no Service."""
    ports = [{"name": "redis", "port": 6379, "targetPort": "redis", "protocol": "TCP"}]
    selector = {"app.kubernetes.io/name": "ferry-redis"}
    return _object("v1", "Service", NAMESPACE, REDIS_FRONT, labels=_PART, spec={"selector": selector, "ports": ports})


def config_map(name: str, data: dict[str, str]) -> Json:
    """In Ferry's namespace."""
    return _object("v1", "ConfigMap", NAMESPACE, name, labels=_PART, data=data)


def secret(name: str, data: dict[str, str]) -> Json:
    """In Ferry's namespace, from plain text."""
    return _object("v1", "Secret", NAMESPACE, name, labels=_PART, type="Opaque", stringData=data)


def _rules(app: App) -> Json:
    backend = {"service": {"name": app.service, "port": {"number": app.port}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {"ingressClassName": "nginx", "rules": [{"host": app.old_host, "http": {"paths": [path]}}]}


def _object(
    group: str,
    kind: str,
    where: str,
    name: str,
    *,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **content: Any,
) -> Json:
    metadata: Json = {"name": name, "namespace": where}
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": group, "kind": kind, "metadata": metadata, **content}
