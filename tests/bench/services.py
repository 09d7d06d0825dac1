"""1, 10, 100 and 1,000 services in one proxy: document to text, `nginx -t`, reload, a hold for all, memory."""

import asyncio
import shutil
import signal
import statistics
import time
from pathlib import Path

import aiohttp

from k8s import model, nginx, views, wish_document
from tests.bench import memory, nginx_servers, proxy_world, rows
from tests.integration import one_proxy

SIZES = (1, 10, 100, 1000)
WEIGHT, REPEATS = 50, 3
RAISE_LIMIT = 240.0  # seconds: not what is measured here
MEGABYTE = 1024 * 1024


def _name(number: int) -> str:
    return f"svc-{number}"


def _host(number: int) -> str:
    return f"svc-{number}.old.example"


def _document(count: int, weight: int, *, new_port: int, old_port: int) -> str:
    entries = (one_proxy.entry(weight, new_port, old_port, name=_name(number), old_host=_host(number)) for number in range(count))
    return "services:\n" + "".join(entries)


async def measure() -> None:
    for count in SIZES:
        rows.say(f"{count} services")
        with nginx_servers.scratch_folder() as folder:
            await _text_and_reload(folder, count)
        with nginx_servers.scratch_folder() as folder:
            await _hold_for_all(folder, count)


async def _text_and_reload(folder: Path, count: int) -> None:
    both = nginx_servers.clusters(folder, core=None)
    sites = [
        nginx_servers.site(_name(number), _host(number), old_port=both.old_port, new_port=both.new_port)
        for number in range(count)
    ]
    proxy = nginx_servers.Proxy(folder / "proxy", sites, authority=both.authority, workers=2, core=None)
    text = _document(count, WEIGHT, new_port=both.new_port, old_port=both.old_port)
    parsed = [_seconds_of_text(text, proxy.config, sites) for _ in range(REPEATS)]
    note = f"median of {REPEATS}; worst {max(parsed):.3f}"
    if count == max(SIZES):
        rows.at_most(f"{count} services: validate and render", statistics.median(parsed), "s", 2.0, n=count, note=note)
    else:
        rows.told(f"{count} services: validate and render", statistics.median(parsed), "s", n=count, note=note)
    try:
        await both.server.start()
        await proxy.start()
        tested = [await _tested(proxy) for _ in range(REPEATS)]
        rows.told(f"{count} services: nginx -t", statistics.median(tested), "s", n=count, note=f"worst {max(tested):.3f}")
        reloaded = [await _reloaded(proxy, number) for number in range(REPEATS)]
        rows.told(
            f"{count} services: reload until nginx names the new generation",
            statistics.median(reloaded), "s", n=count, note=f"worst {max(reloaded):.3f}",
        )  # fmt: skip
    finally:
        await proxy.stop()
        await both.server.stop()


def _seconds_of_text(text: str, config: nginx.ProxyConfig, sites: list[nginx.Site]) -> float:
    began = time.perf_counter()
    wish = wish_document.read(text)
    nginx.render(config, sites)
    took = time.perf_counter() - began
    if len(wish.services) != len(sites):
        raise RuntimeError("the document was not read whole: nothing was measured")
    return took


async def _tested(proxy: nginx_servers.Proxy) -> float:
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        program, "-t", "-q", "-p", str(proxy.folder), "-c", str(proxy.folder / "bench.conf"),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, complaint = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"nginx refuses the configuration: {complaint.decode()[-300:]}")
    return time.perf_counter() - began


async def _reloaded(proxy: nginx_servers.Proxy, number: int) -> float:
    """From the signal until a fresh connection is answered by a worker of the new configuration."""
    marker = f"generation-{number}"
    generation = nginx.render(proxy.config, []).generation  # only its form: sixteen hex digits
    config = proxy.folder / "bench.conf"
    text = proxy.text
    start = text.index("return 200 ", text.index("location = /generation")) + len("return 200 ")
    end = text.index(";", start)
    if len(text[start:end].strip('"')) != len(generation):
        raise RuntimeError("the place of the generation in nginx's text has moved: correct this bench")
    config.write_text(f'{text[:start]}"{marker}"{text[end:]}')
    began = time.perf_counter()
    proxy.signal(signal.SIGHUP)
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            url = f"http://{proxy.config.status_listen}/generation"
            async with session.get(url, headers={"Connection": "close"}) as answer:
                if await answer.text() == marker:
                    return time.perf_counter() - began
            await asyncio.sleep(0.002)


async def _hold_for_all(folder: Path, count: int) -> None:
    world = proxy_world.FastProxy(folder)
    services = [_name(number) for number in range(count)]
    async with proxy_world.torn_down(world):
        await world.start_world()
        for number in range(count):
            await _record(world, number)
        await world.apply(_document(count, WEIGHT, new_port=world.new.port, old_port=world.old.port))
        await world.start_agent()
        await world.begin()
        if await proxy_world.moved(world, services, WEIGHT, limit=RAISE_LIMIT) is None:
            raise RuntimeError(f"the agent did not raise all of {count} services to {WEIGHT}% within {RAISE_LIMIT:.0f} s")
        began = time.perf_counter()
        status = await world.push(model.ALL_SERVICES, "a-hold-for-all")
        said = time.perf_counter() - began
        late = await proxy_world.moved(world, services, 0, limit=30)
        if status != 200 or late is None:
            raise RuntimeError(f"the hold for all was answered {status} and moved not every link to 0 within 30 s")
        took = time.perf_counter() - began
        bench, note = (
            f"{count} services: hold for all",
            f"push to every link at 0, read from disk; answered after {said * 1e3:.1f} ms",
        )
        rows.at_most(bench, took * 1e3, "ms", 300, n=count, note=note)
        agent = memory.resident(world.agent.pid) / MEGABYTE
        rows.at_most(f"{count} services: agent, resident", agent, "MB", 80, n=count)
        workers = [
            memory.proportional(pid) / MEGABYTE for pid in memory.children(int((world.folder / "run" / "nginx.pid").read_text()))
        ]
        rows.told(
            f"{count} services: nginx worker, proportional", max(workers), "MB", n=count, note=f"the largest of {len(workers)}"
        )


async def _record(world: proxy_world.FastProxy, number: int) -> None:
    exposure = model.Exposure(weight=WEIGHT, old_host=_host(number), new_host=one_proxy.NEW_HOST, new_port=world.new.port)
    await world.book.write(
        views.RecordChange(
            service=_name(number),
            exposure=exposure,
            expected_generation=0,
            operation_id=f"op-{number}",
            operation={"id": f"op-{number}", "revision": 1},
            audit={"who": "a bench"},
        )
    )
