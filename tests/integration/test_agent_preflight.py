"""A real agent looks at new hosts from where it stands, before anything is sent there; the bot asks it over its own edge."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from bot import clock
from deploy.playground.world import certificates, new_cluster
from handlers import preflighting
from k8s import client, errors, model, proxies, views
from k8s.discovery import listing
from k8s.preflight import Ok, agents, new_side, old_side, origins, rights, seen
from tests.integration.one_proxy import NAMESPACE, NEW_HOST, OLD_HOST, TOKEN, OneProxy, document

DAY = 86400.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OneProxy]:
    """An agent that nginx was never started for: it looks ahead all the same."""
    one = OneProxy(tmp_path_factory.mktemp("proxy"))
    try:
        await one.start_world()
        await one.apply(document(0, one.new.port, one.old.port))
        await one.start_agent()
        await one.eventually(lambda report: one.config_written())
        yield one
    finally:
        await one.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


def target(proxy: OneProxy, *, host: str = NEW_HOST, port: int = 0, **more: Any) -> seen.Target:
    return seen.Target("api", host, port or proxy.new.port, **more)


async def post(proxy: OneProxy, body: object, *, token: str = TOKEN) -> tuple[int, Any]:
    url = f"http://127.0.0.1:{proxy.ports['agent']}/preflight"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=body, headers={"Authorization": f"Bearer {token}"}) as answer,
    ):
        return answer.status, await answer.json()


async def look(proxy: OneProxy, *targets: seen.Target) -> tuple[seen.Seen, ...]:
    code, answer = await post(proxy, {"targets": [seen.target_document(one) for one in targets]})
    assert code == 200, answer
    return seen.seen_from(answer)


async def test_a_new_host_that_is_well_is_seen_whole(proxy: OneProxy) -> None:
    (one,) = await look(proxy, target(proxy, path="/healthz"))
    (at,) = one.at
    assert (one.addresses, one.dns_why, one.unasked) == ((f"127.0.0.1:{proxy.new.port}",), "", "")
    assert (at.outcome, at.why, at.status, at.wrong_host) == ("ok", "", 200, 404)
    assert at.version in {"TLSv1.2", "TLSv1.3"}
    assert at.certificate is not None
    assert at.certificate.names == (NEW_HOST,)
    assert "Ferry playground CA" in at.certificate.issuer
    assert 28 * DAY < at.certificate.expires - time.time() < 31 * DAY


async def test_each_fault_is_told_by_its_name(proxy: OneProxy) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        proxy.dns.put("nobody.new.example", ["127.0.0.1"])
        strange, refused, nowhere, no_ca = await look(
            proxy,
            target(proxy, host="nobody.new.example"),
            target(proxy, port=port),
            target(proxy, host="gone.new.example"),
            target(proxy, tls=model.Tls(ca="missing.pem")),
        )
    assert strange.at[0].outcome == "tls"
    assert "certificate is refused" in strange.at[0].why
    assert strange.at[0].certificate is not None
    assert strange.at[0].certificate.names == ("ingress.local",)  # who answers is told although nobody trusts it
    assert (refused.at[0].outcome, refused.at[0].why) == ("connect", "Connection refused")
    assert (nowhere.at, "NXDOMAIN" in nowhere.dns_why) == ((), True)
    assert (no_ca.at[0].outcome, "missing.pem" in no_ca.at[0].why) == ("tls", True)


async def test_a_server_that_says_nothing_does_not_hold_up_the_others(proxy: OneProxy) -> None:
    await proxy.new.turn(new_cluster.Reach.UNREACHABLE)
    other = new_cluster.NewCluster(certificates.Authority(proxy.folder / "other-ca"), [NEW_HOST])
    await other.start()
    try:
        hangs, strange = await look(proxy, target(proxy), target(proxy, port=other.port))
        assert (hangs.at[0].outcome, "no TLS handshake" in hangs.at[0].why) == ("tls", True)
        assert (strange.at[0].outcome, strange.at[0].status) == ("tls", 0)  # another authority than the one that is trusted
        (unchecked,) = await look(proxy, target(proxy, port=other.port, tls=model.Tls(verify=False)))
        assert (unchecked.at[0].outcome, unchecked.at[0].status) == ("ok", 200)
    finally:
        await other.stop()
        await proxy.new.turn(new_cluster.Reach.UP)


async def test_what_speaks_no_tls_and_what_speaks_no_http(proxy: OneProxy) -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example\r\n")
        await writer.drain()
        writer.close()

    async def mumbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await plain(reader, writer)

    tls: ssl.SSLContext = certificates.Authority(proxy.folder / "third-ca").server("mumbling", [NEW_HOST]).server_context()
    servers = [await asyncio.start_server(plain, "127.0.0.1", 0), await asyncio.start_server(mumbling, "127.0.0.1", 0, ssl=tls)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    try:
        no_tls, no_http = await look(
            proxy, target(proxy, port=ports[0]), target(proxy, port=ports[1], tls=model.Tls(verify=False))
        )
    finally:
        for server in servers:
            server.close()
    assert no_tls.at[0].outcome == "tls"
    assert (no_http.at[0].outcome, no_http.at[0].status, no_http.at[0].why) == ("http", 0, "what it answers is no HTTP")


async def test_only_who_has_the_token_may_ask_and_only_what_can_be_a_host(proxy: OneProxy) -> None:
    good = seen.target_document(target(proxy))
    assert (await post(proxy, {"targets": [good]}, token="wrong"))[0] == 401
    odd = good | {"path": "/ HTTP"}
    bad: list[object] = [
        {}, {"targets": []}, {"targets": [good] * 21}, {"targets": [good | {"host": "x y"}]}, {"targets": [odd]},
        {"targets": [good | {"port": 0}]}, {"targets": [good | {"tls": {"ca": "../x"}}]}, {"targets": [good | {"more": 1}]}, [1],
    ]  # fmt: skip
    for body in bad:
        code, answer = await post(proxy, body)
        assert (code, "send targets as JSON" in answer["trouble"]) == (400, True), body


async def test_the_bot_asks_every_proxy_and_one_that_is_silent_says_so(proxy: OneProxy) -> None:
    for name, address in {"proxy-a": "127.0.0.1", "proxy-b": "127.0.0.9"}.items():
        body = {
            "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "migration-proxy"}},
            "spec": {"containers": [{"name": "nginx", "image": "nginx"}]},
        }
        await proxy.api.create(client.PODS, NAMESPACE, body)
        await proxy.api.patch(client.PODS, NAMESPACE, name, {"status": {"podIP": address}}, subresource="status")
    async with proxies.Proxies(proxy.api, NAMESPACE, TOKEN, port=proxy.ports["agent"]) as asked:
        found = await asked.preflight([target(proxy)])
    assert isinstance(found["proxy-a"], tuple)
    assert found["proxy-a"][0].at[0].outcome == "ok"
    assert isinstance(found["proxy-b"], str)
    assert "127.0.0.9" in found["proxy-b"]
    async with proxies.Proxies(proxy.api, NAMESPACE, "wrong", port=proxy.ports["agent"]) as asked:
        assert "401" in str((await asked.preflight([target(proxy)]))["proxy-a"])


@dataclass
class Named:
    """`ports.Cluster` with one service."""

    one: model.Service

    def view(self) -> views.ClusterView:
        return views.ClusterView(synced=True)

    def service(self, name: str) -> views.ServiceView:
        return views.ServiceView(name, wished=self.one)

    async def changed(self) -> None: ...


async def test_a_whole_preflight_asks_the_real_agent(proxy: OneProxy) -> None:
    labels = {"app.kubernetes.io/name": "migration-proxy"}
    body = {"metadata": {"name": "proxy-c", "labels": labels}, "spec": {"containers": [{"name": "nginx", "image": "nginx"}]}}
    for name in [one["metadata"]["name"] for one in (await proxy.api.list(client.PODS, NAMESPACE))["items"]]:
        await proxy.api.delete(client.PODS, NAMESPACE, name)
    await proxy.api.create(client.PODS, NAMESPACE, body)
    await proxy.api.patch(client.PODS, NAMESPACE, "proxy-c", {"status": {"podIP": "127.0.0.1"}}, subresource="status")
    exposure = model.Exposure(0, OLD_HOST, NEW_HOST, proxy.new.port)
    service = model.Service("api", exposure, model.Backend("app.team.svc.cluster.local", 80), health=model.Health("/healthz"))
    sides = preflighting.Sides(
        listing.Listing(proxy.api, own_namespace=NAMESPACE),
        old_side.OldDoor(dns_server=f"127.0.0.1:{proxy.dns.port}"),
        new_side.NewSide(proxy.api, None),
        rights.Rights(proxy.api, own_namespace=NAMESPACE),
        lambda: origins.origins(proxy.api, NAMESPACE),
    )
    async with proxies.Proxies(proxy.api, NAMESPACE, TOKEN, port=proxy.ports["agent"]) as asked:
        use = preflighting.Preflighting(clock.SystemClock(), Named(service), asked, sides)
        found = await use.preflight("api")
    assert {one.ok for one in found.checks if one.name in agents.NAMES} == {Ok.YES}
    assert {one.name: one.ok for one in found.checks}["old host's DNS"] is Ok.UNKNOWN  # this name server does not know it
    assert found.firewall == (f"from the migration-proxy pods (pods 127.0.0.1) to 127.0.0.1:{proxy.new.port} TCP",)


async def test_an_answer_that_is_not_understood_is_an_error() -> None:
    wrongs: list[object] = [{}, {"seen": [{"service": "a"}]}, {"seen": 1}, []]
    for wrong in wrongs:
        with pytest.raises(errors.BadReply):
            seen.seen_from(wrong)
