"""Real programs under supervision, names over real DNS, pod addresses."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from deploy.playground.world import addresses, alertmanager, names, processes, prometheus, redis


async def test_redis_answers_stops_restarts_and_can_be_frozen(tmp_path: Path) -> None:
    store = redis.Redis(tmp_path)
    await store.start()
    first = store.child.pid
    store.child.pause()
    store.child.proceed()
    await store.child.restart()
    assert store.child.pid != first
    store.child.pause()
    await store.stop()
    assert not store.child.running
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


async def test_prometheus_and_alertmanager_become_ready_and_stop(tmp_path: Path) -> None:
    alerts = alertmanager.Alertmanager(tmp_path / "a", config={"route": {"receiver": "none"}, "receivers": [{"name": "none"}]})
    eyes = prometheus.Prometheus(tmp_path / "p", alertmanagers=[alerts.address])
    await asyncio.gather(alerts.start(), eyes.start())
    assert await processes.answers(f"{eyes.url}/-/healthy")
    assert await processes.answers(f"{alerts.url}/-/healthy")
    await asyncio.gather(alerts.stop(), eyes.stop())
    assert not await processes.answers(f"{eyes.url}/-/healthy")


async def test_a_program_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    child = processes.Child(
        "broken", [sys.executable, "-c", "print('no such luck'); raise SystemExit(3)"], folder=tmp_path, ready=never
    )
    with pytest.raises(processes.NotReady, match=r"code 3(.|\n)*no such luck"):
        await child.start()
    assert not child.running


async def test_a_child_that_ignores_term_is_killed_with_its_group(tmp_path: Path) -> None:
    stubborn = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"

    async def up() -> bool:
        return b"up" in child.log.read_bytes()

    child = processes.Child("stubborn", [sys.executable, "-c", stubborn], folder=tmp_path, ready=up)
    await child.start()
    await child.stop(limit=0.1)
    assert await child.wait() == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
async def test_nothing_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib, sys\n"
        "from deploy.playground.world import processes\n"
        "async def main():\n"
        "    child = processes.Child('sleeper', ['sleep', '600'], folder=pathlib.Path(sys.argv[1]))\n"
        "    await child.start()\n"
        "    print(child.pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(tmp_path), stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    orphan = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    status = Path(f"/proc/{orphan}/stat")
    async with asyncio.timeout(10):
        while status.exists() and status.read_text().split()[2] != "Z":  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.01)


async def test_names_change_while_they_are_served_and_fail_when_told() -> None:
    server = names.NameServer()
    await server.start()

    async def ask(kind: str = "A") -> tuple[int, list[str]]:
        question = dns.message.make_query("shop.app.svc.cluster.local", kind)
        answer = await asyncio.to_thread(dns.query.udp, question, server.address, port=server.port, timeout=5)
        return answer.rcode(), sorted(str(record) for entry in answer.answer for record in entry)

    try:
        assert await ask() == (dns.rcode.NXDOMAIN, [])
        server.put("shop.app.svc.cluster.local", ["127.9.9.1", "127.9.9.2"])
        assert await ask() == (dns.rcode.NOERROR, ["127.9.9.1", "127.9.9.2"])
        assert await ask("AAAA") == (dns.rcode.NOERROR, [])
        server.failing = True
        assert await ask() == (dns.rcode.SERVFAIL, [])
    finally:
        await server.stop()


def test_two_playgrounds_never_share_pod_addresses() -> None:
    one, two = addresses.PodNetwork(), addresses.PodNetwork()
    one.start()
    two.start()
    try:
        assert one.network != two.network
        given = [one.next_pod_ip() for _ in range(250)]
        assert len(set(given)) == 250
        with pytest.raises(addresses.NoAddresses, match="delete pods"):
            one.next_pod_ip()
        one.give_back(given[7])
        assert one.next_pod_ip() == given[7]
        assert addresses.free_port(given[0])
    finally:
        one.stop()
        two.stop()
