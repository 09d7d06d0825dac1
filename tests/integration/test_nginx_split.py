"""The rendered text in a real nginx on loopback, between two backends; the new one speaks TLS of a throw-away CA."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from k8s import model, nginx
from tests.integration import nginx_backends, one_nginx

OLD_HOST, NEW_HOST = one_nginx.OLD_HOST, one_nginx.NEW_HOST
Proxy = one_nginx.Proxy[nginx_backends.Cluster]


@pytest_asyncio.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    async with one_nginx.between(nginx_backends.Cluster("old"), nginx_backends.Cluster("new"), tmp_path) as running:
        yield running


@pytest.mark.parametrize("weight", [0, None])
async def test_at_zero_or_without_a_link_nothing_reaches_new(proxy: Proxy, weight: int | None) -> None:
    proxy.weigh(weight)
    await proxy.start()
    assert await proxy.ask_many(2000) == [(200, "old")] * 2000
    assert proxy.new.seen == []


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


async def test_a_header_rule_matches_exactly_and_never_without_a_link(proxy: Proxy) -> None:
    rule = model.HeaderRule("X-Canary", ("always", "Also"))
    ruled = replace(proxy.site.exposure, strategy=model.Strategy.HEADER, header=rule)
    proxy.weigh(100)
    await proxy.start(replace(proxy.site, exposure=ruled))
    values = ("always", "Also", "ALWAYS", "also", "never", "|always|", "")
    assert [(await proxy.ask(**{"X-Canary": value}))[1] for value in values] == ["new", "new", *["old"] * 5]
    proxy.weigh(None)
    assert await proxy.ask(**{"X-Canary": "always"}) == (200, "old")


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


async def test_paths_with_a_backend_of_their_own_reach_it_and_all_others_the_main_one(proxy: Proxy) -> None:
    files = nginx_backends.Cluster("files")
    proxy.more.append(files)
    await files.start()
    paths = (model.PathBackend("/static", model.Backend("files.team.svc", 80)),)
    split = replace(proxy.ruled(service={"paths": paths}), path_addresses=((f"127.0.0.1:{files.port}",),))
    await proxy.start(split)
    asked = ("/static", "/static/a/b", "/staticky", "/", "/a/static/")
    proxy.weigh(0)
    assert [(await proxy.ask(path=path))[1] for path in asked] == ["files", "files", "old", "old", "old"]
    proxy.weigh(100)
    assert [(await proxy.ask(path=path))[1] for path in asked] == ["new"] * 5
    proxy.new.status = 503
    assert [(await proxy.ask(path=path))[1] for path in asked] == ["files", "files", "old", "old", "old"]
