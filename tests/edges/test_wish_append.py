"""Entries added to `migration.yaml`: everything that stands there is kept, and it is all or nothing."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from deploy.playground.kubernetes.server import KubernetesStandIn
from k8s import client, credentials, errors, wish, wish_append, wish_document
from k8s.discovery import entry_text
from k8s.model import Backend, Exposure, Service, ServiceMapping

DOCUMENT = """# ours
services:
    -  name: "shop"   # the first
       old_host: shop.old.example
       new_host: "shop.new.example"
       old_backend: "shop.team.svc.cluster.local:8080"
       migration_percentage: 25  # careful
    # cart comes later

service_mappings:
- {old_service: shop, old_namespace: team, new_service: shop, new_namespace: new, new_cluster_endpoint: shop.new.example}
"""


def piece(name: str = "cart", *, weight: int = 0, mapped: bool = True, host: str = "", backend: str = "") -> str:
    one = Service(
        name,
        Exposure(weight, host or f"{name}.old.example", f"{name}.new.example"),
        Backend(backend or f"{name}.team.svc.cluster.local", 80),
    )
    return entry_text.document(one, ServiceMapping(name, "team", name, "new", f"{name}.new.example") if mapped else None)


def test_an_entry_comes_after_the_last_one_in_the_form_of_the_list() -> None:
    after = wish_append.appended(DOCUMENT, [piece()])
    lines = after.text.splitlines()
    assert [line for line in lines if line in DOCUMENT.splitlines()] == DOCUMENT.splitlines()
    assert lines[7:9] == ['    - name: "cart"', '      old_host: "cart.old.example"']
    assert lines[-5] == '- old_service: "cart"'
    assert (after.added, after.there) == (("cart",), ())
    wish = wish_document.read(after.text)
    assert list(wish.services) == ["shop", "cart"]
    assert len(wish.mappings) == 2


def test_the_same_again_changes_nothing() -> None:
    once = wish_append.appended(DOCUMENT, [piece()])
    again = wish_append.appended(once.text, [piece(), piece()])
    assert (again.text, again.added, again.there) == (once.text, (), ("cart", "cart"))


@pytest.mark.parametrize("empty", ["services: []  # none yet\n", "services: []", "# x\nservices: [ ]\nservice_mappings: []\n"])
def test_the_first_entries_of_a_document(empty: str) -> None:
    after = wish_append.appended(empty, [piece("a"), piece("b", mapped=False)])
    wish = wish_document.read(after.text)
    assert (list(wish.services), len(wish.mappings)) == (["a", "b"], 1)
    assert ("none yet" in after.text) == ("none yet" in empty)


def test_line_ends_and_a_mark_at_the_beginning_stay() -> None:
    windows = "\ufeff" + DOCUMENT.replace("\n", "\r\n")
    after = wish_append.appended(windows, [piece()]).text
    assert after.startswith("\ufeff# ours\r\n")
    assert "\n" not in after.replace("\r\n", "")


def test_comments_of_a_person_who_adjusted_an_entry_come_along() -> None:
    adjusted = piece(mapped=False).replace("    strategy", "    # as agreed with the team\n    strategy")
    assert "\n      # as agreed with the team\n" in wish_append.appended(DOCUMENT, [adjusted]).text


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([piece(weight=5)], "is added at 0"),
        ([piece("shop")], "'shop' is in migration.yaml already"),
        ([piece(host="shop.old.example")], "old_host"),
        ([piece("b"), piece("c", host="b.old.example")], "old_host"),
        ([piece("b"), piece("b", host="c.old.example")], "'b' is in migration.yaml already"),
        ([piece("b"), "services:\n  - name: x\n"], "entry 2:2: services\\[0\\].old_host: is missing"),
        (["services: []\n"], "names no service"),
        ([piece().replace("strategy", "stratgy")], "stratgy"),
        (["no document"], "entry 1"),
        ([piece("b", backend="shop.team.svc.cluster.local")], "disagrees"),
    ],
)
def test_when_one_thing_is_wrong_nothing_is_added(pieces: list[str], why: str) -> None:
    with pytest.raises(wish_document.WishError, match=why):
        wish_append.appended(DOCUMENT, pieces)


def test_an_edit_that_would_change_anything_else_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    joined = wish_append._joined

    def clumsy(*given: Any) -> str:
        return joined(*given).replace("migration_percentage: 25", "migration_percentage: 26")

    monkeypatch.setattr(wish_append, "_joined", clumsy)
    with pytest.raises(wish_document.WishError, match="would read otherwise"):
        wish_append.appended(DOCUMENT, [piece()])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("services: [{name: a}]\n", "is missing"),
        (
            "services: [{name: a, old_host: a.b, new_host: c.d, old_backend: 'a.b:80', migration_percentage: 0}]\n",
            "written in one line",
        ),
        ("kind: ConfigMap\ndata:\n  migration.yaml: |\n    services: []\n", "inside a manifest"),
    ],
)
def test_a_document_in_a_form_that_cannot_be_added_to_is_left_alone(text: str, why: str) -> None:
    with pytest.raises(wish_document.WishError, match=why):
        wish_append.appended(text, [piece("b")])


def test_two_hundred_fit_and_what_does_not_fit_is_refused_as_a_whole() -> None:
    many = [piece(f"service-{number}") for number in range(200)]
    after = wish_append.appended(DOCUMENT, many)
    assert len(wish_document.read(after.text).services) == 201
    full = DOCUMENT + "".join(f"# {'x' * 1000}\n" for _ in range(880))
    with pytest.raises(wish_document.WishError, match="above 900 KiB"):
        wish_append.appended(full, many)


@pytest_asyncio.fixture
async def api() -> AsyncIterator[client.ClusterClient]:
    server = KubernetesStandIn()
    await server.start()
    async with client.ClusterClient(credentials.Explicit(server.url, token=server.admin_token)) as one:
        body = {"metadata": {"name": wish.CONFIG_MAP}, "data": {wish.DOCUMENT: DOCUMENT}}
        await one.create(client.CONFIG_MAPS, "default", body)
        yield one
    await server.stop()


async def test_it_is_one_write_over_what_was_read(api: client.ClusterClient, monkeypatch: pytest.MonkeyPatch) -> None:
    book = wish.WishBook(api, "default")
    patch, writes = api.patch, []

    async def raced(*where: object, **how: object) -> object:
        writes.append(where)
        if len(writes) == 1:  # somebody else writes between our reading and our writing
            changed = DOCUMENT.replace("# careful", "# twice careful")
            await patch(client.CONFIG_MAPS, "default", wish.CONFIG_MAP, {"data": {wish.DOCUMENT: changed}})
        return await patch(*where, **how)  # type: ignore[arg-type]  # passed on as given

    monkeypatch.setattr(api, "patch", raced)
    done = await book.append([piece("a"), piece("b")])
    assert done.added == ("a", "b")
    text = (await book.read()).text
    assert "# twice careful" in text
    assert list(wish_document.read(text).services) == ["shop", "a", "b"]
    assert len(writes) == 2
    assert (await book.append([piece("a")])).there == ("a",)
    assert len(writes) == 2


async def test_what_is_refused_writes_nothing_and_a_missing_document_says_so(api: client.ClusterClient) -> None:
    book = wish.WishBook(api, "default")
    before = await book.read()
    with pytest.raises(ValueError, match="already"):
        await book.append([piece("a"), piece("shop")])
    assert await book.read() == before
    await api.delete(client.CONFIG_MAPS, "default", wish.CONFIG_MAP)
    with pytest.raises(errors.Missing):
        await book.append([piece("a")])
