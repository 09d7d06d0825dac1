"""What passes through the real nginx to either cluster is what was sent, and what comes back is what was answered."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration import nginx_backends, one_nginx

Proxy = one_nginx.Proxy[nginx_backends.Cluster]
HOST = {"Host": one_nginx.OLD_HOST}
UPLOAD = 64 * 1024 * 1024
BOTH = pytest.mark.parametrize("side", ["old", "new"])


@pytest_asyncio.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    async with one_nginx.between(nginx_backends.Cluster("old"), nginx_backends.Cluster("new"), tmp_path) as running:
        yield running


async def started(proxy: Proxy, side: str, **service: float) -> nginx_backends.Cluster:
    """The cluster that is to see all requests."""
    proxy.weigh(100 if side == "new" else 0)
    await proxy.start(proxy.ruled(service=service))
    return proxy.new if side == "new" else proxy.old


def url(proxy: Proxy, path: str) -> str:
    return f"http://{proxy.config.listen}{path}"


async def ask(proxy: Proxy, request: str) -> tuple[bytes, bytes]:
    return await proxy.raw(request.replace("\n", "\r\n").encode("latin-1"))


@BOTH
async def test_the_head_of_a_request_arrives_as_it_was_sent(proxy: Proxy, side: str) -> None:
    cluster = await started(proxy, side)
    cookie = 'session=a%20b; theme="dark"; X=ü'
    head, _ = await ask(
        proxy,
        f"GET /a%2Fb//c/../d?x=%20&y=%C3%BC HTTP/1.1\nHost: {one_nginx.OLD_HOST}:8443\nAuthorization: Bearer abc.def==\n"
        f"Cookie: {cookie}\nX-Part: one\nx-part: two\nX_Under: kept\nX.Dotted: kept\nX-Large: {'y' * 24_000}\n"
        "X-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: https\nX-Request-Id: given-1\nAccept-Encoding: br\n\n",
    )
    assert head.startswith(b"HTTP/1.1 200")
    [seen] = cluster.seen
    assert seen.path == "/a%2Fb//c/../d?x=%20&y=%C3%BC"
    assert seen.values("Host") == ([one_nginx.NEW_HOST] if side == "new" else [f"{one_nginx.OLD_HOST}:8443"])
    assert seen.values("Authorization") == ["Bearer abc.def=="]
    assert seen.values("Cookie") == [cookie]
    assert seen.values("X-Part") == ["one", "two"]
    assert (seen.values("X_Under"), seen.values("X.Dotted")) == (["kept"], ["kept"])
    assert seen.values("X-Large") == ["y" * 24_000]
    assert (seen.values("X-Forwarded-For"), seen.values("X-Forwarded-Proto")) == (["192.0.2.7"], ["https"])
    assert (seen.values("X-Request-Id"), seen.values("Accept-Encoding")) == (["given-1"], ["br"])
    known = {
        "host",
        "authorization",
        "cookie",
        "x-part",
        "x_under",
        "x.dotted",
        "x-large",
        "x-forwarded-for",
        "x-forwarded-proto",
    }
    assert {name.lower() for name, _ in seen.headers} == known | {"x-request-id", "accept-encoding"}


@BOTH
async def test_the_head_of_an_answer_comes_back_as_it_was_given(proxy: Proxy, side: str) -> None:
    await started(proxy, side)
    head, body = await ask(proxy, f"GET /twice HTTP/1.1\nHost: {one_nginx.OLD_HOST}\n\n")
    lines = head.decode().split("\r\n")
    assert [line for line in lines if line.startswith("X-Part:")] == ["X-Part: one", "X-Part: two"]
    assert "X-Large: " + "x" * 12_000 in lines
    assert sum(line.lower().startswith("server:") for line in lines) == 1
    assert any("aiohttp" in line for line in lines if line.startswith("Server:"))
    assert body == side.encode()
    head, body = await ask(proxy, f"HEAD / HTTP/1.1\nHost: {one_nginx.OLD_HOST}\n\n")
    assert b"Content-Length: 3" in head


async def test_redirects_and_cookies_of_the_new_host_become_the_old_hosts(proxy: Proxy) -> None:
    await started(proxy, "new")
    port = proxy.config.listen.rpartition(":")[2]
    head, _ = await ask(proxy, f"GET /redirect HTTP/1.1\nHost: {one_nginx.OLD_HOST}:{port}\nX-Forwarded-Proto: https\n\n")
    assert f"Location: https://{one_nginx.OLD_HOST}:{port}/there\r\n".encode() in head
    head, _ = await ask(proxy, f"GET /cookies HTTP/1.1\nHost: {one_nginx.OLD_HOST}\n\n")
    cookies = [line.lower() for line in head.decode().split("\r\n") if line.startswith("Set-Cookie:")]
    assert cookies == [f"set-cookie: a=1; domain={one_nginx.OLD_HOST}; path=/", "set-cookie: b=2; path=/; httponly"]


async def test_what_old_says_of_the_new_host_is_left_alone(proxy: Proxy) -> None:
    await started(proxy, "old")
    head, _ = await ask(proxy, f"GET /redirect HTTP/1.1\nHost: {one_nginx.OLD_HOST}\n\n")
    assert f"Location: https://{one_nginx.NEW_HOST}/there\r\n".encode() in head


@BOTH
async def test_a_websocket_stays_open_longer_than_a_request_may_take(proxy: Proxy, side: str) -> None:
    await started(proxy, side, timeout=0.3)
    async with proxy.client.ws_connect(url(proxy, "/ws"), headers=HOST) as socket:
        await socket.send_str("hello")
        assert await socket.receive_str() == f"{side} hello"
        with pytest.raises(TimeoutError):  # nothing comes, for longer than the service's timeout
            await socket.receive(timeout=1.0)
        await socket.send_str("still there")
        assert await socket.receive_str() == f"{side} still there"


@BOTH
async def test_an_event_arrives_before_the_stream_ends(proxy: Proxy, side: str) -> None:
    cluster = await started(proxy, side)
    async with proxy.client.get(url(proxy, "/events"), headers=HOST) as reply:
        assert await reply.content.readuntil(b"\n\n") == b"data: first\n\n"
        assert not reply.content.at_eof()
        cluster.may_end.set()
        assert await reply.content.read() == b"data: last\n\n"


@BOTH
async def test_a_large_upload_in_chunks_arrives_whole(proxy: Proxy, side: str) -> None:
    cluster = await started(proxy, side)
    part = bytes(range(256)) * 4096
    expected = hashlib.sha256()

    async def parts() -> AsyncIterator[bytes]:
        for number in range(UPLOAD // len(part)):
            piece = number.to_bytes(8, "big") + part[8:]
            expected.update(piece)
            yield piece

    async with proxy.client.post(url(proxy, "/length"), data=parts(), headers=HOST) as reply:
        assert await reply.text() == str(UPLOAD)
    assert [(one.length, one.digest) for one in cluster.seen] == [(UPLOAD, expected.hexdigest())]


@BOTH
async def test_who_expects_to_be_told_to_continue_is_told(proxy: Proxy, side: str) -> None:
    await started(proxy, side)
    reader, writer = await proxy.connect()
    writer.write(f"POST /length HTTP/1.1\r\nHost: {one_nginx.OLD_HOST}\r\nContent-Length: 5\r\n".encode())
    writer.write(b"Expect: 100-continue\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"12345")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert await reader.readexactly(1) == b"5"
    writer.close()


@BOTH
async def test_grpc_web_passes_as_the_bytes_it_is(proxy: Proxy, side: str) -> None:
    cluster = await started(proxy, side)
    body = b"\x00\x00\x00\x00\x05\x00\r\n\xff\x01"
    headers = {**HOST, "Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"}
    async with proxy.client.post(url(proxy, "/grpc"), data=body, headers=headers) as reply:
        assert reply.headers["Content-Type"] == "application/grpc-web+proto"
        assert await reply.read() == b"\x00\x00\x00\x00\x03\x00\xff\n\x80\x00\x00\x00\x0fgrpc-status: 0\n"
    [seen] = cluster.seen
    assert (seen.values("Content-Type"), seen.values("X-Grpc-Web")) == (["application/grpc-web+proto"], ["1"])
    assert (seen.length, seen.digest) == (len(body), hashlib.sha256(body).hexdigest())


@BOTH
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
async def test_every_status_of_the_application_is_the_clients_its_418_too(proxy: Proxy, side: str, method: str) -> None:
    cluster = await started(proxy, side)
    for status in (418, 400, 404, 413, 418, 421, 494, 501):
        cluster.status = status
        assert await proxy.ask(method) == (status, "" if method == "HEAD" else side)
    assert [one.method for one in proxy.old.seen + proxy.new.seen] == [method] * 8
    assert len(cluster.seen) == 8


@BOTH
async def test_a_connection_goes_on_after_a_failure_whose_body_was_sent_in_chunks(proxy: Proxy, side: str) -> None:
    cluster = await started(proxy, side)
    reader, writer = await proxy.connect()
    statuses = []
    for status in (418, 404, 501, 503, 418, 200):
        cluster.status = status
        writer.write(f"POST / HTTP/1.1\r\nHost: {one_nginx.OLD_HOST}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        writer.write(b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        statuses.append(int(head.split()[1]))
        assert await reader.readexactly(3) == side.encode()
    writer.close()
    assert statuses == [418, 404, 501, 503, 418, 200]
    assert [(one.method, one.length) for one in cluster.seen] == [("POST", 11)] * 6


@BOTH
async def test_a_request_id_that_was_given_arrives_as_it_is_and_the_log_stays_readable(proxy: Proxy, side: str) -> None:
    cluster = await started(proxy, side)
    given = ["1f0e-2.b:c_d", 'a"b\\c,{}', "$request_id ;", "x" * 4000, "tab\there", "ü€"]
    for one in given:
        await proxy.raw(f"GET / HTTP/1.1\r\nHost: {one_nginx.OLD_HOST}\r\nX-Request-Id: {one}\r\n\r\n".encode())
    arrived = [value.encode("latin-1").decode() for one in cluster.seen for value in one.values("X-Request-Id")]
    assert arrived == given
    await proxy.quit()
    assert [json.loads(line)["id"] for line in (proxy.run / "access.log").read_bytes().splitlines()] == given


@BOTH
async def test_a_request_id_is_made_where_there_is_none_and_the_log_has_it_with_the_connection(proxy: Proxy, side: str) -> None:
    cluster = await started(proxy, side)
    await proxy.ask()
    [made] = cluster.seen[0].values("X-Request-Id")
    await proxy.quit()
    [line] = (proxy.run / "access.log").read_bytes().splitlines()
    written = json.loads(line)
    assert (written["id"], written["cluster"], written["service"]) == (made, side, "api")
    assert written["conn"] >= 1


async def test_what_failed_towards_new_is_in_the_error_log_under_its_connection(proxy: Proxy) -> None:
    await started(proxy, "new")
    await proxy.new.stop()
    assert await proxy.ask(path="/lost") == (200, "old")
    await proxy.quit()
    [line] = (proxy.run / "access.log").read_bytes().splitlines()
    errors = (proxy.run / "error.log").read_text()
    assert f"*{json.loads(line)['conn']} connect() failed" in errors


async def test_an_upgrade_that_nobody_answers_for_is_not_kept_from_old(proxy: Proxy) -> None:
    await started(proxy, "new")
    await proxy.new.stop()
    async with proxy.client.ws_connect(url(proxy, "/ws"), headers=HOST) as socket:
        await socket.send_str("hello")
        assert await asyncio.wait_for(socket.receive_str(), 20) == "old hello"
