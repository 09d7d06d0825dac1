"""A cluster for every contract test: the stand-in over HTTPS, and a real one when FERRY_TEST_KUBECONFIG names it."""

import os
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.playground.kubernetes.server import KubernetesStandIn
from tests.contracts.kubernetes_cluster import Cluster, read_kubeconfig

REAL = os.environ.get("FERRY_TEST_KUBECONFIG", "")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return public, private


@pytest_asyncio.fixture(params=["stand-in", "real"] if REAL else ["stand-in"])
async def cluster(request: pytest.FixtureRequest, certificate: tuple[Path, Path], tmp_path: Path) -> AsyncIterator[Cluster]:
    """An API server with an empty namespace."""
    async with aiohttp.ClientSession() as session:
        if request.param == "real":
            access = read_kubeconfig(Path(REAL), tmp_path)
            yielded = Cluster(access.url, access.tls, access.headers, session, None)
            async for one in _with_namespace(yielded):
                yield one
            return
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*certificate)
        server = KubernetesStandIn(tls=tls)
        await server.start()
        trust = ssl.create_default_context(cafile=str(certificate[0]))
        headers = {"Authorization": f"Bearer {server.admin_token}"}
        try:
            async for one in _with_namespace(Cluster(server.url, trust, headers, session, server)):
                yield one
        finally:
            await server.stop()


async def _with_namespace(cluster: Cluster) -> AsyncIterator[Cluster]:
    made = await cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": cluster.namespace}})
    assert made.code == 201, made.body
    try:
        yield cluster
    finally:
        await cluster.call("DELETE", f"/api/v1/namespaces/{cluster.namespace}")
