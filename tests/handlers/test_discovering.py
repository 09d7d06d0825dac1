"""From an old cluster's Ingresses to entries of `migration.yaml`: looked at freely, written only when somebody says so."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio

from deploy.playground.kubernetes.server import KubernetesStandIn
from handlers import discovering, messages
from handlers.rules import effects, refusals
from k8s import client, credentials, discovery, errors, views, wish, wish_document
from k8s.discovery import listing
from tests.handlers import ports_in_memory

Json = dict[str, Any]
HOME, TEAM = "migration-system", "team"
ANN = messages.Person("slack:T0/ANN", "Ann")
RULE = discovery.HostRule(r"([^.]+)\.old\.example", r"\1.new.example", "new-{namespace}")
NAMESPACES, INGRESSES = client.Resource("namespaces"), listing.INGRESSES[0]


@dataclass
class Cluster:
    """`ports.Cluster`, as far as discovery looks: the document as it stands."""

    document: views.Document

    def view(self) -> views.ClusterView:
        return views.ClusterView(document=self.document, synced=True)

    def service(self, name: str) -> views.ServiceView:
        return views.ServiceView(name)

    async def changed(self) -> None: ...


class Case:
    def __init__(self, server: KubernetesStandIn, api: client.ClusterClient) -> None:
        self.server = server
        self.api = api
        self.stir = ports_in_memory.Stir()
        self.audit = ports_in_memory.Audit(self.stir)
        self.book = wish.WishBook(api, HOME)
        self.cluster = Cluster(views.Document("services: []\n"))
        self.use = self.make()
        self.count = 0

    def make(self, **wanted: Any) -> discovering.Discovering:
        return discovering.Discovering(
            self.cluster,
            self.audit,
            old=listing.Listing(self.api, own_namespace=HOME),
            book=self.book,
            wanted=discovering.Wanted(**{"rules": (RULE,), **wanted}),
        )

    async def app(self, name: str, *, annotations: Json | None = None) -> None:
        spec = {"ports": [{"port": 80}], "selector": {"app": name}}
        await self.api.create(listing.SERVICES, TEAM, {"metadata": {"name": name}, "spec": spec})
        labels = {"kubernetes.io/service-name": name}
        body = {"metadata": {"name": f"{name}-x", "labels": labels}, "addressType": "IPv4", "ports": [{"port": 80}]}
        await self.api.create(listing.ENDPOINT_SLICES[0], TEAM, {**body, "endpoints": [{"addresses": ["10.0.0.1"]}]})
        backend = {"service": {"name": name, "port": {"number": 80}}}
        rule = {"host": f"{name}.old.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
        metadata = {"name": name, "annotations": annotations or {}}
        await self.api.create(INGRESSES, TEAM, {"metadata": metadata, "spec": {"rules": [rule]}}, field_manager="kubectl")

    async def accept(self, *names: str, who: messages.Person = ANN, **more: Any) -> discovering.Accepted:
        self.count += 1
        asked = discovering.Accept(f"m{self.count}", ports_in_memory.NOON, who, names, **more)
        answer = await self.use.accept(asked)
        self.cluster.document = replace(self.cluster.document, text=await self.text())
        return answer

    async def text(self) -> str:
        return (await self.book.read()).text


@pytest_asyncio.fixture
async def case() -> AsyncIterator[Case]:
    server = KubernetesStandIn()
    await server.start()
    async with client.ClusterClient(credentials.Explicit(server.url, token=server.admin_token)) as api:
        for name in (HOME, TEAM):
            await api.create(NAMESPACES, "", {"metadata": {"name": name}})
        await api.create(
            client.CONFIG_MAPS, HOME, {"metadata": {"name": wish.CONFIG_MAP}, "data": {wish.DOCUMENT: "services: []\n"}}
        )
        yield Case(server, api)
    await server.stop()


async def test_looking_writes_nothing_and_accepting_adds_at_nought(case: Case) -> None:
    for name in ("shop", "cart"):
        await case.app(name)
    seen = await case.use.discover()
    assert [(one.name, one.notes) for one in seen.proposals] == [("cart", ()), ("shop", ())]
    assert (await case.text(), case.audit.events, seen.trouble) == ("services: []\n", [], ())

    done = await case.accept("shop", seen=discovery.digest(one for one in seen.proposals if one.name == "shop"))
    assert (done.refusal, done.added) == (None, ("shop",))
    assert "Nothing moves" in done.sentence
    added = wish_document.read(await case.text())
    assert added.services["shop"] == next(one.service for one in seen.proposals if one.name == "shop")
    assert added.services["shop"].wish == 0
    assert [one.new_namespace for one in added.mappings] == ["new-team"]
    (event,) = case.audit.events
    assert event.kind is effects.EventKind.ADDED
    assert (event.who, event.service, event.source) == (ANN.id, "shop", ANN.source)
    later = await case.use.discover()
    assert [one.name for one in later.proposals] == ["cart"]
    assert [one.host for one in later.skipped] == ["shop.old.example"]


async def test_two_hundred_are_one_write_and_one_audit_event(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"app-{number:03}" for number in range(200)]
    for name in names:
        await case.app(name)
    writes = []
    patch = case.api.patch

    async def counted(*where: Any, **how: Any) -> Json:
        writes.append(where)
        return await patch(*where, **how)

    monkeypatch.setattr(case.api, "patch", counted)
    done = await case.accept(*names)
    assert (done.added, len(writes), len(case.audit.events)) == (tuple(names), 1, 1)
    assert "and 190 more" in done.sentence
    assert all(name in case.audit.events[0].sentence for name in names)
    assert len(wish_document.read(await case.text()).services) == 200


async def test_an_adjusted_text_is_what_is_written(case: Case) -> None:
    await case.app("shop")
    (one,) = (await case.use.discover()).proposals
    text = one.text.replace('"shop.new.example"', '"shop.other.example"').replace('name: "shop"', "name: boutique")
    done = await case.accept("shop", texts={"shop": text})
    assert done.added == ("boutique",)
    assert wish_document.read(await case.text()).services["boutique"].exposure.new_host == "shop.other.example"


async def test_the_same_click_twice_is_once(case: Case) -> None:
    await case.app("shop")
    (one,) = (await case.use.discover()).proposals
    first = await case.accept(texts={"shop": one.text})
    before = await case.text()
    again = await case.accept(texts={"shop": one.text})
    assert (first.added, again.added, again.refusal) == (("shop",), (), None)
    assert "already, exactly so" in again.sentence
    assert (await case.text(), len(case.audit.events)) == (before, 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("services:\n  - name: shop\n", "is missing"),
        ("services: []\n", "names no service"),
        ("{", "is not YAML"),
    ],
)
async def test_one_bad_entry_refuses_all_of_them(case: Case, text: str, why: str) -> None:
    await case.app("cart")
    done = await case.accept("cart", texts={"shop": text})
    assert done.refusal is not None
    assert done.refusal.reason is refusals.Reason.NOT_ADDED
    assert why in done.sentence
    assert (await case.text(), case.audit.events) == ("services: []\n", [])


async def test_who_may_not_ask_adds_nothing(case: Case) -> None:
    await case.app("shop")
    guest = replace(ANN, refused="guests may only look")
    done = await case.accept("shop", who=guest)
    assert done.refusal is not None
    assert (done.refusal.reason, "guests may only look" in done.sentence) == (refusals.Reason.PERSON, True)
    assert await case.text() == "services: []\n"


async def test_what_was_shown_and_changed_since_is_not_written(case: Case) -> None:
    await case.app("shop")
    seen = discovery.digest((await case.use.discover()).proposals)
    affinity = {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/affinity": "cookie"}}}
    await case.api.patch(INGRESSES, TEAM, "shop", affinity)
    done = await case.accept("shop", seen=seen)
    assert "no longer what would be written" in done.sentence
    await case.api.delete(INGRESSES, TEAM, "shop")
    assert "is not proposed any more" in (await case.accept("shop")).sentence
    assert "0 services were chosen" in (await case.accept()).sentence
    assert await case.text() == "services: []\n"


async def test_what_stops_and_who_keeps_the_document_is_said_with_the_answer(case: Case) -> None:
    await case.app("shop", annotations={"nginx.ingress.kubernetes.io/ssl-passthrough": "true"})
    assert (await case.use.discover()).clear == ()
    case.cluster.document = replace(case.cluster.document, controller="argocd")
    done = await case.accept("shop")
    assert done.added == ("shop",)
    assert "Something stops shop" in done.sentence
    assert "argocd keeps migration.yaml" in done.sentence


async def test_a_cluster_that_cannot_be_read_is_a_refusal_and_unreadable_parts_are_told(case: Case) -> None:
    await case.app("shop")
    case.cluster.document = views.Document("{")
    assert "cannot be read" in (await case.use.discover()).trouble[0]
    assert "No rule says" in (await case.make(rules=()).discover()).trouble[-1]
    await case.api.delete(client.CONFIG_MAPS, HOME, wish.CONFIG_MAP)
    text = "services: [{name: a}]\n"
    done = await case.use.accept(discovering.Accept("m", ports_in_memory.NOON, ANN, texts={"a": text}))
    assert done.refusal is not None
    assert done.refusal.reason is refusals.Reason.NOT_ADDED_NOW


async def test_without_the_rights_nothing_is_found_and_the_error_names_them(case: Case) -> None:
    await case.app("shop")
    token = case.server.service_account_token(HOME, "nobody")
    async with client.ClusterClient(credentials.Explicit(case.server.url, token=token)) as api:
        use = discovering.Discovering(case.cluster, case.audit, old=listing.Listing(api, own_namespace=HOME), book=case.book)
        with pytest.raises(errors.Forbidden, match="ingresses"):
            await use.discover()
        assert "ingresses" in (await use.accept(discovering.Accept("m", ports_in_memory.NOON, ANN, ("shop",)))).sentence
