"""The whole preflight: every part looks by itself, whatever another one meets, and nothing that is unknown is well."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import pytest_asyncio

from deploy.playground.kubernetes.server import KubernetesStandIn
from handlers import preflighting
from handlers.rules import gates
from k8s import client, credentials, errors, model, proxy_report, views
from k8s.discovery import entry_text, listing
from k8s.preflight import Check, Ok, agents, new_side, old_side, report, rights, seen
from tests.handlers import ports_in_memory

HOME = "migration-system"
SERVICE = model.Service(
    "shop", model.Exposure(0, "shop.old.example", "shop.new.example"), model.Backend("shop.team.svc.cluster.local", 80)
)
MAPPING = model.ServiceMapping("shop", "team", "shop", "new-team", "shop.new.example")
AT = seen.At(
    "192.0.2.1:443", seen.OK, version="TLSv1.3", certificate=seen.Certificate("CN=x", 4e9, ()), status=200, wrong_host=404
)


@dataclass
class Cluster:
    text: str
    wished: model.Service | None = SERVICE

    def view(self) -> views.ClusterView:
        return views.ClusterView(document=views.Document(self.text), synced=True)

    def service(self, name: str) -> views.ServiceView:
        return views.ServiceView(name, wished=self.wished)

    async def changed(self) -> None: ...


@dataclass
class Proxies:
    """Agents in their own words; `hang`: they never answer."""

    answers: Mapping[str, tuple[seen.Seen, ...] | str] = field(
        default_factory=lambda: {"proxy-1": (seen.Seen("shop", ("192.0.2.1:443",), at=(AT,)),)}
    )
    whole: views.Fleet = views.Fleet(  # noqa: RUF009  a value
        1, (proxy_report.ProxyReport("proxy-1", ready=True, terminating=False, config="c", services={}),)
    )
    hang: bool = False
    asked: list[seen.Target] = field(default_factory=list)

    async def preflight(self, targets: Sequence[seen.Target]) -> Mapping[str, tuple[seen.Seen, ...] | str]:
        self.asked += targets
        if self.hang:
            await asyncio.Event().wait()
        return self.answers

    async def fleet(self) -> views.Fleet:
        if self.hang:
            await asyncio.Event().wait()
        return self.whole


@dataclass
class Door(old_side.OldDoor):
    """DNS and TLS of the old host, as they are told to be."""

    found: tuple[str, ...] = ("192.0.2.9",)
    why: str = ""

    async def addresses(self, host: str) -> tuple[str, ...]:
        if self.why:
            raise OSError(self.why)
        return self.found

    async def certificate(self, address: str, host: str) -> seen.Certificate | None:
        return seen.Certificate("CN=old", 4e9, (host,))


@dataclass
class Measures:
    seen: gates.Look

    def look(self) -> gates.Look:
        return self.seen


class Case:
    def __init__(self, api: client.ClusterClient, new: client.ClusterClient) -> None:
        self.api, self.new_api = api, new
        self.cluster = Cluster(entry_text.document(SERVICE, MAPPING))
        self.proxies = Proxies()
        self.door = Door()
        self.look: gates.Look | None = None
        self.networks: tuple[str, ...] = ()

    async def run(self, *, limit: float = 10.0, new: bool = True) -> report.Report:
        reads = listing.Listing(self.api, own_namespace=HOME)
        sides = preflighting.Sides(
            reads,
            self.door,
            new_side.NewSide(self.api, self.new_api if new else None),
            rights.Rights(self.api, own_namespace=HOME),
            self._origins,
        )
        use = preflighting.Preflighting(
            ports_in_memory.Clock(),
            self.cluster,
            self.proxies,
            sides,
            measures=None if self.look is None else Measures(self.look),
            around=preflighting.Surroundings(old_addresses=("192.0.2.9",), new_networks=self.networks),
            limit=limit,
        )
        return await use.preflight("shop")

    async def _origins(self) -> tuple[str, ...]:
        return ("pods 10.1.0.5",)

    async def checks(self, **how: Any) -> dict[str, Check]:
        return {one.name: one for one in (await self.run(**how)).checks}


async def app(api: client.ClusterClient, namespace: str, host: str) -> None:
    await api.create(client.Resource("namespaces"), "", {"metadata": {"name": namespace}})
    await api.create(listing.SERVICES, namespace, {"metadata": {"name": "shop"}, "spec": {"ports": [{"port": 80}]}})
    labels = {"kubernetes.io/service-name": "shop"}
    body = {"metadata": {"name": "x", "labels": labels}, "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]}
    await api.create(listing.ENDPOINT_SLICES[0], namespace, body)
    backend = {"service": {"name": "shop", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    await api.create(
        listing.INGRESSES[0], namespace, {"metadata": {"name": "shop"}, "spec": {"rules": [rule]}}, field_manager="kubectl"
    )


@pytest_asyncio.fixture
async def case() -> AsyncIterator[Case]:
    async with AsyncExitStack() as stack:
        apis = []
        for _ in range(2):
            server = KubernetesStandIn()
            await server.start()
            stack.push_async_callback(server.stop)
            access = credentials.Explicit(server.url, token=server.admin_token)
            apis.append(await stack.enter_async_context(client.ClusterClient(access)))
        await app(apis[0], "team", "shop.old.example")
        await app(apis[1], "new-team", "shop.new.example")
        yield Case(*apis)


def measured(old: gates.Reading, new: gates.Reading) -> gates.Look:
    sides = gates.Measured(new=gates.Side(requests=new), old=gates.Side(requests=old))
    return gates.Look(ports_in_memory.NOON, {"shop": sides})


async def test_everything_in_place_is_yes_and_names_what_the_firewall_must_open(case: Case) -> None:
    case.look = measured(gates.Reading.of(10.0), gates.Reading.of(0.0))
    found = await case.run()
    assert [(one.name, one.sentence) for one in found.against] == []
    assert found.ok is Ok.YES
    assert [one.name for one in found.checks] == [
        *agents.NAMES, "old Ingress", "old host's DNS", "TLS of the old host", "old application", *new_side.NAMES,
        *rights.NAMES, "proxies", "monitoring",
    ]  # fmt: skip
    assert found.firewall == ("from the migration-proxy pods (pods 10.1.0.5) to 192.0.2.1:443 TCP",)
    assert case.proxies.asked == [seen.Target("shop", "shop.new.example")]


async def test_a_new_host_that_the_confined_proxies_could_not_reach_is_a_no(case: Case) -> None:
    for networks, ok in [(("192.0.2.0/24",), Ok.YES), (("198.51.100.7/32", "2001:db8::/32"), Ok.NO)]:
        case.networks = networks
        assert (await case.checks())["DNS of the new host"].ok is ok


async def test_each_part_fails_alone_and_never_into_a_yes(case: Case) -> None:
    well = await case.checks()
    case.door.why = "shop.old.example does not resolve (SERVFAIL)"
    case.proxies.answers = {"proxy-1": "no answer within 8 s"}
    found = await case.checks(new=False)
    changed = {name: one.ok for name, one in found.items() if one.ok is not well[name].ok}
    lost = [*agents.NAMES, "old host's DNS", "TLS of the old host", *new_side.NAMES]
    assert changed == dict.fromkeys(lost, Ok.UNKNOWN)
    assert "SERVFAIL" in found["old host's DNS"].sentence


async def test_what_hangs_is_unknown_when_the_time_is_over_and_the_rest_is_told(case: Case) -> None:
    case.proxies.hang = True
    found = await case.run(limit=2.0)
    by_name = {one.name: one for one in found.checks}
    assert {by_name[name].ok for name in (*agents.NAMES, "proxies")} == {Ok.UNKNOWN}
    assert "within 2 s" in by_name["proxies"].sentence
    assert by_name["old Ingress"].ok is by_name["new Service"].ok is Ok.YES
    assert found.firewall == ("from the migration-proxy pods (pods 10.1.0.5) to shop.new.example:443 TCP",)


async def test_a_cluster_that_cannot_be_read_is_unknown_in_every_part_that_needs_it(case: Case, monkeypatch: Any) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise errors.Unreachable("no connection to the API server")

    monkeypatch.setattr(case.api, "list", away)
    monkeypatch.setattr(case.api, "create", away)
    found = await case.checks()
    unseen = {
        "old Ingress",
        "old host's DNS",
        "TLS of the old host",
        "old application",
        "Roles in the new namespace",
        *rights.NAMES,
    }
    assert {name for name, one in found.items() if one.ok is not Ok.YES} == {*unseen, "monitoring"}
    assert all("no connection" in found[name].sentence for name in unseen)


async def test_a_mistake_of_ours_in_one_part_is_that_parts_alone(case: Case, monkeypatch: Any) -> None:
    def mistake(*_: Any, **__: Any) -> Check:
        raise RuntimeError("never thought of that")

    monkeypatch.setattr(old_side, "backend", mistake)
    found = await case.checks()
    assert (found["old application"].ok, "RuntimeError" in found["old application"].sentence) == (Ok.UNKNOWN, True)
    assert found["old Ingress"].ok is Ok.YES


async def test_without_a_mapping_the_new_side_is_unknown_and_says_which_entry_is_missing(case: Case) -> None:
    for text in (entry_text.document(SERVICE, None), "{"):
        case.cluster.text = text
        found = await case.checks()
        assert {found[name].ok for name in new_side.NAMES} == {Ok.UNKNOWN}
        assert "service_mappings" in found["new Service"].remedy


async def test_the_mapping_of_another_host_of_the_same_old_service_is_not_its_own(case: Case) -> None:
    other = replace(SERVICE, name="else", exposure=replace(SERVICE.exposure, old_host="else.old", new_host="else.new"))
    shop = entry_text.document(SERVICE, None).removeprefix("services:\n")
    services, found, mappings = entry_text.document(other, replace(MAPPING, new_cluster_endpoint="else.new")).partition(
        "service_mappings:"
    )
    case.cluster.text = services + shop + found + mappings
    assert (await case.checks())["new Service"].ok is Ok.UNKNOWN
    case.cluster.text = case.cluster.text + mappings.lstrip("\n").replace("else.new", "shop.new.example")
    assert (await case.checks())["new Service"].ok is Ok.YES


async def test_a_service_that_nobody_named_is_one_plain_no(case: Case) -> None:
    case.cluster.wished = None
    found = await case.run()
    assert [(one.name, one.ok) for one in found.checks] == [("migration.yaml", Ok.NO)]
    assert case.proxies.asked == []


@pytest.mark.parametrize(
    ("fleet", "ok"),
    [
        (views.Fleet(0, ()), Ok.NO),
        (views.Fleet(2, Proxies().whole.reports), Ok.NO),
        (views.Fleet(1, Proxies().whole.reports, silent=("proxy-2",)), Ok.NO),
        (views.Fleet(1, (replace(Proxies().whole.reports[0], terminating=True),)), Ok.NO),
        (views.Fleet(1, (replace(Proxies().whole.reports[0], ready=False),)), Ok.NO),
        (views.Fleet(1, Proxies().whole.reports), Ok.YES),
    ],
)
async def test_proxies_are_ready_when_all_that_are_wanted_are(case: Case, fleet: views.Fleet, ok: Ok) -> None:
    case.proxies.whole = fleet
    assert (await case.checks())["proxies"].ok is ok


def test_monitoring_sees_both_sides_or_says_which_it_does_not() -> None:
    none, some = gates.Reading(trouble="no series"), gates.Reading.of(1.0)
    assert preflighting.seen_by_monitoring(measured(some, some), "shop").ok is Ok.YES
    for look, word in [
        (None, "No Prometheus"),
        (measured(some, none), "new (no series)"),
        (measured(none, some), "old (no series)"),
        (gates.Look(ports_in_memory.NOON), "no series of shop"),
        (gates.Look(ports_in_memory.NOON, trouble="Prometheus does not answer"), "does not answer"),
    ]:
        found = preflighting.seen_by_monitoring(look, "shop")
        assert (found.ok, word in found.sentence, bool(found.remedy)) == (Ok.UNKNOWN, True, True)
