"""The shipped manifests: what they may do, what they may not, and that an API server takes every field of them."""

import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml

from deploy.playground.kubernetes import kinds
from deploy.playground.kubernetes.server import KubernetesStandIn
from deploy.playground.slack import manifest

Json = dict[str, Any]
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
FOLDER = DEPLOY / "kubernetes" / "base"
OVERLAYS = DEPLOY / "kubernetes" / "overlays"
SLACK_HTTP = OVERLAYS / "slack-http"
LISTED: list[str] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
OBJECTS: list[Json] = [one for name in LISTED for one in yaml.safe_load_all((FOLDER / name).read_text())]
EXAMPLE: Json = yaml.safe_load((DEPLOY / "kubernetes" / "examples" / "migration-config.yaml").read_text())
PODS = [(one["metadata"]["name"], one["spec"]["template"]["spec"]) for one in OBJECTS if "template" in one.get("spec", {})]
CONTAINERS = [pytest.param(box, pod, id=f"{name}/{box['name']}") for name, pod in PODS for box in pod["containers"]]
ROLES = {one["metadata"]["name"]: one["rules"] for one in OBJECTS if one["kind"] == "Role"}
RESTRICTED_VOLUMES = {"configMap", "downwardAPI", "emptyDir", "projected", "secret", "persistentVolumeClaim"}
WORKLOADS = [one for one in OBJECTS if "template" in one.get("spec", {}) or one["kind"] == "NetworkPolicy"]
PLAIN = [one for one in OBJECTS if one not in WORKLOADS]
HOME = "migration-system"
MERGE = "application/merge-patch+json"


def test_every_file_of_the_folder_is_listed() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} == {*LISTED, "kustomization.yaml"}


def test_the_wish_is_never_applied_again() -> None:
    assert "migration-config" not in {one["metadata"]["name"] for one in OBJECTS}
    holds = next(one for one in OBJECTS if one["metadata"]["name"] == "migration-holds")
    assert "data" not in holds


def test_no_manifest_names_an_address_but_of_services_inside() -> None:
    texts = {path.name: path.read_text() for path in (DEPLOY / "kubernetes").rglob("*.yaml")}
    found = {name: re.findall(r"\d+\.\d+\.\d+\.\d+|\w+://(?![\w.-]+\.svc:\d+\n)\S+", text) for name, text in texts.items()}
    assert {name: hits for name, hits in found.items() if hits} == {}


def test_rights_are_namespaced_and_spelled_out() -> None:
    rules = [rule for each in ROLES.values() for rule in each]
    assert not [rule for rule in rules if "*" in rule["verbs"] + rule["resources"] + rule["apiGroups"]]
    assert {resource for rule in rules for resource in rule["resources"]} == {
        "configmaps", "controllerrevisions", "deployments", "ingresses", "networkpolicies", "pods", "services",
    }  # fmt: skip


def test_what_the_bot_may_see_everywhere_is_read_only_and_no_secret() -> None:
    (rules,) = (
        one["rules"] for one in OBJECTS if (one["kind"], one["metadata"]["name"]) == ("ClusterRole", "ferry-bot-discovery")
    )
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert {resource for rule in rules for resource in rule["resources"]} == {
        "endpointslices", "ingresses", "rolebindings", "roles", "services",
    }  # fmt: skip
    assert not [rule for rule in rules if "*" in rule["resources"] + rule["apiGroups"]]


def test_what_the_bot_may_change_in_an_applications_namespace_is_bound_by_its_owner() -> None:
    found = {one["metadata"]["name"]: one["rules"] for one in OBJECTS if one["kind"] == "ClusterRole"}
    bound = {one["roleRef"]["name"] for one in OBJECTS if one["kind"] == "ClusterRoleBinding"}
    assert set(found) - bound == {"ferry-entries", "ferry-removal"}
    assert {verb for rule in found["ferry-entries"] for verb in rule["verbs"]} == {"create", "patch"}
    assert {verb for rule in found["ferry-removal"] for verb in rule["verbs"]} == {"list", "delete"}
    rules = [rule for name in ("ferry-entries", "ferry-removal") for rule in found[name]]
    assert not [rule for rule in rules if "*" in rule["verbs"] + rule["resources"] + rule["apiGroups"]]
    assert not {"secrets", "configmaps", "persistentvolumeclaims"} & {one for rule in rules for one in rule["resources"]}
    bindings = yaml.safe_load_all((DEPLOY / "kubernetes" / "examples" / "application-namespace.yaml").read_text())
    assert {one["roleRef"]["name"] for one in bindings if one["kind"] == "RoleBinding"} == {"ferry-entries", "ferry-removal"}


def test_on_call_may_do_one_thing_to_one_object() -> None:
    assert ROLES["ferry-on-call"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["migration-holds"], "verbs": ["get", "patch"]}
    ]


def test_the_agent_only_reads() -> None:
    assert {verb for rule in ROLES["ferry-agent"] for verb in rule["verbs"]} <= {"get", "list", "watch"}


@pytest.mark.parametrize(("name", "pod"), PODS)
def test_every_pod_meets_the_restricted_standard(name: str, pod: Json) -> None:
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
    assert {key for volume in pod["volumes"] for key in volume if key != "name"} <= RESTRICTED_VOLUMES
    assert pod["automountServiceAccountToken"] is (name == "ferry-bot")


@pytest.mark.parametrize(("box", "pod"), CONTAINERS)
def test_every_container_is_confined(box: Json, pod: Json) -> None:
    security = box["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert set(box["resources"]["requests"]) == set(box["resources"]["limits"]) == {"cpu", "memory"}
    assert all(port["containerPort"] > 1024 and "hostPort" not in port for port in box["ports"])
    claims = {"data"} if box["name"] == "redis" else set()
    assert {mount["name"] for mount in box["volumeMounts"]} <= {volume["name"] for volume in pod["volumes"]} | claims


def test_only_the_agent_gets_a_token_in_the_proxy_pod() -> None:
    boxes = {box["name"]: box for box in dict(PODS)["migration-proxy"]["containers"]}
    mounts = {name: [mount["mountPath"] for mount in box["volumeMounts"]] for name, box in boxes.items()}
    token = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert (token in mounts["agent"], token in mounts["nginx"]) == (True, False)


def _referred(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Every (kind, name) of a Secret or ConfigMap that a pod cannot start without."""
    if isinstance(value, list):
        for item in value:
            yield from _referred(item, key)
    elif isinstance(value, dict):
        if key in {"secretKeyRef", "secret", "secretRef"}:
            yield "Secret", str(value.get("secretName", value.get("name")))
        elif key in {"configMapKeyRef", "configMap", "configMapRef"}:
            yield "ConfigMap", str(value["name"])
        for name, item in value.items():
            yield from _referred(item, name)


def test_every_secret_and_configmap_a_pod_needs_is_in_the_table() -> None:
    text = (FOLDER / "kustomization.yaml").read_text()
    table = set(re.findall(r"^#   (Secret|ConfigMap)\s+(\S+)", text, re.MULTILINE))
    assert {found for _, pod in PODS for found in _referred(pod)} == table


def test_prometheus_asks_each_bot_and_each_agent_by_itself() -> None:
    services = {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] == "Service"}
    jobs = yaml.safe_load((DEPLOY / "monitoring" / "prometheus.yaml").read_text())["scrape_configs"]
    asked = {job["job_name"]: job["dns_sd_configs"][0]["names"][0].partition(".")[0] for job in jobs}
    assert asked == {"ferry-agents": "ferry-agents", "ferry-bot": "ferry-bots"}
    for monitor in (one for one in OBJECTS if one["kind"] == "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        chosen = [name for name, one in services.items() if wanted <= one["metadata"]["labels"].items()]
        assert chosen == [asked[monitor["metadata"]["name"]]]
        assert services[chosen[0]]["metadata"]["labels"][monitor["spec"]["jobLabel"]] == monitor["metadata"]["name"]
    for name in asked.values():
        assert services[name]["spec"]["clusterIP"] == "None", name
        assert services[name]["spec"]["publishNotReadyAddresses"] is True, name


def test_proxies_reach_no_namespace_that_no_service_opened() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in OBJECTS if one["kind"] == "NetworkPolicy"}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    to = [rule.get("to") for rule in policies["migration-proxy"]["egress"]]
    own = [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "migration-proxy"}}}]
    assert to == [own, None]
    assert policies["migration-proxy"]["egress"][1]["ports"] == [
        {"protocol": "TCP", "port": 443},
        {"protocol": "TCP", "port": 6443},
    ]


def test_in_http_mode_the_ingress_controller_reaches_the_bot_at_slacks_path_alone() -> None:
    policy, ingress = (yaml.safe_load((SLACK_HTTP / f"{name}.yaml").read_text()) for name in ("network-policy", "ingress"))
    opened = policy["spec"]["ingress"][0]
    assert opened["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ingress-nginx"}
    assert opened["ports"] == [{"protocol": "TCP", "port": 8080}]
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    assert [(one["path"], one["pathType"], one["backend"]["service"]["name"]) for one in paths] == [
        ("/slack/events", "Exact", "ferry-bot-slack")
    ]
    service = yaml.safe_load((SLACK_HTTP / "service.yaml").read_text())
    assert service["metadata"]["name"] == "ferry-bot-slack"
    assert not service["spec"].get("publishNotReadyAddresses"), "a click must find a bot that is connected"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed; it builds the overlays")
@pytest.mark.parametrize("name", sorted(path.name for path in OVERLAYS.iterdir()))
def test_every_overlay_builds_and_has_the_whole_base(name: str) -> None:
    built = subprocess.run(["kubectl", "kustomize", str(OVERLAYS / name)], capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    found = {(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(built.stdout)}
    assert {(one["kind"], one["metadata"]["name"]) for one in OBJECTS} <= found
    assert ("ConfigMap", "ferry-settings") in found
    assert (("NetworkPolicy", "ferry-bot-slack") in found) == (name == "slack-http")


@pytest.mark.parametrize(("file", "by_socket"), [("manifest-socket.yaml", True), ("manifest-http.yaml", False)])
def test_the_slack_app_asks_for_what_the_bot_uses(file: str, by_socket: bool) -> None:
    document = yaml.safe_load((DEPLOY / "slack" / file).read_text())
    app = manifest.read(document)
    assert (app.socket_mode, app.interactive, app.has_home, app.has_messages) == (by_socket, True, True, True)
    assert app.scopes == manifest.read(manifest.DEFAULT_MANIFEST).scopes
    assert app.command("/migrate") is not None
    urls = [document["settings"][part].get("request_url") for part in ("event_subscriptions", "interactivity")]
    urls += [command.get("url") for command in document["features"]["slash_commands"]]
    assert {bool(url) for url in urls} == {not by_socket}


class Api:
    """The stand-in with everything applied, asked over HTTP."""

    def __init__(self, server: KubernetesStandIn, session: aiohttp.ClientSession) -> None:
        self.server = server
        self._session = session

    async def call(
        self, method: str, path: str, body: Json | None = None, *, media: str = "", token: str = ""
    ) -> tuple[int, Json]:
        """Status and answer; the administrator asks unless a token says otherwise."""
        headers = {"Authorization": f"Bearer {token or self.server.admin_token}", "Content-Type": media or "application/json"}
        query = {"fieldValidation": "Strict"} if method in {"POST", "PATCH"} else {}
        async with self._session.request(method, self.server.url + path, json=body, headers=headers, params=query) as answer:
            return answer.status, await answer.json()

    async def create(self, one: Json) -> str:
        """Why the object was refused; empty when it was taken."""
        code, answer = await self.call("POST", _collection(one), one)
        return "" if code == 201 else f"{one['kind']} {one['metadata']['name']}: {answer['message']}"

    def account(self, name: str) -> str:
        """A service account's token."""
        return self.server.service_account_token(HOME, name)


def _collection(one: Json) -> str:
    kind = next(each for each in kinds.KINDS if (each.kind, each.api_version) == (one["kind"], one["apiVersion"]))
    return f"{kind.path}/namespaces/{HOME}/{kind.plural}" if kind.namespaced else f"{kind.path}/{kind.plural}"


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    server = KubernetesStandIn()
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            asked = Api(server, session)
            refused = [answer for one in [*PLAIN, EXAMPLE] if (answer := await asked.create(one))]
            assert refused == []
            yield asked
    finally:
        await server.stop()


MAPS = f"/api/v1/namespaces/{HOME}/configmaps"
HOLD = {"data": {"hold.all.by-hand": "on-call"}}


async def test_an_api_server_takes_every_plain_manifest_and_refuses_a_misspelt_one(api: Api) -> None:
    wrong = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "datas": {}}
    code, answer = await api.call("POST", MAPS, wrong)
    assert (code, "datas" in answer["message"]) == (400, True)


async def test_an_api_server_takes_every_workload_and_network_policy(api: Api) -> None:
    more = [yaml.safe_load((SLACK_HTTP / f"{name}.yaml").read_text()) for name in ("network-policy", "ingress")]
    assert [answer for one in [*WORKLOADS, *more] if (answer := await api.create(one))] == []


async def test_on_call_writes_a_hold_and_nothing_else(api: Api) -> None:
    token = api.account("ferry-on-call")
    assert (await api.call("PATCH", f"{MAPS}/migration-holds", HOLD, media=MERGE, token=token))[0] == 200
    assert (await api.call("GET", f"{MAPS}/migration-holds", token=token))[1]["data"] == HOLD["data"]
    for method, path in [
        ("PATCH", f"{MAPS}/migration-config"), ("GET", f"{MAPS}/migration-config"), ("DELETE", f"{MAPS}/migration-holds"),
        ("GET", MAPS), ("GET", MAPS.replace("configmaps", "secrets")),
        ("PATCH", MAPS.replace(HOME, "default") + "/migration-holds"),
    ]:  # fmt: skip
        body = HOLD if method == "PATCH" else None
        assert (await api.call(method, path, body, media=MERGE, token=token))[0] == 403, (method, path)


async def test_an_agent_reads_and_cannot_write(api: Api) -> None:
    token = api.account("ferry-agent")
    assert (await api.call("GET", MAPS, token=token))[0] == 200
    assert (await api.call("GET", f"/api/v1/namespaces/{HOME}/pods", token=token))[0] == 200
    assert (await api.call("GET", f"/api/v1/namespaces/{HOME}/secrets", token=token))[0] == 403
    assert (await api.call("PATCH", f"{MAPS}/migration-holds", HOLD, media=MERGE, token=token))[0] == 403
    assert (await api.call("POST", MAPS, {"metadata": {"name": "x"}}, token=token))[0] == 403
    assert (await api.call("DELETE", f"{MAPS}/migration-config", token=token))[0] == 403


async def test_the_bot_writes_holds_and_records_but_reads_no_secret(api: Api) -> None:
    token = api.account("ferry-bot")
    assert (await api.call("PATCH", f"{MAPS}/migration-holds", HOLD, media=MERGE, token=token))[0] == 200
    assert (await api.call("POST", MAPS, {"metadata": {"name": "migration-record-a"}}, token=token))[0] == 201
    assert (await api.call("DELETE", f"{MAPS}/migration-holds", token=token))[0] == 403
    assert (await api.call("GET", f"/api/v1/namespaces/{HOME}/secrets", token=token))[0] == 403
    assert (await api.call("GET", "/api/v1/configmaps", token=token))[0] == 403


async def test_the_bot_reads_ingresses_and_what_stands_behind_them_everywhere_and_changes_none(api: Api) -> None:
    token = api.account("ferry-bot")
    for path in [
        "/apis/networking.k8s.io/v1/ingresses", "/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
    ]:  # fmt: skip
        assert (await api.call("GET", path, token=token))[0] == 200, path
    assert (await api.call("GET", "/api/v1/secrets", token=token))[0] == 403
    assert (await api.call("POST", "/api/v1/namespaces/default/services", {"metadata": {"name": "x"}}, token=token))[0] == 403
