"""300 weight changes under full POST load, through an ingress with kept-alive connections to the proxy: nothing may fail."""

import asyncio
import itertools
from pathlib import Path

from deploy.playground.world import addresses
from tests.bench import nginx_servers, rows, wrk

CHANGES, SECONDS, PAUSE, CONNECTIONS = 300, 15.0, 0.03, 16
WEIGHTS = (0, 50, 100)


def ingress(folder: Path, proxy_port: int) -> nginx_servers.NginxServer:
    """In front, as an ingress is: a request that is refused or cut is passed on as it is."""
    port = addresses.free_port()
    text = nginx_servers.server_text(
        folder,
        f"""
        upstream proxy {{ server 127.0.0.1:{proxy_port} max_fails=0; keepalive 64; keepalive_requests 100000; }}
        server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://proxy; proxy_http_version 1.1;
          proxy_set_header Connection ""; proxy_set_header Host $http_host; proxy_next_upstream off; }} }}""",
    )
    return nginx_servers.NginxServer(folder, text, port=port)


async def measure() -> None:
    with nginx_servers.scratch_folder() as folder:
        both = nginx_servers.clusters(folder, core=None)
        proxy = nginx_servers.Proxy(folder / "proxy", [both.site], authority=both.authority, core=None)
        front = ingress(folder / "ingress", proxy.port)
        servers = [both.server, proxy, front]
        try:
            for server in servers:
                await server.start()
            await _under_load(proxy, f"http://127.0.0.1:{front.port}/x")
        finally:
            for server in reversed(servers):
                await server.stop()


async def _under_load(proxy: nginx_servers.Proxy, url: str) -> None:
    running = asyncio.create_task(
        wrk.load(url, host=nginx_servers.OLD_HOST, seconds=SECONDS, connections=CONNECTIONS, method="POST", body="a=1&b=2")
    )
    made = 0
    for weight in itertools.cycle(WEIGHTS):
        if running.done():
            break
        proxy.links.serve("api", weight)
        made += 1
        await asyncio.sleep(PAUSE)
    run = await running
    if made < CHANGES:
        raise RuntimeError(
            f"only {made} weight changes were made while the load ran, {CHANGES} are wanted: the machine is too busy"
        )
    rows.at_most(
        f"{CHANGES} weight changes under POST load: failed requests", run.failed, "requests", 0, n=run.requests,
        note=f"{made} changes; {run.kinds or f'{run.a_second:.0f} requests/s'}; through an ingress that retries nothing",
    )  # fmt: skip
