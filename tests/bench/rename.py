"""A weight changes by one rename: how long until the next request on an existing connection is answered by the other cluster."""

import asyncio
import time

from tests.bench import nginx_servers, rows

CHANGES = 2000


async def measure() -> None:
    with nginx_servers.scratch_folder() as folder:
        both = nginx_servers.clusters(folder, core=None)
        proxy = nginx_servers.Proxy(folder / "proxy", [both.site], authority=both.authority, core=None)
        try:
            await both.server.start()
            await proxy.start()
            await _changes(proxy)
        finally:
            await proxy.stop()
            await both.server.stop()


async def _changes(proxy: nginx_servers.Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    times: list[float] = []
    moves: list[float] = []
    obeyed = 0
    for number in range(CHANGES + 20):
        weight = 100 * (number % 2)
        began = time.perf_counter()
        proxy.links.serve("api", weight)
        moved = time.perf_counter()
        writer.write(f"GET /x HTTP/1.1\r\nHost: {nginx_servers.OLD_HOST}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        if number >= 20:  # the first ones open the connections to the clusters
            times.append(time.perf_counter() - began)
            moves.append(moved - began)
            obeyed += body == (b"new" if weight else b"old")
    writer.close()
    rows.at_least("rename: next request on the connection obeys", obeyed, "requests", CHANGES, n=CHANGES)
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        rows.told(
            f"rename and the next request, {name}",
            rows.percentile(times, share) * 1e3,
            "ms",
            n=CHANGES,
            note=f"the rename alone {rows.percentile(moves, share) * 1e3:.3f} ms",
        )
