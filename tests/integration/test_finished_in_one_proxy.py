"""A finished service through a real agent and a real nginx: there is no old cluster any more, and nothing asks for one."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from k8s import client, holds, model
from tests.integration.one_proxy import NAMESPACE, NEW_HOST, OLD_HOST, OneProxy, document, entry

SHOP = "shop.old.example"


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[OneProxy]:
    """`api` is finished, and its old backend is gone, name and all."""
    one = OneProxy(tmp_path)
    try:
        await one.start()
        await one.raised(100, expected=0)
        await one.record(100, expected=1, finished=True)
        await one.eventually(lambda report: report["services"]["api"]["generation"] == 2 and report["services"]["api"]["applied"])
        config = one.folder / "run" / "nginx.conf"
        await one.eventually(
            lambda report: "old_cluster_backend" not in config.read_text() and report["config"] in config.read_text()
        )
        await one.old.stop()
        one.dns.put("app.team.svc.cluster.local", [])
        yield one
    finally:
        await one.stop()


async def fresh(proxy: OneProxy) -> None:
    """Another proxy pod begins in place of this one, and knows nothing of what this one knew."""
    await proxy.stop_processes()
    proxy.processes.clear()
    for name in ("run", "memory"):
        shutil.rmtree(proxy.folder / name)
    (proxy.folder / "run").mkdir()
    await proxy.start_agent()


async def test_all_of_it_goes_to_new_whatever_is_held_wished_or_restarted(proxy: OneProxy) -> None:
    assert await proxy.served(50) == 50
    await holds.HoldBook(proxy.api, NAMESPACE).place(model.Hold("api", "oncall", reason="it burns"))
    await proxy.eventually(lambda report: report["services"]["api"]["holds"] == ["oncall"])
    assert await proxy.push("all", "direct") == 200
    assert await proxy.served(50) == 50, "there is nowhere else to go"
    await proxy.wish(0)
    await proxy.agent_restarted()
    assert await proxy.served(50) == 50
    report = await proxy.report()
    assert (report["ready"], report["services"]["api"]["served"]) == (True, 100)
    assert not any("app.team.svc" in one for one in report["trouble"])


async def test_a_fresh_proxy_serves_it_without_ever_having_known_its_old_cluster(proxy: OneProxy) -> None:
    await fresh(proxy)
    await proxy.begin()
    assert await proxy.served(50) == 50


async def test_what_the_application_answers_is_what_users_get(proxy: OneProxy) -> None:
    for status in (500, 502, 503, 404):
        proxy.new.knobs.status = status
        for method in ("GET", "POST"):
            got, body = await proxy.answer(method=method)
            assert (got, '"side":"new"' in body) == (status, True)


@pytest.mark.parametrize("named", ["shop", "nobody", "no document"])
async def test_a_fresh_proxy_serves_it_by_its_record_alone(proxy: OneProxy, named: str) -> None:
    proxy.dns.put("shop.team.svc.cluster.local", [proxy.old.address])
    shop = entry(0, proxy.new.port, proxy.old.port, name="shop", old_host=SHOP, backend="shop.team.svc.cluster.local")
    if named == "no document":
        await proxy.api.delete(client.CONFIG_MAPS, NAMESPACE, "migration-config")
    else:
        await proxy.apply("services:\n" + shop if named == "shop" else "services: []\n")
    await fresh(proxy)
    await proxy.begin()
    assert await proxy.served(50) == 50
    said = [one for one in (await proxy.report())["trouble"] if "does not name api any more: it is finished" in one]
    assert len(said) == 1
    assert "with the default timeouts" in said[0]
    proxy.dns.put(NEW_HOST, [])
    await proxy.agent_restarted()
    assert await proxy.served(20) == 20, "its address is known from before"
    await proxy.apply(document(100, proxy.new.port, proxy.old.port, extra="    timeout: 7s\n"))
    await proxy.eventually(lambda report: not any("does not name api" in one for one in report["trouble"]))
    assert await proxy.asked(OLD_HOST) == 200


async def test_a_fresh_proxy_takes_no_requests_while_other_services_are_not_known(proxy: OneProxy) -> None:
    await proxy.apply("services: [oh no\n")
    await fresh(proxy)
    # The document's trouble is said once more where it is why nothing is brought to nginx.
    await proxy.eventually(
        lambda report: proxy.config_written() or any(report["trouble"].count(one) == 2 for one in report["trouble"])
    )
    assert ((await proxy.report())["ready"], proxy.config_written()) == (False, False)
    await proxy.wish(100)
    await proxy.begin()
    assert await proxy.served(20) == 20
