"""nginx itself is killed, reloaded by hand, or cannot have its port: found, said, and mended without anybody's help."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from deploy.playground.world import addresses
from k8s import holds, model
from k8s.agent import processes
from tests.faults.faulty_proxy import FaultyProxy, faulty, until
from tests.integration.one_proxy import NAMESPACE


async def test_workers_without_their_master_still_obey_a_hold_and_leave_for_the_nginx_that_comes(tmp_path: Path) -> None:
    async with faulty(tmp_path) as proxy:
        await proxy.raised(100, expected=0)
        orphans = await proxy.kill_master()
        await proxy.eventually(lambda report: any("master process was killed" in one for one in report["trouble"]))
        assert await proxy.served(50) == 50, "nobody else is there to serve: they stay"
        await holds.HoldBook(proxy.api, NAMESPACE).place(model.Hold("api", "oncall", reason="it burns"))
        await proxy.eventually(lambda report: report["services"]["api"]["served"] == 0)
        assert await proxy.served(100) == 0
        await proxy.start_nginx()
        await until(lambda: not any(processes.find(one.pid) == one for one in orphans))
        await proxy.eventually(lambda report: report["ready"] and report["trouble"] == [])
        assert (await proxy.metrics())["ferry_agent_repairs_total", "orphans"] == 1
        assert proxy.workers()
        assert await proxy.served(50) == 0
        await proxy.wish(0, extra="    timeout: 7s\n")
        before = (await proxy.report())["config"]
        await proxy.eventually(lambda report: report["config"] not in {before, ""})
        assert await proxy.served(50) == 0, "the new nginx is followed like the one before"


async def test_an_agent_that_never_saw_the_master_knows_its_orphans_by_the_logs_they_write(tmp_path: Path) -> None:
    async with faulty(tmp_path) as proxy:
        proxy.agent.kill()
        await proxy.agent.wait()
        orphans = await proxy.kill_master()
        await proxy.start_agent()
        await proxy.eventually(lambda report: any(f"{len(orphans)} of its workers" in one for one in report["trouble"]))
        await proxy.start_nginx()
        await until(lambda: not any(processes.find(one.pid) == one for one in orphans))
        await proxy.eventually(lambda report: report["ready"] and report["trouble"] == [])


async def test_workers_of_another_nginx_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    async with faulty(tmp_path / "one") as one, faulty(tmp_path / "other") as other:
        strangers, orphans = await other.kill_master(), await one.kill_master()
        other.agent.kill()
        await other.agent.wait()
        await one.start_nginx()
        await until(lambda: not any(processes.find(worker.pid) == worker for worker in orphans))
        assert [processes.find(worker.pid) for worker in strangers] == strangers


async def repairs(proxy: FaultyProxy) -> float:
    counted = await proxy.metrics()
    return counted["ferry_agent_repairs_total", "nginx"] + counted["ferry_agent_repairs_total", "config"]


@pytest.mark.parametrize("reloaded", [True, False], ids=["and reloaded", "and not reloaded yet"])
async def test_a_configuration_changed_by_hand_is_put_right(tmp_path: Path, reloaded: bool) -> None:
    async with faulty(tmp_path) as proxy:
        ours = await proxy.generation()
        config = proxy.run / "nginx.conf"
        text = config.read_text()
        config.write_text(text.replace(ours, "by-hand"))
        if reloaded:
            os.kill(proxy.master().pid, signal.SIGHUP)
            await proxy.eventually_serves("by-hand")
        await until(lambda: config.read_text() == text)
        await proxy.eventually_serves(ours)
        await proxy.eventually(lambda report: report["ready"] and report["config"] == ours and report["trouble"] == [])
        assert await proxy.served(20) == 0
        async with asyncio.timeout(30):
            while await repairs(proxy) == 0:  # noqa: ASYNC110 it is counted once nginx has answered, which is known here before
                await asyncio.sleep(0.05)


async def test_a_port_that_somebody_else_has_is_said_and_taken_once_it_is_free(tmp_path: Path) -> None:
    async with faulty(tmp_path) as proxy:
        await proxy.raised(100, expected=0)
        before, old_port = await proxy.generation(), proxy.ports["proxy"]
        with socket.create_server((proxy.address, addresses.free_port())) as squatter:
            taken = squatter.getsockname()[1]
            proxy.agent.kill()
            await proxy.agent.wait()
            await proxy.start_agent(FERRY_NGINX_PORT=str(taken))
            await proxy.eventually(lambda report: any("Address already in use" in one for one in report["trouble"]))
            assert await proxy.generation() == before, "nginx took the signal and went on as before"
            await until(lambda: before in (proxy.run / "nginx.conf").read_text())  # a restarted nginx would serve as before, too
            assert proxy.ports["proxy"] == old_port
            assert await proxy.served(20) == 20
            assert await proxy.push("api", "direct") == 200
            assert await proxy.served(20) == 0, "a hold needs no reload"
            assert (await proxy.metrics())["ferry_agent_config_failures_total", ""] >= 1
        await proxy.eventually(lambda report: report["config"] not in {before, ""} and report["trouble"] == [], within=60)
        proxy.ports["proxy"] = taken
        assert await proxy.served(20) == 0
