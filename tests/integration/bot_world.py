"""The world of one bot process: real Redis, the stand-ins of the Kubernetes API and of Slack, and one proxy's agent.

The agent answers over HTTP as a real one does, from what the API holds: enough to see a change through to its end.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from aiohttp import web

from deploy.playground.kubernetes.server import KubernetesStandIn
from deploy.playground.slack import people
from deploy.playground.slack.server import SlackStandIn
from deploy.playground.world import addresses, processes, redis
from k8s import client, credentials, errors, model, proxy_report, record_document, records, report_document, signing, views
from k8s import wish_edit as wish

ROOT = Path(__file__).parents[2]
NAMESPACE = "migration-system"
WEBHOOK_TOKEN, AGENT_TOKEN = "a-webhook-token-of-some-length", "an-agent-token"
SIGNING_SECRET = SlackStandIn.signing_secret
API_TOKENS = {person: f"api-token-of-{person}-with-some-length" for person in (people.U_ANN, people.U_BOB, people.U_GUEST)}
_KIND_PATHS = {
    "ServiceAccount": client.Resource("serviceaccounts"),
    "Role": client.Resource("roles", "rbac.authorization.k8s.io/v1"),
    "RoleBinding": client.Resource("rolebindings", "rbac.authorization.k8s.io/v1"),
}
DOCUMENT = """services:
  - name: api
    old_host: api.old.example
    new_host: api.new.example
    old_backend: app.team.svc.cluster.local:8080
    migration_percentage: 0  # by hand
  - name: shop
    old_host: shop.old.example
    new_host: shop.new.example
    old_backend: shop.team.svc.cluster.local:8080
    migration_percentage: 25
"""


class Agent:
    """One proxy's agent, at `port` on loopback: reports what the API says it should serve, remembers pushed holds."""

    def __init__(self, api: Callable[[], client.ClusterClient], verifier: signing.Verifier) -> None:
        self._api = api
        self._verifier = verifier
        self.port = addresses.free_port()
        self.pushed: list[Mapping[str, Any]] = []
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/status", self._status)
        application.router.add_post("/hold", self._hold)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _hold(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {AGENT_TOKEN}":
            return web.json_response({"held": False, "trouble": "wrong token"}, status=401)
        self.pushed.append(await request.json())
        return web.json_response({"held": True})

    async def _status(self, _: web.Request) -> web.Response:
        try:
            listed = await self._api().list(client.CONFIG_MAPS, NAMESPACE)
        except errors.ClusterError as error:
            return web.json_response({"trouble": str(error)}, status=503)
        maps = {one["metadata"]["name"]: one for one in listed["items"]}
        weights = wish.weights(maps["migration-config"]["data"]["migration.yaml"])
        keys = (maps.get("migration-holds", {}).get("data") or {}).keys()
        services = {name: self._service(name, weight, maps, keys) for name, weight in weights.items()}
        report = proxy_report.ProxyReport("proxy-0", ready=True, terminating=False, config="c", services=services)
        return web.json_response(report_document.as_document(report))

    def _service(self, name: str, wished: int, maps: Mapping[str, Any], keys: Any) -> proxy_report.ServiceReport:
        found = maps.get(record_document.config_map_name(name))
        record = record_document.read(found, self._verifier).record if found else None
        standing = [key.split(".", 2)[2] for key in keys if key.split(".")[1] in {name, model.ALL_SERVICES}]
        pushed = [str(one["id"]) for one in self.pushed if one["service"] in {name, model.ALL_SERVICES}]
        held = tuple(sorted({*standing, *pushed} - set(record.clears if record else ())))
        served = 0 if held or record is None else min(wished, record.exposure.weight)
        generation = record.generation if record else 0
        return proxy_report.ServiceReport(
            name,
            generation,
            served,
            held,
            because="as the API says",
            traffic=proxy_report.Traffic(),
            finished=record is not None and record.finished,
        )


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended."""

    code: int
    output: str
    complaint: str


class World:
    """Everything around the bot, and the bot itself: `start` brings up all but the bot, `run` starts `ferry run`."""

    def __init__(self, folder: Path, *, http_mode: bool = False) -> None:
        self.folder = folder
        self.cluster = KubernetesStandIn(bookmark_every=1.0)
        self.redis = redis.Redis(folder / "redis")
        self.web_port = addresses.free_port()
        events = f"http://127.0.0.1:{self.web_port}/slack/events" if http_mode else None
        self.slack = SlackStandIn(request_url=events)
        self.http_mode = http_mode
        self.signer = signing.Signer.generate()
        self.agent = Agent(lambda: self.api, signing.Verifier.from_pems([self.signer.public_pem()]))
        self.settings: dict[str, Any] = {
            "slack": {
                "mode": "http" if http_mode else "socket",
                "team": people.TEAM_ID,
                "channel": people.C_MIGRATION,
                "approvers": {"group": people.S_APPROVERS},
            },
            "alertmanager": {"watchdog": ""},
            "web": {"address": "127.0.0.1", "port": self.web_port},
            "limits": {"verify": 0},
            "trust": {"soak": False},
            "api": {"tokens": [{"person": one, "token_file": str(folder / f"token-{one}")} for one in API_TOKENS]},
        }
        self.bot: processes.Child | None = None

    @property
    def log(self) -> str:
        return (self.folder / "bot.log").read_text()

    async def start(self) -> None:
        await asyncio.gather(self.cluster.start(), self.redis.start(), self.slack.start(), self.agent.start())
        self.api = client.ClusterClient(credentials.Explicit(self.cluster.url, token=self.cluster.admin_token))
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.web_port}", trust_env=False, timeout=20)
        await self._furnish()

    async def stop(self) -> None:
        if self.bot is not None:
            await self.bot.stop(limit=25)
        await self.http.aclose()
        await self.api.close()
        await asyncio.gather(self.cluster.stop(), self.redis.stop(), self.slack.stop(), self.agent.stop())

    async def _furnish(self) -> None:
        """The namespace with the shipped rights, the customer's document, the public key, and one proxy pod."""
        await self.api.create(client.Resource("namespaces"), "", {"metadata": {"name": NAMESPACE}})
        for one in yaml.safe_load_all((ROOT / "deploy/kubernetes/base/bot-rbac.yaml").read_text()):
            await self.api.create(_KIND_PATHS[one["kind"]], NAMESPACE, one)
        await self.put("migration-config", {"migration.yaml": DOCUMENT})
        await self.put("migration-holds", {})
        await self.put("ferry-public-keys", {f"{self.signer.key_id}.pem": self.signer.public_pem().decode()})
        labels = {"app.kubernetes.io/name": "migration-proxy"}
        pod = {"containers": [{"name": "nginx", "image": "nginx"}]}
        await self.api.create(client.PODS, NAMESPACE, {"metadata": {"name": "proxy-0", "labels": labels}, "spec": pod})
        status = {"status": {"phase": "Running", "podIP": "127.0.0.1"}}
        await self.api.patch(client.PODS, NAMESPACE, "proxy-0", status, subresource="status")
        template = {"metadata": {"labels": labels}, "spec": pod}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        await self.api.create(client.DEPLOYMENTS, NAMESPACE, {"metadata": {"name": "migration-proxy"}, "spec": spec})

    async def put(self, name: str, data: dict[str, str]) -> None:
        await self.api.create(client.CONFIG_MAPS, NAMESPACE, {"metadata": {"name": name}, "data": data})

    async def expose(self, service: str, weight: int) -> None:
        """A record at this weight, as an earlier shift left it."""
        exposure = model.Exposure(weight=weight, old_host=f"{service}.old.example", new_host=f"{service}.new.example")
        change = views.RecordChange(service, exposure, 0, "op-earlier", {"id": "op-earlier"}, {"who": "an earlier shift"})
        await records.RecordBook(self.api, NAMESPACE, self.signer).write(change)

    async def data(self, config_map: str) -> dict[str, str]:
        """What a ConfigMap of Ferry's namespace holds; nothing where it is not there."""
        try:
            found = await self.api.get(client.CONFIG_MAPS, NAMESPACE, config_map)
        except errors.Missing:
            return {}
        return found.get("data") or {}

    async def weight(self, service: str) -> int:
        """Of the record in force."""
        record = json.loads((await self.data(record_document.config_map_name(service)))["record"])
        return int(record["exposure"]["weight"])

    def environment(self, **changes: str) -> dict[str, str]:
        """All variables of the bot's process; a change to an empty text leaves the variable out."""
        account = self.folder / "account"
        account.mkdir(exist_ok=True)
        (account / "token").write_text(self.cluster.service_account_token(NAMESPACE, "ferry-bot"))
        (account / "namespace").write_text(NAMESPACE)
        key = self.folder / "signing-key.pem"
        key.write_bytes(self.signer.private_pem())
        for person, token in API_TOKENS.items():
            (self.folder / f"token-{person}").write_text(f"{token}\n")
        config = self.folder / "settings.yaml"
        config.write_text(yaml.safe_dump(self.settings))
        variables = {
            "PATH": "/usr/bin:/bin",
            "FERRY_CONFIG": str(config),
            "FERRY_SIGNING_KEY": str(key),
            "FERRY_AGENT_TOKEN": AGENT_TOKEN,
            "FERRY_AGENT_PORT": str(self.agent.port),
            "FERRY_SERVICE_ACCOUNT": str(account),
            "FERRY_API_SCHEME": "http",
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": self.cluster.url.rpartition(":")[2],
            "POD_NAMESPACE": NAMESPACE,
            "POD_NAME": "ferry-bot-0",
            "REDIS_URL": self.redis.url,
            "SLACK_BOT_TOKEN": SlackStandIn.bot_token,
            "SLACK_APP_TOKEN": "" if self.http_mode else SlackStandIn.app_token,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET if self.http_mode else "",
            "SLACK_API_URL": self.slack.api_url,
            "ALERTMANAGER_TOKEN": WEBHOOK_TOKEN,
        } | changes
        return {name: value for name, value in variables.items() if value}

    async def run(self, *, ready: bool = True, **changes: str) -> None:
        """Starts `ferry run`; returns when /readyz says so (`ready` False: when it only lives)."""
        self.bot = processes.Child(
            "bot",
            [sys.executable, "-m", "bot", "run"],
            folder=self.folder,
            ready=lambda: processes.answers(f"http://127.0.0.1:{self.web_port}/{'readyz' if ready else 'livez'}"),
            ready_within=40,
            environment={**self.environment(**changes), "PYTHONPATH": str(ROOT)},
        )
        await self.bot.start()

    async def post_alerts(self, *alerts: Mapping[str, Any], token: str = WEBHOOK_TOKEN) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return await self.http.post("/alerts/alertmanager", json={"version": "4", "alerts": list(alerts)}, headers=headers)

    async def ask(self, person: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """The API, with the person's token."""
        shown = {"Authorization": f"Bearer {API_TOKENS.get(person, person)}", **headers}
        return await self.http.request(method, f"/api/v1/{path}", json=body, headers=shown)

    async def cli(self, person: str, *typed: str) -> Ended:
        """One `ferry …` in a process of its own, as this person."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *typed,
            env={
                "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "FERRY_API": f"http://127.0.0.1:{self.web_port}",
                "FERRY_API_TOKEN": API_TOKENS.get(person, person), "COLUMNS": "200",
            },
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, complaint = await asyncio.wait_for(process.communicate(), 60)
        return Ended(process.returncode or 0, output.decode(), complaint.decode())

    async def until(self, look: Callable[[], Any], *, within: float = 30.0) -> Any:
        """The first answer of `look` (awaited) that is not empty. What is looked at cannot tell of its changes."""
        try:
            async with asyncio.timeout(within):
                while True:
                    if found := await look():
                        return found
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(
                f"not within {within:g} s; Slack: {self.slack.driver.screens()}\nlog: {self.log[-4000:]}"
            ) from None


def alert(service: str, **labels: str) -> dict[str, Any]:
    """A critical one about the new cluster, as Alertmanager sends it."""
    return {
        "status": "firing",
        "labels": {"alertname": "FerryNewClusterErrors", "severity": "critical", "migration_service": service, **labels},
        "annotations": {"summary": "one in ten failed"},
        "startsAt": "2026-05-04T11:59:58.123456789Z",
        "fingerprint": "01a05544725aab1a",
    }
