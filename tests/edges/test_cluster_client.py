"""The client against the API stand-in: time limits, errors in the server's own words, tokens that rotate, watches that end."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.playground.kubernetes.server import KubernetesStandIn
from k8s import client, cluster_watch, credentials, errors, model, records, signing, views, watch, wish_document, wish_following

NAMESPACE = "default"
QUICK = watch.Limits(silence=0.3, first_pause=0.01, longest_pause=0.05)
EXPOSURE = model.Exposure(weight=5, old_host="api.old.example", new_host="api.new.example")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[KubernetesStandIn]:
    stand_in = KubernetesStandIn(bookmark_every=0.05)
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest_asyncio.fixture
async def api(server: KubernetesStandIn) -> AsyncIterator[client.ClusterClient]:
    async with client.ClusterClient(credentials.Explicit(server.url, token=server.admin_token)) as made:
        yield made


async def put(api: client.ClusterClient, name: str, data: dict[str, str]) -> None:
    try:
        await api.patch(client.CONFIG_MAPS, NAMESPACE, name, {"data": data})
    except errors.Missing:
        await api.create(client.CONFIG_MAPS, NAMESPACE, {"metadata": {"name": name}, "data": data})


async def test_a_refusal_keeps_the_servers_sentence(api: client.ClusterClient) -> None:
    with pytest.raises(errors.Missing, match='configmaps "nobody" not found'):
        await api.get(client.CONFIG_MAPS, NAMESPACE, "nobody")


async def test_a_server_that_hangs_is_given_up(api: client.ClusterClient, server: KubernetesStandIn) -> None:
    rule = server.faults.hang()
    with pytest.raises(errors.Unreachable, match=r"no answer within 0\.05 s"):
        await api.get(client.CONFIG_MAPS, NAMESPACE, "any", limit=0.05)
    rule.remove()


async def test_retry_after_is_kept(api: client.ClusterClient, server: KubernetesStandIn) -> None:
    server.faults.too_many_requests(1, retry_after=7)
    with pytest.raises(errors.Busy) as caught:
        await api.list(client.CONFIG_MAPS, NAMESPACE)
    assert caught.value.retry_after == 7


async def test_a_dry_run_writes_nothing_and_an_apply_needs_no_object(api: client.ClusterClient) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1"}}
    await api.create(client.CONFIG_MAPS, NAMESPACE, body, dry_run=True)
    with pytest.raises(errors.Missing):
        await api.get(client.CONFIG_MAPS, NAMESPACE, "one")
    await api.patch(client.CONFIG_MAPS, NAMESPACE, "one", body, kind=client.PatchKind.APPLY, field_manager="ferry", force=True)
    found = await api.get(client.CONFIG_MAPS, NAMESPACE, "one")
    found["data"] = {"a": "2"}
    await api.replace(client.CONFIG_MAPS, NAMESPACE, "one", found)
    with pytest.raises(errors.Conflict):
        await api.replace(client.CONFIG_MAPS, NAMESPACE, "one", found)
    with pytest.raises(errors.Conflict):
        await api.delete(client.CONFIG_MAPS, NAMESPACE, "one", uid="another")


async def test_a_rotated_token_is_read_again(server: KubernetesStandIn, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(server.service_account_token("kube-system", "ferry"))
    host, _, port = server.url.removeprefix("http://").partition(":")
    inside = credentials.InCluster(tmp_path, host=host, port=int(port), scheme="http")
    async with client.ClusterClient(inside) as api:
        with pytest.raises(errors.Forbidden):  # known, without rights
            await api.list(client.CONFIG_MAPS, NAMESPACE)
        renewed = server.rotate_token("kube-system", "ferry")
        with pytest.raises(errors.Unauthorized):
            await api.list(client.CONFIG_MAPS, NAMESPACE)
        token.write_text(renewed)
        with pytest.raises(errors.Forbidden):
            await api.list(client.CONFIG_MAPS, NAMESPACE)


async def test_in_cluster_access_trusts_the_mounted_authority_and_no_other(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path, "server")
    other, _ = _certificate(tmp_path, "other")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    server = KubernetesStandIn(tls=tls)
    await server.start()
    (tmp_path / "token").write_text(server.admin_token)
    (tmp_path / "ca.crt").write_text(other.read_text())
    inside = credentials.InCluster(tmp_path, host="127.0.0.1", port=int(server.url.rpartition(":")[2]))
    async with client.ClusterClient(inside) as api:
        with pytest.raises(errors.Unreachable, match="certificate"):
            await api.list(client.CONFIG_MAPS, NAMESPACE)
        (tmp_path / "ca.crt").unlink()
        (tmp_path / "ca.crt").write_text(certificate.read_text())  # kubelet rotated it
        assert (await api.list(client.CONFIG_MAPS, NAMESPACE))["items"] == []
    await server.stop()


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return paths


def parse(text: str) -> wish_following.Reading:
    """Stands for the real reader: one `name weight` a line."""
    found = {}
    for name, weight in (line.split() for line in text.splitlines()):
        found[name] = model.Service(name, EXPOSURE.at(int(weight)), model.Backend("app.team.svc", 80))
    return wish_following.Reading(model.Wish(found))


async def until(seen: cluster_watch.ClusterWatch, met: Any) -> views.ClusterView:
    async with asyncio.timeout(20), contextlib.aclosing(seen.changes()) as changes:
        async for view in changes:
            if met(view):
                return view
    raise AssertionError("the watch ended")


async def test_the_view_has_wish_verified_record_operation_and_holds(api: client.ClusterClient) -> None:
    signer = signing.Signer.generate()
    verifier = signing.Verifier.from_pems([signer.public_pem()])
    async with cluster_watch.ClusterWatch(api, NAMESPACE, verifier, parse, limits=QUICK) as seen:
        await put(api, "migration-config", {"migration.yaml": "api 25"})
        operation = {"id": "op-1", "revision": 1}
        change = views.RecordChange("api", EXPOSURE, 0, "op-1", operation, {"by": "somebody"})
        await records.RecordBook(api, NAMESPACE, signer).write(change)
        await put(api, "migration-holds", {"hold.all.h1": "down", "hold.api.h2": "too"})
        view = await until(
            seen,
            lambda view: view.synced and "api" in view.services and view.services["api"].record and view.services["api"].holds,
        )
        service = view.services["api"]
        assert (service.wish, service.generation, service.operation) == (25, 1, operation)
        assert [hold.id for hold in service.holds] == ["h1", "h2"]

        await put(api, "migration-config", {"migration.yaml": "nonsense here too"})
        view = await until(seen, lambda view: view.trouble)
        assert view.services["api"].wish == 25

        stranger = records.RecordBook(api, NAMESPACE, signing.Signer.generate())
        await stranger.write(views.RecordChange("api", EXPOSURE.at(100), 0, "op-2", {}, {}))
        view = await until(seen, lambda view: view.services["api"].record is None)
        assert "no trusted key" in view.services["api"].record_trouble


async def test_a_document_is_parsed_when_its_text_changes_and_not_when_only_its_map_does(api: client.ClusterClient) -> None:
    parsed = []

    def counted(text: str) -> wish_following.Reading:
        parsed.append(text)
        return parse(text)

    async with cluster_watch.ClusterWatch(api, NAMESPACE, signing.Verifier([]), counted, limits=QUICK) as seen:
        await put(api, "migration-config", {"migration.yaml": "api 1"})
        first = await until(seen, lambda view: view.synced and "api" in view.services)
        await put(api, "migration-config", {"migration.yaml": "api 1", "notes": "for people"})
        await until(seen, lambda view: view.document_version != first.document_version)
        assert (parsed, seen.view().services["api"].wish) == (["api 1"], 1)
        await put(api, "migration-config", {"migration.yaml": "nonsense here too"})
        await until(seen, lambda view: view.trouble)
        await put(api, "migration-config", {"migration.yaml": "api 2"})
        await until(seen, lambda view: not view.trouble and view.services["api"].wish == 2)
        await put(api, "migration-config", {"migration.yaml": "api 1"})
        await until(seen, lambda view: view.services["api"].wish == 1)


async def test_a_record_that_was_put_back_by_hand_is_no_baseline(api: client.ClusterClient) -> None:
    signer = signing.Signer.generate()
    book = records.RecordBook(api, NAMESPACE, signer)
    verifier = signing.Verifier.from_pems([signer.public_pem()])
    async with cluster_watch.ClusterWatch(api, NAMESPACE, verifier, parse, limits=QUICK) as seen:
        await book.write(views.RecordChange("api", EXPOSURE.at(25), 0, "op-1", {}, {}))
        old = await api.get(client.CONFIG_MAPS, NAMESPACE, "migration-record-api")
        await book.write(views.RecordChange("api", EXPOSURE.at(0), 1, "op-2", {}, {}))
        await until(seen, lambda view: "api" in view.services and view.services["api"].generation == 2)
        await api.patch(client.CONFIG_MAPS, NAMESPACE, "migration-record-api", {"data": old["data"]})
        view = await until(seen, lambda view: view.services["api"].generation == 1)
        assert view.services["api"].stale
        assert view.services["api"].in_force == EXPOSURE.at(0)
        assert any("restored by hand" in sentence for sentence in view.services["api"].trouble)
        assert view.whole == (view.document_trouble,)
        assert view.trouble == (*view.whole, *view.services["api"].trouble)


async def test_a_hand_edit_downwards_is_obeyed_beside_a_mistake_and_upwards_is_not(api: client.ClusterClient) -> None:
    def weights(text: str) -> dict[str, int]:
        return {words[0]: int(words[1]) for line in text.splitlines() if len(words := line.split()) > 1}

    verifier = signing.Verifier([])
    async with cluster_watch.ClusterWatch(api, NAMESPACE, verifier, parse, weights=weights, limits=QUICK) as seen:
        await put(api, "migration-config", {"migration.yaml": "api 25\nshop 25"})
        await until(seen, lambda view: view.synced and "shop" in view.services)
        await put(api, "migration-config", {"migration.yaml": "api 5 mistake\nshop 80"})
        view = await until(seen, lambda view: view.trouble)
        assert {name: one.wish for name, one in view.services.items()} == {"api": 5, "shop": 25}


@pytest.mark.parametrize("fault", ["expire", "gone as http", "reset", "cut", "end", "restart"])
async def test_a_watch_that_breaks_in_any_way_misses_nothing(
    api: client.ClusterClient, server: KubernetesStandIn, fault: str
) -> None:
    async with cluster_watch.ClusterWatch(api, NAMESPACE, signing.Verifier([]), parse, limits=QUICK) as seen:
        await put(api, "migration-config", {"migration.yaml": "api 1"})
        await until(seen, lambda view: view.synced and "api" in view.services)
        match fault:
            case "expire":
                server.faults.expire_watches()
            case "gone as http":
                server.faults.gone_as_http = True
                server.faults.compact_now()
                server.faults.close_watches(cleanly=False)
            case "reset":
                server.faults.close_watches(cleanly=False)
            case "cut":
                server.faults.cut_watches()
            case "end":
                server.faults.close_watches()
            case "restart":
                await server.stop()
                await until(seen, lambda view: not view.synced)
                await server.start()
        await put(api, "migration-config", {"migration.yaml": "api 2"})
        view = await until(seen, lambda view: view.synced and view.services["api"].wish == 2)
        assert view.services["api"].wish == 2


async def test_events_and_lists_never_go_back() -> None:
    class Replies(client.ClusterClient):
        """Says what a lagging API server would: a newer list, then an older one."""

        versions = iter(["10", "9", "11"])

        async def list(self, *_: Any, **__: Any) -> dict[str, Any]:
            return {"metadata": {"resourceVersion": next(self.versions)}, "items": []}

        async def watch(self, *_: Any, **__: Any) -> Any:
            old = {"metadata": {"name": "a", "resourceVersion": "12"}}
            for version in ("12", "12", "11"):
                yield {"type": "MODIFIED", "object": {"metadata": {**old["metadata"], "resourceVersion": version}}}
            raise errors.Unreachable("cut")

    replies = Replies(credentials.Explicit("http://127.0.0.1:1"))
    watcher = watch.Watcher(replies, watch.Selection(client.CONFIG_MAPS, NAMESPACE), limits=QUICK)
    told = []
    async with contextlib.aclosing(watcher.changes()) as changes:
        async for change in changes:
            told.append(type(change).__name__)
            if len(told) == 4:
                break
    assert told == ["Listed", "Changed", "Lost", "Lost"]
    assert not watcher.synced


async def test_a_watch_that_begins_with_a_refused_entry_knows_whose_it_is_and_what_it_asks(api: client.ClusterClient) -> None:
    def text(name: str, field: str, weight: int) -> str:
        old = f"    {field}: {name}.old.example\n    new_host: {name}.new.example\n"
        return f"  - name: {name}\n{old}    old_backend: app.team.svc:80\n    migration_percentage: {weight}\n"

    signer = signing.Signer.generate()
    verifier = signing.Verifier.from_pems([signer.public_pem()])
    for name in ("api", "shop"):
        change = views.RecordChange(name, replace(EXPOSURE, weight=25, old_host=f"{name}.old.example"), 0, f"op-{name}", {}, {})
        await records.RecordBook(api, NAMESPACE, signer).write(change)
    broken = "services:\n" + text("api", "old_hst", 5) + text("shop", "old_host", 50)
    await put(api, "migration-config", {"migration.yaml": broken})
    read = wish_document.read_entries
    async with cluster_watch.ClusterWatch(api, NAMESPACE, verifier, read, limits=QUICK) as seen:
        view = await until(seen, lambda view: view.synced)
        one, other = view.services["api"], view.services["shop"]
        assert (one.wished, one.wish_known, one.wish) == (None, True, 5)
        assert (other.wish, other.trouble, view.whole) == (50, (), ())
        assert (view.document_state, "did you mean old_host" in one.refused) == (views.DocumentState.ENTRIES, True)
        assert view.document.writer
        await put(api, "migration-config", {"migration.yaml": "services: ["})
        view = await until(seen, lambda view: view.document_state is views.DocumentState.UNREADABLE)
        assert not view.services["api"].wish_known
        assert view.services["shop"].wish == 50
        await api.delete(client.CONFIG_MAPS, NAMESPACE, "migration-config")
        view = await until(seen, lambda view: view.document_state is views.DocumentState.MISSING)
        assert {name: (one.wish_known, one.document_wish) for name, one in view.services.items()} == {
            "api": (True, None),
            "shop": (True, None),
        }
