"""One real nginx on loopback with the rendered text, between an old cluster and a new one that speaks TLS of a throw-away CA."""

import asyncio
import contextlib
import datetime
import getpass
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from k8s import model, nginx
from k8s.agent import links
from tests.integration import nginx_backends

OLD_HOST, NEW_HOST = "api.old.example", nginx_backends.NEW_HOST
Clusters = nginx_backends.Cluster | nginx_backends.CountingCluster
Behind = TypeVar("Behind", nginx_backends.Cluster, nginx_backends.CountingCluster)


def certificate(folder: Path, name: str, *, days: tuple[int, int] = (-1, 1)) -> ssl.SSLContext:
    """A self-signed certificate for `name`, in `folder` as <name>.pem, and a server's context that shows it. `days`: valid from
    and until, counted from now.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@dataclass(slots=True)
class Proxy(Generic[Behind]):
    """`site` is of the service api; others are made from it. Nothing is served before `start`."""

    run: Path
    config: nginx.ProxyConfig
    site: nginx.Site
    old: Behind
    new: Behind
    tls: ssl.SSLContext
    client: aiohttp.ClientSession
    process: asyncio.subprocess.Process | None = None
    more: list[Clusters | nginx_backends.Misbehaving] = field(default_factory=list)

    def ruled(self, name: str = "api", *, service: dict[str, Any] | None = None, **exposure: Any) -> nginx.Site:
        """The site with other fields of its service and exposure; under another name, with another old host."""
        host = f"{name}.old.example"
        changed = replace(self.site.exposure, old_host=host, **exposure)
        return replace(self.site, service=replace(self.site.service, name=name, **(service or {})), exposure=changed)

    async def start(self, *sites: nginx.Site) -> None:
        (self.run / "nginx.conf").write_text(nginx.render(self.config, sites or [self.site]).text)
        command = ("/usr/sbin/nginx", "-p", str(self.run), "-c", str(self.run / "nginx.conf"), "-e", str(self.run / "error.log"))
        self.process = await asyncio.create_subprocess_exec(*command, "-g", "daemon off;")
        for _ in range(500):
            try:
                _, writer = await self.connect()
            except ConnectionRefusedError:
                assert self.process.returncode is None
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
        raise AssertionError("nginx did not listen")

    async def quit(self) -> None:
        """nginx ends, its logs written to their end."""
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    async def stop(self) -> None:
        await self.quit()
        for cluster in (self.old, self.new, *self.more):
            await cluster.stop()

    def weigh(self, weight: int | None, *services: str) -> None:
        """None: no link at all."""
        for service in services or ("api",):
            if weight is None:
                nginx.allow_link(str(self.run), service).unlink(missing_ok=True)
            else:
                links.Links(self.run).serve(service, weight)

    def open_files(self) -> list[str]:
        """Of nginx's one worker."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [str(path.readlink()) for pid in children for path in Path(f"/proc/{pid}/fd").iterdir()]

    async def connect(self, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self.config.listen.rpartition(":")
        return await asyncio.open_connection(host, int(port), local_addr=(source, 0), limit=1 << 20)

    async def ask(self, method: str = "GET", path: str = "/", host: str = OLD_HOST, **headers: str) -> tuple[int, str]:
        url = f"http://{self.config.listen}{path}"
        async with self.client.request(method, url, headers={"Host": host, **headers}, allow_redirects=False) as reply:
            return reply.status, reply.headers.get("Location", "") or await reply.text()

    async def ask_many(self, requests: int) -> list[tuple[int, str]]:
        return [reply for _ in range(requests // 20) for reply in await asyncio.gather(*(self.ask() for _ in range(20)))]

    async def sides(self, requests: Iterable[dict[str, str]], *, host: str = OLD_HOST, source: str = "127.0.0.1") -> list[str]:
        """Who answered each request (its headers), all sent over one connection from the address `source`."""
        reader, writer = await self.connect(source)
        heads = [self._head({"Host": host, **headers}) for headers in requests]
        sides = []
        for start in range(0, len(heads), 100):
            batch = heads[start : start + 100]
            writer.write(b"".join(batch))
            for _ in batch:
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200"), head
                sides.append((await reader.readexactly(3)).decode())
        writer.close()
        return sides

    @staticmethod
    def _head(headers: dict[str, str]) -> bytes:
        lines = ["GET / HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode()

    async def raw(self, request: bytes) -> tuple[bytes, bytes]:
        """The head and the body (with a Content-Length) of what one request gets."""
        reader, writer = await self.connect()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        body = await reader.readexactly(0 if request.startswith(b"HEAD") else int(length.partition(b":")[2]))
        writer.close()
        return head, body


@contextlib.asynccontextmanager
async def between(old: Behind, new: Behind, run: Path) -> AsyncIterator[Proxy[Behind]]:
    """A proxy in the folder `run`, not started yet, between two clusters that are."""
    (run / "scratch").mkdir()
    links.Links(run).prepare()
    tls = certificate(run, NEW_HOST)
    await old.start()
    await new.start(tls)
    config = nginx.ProxyConfig(
        run=str(run),
        scratch=f"{run}/scratch",
        listen=free_address(),
        status_listen=free_address(),
        nginx_version=(1, 22, 1),
        ca_folder=str(run),
        default_ca=f"{run}/{NEW_HOST}.pem",
        worker_processes="1",
        worker_user=getpass.getuser(),
        worker_connections=512,
    )
    exposure = model.Exposure(weight=100, old_host=OLD_HOST, new_host=NEW_HOST)
    service = model.Service(name="api", exposure=exposure, old_backend=model.Backend("api.team.svc", 80))
    site = nginx.Site(service, exposure, (f"127.0.0.1:{old.port}",), (f"127.0.0.1:{new.port}",))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=20)) as client:
        proxy = Proxy(run, config, site, old, new, tls, client)
        try:
            yield proxy
        finally:
            await proxy.stop()


def with_secret(site: nginx.Site, secret: str) -> nginx.Site:
    return replace(site, override_secret=secret)


def chosen(sides: Sequence[str]) -> set[int]:
    """The places of those that new answered."""
    return {place for place, side in enumerate(sides) if side == "new"}
