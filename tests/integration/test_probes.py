"""Probes against real TLS servers, real DNS answers and a door at which packets are dropped: each fault is told by its name."""

import asyncio
import contextlib
import datetime
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from deploy.playground.world import addresses, certificates, names, new_cluster
from k8s import model
from k8s.agent import probe, probe_answer, probe_line, resolving

HOST = "api.new.example"
ELSEWHERE = "127.0.0.2"  # a second address of this machine
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class World:
    """A name server, an authority that is trusted, and servers on loopback that behave as they are told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = certificates.Authority(folder / "ca")
        self.dns = names.NameServer()
        self.stack = contextlib.AsyncExitStack()
        self.heads: list[bytes] = []

    async def start(self) -> None:
        await self.dns.start()
        self.stack.push_async_callback(self.dns.stop)
        self.dns.put(HOST, ["127.0.0.1"])
        self.resolver = resolving.Resolver(f"127.0.0.1:{self.dns.port}", limit=0.5)
        trusted = self.authority.certificate
        self.questions = probe_answer.Questions(self.resolver, ca_folder=self.folder / "ca", default_ca=trusted)

    async def ask(self, port: int, *, path: str = "/", tls: model.Tls | None = None) -> probe_answer.Answer:
        target = probe.Target(HOST, port, tls or model.Tls(), model.Health(path=path))
        return await self.questions.ask(target, wanted=asyncio.get_running_loop().time())

    async def serve(self, handler: Handler, tls: ssl.SSLContext | None, *, address: str = "127.0.0.1", port: int = 0) -> int:
        tasks: set[asyncio.Task[None]] = set()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await handler(reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                pass  # the prober hangs up as soon as it knows
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(handle, address, port, ssl=tls)

        async def stop() -> None:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.stack.push_async_callback(stop)
        return int(server.sockets[0].getsockname()[1])

    def certificate(self, *hosts: str) -> ssl.SSLContext:
        return self.authority.server("server", list(hosts)).server_context()

    async def says(self, answer: bytes, tls: ssl.SSLContext | None = None) -> int:
        """A server that reads a request's head and says this."""

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
            if answer:
                await reader.read()

        return await self.serve(handler, tls or self.certificate(HOST))


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass


def status(code: int) -> bytes:
    return b"HTTP/1.1 %d Whatever\r\nContent-Length: 2\r\n\r\nok" % code


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    one = World(tmp_path)
    async with one.stack:
        await one.start()
        yield one


@pytest.fixture
def dropping() -> Iterator[int]:
    """A port whose queue is full: Linux drops every further SYN, as a partition does."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_the_real_new_cluster_is_asked_by_its_name_and_shows_when_its_certificate_ends(world: World) -> None:
    cluster = new_cluster.NewCluster(world.authority, [HOST])
    await cluster.start()
    world.stack.push_async_callback(cluster.stop)
    answer = await world.ask(cluster.port)
    assert (answer.outcome, answer.why) == ("ok", "")
    ends = datetime.datetime.now(datetime.UTC) + certificates._LIFETIME
    assert answer.certificate_expires is not None
    assert 0 <= ends.timestamp() - answer.certificate_expires < 3600
    assert (cluster.counts.total, cluster.counts.probes, cluster.misdirected) == (0, 1, 0)
    cluster.knobs.status = 503
    assert (await world.ask(cluster.port)).outcome == "http"
    await cluster.turn(new_cluster.Reach.DOWN)
    refused = await world.ask(cluster.port)
    assert (refused.outcome, refused.why) == ("connect", f"127.0.0.1:{cluster.port}: Connection refused")


@pytest.mark.parametrize(
    ("code", "at_root", "at_health_path"),
    [(200, "ok", "ok"), (301, "ok", "ok"), (404, "ok", "ok"), (500, "ok", "http"), (501, "ok", "http"), (502, "http", "http"),
     (503, "http", "http"), (504, "http", "http")],
)  # fmt: skip
async def test_a_status_is_judged_by_what_was_promised(world: World, code: int, at_root: str, at_health_path: str) -> None:
    port = await world.says(status(code))
    assert (await world.ask(port)).outcome == at_root
    assert (await world.ask(port, path="/healthz")).outcome == at_health_path
    assert [head.splitlines()[:2] for head in world.heads] == [
        [b"GET / HTTP/1.1", b"Host: api.new.example"],
        [b"GET /healthz HTTP/1.1", b"Host: api.new.example"],
    ]


async def test_an_interim_answer_is_not_the_answer(world: World) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    assert (await world.ask(await world.says(early + early + status(503)))).outcome == "http"
    assert (await world.ask(await world.says(early + status(200)))).outcome == "ok"


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x" * 70000, b"HTTP/1.1 2", b""])
async def test_what_is_no_answer_of_http_is_not_well(world: World, said: bytes) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    answer = await world.ask(await world.serve(handler, world.certificate(HOST)))
    assert answer.outcome == "http"
    assert answer.certificate_expires is not None


async def test_a_connection_cut_instead_of_an_answer_is_not_well(world: World) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    assert (await world.ask(await world.serve(cut, world.certificate(HOST)))).outcome == "http"


@pytest.mark.parametrize("cut", [True, False])
async def test_a_port_that_does_not_speak_tls_fails_as_tls(world: World, cut: bool) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        if not cut:
            writer.write(status(400))
            await writer.drain()
            await reader.read()

    assert (await world.ask(await world.serve(handler, None))).outcome == "tls"


async def test_another_name_in_the_certificate_is_refused_and_never_asked(world: World) -> None:
    port = await world.says(status(200), world.certificate("other.new.example"))
    answer = await world.ask(port)
    assert answer.outcome == "tls"
    assert "not valid for 'api.new.example'" in answer.why
    assert world.heads == []
    named = await world.ask(port, tls=model.Tls(server_name="other.new.example"))
    assert named.outcome == "ok"
    assert world.heads[0].splitlines()[1] == b"Host: api.new.example"


async def test_an_unknown_authority_is_refused_unless_the_service_names_it_or_checks_nobody(world: World) -> None:
    other = certificates.Authority(world.folder / "other", name="Somebody else")
    port = await world.says(status(200), other.server("server", [HOST]).server_context())
    answer = await world.ask(port)
    assert (answer.outcome, world.heads) == ("tls", []), answer.why
    assert "its certificate is refused" in answer.why
    (world.folder / "ca" / "other.pem").write_bytes(other.certificate.read_bytes())
    assert (await world.ask(port, tls=model.Tls(ca="other.pem"))).outcome == "ok"
    assert (await world.ask(port, tls=model.Tls(verify=False))).outcome == "ok"


async def test_an_expired_certificate_is_refused_and_its_end_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "_LIFETIME", datetime.timedelta(minutes=-30))
    port = await world.says(status(200), world.certificate(HOST))
    answer = await world.ask(port)
    assert (answer.outcome, world.heads) == ("tls", []), answer.why
    assert "certificate has expired" in answer.why
    assert answer.certificate_expires is not None
    assert 1700 < datetime.datetime.now(datetime.UTC).timestamp() - answer.certificate_expires < 3600


async def test_tls_below_1_2_is_refused(world: World) -> None:
    old = world.certificate(HOST)
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    answer = await world.ask(await world.says(status(200), old))
    assert (answer.outcome, world.heads) == ("tls", []), answer.why


async def test_a_server_that_wants_a_certificate_of_ours_fails_as_tls(world: World) -> None:
    demanding = world.certificate(HOST)
    demanding.verify_mode = ssl.CERT_REQUIRED
    demanding.load_verify_locations(cafile=str(world.authority.certificate))
    listener = world.stack.enter_context(socket.create_server(("127.0.0.1", 0)))

    def accept() -> None:  # not asyncio's server: that one says nothing of why it leaves
        with (
            listener.accept()[0] as accepted,
            demanding.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as one,
        ):
            with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
                one.do_handshake()
            socket.socket.shutdown(one, socket.SHUT_WR)
            while socket.socket.recv(one, 65536):
                pass  # closing over unread bytes would reset the connection before the reason is read

    accepting = asyncio.create_task(asyncio.to_thread(accept))
    answer = await world.ask(listener.getsockname()[1])
    await accepting
    assert answer.outcome == "tls"
    assert "CERTIFICATE_REQUIRED" in answer.why


async def test_a_ca_file_is_read_again_when_it_changes_and_a_missing_one_is_named(world: World) -> None:
    port = await world.says(status(200))
    path = world.folder / "ca" / "team.pem"
    missing = await world.ask(port, tls=model.Tls(ca="team.pem"))
    assert missing.outcome == "tls"
    assert str(path) in missing.why
    path.write_text("not a certificate")
    assert (await world.ask(port, tls=model.Tls(ca="team.pem"))).outcome == "tls"
    path.write_bytes(world.authority.certificate.read_bytes())
    assert (await world.ask(port, tls=model.Tls(ca="team.pem"))).outcome == "ok"
    trust = world.questions._trust
    kept = await trust.context(model.Tls(ca="team.pem"))
    assert await trust.context(model.Tls(ca="team.pem")) is kept
    path.write_bytes(path.read_bytes() * 2)
    assert await trust.context(model.Tls(ca="team.pem")) is not kept


async def test_dropped_packets_are_a_timeout(world: World, dropping: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_answer, "LIMIT", 1.0)
    answer = await world.ask(dropping)
    assert (answer.outcome, answer.certificate_expires) == ("timeout", None)
    assert answer.why.startswith(f"127.0.0.1:{dropping}: its TCP connection is not accepted")


async def test_silence_after_the_connection_is_a_timeout(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_answer, "LIMIT", 1.0)
    answer = await world.ask(await world.serve(silent, None))
    assert answer.outcome == "timeout"
    assert "no TLS handshake is done" in answer.why


async def test_silence_after_the_handshake_is_a_timeout_that_still_shows_the_certificate(world: World) -> None:
    answer = await world.ask(await world.serve(silent, world.certificate(HOST)))
    assert answer.outcome == "timeout"
    assert "TLS is there, but no answer comes" in answer.why
    assert answer.certificate_expires is not None


async def test_a_name_that_does_not_exist_is_said_so_though_it_was_known_before(world: World) -> None:
    port = await world.says(status(200))
    assert (await world.ask(port)).outcome == "ok"
    world.dns.remove(HOST)
    gone = await world.ask(port)
    assert (gone.outcome, gone.why) == ("dns", "api.new.example does not resolve (NXDOMAIN)")
    world.dns.put(HOST, [])
    assert (await world.ask(port)).why == "api.new.example does not resolve (NoAnswer)"
    assert len(world.heads) == 1


@pytest.mark.parametrize("how", ["silent", "failing"])
async def test_a_dns_server_that_says_nothing_does_not_make_a_known_cluster_down(world: World, how: str) -> None:
    port = await world.says(status(200))
    setattr(world.dns, how, True)
    unknown = await world.ask(port)
    assert unknown.outcome == "dns"
    setattr(world.dns, how, False)
    assert (await world.ask(port)).outcome == "ok"
    setattr(world.dns, how, True)
    assert (await world.ask(port)).outcome == "ok"


async def test_one_good_address_of_several_is_enough(world: World, dropping: int) -> None:
    world.dns.put(HOST, ["127.0.0.1", ELSEWHERE])
    handler = await world.says(status(200))
    only_first = await world.ask(handler)  # nobody listens at the other one
    assert only_first.outcome == "ok"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(status(200))
        await reader.read()

    await world.serve(answer, world.certificate(HOST), address=ELSEWHERE, port=dropping)
    assert (await world.ask(dropping)).outcome == "ok"


async def test_of_several_bad_addresses_the_most_telling_is_named(world: World) -> None:
    world.dns.put(HOST, ["127.0.0.1", ELSEWHERE])
    port = await world.says(status(503))
    answer = await world.ask(port)
    assert (answer.outcome, answer.why) == ("http", f"127.0.0.1:{port} answers 503 to GET /")


async def test_a_closed_door_is_tried_once_for_all_that_wait_and_again_by_who_comes_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    connect = probe_line.connected

    def counting(address: str) -> contextlib.AbstractAsyncContextManager[socket.socket]:
        opened.append(address)
        return connect(address)

    monkeypatch.setattr(probe_line, "connected", counting)
    port = addresses.free_port()
    target = probe.Target(HOST, port, model.Tls(), model.Health())
    wanted = asyncio.get_running_loop().time()
    answers = [await world.questions.ask(target, wanted=wanted) for _ in range(20)]
    assert {answer.outcome for answer in answers} == {"connect"}
    assert len(opened) == 1
    assert (await world.ask(port)).outcome == "connect"
    assert len(opened) == 2


async def test_probes_follow_a_cluster_that_falls_and_stands_up_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SOONEST", 0.01)
    cluster = new_cluster.NewCluster(world.authority, [HOST])
    await cluster.start()
    world.stack.push_async_callback(cluster.stop)
    trusted = world.authority.certificate
    probes = probe.Probes(world.resolver, ca_folder=world.folder / "ca", default_ca=trusted)
    world.stack.push_async_callback(probes.stop)
    heard: asyncio.Queue[tuple[bool | None, str]] = asyncio.Queue()
    probes.on_change = lambda name: heard.put_nowait((probes.up.get(name), probes.seen[name].outcome))
    probes.follow({"api": probe.Target(HOST, cluster.port, model.Tls(), model.Health(interval=0.01, failures=2))})

    async def until(up: bool) -> str:
        async with asyncio.timeout(30):
            while (found := await heard.get())[0] is not up:
                pass
            return found[1]

    assert await until(up=True) == "ok"
    await cluster.turn(new_cluster.Reach.DOWN)
    assert await until(up=False) == "connect"
    assert probes.trouble[0].startswith("api: the new cluster does not answer this proxy's probe: 127.0.0.1:")
    await cluster.turn(new_cluster.Reach.UP)
    assert await until(up=True) == "ok"
    assert probes.trouble == []
