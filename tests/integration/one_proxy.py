"""The world of one proxy: a real agent process and a real nginx, told what to serve only through the Kubernetes API.

Requests are counted at the backends. Nothing of the bot runs here: what a person does with kubectl, and what the bot's
record book writes, reach the agent the same way.
"""

import asyncio
import os
import secrets
import shutil
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client import parser

from deploy.playground.kubernetes import server as kubernetes
from deploy.playground.world import addresses, backends, certificates, names, new_cluster
from k8s import client, credentials, model, records, signing, views

OLD_HOST, NEW_HOST, NAMESPACE = "api.old.example", "api.new.example", "migration-system"
TOKEN = "an-agent-token"
PROBED = {"/", "/healthz"}


def document(weight: int, new_port: int, old_port: int, *, extra: str = "") -> str:
    return "services:\n" + entry(weight, new_port, old_port) + extra


def entry(
    weight: int,
    new_port: int,
    old_port: int,
    *,
    name: str = "api",
    old_host: str = OLD_HOST,
    backend: str = "app.team.svc.cluster.local",
) -> str:
    return (
        f"  - name: {name}\n    old_host: {old_host}\n    new_host: {NEW_HOST}\n    new_port: {new_port}\n"
        f"    old_backend: {backend}:{old_port}\n    migration_percentage: {weight}  # by hand\n"
    )


def _values(labels: dict[str, str]) -> list[str]:
    service = [labels.pop("service")] if "service" in labels else []
    return service + [labels[name] for name in sorted(labels)]


@dataclass(slots=True)
class CountsOfUsers(backends.Counts):
    """The agent's probes reach the application, too; here only what users send counts. `targets`: a request that nginx tries
    twice has arrived twice, on one path.
    """

    targets: set[str] = field(default_factory=set)

    def add(self, arrival: backends.Arrival) -> None:
        if arrival.path not in PROBED:
            backends.Counts.add(self, arrival)
            self.targets.add(arrival.path)


class OneProxy:
    """The world of one proxy pod. `served` counts at the backends what `count` requests through nginx reach."""

    def __init__(self, folder: Path, *, address: str = "127.0.0.1") -> None:
        self.folder = folder
        self.address = address
        self.health = ""  # further lines of the service's entry
        self.cluster = kubernetes.KubernetesStandIn()
        authority = certificates.Authority(folder / "ca")
        self.new = new_cluster.NewCluster(authority, [NEW_HOST])
        self.new.application.counts = CountsOfUsers()
        self.old = backends.CountingBackend()
        self.dns = names.NameServer()
        self.signer = signing.Signer.generate()
        self.ports = {name: addresses.free_port() for name in ("agent", "proxy", "status")}
        self.processes: list[asyncio.subprocess.Process] = []
        self.stack: list[Any] = [self.cluster, self.new, self.old, self.dns]

    async def start(self) -> None:
        await self.start_world()
        await self.apply(document(0, self.new.port, self.old.port))
        await self.start_agent()
        await self.begin()

    async def start_world(self) -> None:
        """Everything but the wish and the proxy itself."""
        for part in self.stack:
            await part.start()
        self.dns.put(NEW_HOST, [self.new.address])
        self.dns.put("app.team.svc.cluster.local", [self.old.address])
        self.api = client.ClusterClient(credentials.Explicit(self.cluster.url, token=self.cluster.admin_token))
        self.book = records.RecordBook(self.api, NAMESPACE, self.signer)
        namespaces = client.Resource("namespaces")
        await self.api.create(namespaces, "", {"metadata": {"name": NAMESPACE}})
        for name, text in {"token": self.cluster.admin_token, "namespace": NAMESPACE}.items():
            (self.folder / name).write_text(text)
        await self.prepare()

    async def prepare(self) -> None:
        (self.folder / "keys").mkdir()
        (self.folder / "keys" / "bot.pem").write_bytes(self.signer.public_pem())
        (self.folder / "run").mkdir()

    async def begin(self) -> None:
        await self.eventually(lambda report: self.config_written())
        await self.start_nginx()
        await self.eventually(lambda report: report["ready"])

    async def start_agent(self, **more: str) -> None:
        environment = {
            "PATH": "/usr/bin:/bin",
            "FERRY_RUN_FOLDER": str(self.folder / "run"),
            "FERRY_NGINX_SCRATCH": str(self.folder / "scratch"),
            "FERRY_STATE_FOLDER": str(self.folder / "memory"),
            "FERRY_PUBLIC_KEYS": str(self.folder / "keys"),
            "FERRY_AGENT_TOKEN": TOKEN,
            "FERRY_DEFAULT_CA": str(self.folder / "ca" / "ca.pem"),
            "FERRY_CA_FOLDER": str(self.folder / "ca"),
            "FERRY_OVERRIDES": str(self.folder / "overrides"),
            "FERRY_SERVICE_ACCOUNT": str(self.folder),
            "FERRY_RESOLVER": f"127.0.0.1:{self.dns.port}",
            "FERRY_RELOAD_SPACING": "0.2",
            "FERRY_AGENT_PORT": str(self.ports["agent"]),
            "FERRY_NGINX_PORT": str(self.ports["proxy"]),
            "FERRY_NGINX_STATUS_PORT": str(self.ports["status"]),
            "FERRY_API_SCHEME": "http",
            "FERRY_NGINX_USER": "root" if os.geteuid() == 0 else "",  # its workers must be able to read this folder
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": self.cluster.url.rpartition(":")[2],
            "POD_IP": self.address,
            "POD_NAME": f"proxy-{self.address.replace('.', '-')}",
            **more,
        }
        with (self.folder / "agent.log").open("ab") as log:
            self.agent = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "k8s.agent", env=environment, stdout=log, stderr=log, cwd=Path(__file__).parents[2]
            )
        self.processes.append(self.agent)

    async def start_nginx(self) -> None:
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        self.processes.append(
            await asyncio.create_subprocess_exec(
                nginx, "-c", str(self.folder / "run" / "nginx.conf"), "-p", str(self.folder / "run"), "-g", "daemon off;"
            )
        )

    def config_written(self) -> bool:
        return (self.folder / "run" / "nginx.conf").exists()

    async def start_beside(self, first: "OneProxy", **more: str) -> None:
        """A second proxy pod of the same cluster: its own agent and nginx, everything else is the first one's."""
        self.cluster, self.new, self.old, self.dns = first.cluster, first.new, first.old, first.dns
        self.signer, self.api, self.book = first.signer, first.api, first.book
        self.ports = {**first.ports, "status": self.ports["status"]}  # an address of its own, but loopback is shared
        for name in ("token", "namespace"):
            shutil.copy(first.folder / name, self.folder / name)
        shutil.copytree(first.folder / "ca", self.folder / "ca", dirs_exist_ok=True)
        await self.prepare()
        await self.start_agent(**more)
        await self.begin()

    async def agent_restarted(self, **more: str) -> None:
        self.agent.kill()
        await self.agent.wait()
        await self.start_agent(**more)
        await self.eventually(lambda report: report["ready"])

    async def stop_processes(self) -> None:
        for process in reversed(self.processes):
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), 15)

    async def stop(self) -> None:
        await self.stop_processes()
        await self.api.close()
        for part in reversed(self.stack):
            await part.stop()

    async def apply(self, text: str) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "migration-config"},
            "data": {"migration.yaml": text},
        }
        await self.api.patch(
            client.CONFIG_MAPS, NAMESPACE, "migration-config", body, kind=client.PatchKind.APPLY, field_manager="person"
        )

    async def wish(self, weight: int, *, extra: str = "") -> None:
        await self.apply(document(weight, self.new.port, self.old.port, extra=self.health + extra))

    def sign_with(self, signer: signing.Signer) -> None:
        known = signing.Verifier.from_pems([self.signer.public_pem(), signer.public_pem()])
        self.book = records.RecordBook(self.api, NAMESPACE, signer, known)

    async def record(
        self,
        weight: int,
        *,
        expected: int,
        clears: tuple[str, ...] = (),
        ca: str | None = None,
        finished: bool = False,
        **more: Any,
    ) -> None:
        """`expected`: the generation that it follows. `more`: fields of the exposure."""
        exposure = model.Exposure(
            weight=weight, old_host=OLD_HOST, new_host=NEW_HOST, new_port=self.new.port, tls=model.Tls(ca=ca), **more
        )
        change = views.RecordChange(
            service="api",
            exposure=exposure,
            expected_generation=expected,
            operation_id=f"op-{expected + 1}",
            operation={"id": f"op-{expected + 1}", "revision": 1},
            audit={"who": "a test"},
            clears=clears,
            finished=finished,
        )
        await self.book.write(change)

    async def raised(self, weight: int, *, expected: int, clears: tuple[str, ...] = ()) -> None:
        await self.record(weight, expected=expected, clears=clears)
        await self.wish(weight)
        await self.eventually(lambda report: report["services"]["api"]["served"] == weight)

    def agent_url(self, path: str) -> str:
        return f"http://{self.address}:{self.ports['agent']}{path}"

    async def metrics(self) -> dict[tuple[str, ...], float]:
        """Every sample by its name, its service, and the values of its other labels in the order of their names."""
        async with aiohttp.ClientSession() as session, session.get(self.agent_url("/metrics")) as answer:
            families = list(parser.text_string_to_metric_families(await answer.text()))
        samples = [one for family in families for one in family.samples]
        return {(one.name, *_values(dict(one.labels))): one.value for one in samples}

    async def report(self) -> dict[str, Any]:
        async with aiohttp.ClientSession() as session, session.get(self.agent_url("/status")) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def eventually_metric(self, name: tuple[str, ...], value: float) -> None:
        """Waits until the agent measures so; it announces nothing of itself."""
        async with asyncio.timeout(30):
            while True:
                if (await self.metrics()).get(name) == value:
                    return
                await asyncio.sleep(0.05)

    async def eventually(self, holds_true: Any, *, within: float = 30.0) -> None:
        """Asks the agent until it says so; the agent has no push of its own."""
        said: object = "nothing yet"
        try:
            async with asyncio.timeout(within):
                while True:
                    try:
                        if holds_true(said := await self.report()):
                            return
                    except (aiohttp.ClientError, KeyError):
                        pass
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(
                f"the agent last said {said}; its log: {(self.folder / 'agent.log').read_text()[-2000:]}"
            ) from None

    async def push(self, service: str, hold_id: str, *, token: str = TOKEN, **words: str) -> int:
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
            session.post(self.agent_url("/hold"), json={"service": service, "id": hold_id, **words}) as answer,
        ):
            return answer.status

    async def asked(self, host: str, path: str = "/x") -> int:
        """The status that one request for this host gets."""
        return (await self.answer(host, path))[0]

    async def answer(self, host: str = OLD_HOST, path: str = "/x", *, method: str = "GET", **headers: str) -> tuple[int, str]:
        """The status and the body that one request gets."""
        url = f"http://{self.address}:{self.ports['proxy']}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, headers={"Host": host, **headers}) as answer,
        ):
            return answer.status, await answer.text()

    async def served(self, count: int) -> int:
        """How many of `count` requests reached new; every one must be answered 200."""
        mark = secrets.token_hex(4)
        sent = [f"/x/{mark}-{number}" for number in range(count)]
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16, family=socket.AF_INET)) as session:

            async def one(target: str) -> int:
                url = f"http://{self.address}:{self.ports['proxy']}{target}"
                async with session.get(url, headers={"Host": OLD_HOST}) as answer:
                    await answer.read()
                    return answer.status

            assert {*await asyncio.gather(*(one(target) for target in sent))} == {200}
        counts = self.new.counts
        assert isinstance(counts, CountsOfUsers)
        return len(counts.targets.intersection(sent))
