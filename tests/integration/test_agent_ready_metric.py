"""What tells a proxy that lags from one that takes no requests: its agent says whether it is ready."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.one_proxy import OneProxy, document

READY = ("ferry_agent_ready",)
CONVERGED = ("ferry_agent_converged", "api")


@pytest.fixture
async def exposed(tmp_path: Path) -> AsyncIterator[OneProxy]:
    """A proxy that should serve 40% of a service, and whose nginx was not started yet."""
    one = OneProxy(tmp_path)
    try:
        await one.start_world()
        await one.apply(document(40, one.new.port, one.old.port))
        await one.record(40, expected=0)
        await one.start_agent()
        yield one
    finally:
        await one.stop()


async def test_an_agent_whose_nginx_does_not_run_lags_and_says_that_it_takes_no_requests_until_it_runs(exposed: OneProxy) -> None:
    await exposed.eventually(lambda report: exposed.config_written() and report["services"]["api"]["generation"] == 1)
    await exposed.eventually_metric(("ferry_agent_new_cluster_up", "api"), 1)
    metrics = await exposed.metrics()
    assert (metrics[READY], metrics[CONVERGED]) == (0, 0)
    await exposed.start_nginx()
    await exposed.eventually_metric(CONVERGED, 1)
    assert (await exposed.metrics())[READY] == 1
