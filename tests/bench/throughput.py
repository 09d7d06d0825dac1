"""Requests a second, p99 and processor time of the whole configuration against a plain `proxy_pass` in the same nginx process.

Plain means: `proxy_pass` to an upstream with kept-alive connections, HTTP/1.1, nginx's defaults, no access log (the strict
variant); towards new also what nobody would leave out: TLS, verified, with sessions, SNI and Host of the new host. The full
configuration writes its whole JSON log. One worker on a core of its own is the bottleneck; wrk and both clusters share another.
"""

import statistics
from collections.abc import Callable
from pathlib import Path

from deploy.playground.world import addresses
from tests.bench import nginx_servers, rows, wrk

ROUNDS, SECONDS, CONNECTIONS = 9, 2.0, 32
WHAT_IT_IS = {
    "plain": "plain: kept-alive proxy_pass without an access log",
    "logged": "logged: the same with nginx's combined log, buffered",
}
PLAIN = """
    proxy_buffering on; proxy_buffer_size 4k; proxy_buffers 8 4k; proxy_socket_keepalive off;
    proxy_http_version 1.1; proxy_set_header Connection "";"""


def _plain_servers(both: nginx_servers.Clusters, ports: dict[str, int], log: Path) -> str:
    old = f"{PLAIN} proxy_pass http://plain_old;"
    new = (
        f"{PLAIN} proxy_set_header Host {nginx_servers.NEW_HOST}; proxy_ssl_name {nginx_servers.NEW_HOST};"
        " proxy_pass https://plain_new;"
    )
    logged = f"access_log {log} combined buffer=64k flush=1s;"
    return "\n".join(
        [
            f"upstream plain_old {{ server 127.0.0.1:{both.old_port}; keepalive 64; keepalive_requests 100000; }}",
            f"upstream plain_new {{ server 127.0.0.1:{both.new_port}; keepalive 64; keepalive_requests 100000; }}",
            *(
                f"server {{ listen 127.0.0.1:{ports[name]}; location / {{ {text} }} }}"
                for name, text in {
                    "plain old": f"access_log off; {old}",
                    "logged old": f"{logged} {old}",
                    "plain new": f"access_log off; {new}",
                    "logged new": f"{logged} {new}",
                }.items()
            ),
        ]
    )


async def measure() -> None:
    """Targets are judged with the proxy on a core of its own; on one core for all no wake-up crosses cores."""
    for place, core in (("", nginx_servers.PROXY_CORE), (", all on one core", nginx_servers.OTHER_CORE)):
        with nginx_servers.scratch_folder() as folder:
            both = nginx_servers.clusters(folder)
            ports = {name: addresses.free_port() for name in ("plain old", "logged old", "plain new", "logged new")}
            more = _plain_servers(both, ports, folder / "plain.log")
            proxy = nginx_servers.Proxy(folder / "proxy", [both.site], authority=both.authority, more=more, core=core)
            try:
                await both.server.start()
                await proxy.start()
                for side, weight, least in (("old", 0, 0.90), ("new", 100, 0.85)):
                    proxy.links.serve("api", weight)
                    urls = {
                        "plain": f"http://127.0.0.1:{ports[f'plain {side}']}/x",
                        "logged": f"http://127.0.0.1:{ports[f'logged {side}']}/x",
                        "full": proxy.url,
                    }
                    found = await rounds(urls, worker=proxy.workers()[0])
                    _report(f"{side}{place}", None if place else least, found)
            finally:
                await proxy.stop()
                await both.server.stop()


async def rounds(
    urls: dict[str, str], *, worker: int, count: int = ROUNDS, seconds: float = SECONDS
) -> dict[str, list[tuple[wrk.Load, float]]]:
    """Every url in turn, forwards and backwards, `count` times, after one round that is thrown away: each run and the
    worker's processor seconds a request. Raises RuntimeError when anything failed: half an answer is not a throughput."""
    found: dict[str, list[tuple[wrk.Load, float]]] = {name: [] for name in urls}
    for number in range(count + 1):
        for name in sorted(urls, reverse=number % 2 == 1):
            before = nginx_servers.cpu_seconds(worker)
            run = await wrk.load(
                urls[name], host=nginx_servers.OLD_HOST, seconds=seconds, connections=CONNECTIONS,
                pinned=nginx_servers.pinned(nginx_servers.OTHER_CORE),
            )  # fmt: skip
            if run.failed:
                raise RuntimeError(f"{run.failed} requests of {name} failed ({run.kinds}): nothing was measured")
            if number:
                found[name].append((run, (nginx_servers.cpu_seconds(worker) - before) / run.requests))
        rows.say(f"round {number} of {count}")
    return found


def ratios(
    found: dict[str, list[tuple[wrk.Load, float]]], name: str, by: str, of: Callable[[tuple[wrk.Load, float]], float]
) -> list[float]:
    """Round by round, `name` through `by`."""
    return [of(one) / of(other) for one, other in zip(found[name], found[by], strict=True)]


def _report(side: str, least: float | None, found: dict[str, list[tuple[wrk.Load, float]]]) -> None:
    """`least`: the ratio wanted; None: nothing is judged here."""
    for name, values in found.items():
        rows.told(
            f"throughput {side}: {name}",
            statistics.median(one.a_second for one, _ in values),
            "requests/s",
            n=len(values),
            note=f"p99 {statistics.median(one.p99 for one, _ in values) * 1e3:.2f} ms,"
            f" {statistics.median(cpu for _, cpu in values) * 1e6:.1f} us of processor a request",
        )
    late = ratios(found, "full", "plain", lambda one: one[0].p99)
    for base in ("plain", "logged"):
        speed = ratios(found, "full", base, lambda one: one[0].a_second)
        name, note = f"throughput {side}: full / {base}", f"{rows.spread(speed)}; {WHAT_IT_IS[base]}"
        if least is not None and base == "plain":
            rows.at_least(name, statistics.median(speed), "ratio", least, n=len(speed), note=note)
            rows.at_most(f"p99 {side}: full / plain", statistics.median(late), "ratio", 1.2, n=len(late), note=rows.spread(late))
        else:
            rows.told(name, statistics.median(speed), "ratio", n=len(speed), note=note)
        cpu = ratios(found, "full", base, lambda one: one[1])
        rows.told(f"processor {side}: full / {base}", statistics.median(cpu), "ratio", n=len(cpu), note=rows.spread(cpu))
