"""kubectl, as an on-call engineer types it, gets along with the stand-in."""

import asyncio
import shlex
import shutil
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.playground.kubernetes.server import KubernetesStandIn
from handlers import kubectl as kubectl_lines
from k8s import hold_document

RBAC = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "base" / "on-call-rbac.yaml"

pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not installed; the playground does not need it"
)

HOLDS = """
apiVersion: v1
kind: Namespace
metadata: {name: migration-system}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: migration-holds, namespace: migration-system}
data: {kept: "1"}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: bot, namespace: migration-system}
"""


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now - timedelta(hours=1), now + timedelta(hours=1)
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return public, private


class Kubectl:
    """What somebody on call types, and what they see: exit code and output."""

    def __init__(self, folder: Path, server: KubernetesStandIn, certificate: Path) -> None:
        self.server = server
        self._folder = folder
        self._cluster = {"server": server.url, "certificate-authority": str(certificate)}
        self.become(server.admin_token)

    def become(self, token: str) -> None:
        """Whose rights count from now on."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": self._cluster}],
            "users": [{"name": "it", "user": {"token": token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": "migration-system"}}],
        }
        (self._folder / "config").write_text(yaml.safe_dump(config))

    async def __call__(self, *arguments: str, stdin: str = "") -> tuple[int, str]:
        return await self.type(shlex.join(["kubectl", *arguments]), stdin=stdin)

    async def type(self, line: str, *, stdin: str = "") -> tuple[int, str]:
        """A whole line, as a shell reads it."""
        process = await asyncio.create_subprocess_shell(
            line,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"KUBECONFIG": str(self._folder / "config"), "HOME": str(self._folder), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        )
        output, _ = await process.communicate(stdin.encode())
        return process.returncode or 0, output.decode().strip()


@pytest_asyncio.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    public, private = _certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(public, private)
    server = KubernetesStandIn(tls=tls)
    await server.start()
    yield Kubectl(tmp_path, server, public)
    await server.stop()


async def test_manifests_are_applied_twice_in_both_ways(kubectl: Kubectl) -> None:
    assert await kubectl("apply", "-f", "-", stdin=HOLDS) == (
        0,
        "namespace/migration-system created\nconfigmap/migration-holds created\nserviceaccount/bot created",
    )
    assert "configmap/migration-holds unchanged" in (await kubectl("apply", "-f", "-", stdin=HOLDS))[1]
    assert (await kubectl("apply", "-f", "-", stdin=HOLDS.replace('"1"', '"2"')))[0] == 0
    assert (await kubectl("get", "cm", "migration-holds", "-o", "jsonpath={.data.kept}")) == (0, "2")
    assert (await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=HOLDS))[0] == 0
    assert (await kubectl("get", "cm", "migration-holds", "-o", "jsonpath={.data.kept}")) == (0, "1")


async def test_a_hold_is_patched_in_blindly_and_shown(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=HOLDS)
    patched = await kubectl("patch", "configmap", "migration-holds", "--type", "merge", "-p", '{"data":{"hold.all.x":"by hand"}}')
    assert patched == (0, "configmap/migration-holds patched")
    code, shown = await kubectl("get", "cm", "migration-holds", "-o", "yaml")
    assert (code, yaml.safe_load(shown)["data"]) == (0, {"kept": "1", "hold.all.x": "by hand"})
    code, listed = await kubectl("get", "cm")
    assert (code, "migration-holds" in listed) == (0, True)


@pytest.mark.parametrize("service", ["shop", "all"])
async def test_the_line_of_a_card_works_for_on_call_with_the_rights_that_are_shipped(kubectl: Kubectl, service: str) -> None:
    await kubectl("apply", "-f", "-", stdin=HOLDS.replace('data: {kept: "1"}', ""))
    assert (await kubectl("apply", "-f", str(RBAC)))[0] == 0
    kubectl.become(kubectl.server.service_account_token("migration-system", "ferry-on-call"))
    line = kubectl_lines.hold_line("migration-system", service)
    assert await kubectl.type(line) == (0, "configmap/migration-holds patched")
    assert (await kubectl("get", "cm"))[0] == 1
    assert (await kubectl("delete", "cm", "migration-holds"))[0] == 1
    kubectl.become(kubectl.server.admin_token)
    code, shown = await kubectl("get", "cm", "migration-holds", "-o", "yaml")
    held = hold_document.holds_from(yaml.safe_load(shown)["data"])
    assert (code, [one.service for one in held]) == (0, [service])


async def test_typos_are_refused_before_anything_is_stored(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=HOLDS)
    code, said = await kubectl("apply", "-f", "-", stdin=HOLDS.replace("\ndata:", "\ndaat:"))
    assert (code, 'strict decoding error: unknown field "daat"' in said) == (1, True)


async def test_tokens_reviews_edits_and_deletion_work(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=HOLDS)
    code, token = await kubectl("create", "token", "bot", "--duration", "10m")
    assert (code, token.count(".")) == (0, 2)
    assert await kubectl("auth", "can-i", "get", "configmaps", "--token", token) == (1, "no")
    assert await kubectl("auth", "can-i", "get", "configmaps") == (0, "yes")
    assert await kubectl("create", "configmap", "made", "--from-literal", "k=v") == (0, "configmap/made created")
    assert await kubectl("label", "cm", "made", "x=y") == (0, "configmap/made labeled")
    assert await kubectl("delete", "cm", "-l", "x=y") == (0, 'configmap "made" deleted')
    assert (await kubectl("delete", "ns", "migration-system", "--timeout", "10s"))[0] == 0
