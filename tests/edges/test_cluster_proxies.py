"""Agents asked and ordered directly, and what their reports amount to."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from deploy.playground.kubernetes.server import KubernetesStandIn
from k8s import client, convergence, credentials, errors, hold_document, model, proxies, proxy_report, report_document, views

NAMESPACE = "default"
SERVING = proxy_report.ServiceReport("api", generation=3, served=25, holds=(), lowest_wish=25)


def report(pod: str, **changes: Any) -> proxy_report.ProxyReport:
    one = replace(SERVING, **changes)
    return proxy_report.ProxyReport(pod, ready=True, terminating=False, config="abc", services={"api": one})


def test_a_report_survives_json() -> None:
    one = replace(report("p1", holds=("h1",)), trouble=("disk is full",))
    assert report_document.report_from(report_document.as_document(one)) == one


@pytest.mark.parametrize("wrong", [{"ready": 1}, {"services": []}, {"pod": None}, {"services": {"api": {"served": 1}}}])
def test_a_report_that_is_not_understood_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.BadReply):
        report_document.report_from(report_document.as_document(report("p1")) | wrong)


def test_proxies_take_requests_until_every_one_is_proven_gone() -> None:
    leaving, away = replace(report("p1"), terminating=True), replace(report("p2"), ready=False)
    assert views.Fleet(2, (report("p1"), away)).takes_requests
    assert not views.Fleet(2, (leaving, away)).takes_requests
    assert views.Fleet(2, (away,), silent=("p3",)).takes_requests
    assert views.Fleet(2, (away,), silent=("p3", "p4"), unready=("p3",)).takes_requests
    assert not views.Fleet(2, (away,), silent=("p3",), unready=("p3",)).takes_requests
    assert not views.Fleet(2, ()).takes_requests


def test_a_raise_needs_every_expected_ready_proxy() -> None:
    def verdict(fleet: views.Fleet) -> convergence.Verdict:
        return convergence.of_raise(fleet, "api", generation=3, weight=25)

    both = (report("p1"), report("p2"))
    assert isinstance(verdict(views.Fleet(2, both)), convergence.Converged)
    for fleet in [
        views.Fleet(0, ()),
        views.Fleet(3, both),
        views.Fleet(2, both, silent=("p3",)),
        views.Fleet(2, (*both, report("p3", generation=2))),
        views.Fleet(2, (report("p1"), report("p2", served=0, because="suppressed by the breaker"))),
        views.Fleet(2, (report("p1"), replace(report("p2"), ready=False))),
        views.Fleet(2, (report("p1"), report("p2", applied=False))),
    ]:
        assert isinstance(verdict(fleet), convergence.Waiting)
    waiting = verdict(views.Fleet(2, (report("p1"), report("p2", generation=2))))
    assert isinstance(waiting, convergence.Waiting)
    assert (waiting.done, waiting.total, waiting.lagging) == (1, 2, (("p2", "serves generation 2"),))
    assert waiting.sentence == "1 of 2 proxies serve generation 3 at 25%: p2 serves generation 2"


def test_the_end_needs_every_proxy_to_report_it_terminating_ones_too() -> None:
    done = {"served": 100, "finished": True}
    both = (report("p1", **done), report("p2", **done))
    assert isinstance(convergence.of_finish(views.Fleet(2, both), "api", generation=3), convergence.Converged)
    assert convergence.not_finished(views.Fleet(2, both), "api") == ()
    leaving = replace(report("p3", served=100), terminating=True)
    for fleet, who in [
        (views.Fleet(2, (both[0], report("p2", served=100))), "p2"),
        (views.Fleet(2, (*both, leaving)), "p3"),
        (views.Fleet(2, (both[0], report("p2", **done, generation=2))), "p2"),
    ]:
        waiting = convergence.of_finish(fleet, "api", generation=3)
        assert isinstance(waiting, convergence.Waiting)
        assert [pod for pod, _ in waiting.lagging] == [who]
    assert convergence.not_finished(views.Fleet(2, both, silent=("p3",)), "api") == (("p3", "gives no answer"),)
    assert convergence.not_finished(views.Fleet(3, both), "api") == (("the other proxies", "1 of 3 are not there"),)
    older = report_document.as_document(report("p1", **done))
    del older["services"]["api"]["finished"]
    assert not report_document.report_from(older).services["api"].finished


def test_a_hold_needs_every_live_proxy_terminating_ones_too() -> None:
    held = report("p1", served=0, holds=("h1",))
    leaving = replace(report("p2"), terminating=True)
    waiting = convergence.of_lowering(views.Fleet(1, (held, leaving)), "api", hold="h1")
    assert isinstance(waiting, convergence.Waiting)
    assert waiting.lagging == (("p2", "has not seen hold h1"),)
    down = replace(report("p2", generation=4, served=0), terminating=True)
    assert isinstance(
        convergence.of_lowering(views.Fleet(1, (held, down)), "api", generation=4, hold="h1"), convergence.Converged
    )
    assert isinstance(convergence.of_lowering(views.Fleet(1, ()), "api", hold="h1"), convergence.Waiting)
    assert isinstance(convergence.of_lowering(views.Fleet(1, (held,), silent=("p3",)), "api", hold="h1"), convergence.Waiting)


@dataclass(slots=True)
class Agents:
    """Agents on addresses of their own and one free port; what each was pushed, by address."""

    port: int
    pushed: dict[str, list[model.Hold]]
    api: client.ClusterClient
    server: KubernetesStandIn


@pytest_asyncio.fixture
async def agents() -> AsyncIterator[Agents]:
    pushed: dict[str, list[model.Hold]] = {"127.0.0.2": [], "127.0.0.3": []}

    async def hold(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer secret":
            return web.json_response({}, status=401)
        pushed[request.url.host or ""].append(hold_document.hold_from_document(await request.json()))
        return web.json_response({"held": True})

    async def status(request: web.Request) -> web.Response:
        return web.json_response(report_document.as_document(report(f"pod-{(request.url.host or '')[-1]}")))

    application = web.Application()
    application.add_routes([web.post("/hold", hold), web.get("/status", status)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.2", 0).start()
    port = runner.addresses[0][1]
    await web.TCPSite(runner, "127.0.0.3", port).start()
    server = KubernetesStandIn()
    await server.start()
    async with client.ClusterClient(credentials.Explicit(server.url, token=server.admin_token)) as api:
        yield Agents(port, pushed, api, server)
    await server.stop()
    await runner.cleanup()


async def pod(api: client.ClusterClient, number: int) -> None:
    labels = {"app.kubernetes.io/name": "migration-proxy"}
    body = {
        "metadata": {"name": f"pod-{number}", "labels": labels},
        "spec": {"containers": [{"name": "nginx", "image": "nginx"}]},
    }
    await api.create(client.PODS, NAMESPACE, body)
    ready = {"status": {"podIP": f"127.0.0.{number}", "phase": "Running"}}
    await api.patch(client.PODS, NAMESPACE, f"pod-{number}", ready, subresource="status")


async def deployment(api: client.ClusterClient, replicas: int) -> None:
    labels = {"app.kubernetes.io/name": "migration-proxy"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "nginx", "image": "nginx"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    await api.create(client.DEPLOYMENTS, NAMESPACE, {"metadata": {"name": "migration-proxy"}, "spec": spec})


async def test_a_hold_reaches_every_agent_with_the_api_server_down(agents: Agents) -> None:
    await pod(agents.api, 2)
    await pod(agents.api, 3)
    hold = model.Hold("api", "h1", reason="down", cause="f1")
    async with proxies.Proxies(agents.api, NAMESPACE, "secret", port=agents.port) as every:
        await every.pods()
        await agents.server.stop()
        answers = await every.push(hold)
    assert {(one.pod, one.held) for one in answers} == {("pod-2", True), ("pod-3", True)}
    assert agents.pushed == {"127.0.0.2": [hold], "127.0.0.3": [hold]}


async def test_a_pod_that_is_gone_since_the_last_list_is_not_asked_for_an_answer(agents: Agents) -> None:
    await pod(agents.api, 2)
    await pod(agents.api, 4)
    async with proxies.Proxies(agents.api, NAMESPACE, "secret", port=agents.port) as every:
        await every.pods()
        body = {"status": {"phase": "Failed"}}
        await agents.api.patch(client.PODS, NAMESPACE, "pod-4", body, subresource="status")
        answers = await every.push(model.Hold("api", "h1"))
    assert [(one.pod, one.held) for one in answers] == [("pod-2", True)]


async def test_an_agent_that_refuses_or_is_away_is_named(agents: Agents) -> None:
    await pod(agents.api, 2)
    await pod(agents.api, 4)  # nobody listens there
    async with proxies.Proxies(agents.api, NAMESPACE, "wrong", port=agents.port) as every:
        answers = {one.pod: one for one in await every.push(model.Hold("api", "h1"))}
    assert [one.held for one in answers.values()] == [False, False]
    assert "answers 401" in answers["pod-2"].trouble
    assert "look at its pod" in answers["pod-4"].trouble


async def test_the_fleet_names_silent_pods_and_what_is_expected(agents: Agents) -> None:
    await deployment(agents.api, 3)
    for number in (2, 3, 4):
        await pod(agents.api, number)
    async with proxies.Proxies(agents.api, NAMESPACE, "secret", port=agents.port) as every:
        fleet = await every.fleet()
        assert (fleet.expected, sorted(one.pod for one in fleet.reports), fleet.silent) == (3, ["pod-2", "pod-3"], ("pod-4",))
        assert fleet.unready == (), "what the cluster does not say is no proof"
        for number in (2, 4):
            away = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
            await agents.api.patch(client.PODS, NAMESPACE, f"pod-{number}", away, subresource="status")
        assert (await every.fleet()).unready == ("pod-4",), "who answers says it himself"
        await agents.server.stop()
        blind = await every.fleet()
    assert any("not all proxies are known" in one for one in blind.silent)
