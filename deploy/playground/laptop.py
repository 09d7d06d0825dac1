"""The playground as one thing to start and stop: the old cluster, the new cluster, Slack, Ferry, and everything that watches.

Everything lives in one temporary folder and on loopback. `stop` ends every process that `start` began and removes the folder.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from bot import cluster_access
from deploy.playground import applications, before_ferry, flags, fleets, installation, kubeconfig, monitoring, objects, scratch
from deploy.playground.kubernetes import server as kubernetes
from deploy.playground.nodes import kubelet, manifests, node_client, programs
from deploy.playground.slack import server as slack_server
from deploy.playground.slack import side_panel
from deploy.playground.world import (
    addresses,
    alertmanager,
    backends,
    certificates,
    ingress,
    names,
    new_cluster,
    prometheus,
    traffic,
)
from k8s import client, credentials, errors, proxies, signing

Say = Callable[[str], None]
READY_WITHIN = 90.0  # seconds
STEADY_RPS = 60.0
# Seconds between two syncs of the old ingress. A real ingress-nginx takes its time: whoever changes an entry must wait for it.
QUICK_SYNC, REAL_SYNC = 0.05, 3.3
_LOOK_AGAIN = 0.2
_REST = 0.1  # seconds without a request: nothing is on its way any more
NOTHING: Mapping[str, str] = {}  # differs from what is shipped
NO_SECTIONS: Mapping[str, Mapping[str, Any]] = {}


class Startable(Protocol):
    """A part of the playground."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class NotReady(RuntimeError):
    """The playground did not come up; the text says what was waited for and where to look."""


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _quiet(_: str) -> None:
    return


class Playground:
    """`say` hears progress, one sentence each. `panel`: makes what the page shows beside the conversation.

    Where a story wants other limits than the shipped ones: `limits` of the bot's settings, further sections of them (`settings`),
    variables of every `agent`, lines of every `service` in migration.yaml. `entry` False: nothing of Ferry's stands around the
    applications yet, migration.yaml is empty, and the new cluster can be read (see `before_ferry`).
    """

    def __init__(
        self,
        choices: flags.Choices | None = None,
        *,
        say: Say = _quiet,
        limits: Mapping[str, str] = NOTHING,
        agent: Mapping[str, str] = NOTHING,
        service: Sequence[str] = (),
        settings: Mapping[str, Mapping[str, Any]] = NO_SECTIONS,
        entry: bool = True,
        panel: "Callable[[Playground], side_panel.SidePanel] | None" = None,
    ) -> None:
        self.choices = choices or flags.Choices()
        self._say = say
        self._limits, self._agent, self._service, self._settings = limits, agent, service, settings
        self._before_ferry = not entry
        self._undo = contextlib.AsyncExitStack()
        self._began = 0.0
        self.keys = installation.Keys()
        if self.choices.alert_token:
            self.keys = installation.Keys(alert_token=self.choices.alert_token)
        self.folder = self._pods_folder = Path()
        self.flowing = False  # requests flow
        self.watched = asyncio.Event()  # every bot has heard the watchdog, and may raise
        self.network = addresses.PodNetwork()
        self.dns = names.NameServer()
        self.before: before_ferry.BeforeFerry | None = None  # its applications, where Ferry is not there yet
        self.cluster: kubernetes.KubernetesStandIn | None = None
        self.redis_url = self.choices.redis_url
        self.alertmanager: alertmanager.Alertmanager | None = None
        side = panel(self) if panel else None
        self.slack = slack_server.SlackStandIn(port=self.choices.port, manifest=installation.slack_manifest(), side=side)
        self.applications: applications.Applications
        self.authority: certificates.Authority
        self.new: new_cluster.NewCluster
        self.access: credentials.Credentials
        self.api: node_client.NodeClient
        self.kubelet: kubelet.Kubelet
        self.ingress: ingress.Ingress
        self.prometheus: prometheus.Prometheus
        self.fleet: fleets.FleetWatch
        self.traffic: traffic.Traffic

    # What the rest asks

    @property
    def verifier(self) -> signing.Verifier:
        """Of the records that this playground's bot signs."""
        return signing.Verifier.from_pems([self.keys.signer.public_pem()])

    @property
    def old(self) -> dict[str, backends.CountingBackend]:
        """The old applications that answer within this process, by service."""
        return self.applications.backends

    @property
    def alertmanager_url(self) -> str:
        """The playground's own, or the one that was given."""
        return self.alertmanager.url if self.alertmanager else self.choices.alertmanager_url

    @property
    def bot_url(self) -> str:
        """Where the bot listens: through its Service."""
        return f"http://{self.kubelet.service_address(objects.NAMESPACE, 'ferry-bot')}:8080"

    @property
    def webhook_url(self) -> str:
        """Where Alertmanager calls the bot."""
        return f"{self.bot_url}/alerts/alertmanager"

    def client_of(self, apps: list[objects.App], *, rps: float = STEADY_RPS) -> traffic.Traffic:
        """Somebody who asks for these hosts where DNS still points: at the old cluster's ingress."""
        targets = [traffic.Target(app.old_host) for app in apps]
        return traffic.Traffic(self.ingress.address, self.ingress.port, targets, rps=rps)

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Nobody else asks meanwhile: the steady traffic rests, and its last requests have been counted."""
        await self.traffic.stop()
        before, now = -1, self._counted()
        while now != before:
            await asyncio.sleep(_REST)
            before, now = now, self._counted()
        try:
            yield
        finally:
            await self.traffic.start()

    def pods(self, workload: str) -> list[kubelet.Running]:
        """Pods of one of Ferry's workloads."""
        return [pod for pod in self.kubelet.running() if pod.name.startswith(f"{workload}-")]

    def logs(self) -> list[Path]:
        """What every process wrote."""
        return sorted(path for folder in (self.folder, self._pods_folder) for path in folder.rglob("*.log"))

    async def watched_within(self, seconds: float = READY_WITHIN) -> None:
        """Waits until the watchdog is heard: before that the bot raises nothing. Raises NotReady."""
        try:
            async with asyncio.timeout(seconds):
                await self.watched.wait()
        except TimeoutError:
            raise NotReady(
                f"Alertmanager did not get the watchdog within {seconds:g} s; see {self.folder / 'prometheus'}"
            ) from None

    async def put(self, item: objects.Json) -> None:
        """Applies one object."""
        await installation.put(self.api, item)

    async def __aenter__(self) -> "Playground":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # Start and stop

    async def start(self) -> None:
        """Returns when requests flow and Slack is answered. Raises NotReady and others, and leaves nothing behind then."""
        self._began = time.monotonic()
        try:
            await self._world()
            await self._install()
            async with asyncio.timeout(READY_WITHIN):
                await self._ready()
        except TimeoutError:
            sentence = self._late()
            await self.stop()
            raise NotReady(sentence) from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends everything. May be called twice."""
        await self._undo.aclose()

    def _counted(self) -> int:
        return self.new.counts.total + self.applications.counted()

    async def _world(self) -> None:
        """All that is no process of Ferry's: takes no time."""
        self.folder = scratch.folder(self._undo)
        self._pods_folder = scratch.in_memory(self._undo)
        self.network.start()
        self._undo.callback(self.network.stop)
        self.authority = certificates.Authority(self.folder / "ca")
        self.new = new_cluster.NewCluster(self.authority, [app.new_host for app in objects.APPS])
        if self._before_ferry:
            self.before = before_ferry.BeforeFerry(self.authority, self.folder)
            await self._up(self.before)
        self.applications = applications.Applications(self.network, self.before)
        await self._up(self.dns, self.new, *self.old.values(), self.slack)
        for app in objects.APPS:
            self.dns.put(app.new_host, [self.new.address])
        self.access = await self._cluster()
        self.api = node_client.NodeClient(self.access, agent="ferry-playground")
        self._undo.push_async_callback(self.api.close)
        token = self.access.headers().get("Authorization", "").removeprefix("Bearer ")
        tls = self.access.tls()
        self.ingress = ingress.Ingress(
            sync_interval=REAL_SYNC if self._before_ferry else QUICK_SYNC,
            url=self.access.url,
            token=token,
            api_tls=tls,
            resolve=self._resolve,
            upstream_tls=self.authority.client_context(),
        )
        await self._up(self.ingress)
        self._tell("the two clusters and Slack are up")

    async def _cluster(self) -> credentials.Credentials:
        if self.choices.kubeconfig is not None:
            return await asyncio.to_thread(cluster_access.Kubeconfig, self.choices.kubeconfig)
        tls = self.authority.server("api-server", ["127.0.0.1", "localhost", "kubernetes.default.svc"]).server_context()
        self.cluster = kubernetes.KubernetesStandIn(tls=tls)
        await self._up(self.cluster)
        return credentials.Explicit(self.cluster.url, token=self.cluster.admin_token, ca=self.authority.certificate.read_text())

    async def _install(self) -> None:
        await self._clean()
        await self.applications.install(self.api)
        await self.put(objects.namespace(objects.NAMESPACE))
        await self.put(objects.redis_front())
        wish = objects.wish(self.applications.entered, new_port=self.new.port, further=self._service)
        await self.api.create(client.CONFIG_MAPS, objects.NAMESPACE, wish)
        await self._node()
        applied = await manifests.apply(self.api, installation.BASE)
        await self.applications.enter(self.api, wish["data"]["migration.yaml"])
        await self._watchers()
        self._tell(f"Ferry is installed from {installation.BASE.parent.name}/base ({len(applied.objects)} objects)")

    async def _clean(self) -> None:
        """A cluster that is not ours may have an earlier playground in it, whose records another key signed."""
        if self.cluster is not None:
            return
        for resource in (client.CONFIG_MAPS, client.CONTROLLER_REVISIONS):
            with contextlib.suppress(errors.Missing):
                for item in (await self.api.list(resource, objects.NAMESPACE))["items"]:
                    await self.api.delete(resource, objects.NAMESPACE, item["metadata"]["name"])

    async def _node(self) -> None:
        shipped = programs.shipped(
            api_scheme=self.access.url.partition(":")[0],
            resolver=f"{self.dns.address}:{self.dns.port}",
            default_ca=self.authority.certificate,
            ca_folder=self.authority.certificate.parent,
            agent=self._agent,
            bot={"SLACK_API_URL": self._slack_access().api_url},
        )
        images = (*shipped, *([self.before.program] if self.before else []))
        self.kubelet = kubelet.Kubelet(
            self.access, network=self.network, folder=self._pods_folder, images=images, dns=self.dns, api_ca=self._api_ca()
        )
        await self._up(self.kubelet)

    async def _watchers(self) -> None:
        """Redis and the bot's Service have their addresses now; with them the rest is told."""
        fronts = [await self._front(name) for name in ("ferry-bot", objects.REDIS_FRONT)]
        targets = monitoring.Targets(self.folder / "targets")
        mirror = targets.following(self.access)
        self.redis_url = self.choices.redis_url or f"redis://ferry:{self.keys.redis_password}@{fronts[1]}:6379/0"
        if not self.choices.alertmanager_url:
            folder = self.folder / "alertmanager"
            self.alertmanager = monitoring.new_alertmanager(folder, webhook=self.webhook_url, token=self.keys.alert_token)
        beside = self.alertmanager_url.partition("//")[2]
        self.prometheus = monitoring.new_prometheus(self.folder / "prometheus", targets=targets, alertmanagers=[beside])
        around = installation.Surroundings(
            slack=self._slack_access(),
            redis_url=self.redis_url,
            alertmanager_url=self.alertmanager_url,
            new_port=self.new.port,
            limits=self._limits,
            folder=self.folder if self.choices.slack is None else None,
            further=self.before.settings(self._settings, prometheus=self.prometheus.url, new_port=self.new.port)
            if self.before
            else self._settings,
        )
        await installation.prepare(self.api, self.keys, around)
        await self._up(mirror, self.prometheus, *([self.alertmanager] if self.alertmanager else []))
        asking = proxies.Proxies(self.api, objects.NAMESPACE, self.keys.agent_token)
        self._undo.push_async_callback(asking.close)
        self.fleet = fleets.FleetWatch(asking)
        await self._up(self.fleet)
        watching = asyncio.create_task(self._watch_the_watchdog())
        self._undo.push_async_callback(_ended, watching)

    async def _ready(self) -> None:
        await asyncio.gather(
            self._noted(self._rolled_out("migration-proxy"), "two proxies serve: real nginx, each with its agent"),
            self._noted(self._rolled_out("ferry-bot"), "the bot runs, two replicas"),
            self._noted(
                self.ingress.until(self.applications.served_by),
                "the old cluster's ingress serves both hosts" + ("" if self.before else " and hands them to the proxies"),
            ),
        )
        if self.choices.slack is None:
            await self.slack.driver.wait_for(lambda: self.slack.connections > 0, within=READY_WITHIN)
        # The second service is only there to be left alone: the share of all requests is that of the first, as good as.
        self.traffic = self.client_of([*[objects.FIRST] * 29, objects.SECOND])
        await self._up(self.traffic)
        self.flowing = True
        self._tell("people are asking the old address: requests flow")

    async def seen_by_the_watchdog(self) -> None:
        """Waits until every bot has heard the watchdog: before that none of them raises anything."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while not await monitoring.eyes_open(session, self._bots()):  # noqa: ASYNC110 the bots have no push for this
                await asyncio.sleep(_LOOK_AGAIN)

    async def _watch_the_watchdog(self) -> None:
        await self.seen_by_the_watchdog()
        self.watched.set()
        self._tell("Prometheus and Alertmanager watch: more traffic may be asked for")

    def _bots(self) -> list[str]:
        return [pod.address for pod in self.pods("ferry-bot") if not pod.leaving]

    async def _rolled_out(self, workload: str) -> None:
        await self.kubelet.rolled_out(objects.NAMESPACE, workload)

    async def _front(self, service: str) -> str:
        async with asyncio.timeout(10):
            await self.kubelet.until(lambda _: bool(self.kubelet.service_address(objects.NAMESPACE, service)))
        return self.kubelet.service_address(objects.NAMESPACE, service)

    async def _resolve(self, host: str) -> list[str]:
        found = self.dns.addresses(host)
        if not found:
            raise LookupError(f"{host} has no address here")
        return list(found)

    def _slack_access(self) -> installation.SlackAccess:
        own = installation.SlackAccess(self.slack.api_url, self.slack.bot_token, self.slack.app_token)
        return self.choices.slack or own

    def _api_ca(self) -> str:
        if self.cluster is not None:
            return self.authority.certificate.read_text()
        return kubeconfig.authority(self.choices.kubeconfig) if self.choices.kubeconfig else ""

    async def _up(self, *parts: Startable) -> None:
        """Starts them side by side; whatever began is stopped at the end, also when another one fails."""
        for part in parts:
            self._undo.push_async_callback(part.stop)
        await asyncio.gather(*(part.start() for part in parts))

    async def _noted(self, waiting: Awaitable[object], sentence: str) -> None:
        await waiting
        self._tell(sentence)

    def _tell(self, sentence: str) -> None:
        self._say(f"{time.monotonic() - self._began:4.1f} s  {sentence}")

    def _late(self) -> str:
        """What a person needs who wonders why it did not come up."""
        pods = [f"{pod.name} {'ready' if pod.ready else 'not ready'}" for pod in self.kubelet.running()]
        tails = [
            f"{log.name}: {log.read_text(errors='replace')[-600:]}"
            for log in self.logs()
            if "bot" in log.name or "agent" in log.name
        ]
        return f"the playground was not ready within {READY_WITHIN:g} s; pods: {', '.join(pods) or 'none'}\n" + "\n".join(tails)
