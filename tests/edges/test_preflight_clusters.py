"""Preflight against API servers that enforce rights, name servers and TLS: the old side, the new side, Ferry's own rights."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from deploy.playground.kubernetes.server import KubernetesStandIn
from deploy.playground.world import certificates, names, new_cluster
from k8s import client, credentials, errors, model
from k8s.discovery import listing
from k8s.preflight import Ok, new_side, old_side, origins, rights

Json = dict[str, Any]
BASE = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "base"
HOME, TEAM, NEW_TEAM = "migration-system", "team", "new-team"
OLD_HOST, NEW_HOST = "shop.old.example", "shop.new.example"
SERVICE = model.Service("shop", model.Exposure(0, OLD_HOST, NEW_HOST), model.Backend(f"shop.{TEAM}.svc.cluster.local", 80))
MAPPING = model.ServiceMapping("shop", TEAM, "shop", NEW_TEAM, NEW_HOST)
NAMESPACES = client.Resource("namespaces")
RBAC = "rbac.authorization.k8s.io/v1"


@dataclass
class Side:
    """One cluster with a namespace of an app."""

    server: KubernetesStandIn
    api: client.ClusterClient
    namespace: str
    slices: Json = field(default_factory=dict)

    async def app(self, *, host: str = "", ready: bool = True, leads_to: str = "shop", tls: bool = False) -> None:
        spec = {"ports": [{"port": 80}], "selector": {"app": "shop"}}
        await self.api.create(listing.SERVICES, self.namespace, {"metadata": {"name": "shop"}, "spec": spec})
        labels = {"kubernetes.io/service-name": "shop"}
        end = {"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}
        body = {"metadata": {"name": "shop-x", "labels": labels}, "addressType": "IPv4", "endpoints": [end]}
        await self.api.create(listing.ENDPOINT_SLICES[0], self.namespace, body)
        if host:
            backend = {"service": {"name": leads_to, "port": {"number": 80}}}
            rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
            rules: Json = {"rules": [rule], **({"tls": [{"hosts": [host], "secretName": "x"}]} if tls else {})}
            await self.api.create(
                listing.INGRESSES[0], self.namespace, {"metadata": {"name": "shop"}, "spec": rules}, field_manager="kubectl"
            )

    async def ready(self, ready: bool) -> None:
        ends = [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}]
        await self.api.patch(listing.ENDPOINT_SLICES[0], self.namespace, "shop-x", {"endpoints": ends})

    async def role(self, name: str, verbs: list[str], *, account: str = "shop", bound: bool = True) -> None:
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}]
        await self.api.create(new_side.KINDS["Role"], self.namespace, {"metadata": {"name": name}, "rules": rules})
        if bound:
            ref = {"apiGroup": RBAC.partition("/")[0], "kind": "Role", "name": name}
            subjects = [{"kind": "ServiceAccount", "name": account, "namespace": self.namespace}]
            body = {"metadata": {"name": name}, "roleRef": ref, "subjects": subjects}
            await self.api.create(new_side.KINDS["RoleBinding"], self.namespace, body)


async def side(stack: AsyncExitStack, *namespaces: str) -> Side:
    server = KubernetesStandIn()
    await server.start()
    stack.push_async_callback(server.stop)
    api = await stack.enter_async_context(client.ClusterClient(credentials.Explicit(server.url, token=server.admin_token)))
    for name in namespaces:
        await api.create(NAMESPACES, "", {"metadata": {"name": name}})
    return Side(server, api, namespaces[0])


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as one:
        yield one


@pytest_asyncio.fixture
async def old(stack: AsyncExitStack) -> Side:
    return await side(stack, TEAM, HOME)


@pytest_asyncio.fixture
async def new(stack: AsyncExitStack) -> Side:
    return await side(stack, NEW_TEAM)


async def listed(old: Side) -> listing.Listed:
    return await listing.Listing(old.api, own_namespace=HOME).objects()


@pytest_asyncio.fixture
async def dns(stack: AsyncExitStack) -> names.NameServer:
    one = names.NameServer()
    await one.start()
    stack.push_async_callback(one.stop)
    one.put(OLD_HOST, ["127.0.0.1"])
    return one


def door(dns: names.NameServer, port: int = 443) -> old_side.OldDoor:
    return old_side.OldDoor(dns_server=f"127.0.0.1:{dns.port}", port=port, limit=2.0)


async def address(old: Side, *addresses: Json) -> None:
    body = {"status": {"loadBalancer": {"ingress": list(addresses)}}}
    await old.api.patch(listing.INGRESSES[0], TEAM, "shop", body, subresource="status")


async def test_the_old_host_leads_to_the_old_load_balancer(old: Side, dns: names.NameServer) -> None:
    await old.app(host=OLD_HOST)

    async def ok(*expected: str) -> Ok:
        return (await old_side.load_balancer(SERVICE, await listed(old), door(dns), expected)).ok

    assert await ok() is Ok.UNKNOWN  # nobody says where the load balancer is
    await address(old, {"ip": "127.0.0.1"})
    assert await ok() is Ok.YES
    dns.put("lb.example", ["127.0.0.1", "127.0.0.2"])
    await address(old, {"hostname": "lb.example"})
    assert await ok() is Ok.YES
    assert await ok("127.0.0.2") is Ok.NO
    assert await ok("127.0.0.0/30") is await ok("lb.example") is Ok.YES
    dns.put(OLD_HOST, ["127.0.0.1", "192.0.2.7"])
    assert await ok() is Ok.NO
    dns.remove(OLD_HOST)
    with pytest.raises(OSError, match="NXDOMAIN"):
        await ok()


async def test_tls_of_the_old_host_ends_where_dns_leads(
    old: Side, dns: names.NameServer, stack: AsyncExitStack, tmp_path: Path
) -> None:
    await old.app(host=OLD_HOST, tls=True)
    ingress = new_cluster.NewCluster(certificates.Authority(tmp_path), [OLD_HOST])  # any ingress over HTTPS
    await ingress.start()
    stack.push_async_callback(ingress.stop)
    found = await listed(old)

    async def check(service: model.Service = SERVICE, *, now: float = 0.0) -> Any:
        return await old_side.ends_tls(service, found, door(dns, ingress.port), now=now or time.time())

    assert (await check()).ok is Ok.YES
    ended = await check(now=time.time() + 90 * 86400)
    assert (ended.ok, "has ended" in ended.sentence) == (Ok.NO, True)
    dns.put("other.old.example", ["127.0.0.1"])
    plain = replace(SERVICE, exposure=replace(SERVICE.exposure, old_host="other.old.example"))
    assert "without TLS" in (await check(plain)).sentence  # no Ingress promises TLS for it
    await ingress.turn(new_cluster.Reach.DOWN)
    refused = await check()
    assert (refused.ok, "Connection refused" in refused.sentence) == (Ok.NO, True)


async def test_a_certificate_of_another_host_is_none(
    old: Side, dns: names.NameServer, stack: AsyncExitStack, tmp_path: Path
) -> None:
    await old.app(host=OLD_HOST, tls=True)
    ingress = new_cluster.NewCluster(certificates.Authority(tmp_path), ["else.old.example"])
    await ingress.start()
    stack.push_async_callback(ingress.stop)
    check = await old_side.ends_tls(SERVICE, await listed(old), door(dns, ingress.port), now=time.time())
    assert (check.ok, "not for this host" in check.sentence) == (Ok.NO, True)


async def test_the_old_application_is_alive_or_not_or_nobody_knows(old: Side) -> None:
    missing = old_side.backend(SERVICE, (await listed(old)).behind)
    assert (missing.ok, "does not exist" in missing.sentence) == (Ok.NO, True)
    await old.app()
    assert old_side.backend(SERVICE, (await listed(old)).behind).ok is Ok.YES
    await old.ready(False)
    assert old_side.backend(SERVICE, (await listed(old)).behind).ok is Ok.NO
    behind = replace((await listed(old)).behind, slices=None)
    assert old_side.backend(SERVICE, behind).ok is Ok.UNKNOWN
    outside = replace(SERVICE, old_backend=model.Backend("app.elsewhere.example", 80))
    assert old_side.backend(outside, behind).ok is Ok.UNKNOWN


async def test_what_stops_a_host_at_the_proxies_is_found_again_before_traffic_moves(old: Side) -> None:
    await old.app()
    assert old_side.entry(SERVICE, await listed(old)).ok is Ok.NO  # no Ingress names it
    await old.api.delete(listing.SERVICES, TEAM, "shop")
    await old.api.delete(listing.ENDPOINT_SLICES[0], TEAM, "shop-x")
    await old.app(host=OLD_HOST)
    assert old_side.entry(SERVICE, await listed(old)).ok is Ok.YES
    through = {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/ssl-passthrough": "true"}}}
    await old.api.patch(listing.INGRESSES[0], TEAM, "shop", through)
    stopped = old_side.entry(SERVICE, await listed(old))
    assert (stopped.ok, "ssl-passthrough" in stopped.sentence, "tls section" in stopped.remedy) == (Ok.NO, True, True)


async def test_without_mapping_or_access_the_new_side_is_unknown_and_says_what_to_give(old: Side, new: Side) -> None:
    for looks, mapping, word in [
        (new_side.NewSide(old.api, new.api), None, "service_mappings"),
        (new_side.NewSide(old.api, None), MAPPING, "new_cluster.kubeconfig"),
    ]:
        found = [await looks.service(mapping), await looks.ingress(mapping, NEW_HOST), await looks.roles(mapping)]
        assert [one.name for one in found] == list(new_side.NAMES)
        assert {one.ok for one in found} == {Ok.UNKNOWN}
        assert all(word in one.remedy for one in found)


async def test_the_new_service_is_ready_and_its_ingress_has_the_host(old: Side, new: Side) -> None:
    looks = new_side.NewSide(old.api, new.api)
    assert (await looks.service(MAPPING)).ok is Ok.NO
    assert (await looks.ingress(MAPPING, NEW_HOST)).ok is Ok.NO
    await new.app(host=NEW_HOST)
    assert (await looks.service(MAPPING)).ok is Ok.YES
    assert (await looks.ingress(MAPPING, NEW_HOST)).ok is Ok.YES
    assert (await looks.ingress(MAPPING, "else.new.example")).ok is Ok.NO
    elsewhere = await looks.ingress(replace(MAPPING, new_service="other"), NEW_HOST)
    assert (elsewhere.ok, "not to other" in elsewhere.sentence) == (Ok.NO, True)
    await new.ready(False)
    assert (await looks.service(MAPPING)).ok is Ok.NO


async def test_roles_are_compared_by_what_they_mean(old: Side, new: Side) -> None:
    looks = new_side.NewSide(old.api, new.api)
    await old.role("read", ["get", "list"])
    await new.role("read", ["list", "get"])
    same = await looks.roles(MAPPING)
    assert (same.ok, "same 2 Roles" in same.sentence) == (Ok.YES, True)
    for one in yaml.safe_load_all((BASE.parent / "examples" / "application-namespace.yaml").read_text()):
        await old.api.create(_kind(one), TEAM, {**one, "metadata": {**one["metadata"], "namespace": TEAM}})
    assert await looks.roles(MAPPING) == same, "what its owner lets Ferry do is no right of the application"
    await old.role("write", ["patch"])
    await old.role("gone", ["get"], bound=False)
    await new.role("write", ["patch", "delete"], account="other")
    await new.role("more", ["get"], bound=False)
    differs = await looks.roles(MAPPING)
    assert differs.ok is Ok.NO
    for part in (
        "Role gone is missing",
        "Role more is there only",
        "Role write differs (without [patch] [configmaps], with [delete, patch] [configmaps])",
        "RoleBinding write differs (without ServiceAccount shop of its own namespace, with ServiceAccount other of its own",
    ):
        assert part in differs.sentence, differs.sentence


async def test_who_may_not_look_into_the_new_cluster_is_told_which_right_is_missing(old: Side, new: Side) -> None:
    access = credentials.Explicit(new.server.url, token=new.server.service_account_token(NEW_TEAM, "nobody"))
    async with client.ClusterClient(access) as api:
        with pytest.raises(errors.Forbidden, match="services"):
            await new_side.NewSide(old.api, api).service(MAPPING)


def shipped(*files: str) -> Iterator[Json]:
    for name in files:
        for one in yaml.safe_load_all((BASE / name).read_text()):
            if one["kind"].startswith(("Role", "ClusterRole")):
                yield one


def _kind(one: Json) -> client.Resource:
    return client.Resource(f"{one['kind'].lower()}s", RBAC)


async def test_ferrys_rights_are_asked_of_the_api_server_itself(old: Side) -> None:
    access = credentials.Explicit(old.server.url, token=old.server.service_account_token(HOME, "ferry-bot"))
    async with client.ClusterClient(access) as api:
        asked = rights.Rights(api, own_namespace=HOME)
        nothing = {one.name: one for one in await asked.checks(SERVICE)}
        assert list(nothing) == list(rights.NAMES)
        assert {one.ok for one in nothing.values()} == {Ok.NO}
        assert "get configmaps in migration-system" in nothing[rights.OWN].sentence
        for one in shipped("bot-rbac.yaml", "bot-discovery-rbac.yaml", "bot-entries-rbac.yaml"):
            await old.api.create(_kind(one), one["metadata"].get("namespace", ""), one)
        installed = {one.name: one for one in await asked.checks(SERVICE)}
        assert [one.ok for one in installed.values()] == [Ok.YES, Ok.YES, Ok.NO]
        assert "ferry-entries" in installed[rights.PREPARING].remedy
        subject = {"kind": "ServiceAccount", "name": "ferry-bot", "namespace": HOME}
        ref = {"apiGroup": RBAC.partition("/")[0], "kind": "ClusterRole", "name": "ferry-entries"}
        body = {"metadata": {"name": "ferry"}, "roleRef": ref, "subjects": [subject]}
        await old.api.create(new_side.KINDS["RoleBinding"], TEAM, body)
        assert {one.ok for one in await asked.checks(SERVICE)} == {Ok.YES}
        elsewhere = replace(SERVICE, old_backend=model.Backend("app.elsewhere.example", 80))
        assert [one.ok for one in await asked.checks(elsewhere)] == [Ok.YES, Ok.YES, Ok.UNKNOWN]
    everything = await rights.Rights(old.api, own_namespace=HOME).checks(SERVICE)
    assert {one.ok for one in everything} == {Ok.YES}
    await old.server.stop()
    silent = await rights.Rights(old.api, own_namespace=HOME, limit=1.0).checks(SERVICE)
    assert {one.ok for one in silent} == {Ok.UNKNOWN}


async def test_an_answer_about_rights_that_says_nothing_is_unknown(old: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    async def mumbles(*_: Any, **__: Any) -> Json:
        return {"status": {}}

    monkeypatch.setattr(old.api, "create", mumbles)
    assert {one.ok for one in await rights.Rights(old.api, own_namespace=HOME).checks(SERVICE)} == {Ok.UNKNOWN}


async def test_where_the_proxies_connections_come_from(old: Side) -> None:
    for number in (1, 2):
        labels = {"app.kubernetes.io/name": "migration-proxy"}
        body = {"metadata": {"name": f"p{number}", "labels": labels}, "spec": {"containers": [{"name": "x", "image": "x"}]}}
        await old.api.create(client.PODS, HOME, body)
        status = {"status": {"podIP": f"10.1.0.{number}", "hostIP": "192.0.2.4"}}
        await old.api.patch(client.PODS, HOME, f"p{number}", status, subresource="status")
    assert await origins.origins(old.api, HOME) == ("pods 10.1.0.1, 10.1.0.2", "nodes 192.0.2.4")
