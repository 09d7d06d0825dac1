"""The bot's way to the cluster: kubeconfigs, the pod's account, a server that comes late, and the keys that count."""

import asyncio
import base64
import ssl
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot import clock, cluster_access, cluster_port, metrics, trusted_keys
from deploy.playground.kubernetes.server import KubernetesStandIn
from deploy.playground.world import certificates
from k8s import (
    client,
    cluster_watch,
    credentials,
    errors,
    holds,
    model,
    records,
    signing,
    views,
    watch,
    wish,
    wish_change,
    wish_document,
)

NAMESPACE = "default"
QUICK = watch.Limits(silence=5.0, first_pause=0.01, longest_pause=0.05)
DOCUMENT = """services:
  - name: api
    old_host: api.old.example
    new_host: api.new.example
    old_backend: app.team.svc.cluster.local:8080
    migration_percentage: 5  # ours
"""
EXPOSURE = model.Exposure(weight=5, old_host="api.old.example", new_host="api.new.example")


@pytest.fixture
async def server() -> AsyncIterator[KubernetesStandIn]:
    stand_in = KubernetesStandIn(bookmark_every=0.2)
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest.fixture
async def api(server: KubernetesStandIn) -> AsyncIterator[client.ClusterClient]:
    async with client.ClusterClient(credentials.Explicit(server.url, token=server.admin_token)) as made:
        yield made


def kubeconfig(folder: Path, server: str, user: dict[str, Any], **cluster: Any) -> Path:
    path = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "old",
        "contexts": [{"name": "old", "context": {"cluster": "old", "user": "ferry"}}],
        "clusters": [{"name": "old", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "ferry", "user": user}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


def access(path: Path | None, folder: Path, *, host: str = "", port: int = 443) -> credentials.Credentials:
    return cluster_access.credentials_from(path, service_account=folder, host=host, port=port, scheme="http")


async def put(api: client.ClusterClient, name: str, data: dict[str, str]) -> None:
    try:
        await api.patch(client.CONFIG_MAPS, NAMESPACE, name, {"data": data})
    except errors.Missing:
        await api.create(client.CONFIG_MAPS, NAMESPACE, {"metadata": {"name": name}, "data": data})


async def until(said: Callable[[], bool], port: cluster_port.ClusterPort) -> None:
    async with asyncio.timeout(20):
        while not said():
            await port.changed()


async def reads(found: credentials.Credentials) -> bool:
    async with client.ClusterClient(found) as made:
        items: list[Any] = (await made.list(client.CONFIG_MAPS, NAMESPACE))["items"]
        return not items


async def test_a_kubeconfig_with_a_token_reads_the_cluster(server: KubernetesStandIn, tmp_path: Path) -> None:
    assert await reads(access(kubeconfig(tmp_path, server.url, {"token": server.admin_token}), tmp_path))


async def test_a_credential_plugin_is_run_and_asked_again_after_a_refusal(server: KubernetesStandIn, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("expired")
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        textwrap.dedent(f"""
        import json, pathlib
        status = {{"token": pathlib.Path({str(token)!r}).read_text()}}
        version = "client.authentication.k8s.io/v1"
        print(json.dumps({{"apiVersion": version, "kind": "ExecCredential", "status": status}}))
        """)
    )
    command = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(plugin)]}
    found = cluster_access.Kubeconfig(kubeconfig(tmp_path, server.url, {"exec": {**command, "interactiveMode": "Never"}}))
    assert found.headers() == {"Authorization": "Bearer expired"}
    token.write_text(server.admin_token)
    async with client.ClusterClient(found) as made:
        with pytest.raises(errors.Unauthorized):
            await made.list(client.CONFIG_MAPS, NAMESPACE)
        assert found._renewal is not None
        await asyncio.to_thread(found._renewal.join, 20)
        assert (await made.list(client.CONFIG_MAPS, NAMESPACE))["items"] == []


async def test_a_file_that_breaks_later_keeps_what_was_read(server: KubernetesStandIn, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, server.url, {"token": server.admin_token})
    found = cluster_access.Kubeconfig(path)
    path.write_text("{")
    assert not found.read_again()
    assert found._renewal is not None
    await asyncio.to_thread(found._renewal.join, 20)
    assert await reads(found)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cannot be used"),
        ("{", "cannot be used"),
        ("[]", "cannot be used"),
        ("current-context: gone\ncontexts: []\nclusters: []\nusers: []\n", "cannot be used"),
    ],
)
def test_a_kubeconfig_that_is_none_is_said_in_one_sentence(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(cluster_access.NoAccess, match=why) as refused:
        access(path, tmp_path)
    assert "\n" not in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("field", ["tls-server-name", "proxy-url"])
def test_what_is_not_followed_is_refused_rather_than_ignored(tmp_path: Path, field: str) -> None:
    path = kubeconfig(tmp_path, "https://api.example:6443", {"token": "x"}, **{field: "http://elsewhere.example"})
    with pytest.raises(cluster_access.NoAccess, match=field):
        access(path, tmp_path)


def test_a_missing_kubeconfig_and_no_pod_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(cluster_access.NoAccess, match="which is no file"):
        access(tmp_path / "nothing", tmp_path)
    with pytest.raises(cluster_access.NoAccess, match="set KUBECONFIG"):
        access(None, tmp_path)


def person(folder: Path) -> dict[str, str]:
    """A person's own certificate and its key, as a kubeconfig names them."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ann")])
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "ann.pem").write_bytes(certificate.public_bytes(encoding))
    (folder / "ann.key").write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return {"client-certificate": "ann.pem", "client-key": "ann.key"}


async def test_the_certificates_of_a_kubeconfig_decide_whom_it_trusts_and_who_asks(tmp_path: Path) -> None:
    authority = certificates.Authority(tmp_path / "ca")
    tls = authority.server("api", ["127.0.0.1"]).server_context()
    certificate = person(tmp_path)
    tls.load_verify_locations(tmp_path / "ann.pem")
    tls.verify_mode = ssl.CERT_REQUIRED  # a server that lets in only who shows a certificate
    server = KubernetesStandIn(tls=tls)
    await server.start()
    mine = {"token": server.admin_token, **certificate}
    ca = base64.b64encode((tmp_path / "ca" / "ca.pem").read_bytes()).decode()
    try:
        assert await reads(access(kubeconfig(tmp_path, server.url, mine, **{"certificate-authority-data": ca}), tmp_path))
        assert await reads(access(kubeconfig(tmp_path, server.url, mine, **{"insecure-skip-tls-verify": True}), tmp_path))
        with pytest.raises(errors.Unreachable):
            await reads(access(kubeconfig(tmp_path, server.url, mine), tmp_path))
        anonymous = {"token": server.admin_token}
        with pytest.raises(errors.Unreachable):
            await reads(access(kubeconfig(tmp_path, server.url, anonymous, **{"certificate-authority-data": ca}), tmp_path))
    finally:
        await server.stop()


def test_a_broken_certificate_is_said_in_one_sentence(tmp_path: Path) -> None:
    ca = base64.b64encode(b"no certificate").decode()
    path = kubeconfig(tmp_path, "https://api.example:6443", {"token": "x"}, **{"certificate-authority-data": ca})
    with pytest.raises(cluster_access.NoAccess, match="cannot be used"):
        access(path, tmp_path)


async def test_in_a_pod_the_account_of_the_pod_is_used(server: KubernetesStandIn, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(server.admin_token)
    host, _, port = server.url.removeprefix("http://").partition(":")
    assert await reads(access(None, tmp_path, host=host, port=int(port)))


def watching(api: client.ClusterClient, verifier: signing.Verifier) -> cluster_port.ClusterPort:
    return cluster_port.ClusterPort(
        cluster_watch.ClusterWatch(
            api, NAMESPACE, verifier, wish_document.read_entries, weights=wish_document.weights, limits=QUICK
        )
    )


async def test_a_server_that_is_away_at_the_start_is_tried_until_it_answers(
    server: KubernetesStandIn, api: client.ClusterClient
) -> None:
    await put(api, "migration-config", {"migration.yaml": DOCUMENT})
    await server.stop()
    port = watching(api, signing.Verifier([]))
    assert "has not answered yet" in port.trouble()
    port.start()
    try:
        await until(lambda: "cannot be watched" in port.trouble(), port)
        assert not port.view().synced
        await server.start()
        await until(lambda: not port.trouble(), port)
        assert port.service("api").wish == 5
        assert port.service("nobody") == views.ServiceView("nobody")
    finally:
        await port.stop()


async def test_changed_waits_for_the_next_change(api: client.ClusterClient) -> None:
    await put(api, "migration-config", {"migration.yaml": DOCUMENT})
    port = watching(api, signing.Verifier([]))
    port.start()
    try:
        await until(lambda: port.view().synced, port)
        waiting = asyncio.create_task(port.changed())
        await asyncio.sleep(0)
        assert not waiting.done()
        await put(api, "migration-holds", {"hold.api.h1": "by hand"})
        await asyncio.wait_for(waiting, 20)
        await until(lambda: bool(port.service("api").holds), port)
    finally:
        await port.stop()


async def test_records_wishes_and_holds_are_written_through_their_ports(api: client.ClusterClient) -> None:
    await put(api, "migration-config", {"migration.yaml": DOCUMENT})
    signer, counts = signing.Signer.generate(), metrics.Metrics()
    heads = ["", "bot-0 3 " + "ab" * 32]
    book = cluster_port.Records(records.RecordBook(api, NAMESPACE, signer), head=lambda: heads.pop(0))
    change = views.RecordChange("api", EXPOSURE, 0, "op-1", {"id": "op-1", "revision": 1}, {"who": "ann"})
    assert (await book.write(change)).generation == 1
    await book.note("api", {"id": "op-1", "revision": 2})
    assert [one.audit for one in await book.history("api")] == [{"who": "ann"}]
    await book.write(views.RecordChange("api", EXPOSURE.at(0), 1, "op-1-revert", {"id": "op-1", "revision": 3}, {"who": "ferry"}))
    await book.note("api", {"id": "op-1", "revision": 4})  # the end of a revert, beside the record that took it back
    with pytest.raises(errors.Conflict):
        await book.note("api", {"id": "op-0", "revision": 9})
    assert [one.audit for one in await book.history("api")] == [
        {"who": "ferry", "audit_head": "bot-0 3 " + "ab" * 32},
        {"who": "ann"},
    ]

    wishes = cluster_port.Wishes(wish.WishBook(api, NAMESPACE))
    assert await wishes.write(wish_change.WishChange("api", EXPOSURE.at(25), expected=5)) == ""
    text = (await api.get(client.CONFIG_MAPS, NAMESPACE, "migration-config"))["data"]["migration.yaml"]
    assert text == DOCUMENT.replace("5  # ours", "25  # ours")
    with pytest.raises(errors.Conflict, match="changed in between"):
        await wishes.write(wish_change.WishChange("api", EXPOSURE.at(50), expected=5))

    lane = cluster_port.Holds(holds.HoldBook(api, NAMESPACE), clock=clock.SystemClock(), counts=counts)
    hold = model.Hold("api", "h1", reason="a test")
    await lane.place(hold)
    assert (await api.get(client.CONFIG_MAPS, NAMESPACE, "migration-holds"))["data"].keys() == {"hold.api.h1"}
    await lane.remove((hold,))
    assert not (await api.get(client.CONFIG_MAPS, NAMESPACE, "migration-holds")).get("data")
    assert b'ferry_bot_holds_total{written="yes"} 1.0' in counts.text()


async def test_a_hold_that_the_server_does_not_take_is_counted_as_such(
    server: KubernetesStandIn, api: client.ClusterClient
) -> None:
    counts = metrics.Metrics()
    lane = cluster_port.Holds(holds.HoldBook(api, NAMESPACE), clock=clock.SystemClock(), counts=counts)
    await server.stop()
    with pytest.raises(errors.Unreachable):
        await lane.place(model.Hold("api", "h1"))
    assert b'ferry_bot_holds_total{written="no"} 1.0' in counts.text()


async def test_the_bots_own_key_counts_and_must_be_known_to_the_agents(api: client.ClusterClient) -> None:
    own, other = signing.Signer.generate(), signing.Signer.generate()
    keys = trusted_keys.TrustedKeys(api, NAMESPACE, own)
    assert keys.verify(own.key_id, b"text", own.sign(b"text"))
    assert "has not been read yet" in keys.trouble()
    assert not await keys.read()
    assert "ferry-public-keys is missing" in keys.trouble()

    await put(api, "ferry-public-keys", {f"{other.key_id}.pem": other.public_pem().decode()})
    assert await keys.read()
    assert f"{own.key_id} of this bot is not in" in keys.trouble()
    assert keys.key_ids == tuple(sorted([own.key_id, other.key_id]))
    assert keys.verify(other.key_id, b"text", other.sign(b"text"))

    await put(api, "ferry-public-keys", {f"{own.key_id}.pem": own.public_pem().decode(), "broken.pem": "no key"})
    assert not await keys.read()
    assert keys.trouble() == ""
    await api.delete(client.CONFIG_MAPS, NAMESPACE, "ferry-public-keys")
    assert not await keys.read()
    assert keys.verify(own.key_id, b"text", own.sign(b"text"))


async def test_a_record_counts_as_soon_as_its_key_is_trusted(api: client.ClusterClient) -> None:
    own, other = signing.Signer.generate(), signing.Signer.generate()
    await put(api, "migration-config", {"migration.yaml": DOCUMENT})
    change = views.RecordChange("api", EXPOSURE, 0, "op-1", {"id": "op-1", "revision": 1}, {})
    await records.RecordBook(api, NAMESPACE, other).write(change)
    keys = trusted_keys.TrustedKeys(api, NAMESPACE, own)
    port = watching(api, keys)
    port.start()
    try:
        await until(lambda: port.view().synced, port)
        assert port.service("api").record is None
        assert port.service("api").record_trouble
        await put(api, "ferry-public-keys", {f"{other.key_id}.pem": other.public_pem().decode()})
        keys.start(lambda: port.trust(keys))
        await until(lambda: port.service("api").record is not None, port)
        assert port.service("api").generation == 1
    finally:
        await keys.stop()
        await port.stop()
