"""The share that reaches new at each weight, counted in the answers, against the binomial 99.9% interval.

100,000 requests at each weight where nothing keeps a client on its side; 100,000 distinct keys where a header does.
"""

import asyncio
import math

from k8s import model
from tests.bench import nginx_servers, rows

WEIGHTS = (0, 1, 3, 5, 25, 50, 75, 97, 99, 100)
REQUESTS, CONNECTIONS = 100_000, 16
Z999 = 3.2905267314918945  # two-sided 99.9% of the normal distribution
STICKY_HOST = "sticky.old.example"
HEADER = "X-User"


def interval(weight: int, requests: int) -> tuple[float, float]:
    """Percent, by Wilson: where a share of `requests` draws may lie, 999 times in 1,000. Exact at 0 and 100."""
    if weight in (0, 100):
        return float(weight), float(weight)
    share, z2n = weight / 100, Z999 * Z999 / requests
    middle = (share + z2n / 2) / (1 + z2n)
    half = Z999 * math.sqrt(share * (1 - share) / requests + z2n / (4 * requests)) / (1 + z2n)
    return 100 * (middle - half), 100 * (middle + half)


async def measure() -> None:
    with nginx_servers.scratch_folder() as folder:
        both = nginx_servers.clusters(folder, core=None)
        sticky = nginx_servers.site(
            "sticky",
            STICKY_HOST,
            old_port=both.old_port,
            new_port=both.new_port,
            sticky=model.Sticky(model.StickyKind.HEADER, HEADER),
        )
        proxy = nginx_servers.Proxy(folder / "proxy", [both.site, sticky], authority=both.authority, core=None)
        try:
            await both.server.start()
            await proxy.start()
            for service, host in (("api", nginx_servers.OLD_HOST), ("sticky", STICKY_HOST)):
                for weight in WEIGHTS:
                    rows.say(f"{service} at {weight}%")
                    proxy.links.serve(service, weight)
                    _report(service, weight, await _reach_new(proxy, host, keyed=service == "sticky"))
        finally:
            await proxy.stop()
            await both.server.stop()


def _report(service: str, weight: int, at_new: int) -> None:
    least, most = interval(weight, REQUESTS)
    kind = "100,000 distinct keys" if service == "sticky" else "sticky: none"
    rows.within(f"share at {weight}%, {kind}", 100 * at_new / REQUESTS, "%", least, most, n=REQUESTS)


async def _reach_new(proxy: nginx_servers.Proxy, host: str, *, keyed: bool) -> int:
    """How many of the requests new answered: its body says so."""
    each = REQUESTS // CONNECTIONS
    counts = await asyncio.gather(
        *(_ask(proxy.port, host, range(number * each, (number + 1) * each), keyed=keyed) for number in range(CONNECTIONS))
    )
    return sum(counts)


async def _ask(port: int, host: str, keys: range, *, keyed: bool) -> int:
    """One connection, fifty requests in flight on it. Raises RuntimeError when one is not answered by a cluster."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    at_new = 0
    try:
        for start in range(keys.start, keys.stop, 50):
            some = range(start, min(start + 50, keys.stop))
            writer.write(b"".join(_request(host, key if keyed else None) for key in some))
            for _ in some:
                at_new += await _answer(reader)
    finally:
        writer.close()
    return at_new


def _request(host: str, key: int | None) -> bytes:
    named = f"{HEADER}: user-{key}\r\n" if key is not None else ""
    return f"GET /x HTTP/1.1\r\nHost: {host}\r\n{named}\r\n".encode()


async def _answer(reader: asyncio.StreamReader) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 200 ") or body not in (b"old", b"new"):
        raise RuntimeError(f"a request was answered {head.splitlines()[0]!r} {body[:80]!r}: the share cannot be counted")
    return body == b"new"
