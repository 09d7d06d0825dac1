"""The CA file of a service changes, breaks or vanishes while it is in use: nginx and the probes trust the agent's copy."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.playground.world import certificates
from k8s.agent import processes
from tests.faults.faulty_proxy import FaultyProxy, faulty, until

QUICK = "    health: {interval: 1s, failures: 2}\n    breaker: {failures: 5, pause: 1s}\n"


def served_at(weight: int) -> object:
    return lambda report: report["services"]["api"]["served"] == weight and report["trouble"] == []


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[FaultyProxy]:
    """All of api goes to new, which is trusted by a file of its own."""
    async with faulty(tmp_path) as one:
        own(one).write_text("of the new cluster's team\n" + (one.folder / "ca" / "ca.pem").read_text())
        await one.record(100, expected=0, ca="own.pem")
        await one.apply(one.two(100, more=QUICK))
        await one.eventually(served_at(100))
        await one.eventually(lambda report: "shop" in report["services"])
        yield one


def own(proxy: FaultyProxy) -> Path:
    return proxy.folder / "ca" / "own.pem"


def copies(proxy: FaultyProxy) -> list[Path]:
    """That nginx's configuration names."""
    text = (proxy.run / "nginx.conf").read_text()
    return [one for one in (proxy.run / "ca").iterdir() if one.is_file() and not one.is_symlink() and str(one) in text]


async def eventually_well(proxy: FaultyProxy) -> None:
    await proxy.eventually(lambda report: report["trouble"] == [] and report["services"]["api"]["suppression"] is None)


async def test_another_authority_counts_from_the_moment_its_file_says_so(proxy: FaultyProxy, tmp_path: Path) -> None:
    assert await proxy.served(50) == 50
    trusted = own(proxy).read_text()
    other = certificates.Authority(tmp_path / "other").certificate.read_text()
    before = (await proxy.report())["config"]
    own(proxy).write_text(other)
    await proxy.eventually(lambda report: report["config"] not in {before, ""})
    assert await proxy.served(50) == 0, "who is not trusted any more gets no request, and nobody notices"
    now = (await proxy.report())["config"]
    own(proxy).write_text(other + trusted)
    await proxy.eventually(lambda report: report["config"] not in {now, ""})
    await proxy.eventually(lambda report: report["services"]["api"]["served"] == 100)
    assert await proxy.served(50) == 50
    assert len(copies(proxy)) == len([one for one in (proxy.run / "ca").glob("[0-9a-f]*.pem") if not one.is_symlink()]) == 2


@pytest.mark.parametrize("broken", [None, "no certificate at all\n"])
async def test_a_file_that_vanishes_or_breaks_takes_nobody_away_from_new(proxy: FaultyProxy, broken: str | None) -> None:
    trusted = own(proxy).read_text()
    own(proxy).unlink() if broken is None else own(proxy).write_text(broken)
    await proxy.eventually(lambda report: any("own.pem" in one and "stays in force" in one for one in report["trouble"]))
    await proxy.apply(proxy.two(100, more=QUICK, shop_more="    timeout: 7s\n"))
    await proxy.eventually_reloaded_with("7000ms")
    assert await proxy.served(50) == 50, "the others' structure changes meanwhile"
    probed = ("ferry_agent_probes_total", "api", "ok")
    good = (await proxy.metrics())[probed]
    await proxy.eventually_metric(probed, good + 2)
    assert await proxy.nginx_accepts()
    orphans = await proxy.kill_master()
    await proxy.eventually(lambda report: any("master process was killed" in one for one in report["trouble"]))
    await proxy.start_nginx()
    await until(lambda: not any(processes.find(one.pid) == one for one in orphans))
    await proxy.eventually(lambda report: all("own.pem" in one for one in report["trouble"]))
    await proxy.agent_restarted()
    await proxy.eventually(lambda report: any("own.pem" in one and "stays in force" in one for one in report["trouble"]))
    assert await proxy.served(50) == 50, "an nginx and an agent that begin anew trust what was trusted"
    own(proxy).write_text(trusted)
    await proxy.eventually(served_at(100))


async def test_a_default_bundle_that_vanishes_keeps_nobody_back(proxy: FaultyProxy) -> None:
    bundle = proxy.folder / "ca" / "ca.pem"
    shutil.move(bundle, proxy.folder / "elsewhere.pem")
    await proxy.eventually(lambda report: any("ca.pem cannot be read" in one for one in report["trouble"]))
    await proxy.apply(proxy.two(100, more=QUICK, shop_more="    timeout: 7s\n"))
    await proxy.eventually_reloaded_with("7000ms")
    assert await proxy.nginx_accepts()
    shutil.move(proxy.folder / "elsewhere.pem", bundle)
    await proxy.eventually(served_at(100))
