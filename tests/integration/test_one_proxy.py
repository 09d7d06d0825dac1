"""One proxy whole: a real agent process and a real nginx, told what to serve only through the Kubernetes API.

Requests are counted at the backends. Nothing of the bot runs here: what a person does with kubectl, and what the bot's
record book writes, reach the agent the same way.
"""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.playground.kubernetes import server as kubernetes
from deploy.playground.world import addresses, backends, certificates, names, new_cluster
from k8s import client, credentials, holds, model, records, signing, views

OLD_HOST, NEW_HOST, NAMESPACE = "api.old.example", "api.new.example", "migration-system"
TOKEN = "an-agent-token"


def document(weight: int, new_port: int, old_port: int, *, extra: str = "") -> str:
    return (
        f"services:\n  - name: api\n    old_host: {OLD_HOST}\n    new_host: {NEW_HOST}\n    new_port: {new_port}\n"
        f"    old_backend: app.team.svc.cluster.local:{old_port}\n    migration_percentage: {weight}  # by hand\n{extra}"
    )


class OneProxy:
    """The world of one proxy pod. `served` counts at the backends what `count` requests through nginx reach."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = kubernetes.KubernetesStandIn()
        authority = certificates.Authority(folder / "ca")
        self.new = new_cluster.NewCluster(authority, [NEW_HOST])
        self.old = backends.CountingBackend()
        self.dns = names.NameServer()
        self.signer = signing.Signer.generate()
        self.ports = {name: addresses.free_port() for name in ("agent", "proxy", "status")}
        self.processes: list[asyncio.subprocess.Process] = []
        self.stack: list[Any] = [self.cluster, self.new, self.old, self.dns]

    async def start(self) -> None:
        for part in self.stack:
            await part.start()
        self.dns.put(NEW_HOST, [self.new.address])
        self.dns.put("app.team.svc.cluster.local", [self.old.address])
        self.api = client.ClusterClient(credentials.Explicit(self.cluster.url, token=self.cluster.admin_token))
        self.book = records.RecordBook(self.api, NAMESPACE, self.signer)
        namespaces = client.Resource("namespaces")
        await self.api.create(namespaces, "", {"metadata": {"name": NAMESPACE}})
        await self.apply(document(0, self.new.port, self.old.port))
        for name, text in {"token": self.cluster.admin_token, "namespace": NAMESPACE}.items():
            (self.folder / name).write_text(text)
        (self.folder / "keys").mkdir()
        (self.folder / "keys" / "bot.pem").write_bytes(self.signer.public_pem())
        (self.folder / "run").mkdir()
        await self.start_agent()
        await self.eventually(lambda report: self.config_written())
        await self.start_nginx()
        await self.eventually(lambda report: report["ready"])

    async def start_agent(self) -> None:
        environment = {
            "PATH": "/usr/bin:/bin",
            "FERRY_RUN_FOLDER": str(self.folder / "run"),
            "FERRY_STATE_FOLDER": str(self.folder / "memory"),
            "FERRY_PUBLIC_KEYS": str(self.folder / "keys"),
            "FERRY_AGENT_TOKEN": TOKEN,
            "FERRY_DEFAULT_CA": str(self.folder / "ca" / "ca.pem"),
            "FERRY_CA_FOLDER": str(self.folder / "ca"),
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

    async def stop(self) -> None:
        for process in reversed(self.processes):
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), 15)
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
        await self.apply(document(weight, self.new.port, self.old.port, extra=extra))

    async def record(self, weight: int, *, expected: int, clears: tuple[str, ...] = ()) -> None:
        exposure = model.Exposure(weight=weight, old_host=OLD_HOST, new_host=NEW_HOST, new_port=self.new.port)
        change = views.RecordChange(
            service="api",
            exposure=exposure,
            expected_generation=expected,
            operation_id=f"op-{expected + 1}",
            operation={"id": f"op-{expected + 1}", "revision": 1},
            audit={"who": "a test"},
            clears=clears,
        )
        await self.book.write(change)

    async def raised(self, weight: int, *, expected: int, clears: tuple[str, ...] = ()) -> None:
        await self.record(weight, expected=expected, clears=clears)
        await self.wish(weight)
        await self.eventually(lambda report: report["services"]["api"]["served"] == weight)

    async def report(self) -> dict[str, Any]:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.ports['agent']}/status") as answer:
            found: dict[str, Any] = await answer.json()
            return found

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

    async def push(self, service: str, hold_id: str, *, token: str = TOKEN) -> int:
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
            session.post(f"http://127.0.0.1:{self.ports['agent']}/hold", json={"service": service, "id": hold_id}) as answer,
        ):
            return answer.status

    async def served(self, count: int) -> int:
        """How many of `count` requests reached new; every one must be answered 200."""
        before = self.new.counts.total
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16, family=socket.AF_INET)) as session:

            async def one() -> int:
                url = f"http://127.0.0.1:{self.ports['proxy']}/x"
                async with session.get(url, headers={"Host": OLD_HOST}) as answer:
                    await answer.read()
                    return answer.status

            assert {*await asyncio.gather(*(one() for _ in range(count)))} == {200}
        return self.new.counts.total - before


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[OneProxy]:
    one = OneProxy(tmp_path)
    try:
        await one.start()
        yield one
    finally:
        await one.stop()


async def test_a_wish_alone_moves_nothing_and_a_signed_record_moves_its_share(proxy: OneProxy) -> None:
    await proxy.wish(100)
    await proxy.eventually(lambda report: "no signed record" in report["services"]["api"]["because"])
    assert await proxy.served(200) == 0
    await proxy.raised(25, expected=0)  # straight from the wish of 100: an edit down just before a record may be seen after it
    assert 320 < await proxy.served(2000) < 690, "25% of 2,000: far outside chance otherwise"
    await proxy.raised(100, expected=1)
    assert await proxy.served(300) == 300


async def test_one_patch_of_the_holds_stops_it_and_deleting_the_key_brings_nothing_back(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    await holds.HoldBook(proxy.api, NAMESPACE).place(model.Hold("api", "oncall", reason="it burns"))
    await proxy.eventually(lambda report: report["services"]["api"]["served"] == 0)
    assert await proxy.served(100) == 0
    await proxy.api.delete(client.CONFIG_MAPS, NAMESPACE, "migration-holds")
    await proxy.wish(0)
    await proxy.wish(100)
    await proxy.record(100, expected=1)
    await proxy.eventually(lambda report: report["services"]["api"]["generation"] == 2)
    assert await proxy.served(100) == 0
    await proxy.raised(100, expected=2, clears=("oncall",))
    assert await proxy.served(50) == 50


async def test_a_hand_edit_lowers_even_when_it_breaks_another_line_and_never_raises(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    await proxy.wish(0, extra="    no_such_field: 1\n")
    await proxy.eventually(lambda report: report["services"]["api"]["served"] == 0)
    assert await proxy.served(100) == 0
    await proxy.wish(100)
    await proxy.eventually(lambda report: not any("refused" in sentence for sentence in report["trouble"]))
    assert await proxy.served(100) == 0


async def test_a_pushed_hold_needs_the_token_and_survives_the_agents_death(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    assert await proxy.push("api", "direct", token="wrong") == 401
    assert await proxy.served(20) == 20
    assert await proxy.push("all", "direct") == 200
    assert await proxy.served(100) == 0, "the answer came after the link had moved"
    proxy.agent.kill()
    await proxy.agent.wait()
    await proxy.start_agent()
    await proxy.eventually(lambda report: report["ready"] and report["services"]["api"]["holds"] == ["direct"])
    assert await proxy.served(100) == 0


async def test_with_the_api_gone_the_last_approved_weight_stays_and_a_push_still_lowers(proxy: OneProxy) -> None:
    await proxy.raised(100, expected=0)
    await proxy.cluster.stop()
    assert await proxy.served(50) == 50
    assert await proxy.push("api", "direct") == 200
    assert await proxy.served(100) == 0
    await proxy.cluster.start()
    await proxy.record(100, expected=1)
    await proxy.eventually(lambda report: report["services"]["api"]["generation"] == 2)
    assert await proxy.served(50) == 0, "a record that does not name the hold clears nothing"
