"""The rendered text in a real nginx on loopback, between two counting backends; the new one speaks TLS of a throw-away CA."""

import asyncio
import datetime
import getpass
import math
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from k8s import model, nginx

OLD_HOST, NEW_HOST = "api.old.example", "api.new.example"


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """A self-signed certificate for `name`, in `folder` as <name>.pem, and a server's context that shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
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


@dataclass(slots=True)
class Cluster:
    name: str
    seen: list[str] = field(default_factory=list)
    runner: web.AppRunner | None = None
    port: int = 0

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        async def answer(request: web.Request) -> web.Response:
            body = await request.read()
            self.seen.append(f"{request.method} {request.host}")
            if request.path == "/redirect":
                return web.Response(status=302, headers={"Location": f"https://{NEW_HOST}/there"})
            return web.Response(text=str(len(body)) if request.path == "/length" else self.name)

        app = web.Application(client_max_size=10_000_000)
        app.router.add_route("*", "/{path:.*}", answer)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=context).start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()


@dataclass(slots=True)
class Proxy:
    run: Path
    config: nginx.ProxyConfig
    site: nginx.Site
    old: Cluster
    new: Cluster
    client: aiohttp.ClientSession
    process: asyncio.subprocess.Process | None = None

    async def start(self, site: nginx.Site | None = None) -> None:
        text = nginx.render(self.config, [site or self.site]).text
        (self.run / "nginx.conf").write_text(text)
        command = ("/usr/sbin/nginx", "-p", str(self.run), "-c", str(self.run / "nginx.conf"), "-e", str(self.run / "error.log"))
        self.process = await asyncio.create_subprocess_exec(*command, "-g", "daemon off;")
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", int(self.config.listen.rpartition(":")[2]))
            except ConnectionRefusedError:
                assert self.process.returncode is None
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
        raise AssertionError("nginx did not listen")

    def weigh(self, weight: int, *, allow: bool = True) -> None:
        link, new_link = nginx.split_link(str(self.run), "api"), self.run / "split" / "api.next"
        new_link.symlink_to(nginx.weight_folder(str(self.run), weight))
        new_link.replace(link)
        allowed = nginx.allow_file(str(self.run), "api")
        allowed.touch() if allow else allowed.unlink(missing_ok=True)

    def open_files(self) -> list[str]:
        """Of nginx's one worker."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [str(path.readlink()) for pid in children for path in Path(f"/proc/{pid}/fd").iterdir()]

    async def ask(self, method: str = "GET", path: str = "/", host: str = OLD_HOST, **headers: str) -> tuple[int, str]:
        url = f"http://{self.config.listen}{path}"
        async with self.client.request(method, url, headers={"Host": host, **headers}, allow_redirects=False) as reply:
            return reply.status, reply.headers.get("Location", "") or await reply.text()

    async def ask_many(self, requests: int) -> list[tuple[int, str]]:
        return [reply for _ in range(requests // 20) for reply in await asyncio.gather(*(self.ask() for _ in range(20)))]


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest_asyncio.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    run = str(tmp_path)
    for folder in ("split", "allow", "scratch"):
        (tmp_path / folder).mkdir()
    for weight in range(101):
        nginx.weight_folder(run, weight).mkdir(parents=True)
        for bucket in nginx.bucket_names(weight):
            (nginx.weight_folder(run, weight) / bucket).touch()
    old, new = Cluster("old"), Cluster("new")
    await old.start()
    await new.start(certificate(tmp_path, NEW_HOST))
    config = nginx.ProxyConfig(
        run=run,
        scratch=f"{run}/scratch",
        listen=free_address(),
        status_listen=free_address(),
        nginx_version=(1, 22, 1),
        ca_folder=run,
        default_ca=f"{run}/{NEW_HOST}.pem",
        worker_processes="1",
        worker_user=getpass.getuser(),
        worker_connections=512,
    )
    exposure = model.Exposure(weight=100, old_host=OLD_HOST, new_host=NEW_HOST)
    service = model.Service(name="api", exposure=exposure, old_backend=model.Backend("api.team.svc", 80))
    site = nginx.Site(service, exposure, (f"127.0.0.1:{old.port}",), (f"127.0.0.1:{new.port}",))
    connector = aiohttp.TCPConnector(limit=20)
    async with aiohttp.ClientSession(connector=connector) as client:
        running = Proxy(tmp_path, config, site, old, new, client)
        yield running
    if running.process is not None:
        running.process.terminate()
        await running.process.wait()
    await old.stop()
    await new.stop()


@pytest.mark.parametrize(("weight", "allow"), [(0, True), (100, False)])
async def test_at_zero_or_without_the_allow_file_nothing_reaches_new(proxy: Proxy, weight: int, allow: bool) -> None:
    proxy.weigh(weight, allow=allow)
    await proxy.start()
    assert await proxy.ask_many(2000) == [(200, "old")] * 2000
    assert proxy.new.seen == []


async def test_the_share_is_the_weight_and_exact_at_hundred(proxy: Proxy) -> None:
    proxy.weigh(25)
    await proxy.start()
    await proxy.ask_many(2000)
    assert abs(len(proxy.new.seen) - 500) <= 3.2905 * math.sqrt(2000 * 0.25 * 0.75) + 1
    proxy.weigh(100)
    assert await proxy.ask_many(200) == [(200, "new")] * 200
    assert set(proxy.new.seen) == {f"GET {NEW_HOST}"}


async def test_a_renamed_link_moves_the_next_request_of_the_same_connection(proxy: Proxy) -> None:
    await proxy.start()
    reader, writer = await asyncio.open_connection(*proxy.config.listen.split(":"))
    answers = []
    for weight in (0, 100, 0, 100):
        proxy.weigh(weight)
        writer.write(f"GET / HTTP/1.1\r\nHost: {OLD_HOST}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        answers.append(await reader.readexactly(3))
    writer.close()
    assert answers == [b"old", b"new", b"old", b"new"]


async def test_a_header_rule_matches_exactly_and_never_without_the_allow_file(proxy: Proxy) -> None:
    rule = model.HeaderRule("X-Canary", ("always", "Also"))
    ruled = replace(proxy.site.exposure, strategy=model.Strategy.HEADER, header=rule)
    proxy.weigh(100)
    await proxy.start(replace(proxy.site, exposure=ruled))
    values = ("always", "Also", "ALWAYS", "also", "never", "|always|", "")
    assert [(await proxy.ask(**{"X-Canary": value}))[1] for value in values] == ["new", "new", *["old"] * 5]
    proxy.weigh(100, allow=False)
    assert await proxy.ask(**{"X-Canary": "always"}) == (200, "old")


async def test_when_new_dies_old_answers_what_was_never_sent_or_is_safe(proxy: Proxy) -> None:
    proxy.weigh(100)
    await proxy.start()
    assert await proxy.ask("POST") == (200, "new")
    await proxy.new.stop()
    assert await proxy.ask_many(200) == [(200, "old")] * 200
    assert await proxy.ask("POST") == (200, "old")


async def test_a_wrong_certificate_never_gets_a_request(proxy: Proxy) -> None:
    other = Cluster("impostor")
    await other.start(certificate(proxy.run, "other.new.example"))
    proxy.weigh(100)
    await proxy.start(replace(proxy.site, new_addresses=(f"127.0.0.1:{other.port}",)))
    assert [await proxy.ask("GET"), await proxy.ask("POST")] == [(200, "old")] * 2
    await other.stop()
    assert other.seen == []


async def test_unknown_hosts_are_refused_and_redirects_come_back_to_the_old_host(proxy: Proxy) -> None:
    proxy.weigh(100)
    await proxy.start()
    port = proxy.config.listen.rpartition(":")[2]
    assert (await proxy.ask(host="nobody.example"))[0] == 421
    assert await proxy.ask(path="/redirect", host=f"{OLD_HOST}:{port}") == (302, f"http://{OLD_HOST}:{port}/there")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="which files nginx has open cannot be seen on this system")
async def test_the_body_of_an_upload_waits_in_the_scratch_folder_and_arrives_whole(proxy: Proxy) -> None:
    await proxy.start()
    half = b"%x\r\n%b\r\n" % (1_000_000, bytes(1_000_000))
    reader, writer = await asyncio.open_connection(*proxy.config.listen.split(":"))
    writer.write(f"POST /length HTTP/1.1\r\nHost: {OLD_HOST}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + half)
    await writer.drain()
    async with asyncio.timeout(20):
        while True:
            if bodies := [path for path in proxy.open_files() if "/temp-" in path]:
                break
            await asyncio.sleep(0.01)
    assert [path.startswith(proxy.config.scratch) for path in bodies] == [True]
    writer.write(half + b"0\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(7) == b"2000000"
    writer.close()


async def test_without_an_address_of_new_old_answers_and_nginx_names_its_generation(proxy: Proxy) -> None:
    unreachable = replace(proxy.site, new_addresses=())
    proxy.weigh(100)
    await proxy.start(unreachable)
    assert [await proxy.ask("GET"), await proxy.ask("POST")] == [(200, "old")] * 2
    async with proxy.client.get(f"http://{proxy.config.status_listen}/generation") as reply:
        assert await reply.text() == nginx.render(proxy.config, [unreachable]).generation
