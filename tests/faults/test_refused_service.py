"""One service's structure that nginx refuses keeps back no other, and never takes its way to the old cluster away."""

import shutil
from pathlib import Path

from tests.faults.faulty_proxy import SHOP_HOST, faulty

MISSING = "    tls:\n      ca: missing.pem\n"
PICKY = """#!/bin/sh
for last; do true; done
if [ "$1" = -t ] && grep -q 77000ms "$last"; then echo "2026/01/01 00:00:00 [emerg] 1#1: no timeouts of 77 s"; exit 1; fi
exec /usr/sbin/nginx "$@"
"""


async def test_a_ca_that_is_missing_is_one_services_own_trouble(tmp_path: Path) -> None:
    async with faulty(tmp_path) as proxy:
        await proxy.apply(proxy.two(0, shop_more=MISSING + "    timeout: 9s\n"))
        await proxy.eventually(lambda report: any(one.startswith("shop: nginx refuses") for one in report["trouble"]))
        said = next(one for one in (await proxy.report())["trouble"] if one.startswith("shop: nginx refuses"))
        assert "missing.pem" in said
        assert "all its requests go to the old cluster" in said
        await proxy.eventually_reloaded_with("9000ms")
        assert await proxy.asked(SHOP_HOST) == 200, "the way to old was never in doubt"
        await proxy.record(100, expected=0)
        await proxy.apply(proxy.two(100, shop_more=MISSING))
        await proxy.eventually(lambda report: report["services"]["api"]["served"] == 100 and report["ready"])
        assert await proxy.served(50) == 50
        counted = await proxy.metrics()
        assert counted["ferry_agent_config_failures_total", "shop"] >= 1
        assert counted["ferry_agent_config_failures_total", "api"] == 0
        shutil.copy(proxy.folder / "ca" / "ca.pem", proxy.folder / "ca" / "missing.pem")
        await proxy.eventually(lambda report: report["trouble"] == [])
        assert await proxy.nginx_accepts()


async def test_a_served_service_keeps_its_last_structure_while_a_new_one_is_refused(tmp_path: Path) -> None:
    async with faulty(tmp_path) as proxy:
        picky = tmp_path / "picky-nginx"
        picky.write_text(PICKY)
        picky.chmod(0o755)
        await proxy.raised(100, expected=0)
        await proxy.agent_restarted(FERRY_NGINX_PROGRAM=str(picky))
        await proxy.apply(proxy.two(100, more="    timeout: 77s\n", shop_more="    timeout: 9s\n"))
        await proxy.eventually_reloaded_with("9000ms")
        said = next(one for one in (await proxy.report())["trouble"] if one.startswith("api: nginx refuses"))
        assert "(no timeouts of 77 s)" in said
        assert "its last good structure stays" in said
        assert "77000ms" not in (proxy.run / "nginx.conf").read_text()
        assert await proxy.served(50) == 50, "by the structure before"
        counted = await proxy.metrics()
        assert counted["ferry_agent_config_failures_total", "api"] >= 1
        assert counted["ferry_agent_config_failures_total", "shop"] == 0
        await proxy.agent_restarted(FERRY_NGINX_PROGRAM=str(picky))
        await proxy.eventually(lambda report: any("its last good structure stays" in one for one in report["trouble"]))
        assert await proxy.served(50) == 50, "an agent that begins anew knows it from disk"
        await proxy.apply(proxy.two(100, more="    timeout: 8s\n"))
        await proxy.eventually_reloaded_with("8000ms")
        await proxy.eventually(lambda report: report["trouble"] == [])
