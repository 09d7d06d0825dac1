"""At no moment of a stage does a path lead where the ingress does not know the way yet: every write is replayed, one by one."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from deploy.playground.world import ingress_routes
from k8s.entry_change import Stage
from tests.edges.entries import world as old
from tests.edges.entries.world import HOST, REPLACED, SERVICE, World

Json = dict[str, Any]
Moment = dict[tuple[str, str, str], Json]
DIRECT = {"forward": "direct", "ca_secret": "ca"}
HTTPS = "nginx.ingress.kubernetes.io/backend-protocol"


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with old.old_cluster() as made:
        yield made


def moments(world: World, since: int) -> list[Moment]:
    """Ingresses, Services and endpoints after each write, beginning with those before the first."""
    live: Moment = {}
    found: list[Moment] = []
    for number, write in enumerate(world.server.writes):
        if write.resource in ("ingresses", "services", "endpointslices"):
            key = (write.resource, write.namespace, write.name)
            if write.removed:
                live.pop(key, None)
            else:
                live[key] = write.object
        if number >= since - 1:
            found.append(dict(live))
    return found


def known(moment: Moment) -> set[tuple[str, str, str]]:
    """Upstreams of an ingress that has seen this moment: namespace, Service, port."""
    return {
        (namespace, path["backend"]["service"]["name"], str(path["backend"]["service"]["port"]))
        for (resource, namespace, _), item in moment.items()
        if resource == "ingresses"
        for rule in item["spec"]["rules"]
        for path in rule["http"]["paths"]
    }


def used(moment: Moment) -> dict[str, tuple[str, str, str]]:
    """Where the application's Ingress sends the paths that people ask for."""
    item = moment["ingresses", "aibang", "shop"]
    (rule,) = item["spec"]["rules"]
    return {
        path["path"]: ("aibang", path["backend"]["service"]["name"], str(path["backend"]["service"]["port"]))
        for path in rule["http"]["paths"]
        if path["pathType"] == "Prefix"
    }


def table(moment: Moment) -> ingress_routes.Table:
    kinds = {
        name: [item for key, item in moment.items() if key[0] == name] for name in ("ingresses", "services", "endpointslices")
    }
    return ingress_routes.build(ingress_routes.Objects(kinds["ingresses"], kinds["services"], kinds["endpointslices"], []))


def check(seen: list[Moment]) -> None:
    assert len(seen) > 1
    for before, after in itertools.pairwise(seen):
        assert set(used(after).values()) <= known(before), "the upstream was known before it was needed"
        for namespace, service, _ in used(after).values():
            assert ("services", namespace, service) in after
        for path in ("/", "/static/x"):
            location = table(after).location(HOST, path)
            assert location is not None
            assert location.upstream.chosen().targets(), "somebody answers"
        marks = after["ingresses", "aibang", "shop"]["metadata"].get("annotations", {})
        if HTTPS in marks:
            assert table(after).canary(HOST) is None, "a canary would be spoken HTTPS to, too"
            assert {service for _, service, _ in used(after).values()} == {"new-cluster-proxy"}


@pytest.mark.parametrize("service", [SERVICE, REPLACED], ids=["canary", "replace"])
@pytest.mark.parametrize("settings", [{}, DIRECT], ids=["proxy", "direct"])
async def test_no_step_leaves_a_request_without_a_way(world: World, service: Any, settings: Json) -> None:
    start = len(world.server.writes)
    await world.proxies_ready()
    await world.stage(Stage.PREPARE, service)
    check(moments(world, start))
    start = len(world.server.writes)
    await world.stage(Stage.FORWARD, service, **settings)
    check(moments(world, start))
    start = len(world.server.writes)
    await world.stage(Stage.REMOVE, service, **settings)
    check(moments(world, start))
    assert ("services", "aibang", "shop") not in moments(world, start)[-1]
