"""Watches: from which version, what is seen, and how they end."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.contracts.kubernetes_cluster import MERGE, Cluster

Json = dict[str, Any]


async def _seen(events: AsyncIterator[Json], count: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    async for event in events:
        found.append((event["type"], event["object"]["metadata"]["name"]))
        if len(found) == count:
            break
    return found


async def _version(cluster: Cluster, plural: str = "secrets") -> str:
    return (await cluster.call("GET", cluster.path(plural))).version


async def _secret(cluster: Cluster, name: str, **labels: str) -> None:
    assert (await cluster.create("secrets", {"metadata": {"name": name, "labels": labels}})).code == 201


async def test_a_watch_continues_a_list(cluster: Cluster) -> None:
    await _secret(cluster, "before")
    version = await _version(cluster)
    await _secret(cluster, "a")
    path = cluster.path("secrets", "a")
    await cluster.call("PATCH", path, {"metadata": {"labels": {"x": "1"}}}, MERGE)
    last = (await cluster.call("GET", path)).version
    await cluster.call("DELETE", path)
    async with cluster.watch(cluster.path("secrets"), resourceVersion=version) as events:
        seen = [await anext(events) for _ in range(3)]
    assert [event["type"] for event in seen] == ["ADDED", "MODIFIED", "DELETED"]
    assert {event["object"]["kind"] for event in seen} == {"Secret"}
    # The removal has a version of its own: a watch can be continued from it.
    assert int(seen[2]["object"]["metadata"]["resourceVersion"]) > int(last)


async def test_a_watch_without_a_version_begins_with_what_is_there(cluster: Cluster) -> None:
    await _secret(cluster, "a")
    async with cluster.watch(cluster.path("secrets")) as events:
        assert await _seen(events, 1) == [("ADDED", "a")]
        await _secret(cluster, "b")
        assert await _seen(events, 1) == [("ADDED", "b")]


async def test_through_a_selector_entering_is_added_and_leaving_is_deleted(cluster: Cluster) -> None:
    await _secret(cluster, "a")
    path = cluster.path("secrets", "a")
    async with cluster.watch(cluster.path("secrets"), resourceVersion=await _version(cluster), labelSelector="x=1") as events:
        for value in ("1", "2"):
            patched = await cluster.call("PATCH", path, {"metadata": {"labels": {"x": value}}}, MERGE)
        entered, left = await anext(events), await anext(events)
    assert (entered["type"], left["type"]) == ("ADDED", "DELETED")
    assert left["object"]["metadata"]["labels"] == {"x": "1"}
    assert left["object"]["metadata"]["resourceVersion"] == patched.version


async def test_a_watch_of_one_name_sees_no_other(cluster: Cluster) -> None:
    version = await _version(cluster)
    async with cluster.watch(cluster.path("secrets"), resourceVersion=version, fieldSelector="metadata.name=b") as events:
        await _secret(cluster, "a")
        await _secret(cluster, "b")
        assert await _seen(events, 1) == [("ADDED", "b")]


async def test_a_watch_of_all_namespaces_sees_this_one(cluster: Cluster) -> None:
    version = await _version(cluster)
    selector = f"metadata.namespace={cluster.namespace}"
    async with cluster.watch("/api/v1/secrets", resourceVersion=version, fieldSelector=selector) as events:
        await _secret(cluster, "a")
        assert await _seen(events, 1) == [("ADDED", "a")]


async def test_a_watch_ends_in_time_with_a_bookmark(cluster: Cluster) -> None:
    query = {"resourceVersion": await _version(cluster), "timeoutSeconds": "1", "allowWatchBookmarks": "true"}
    async with cluster.watch(cluster.path("secrets"), **query) as events:
        seen = [event async for event in events]
    assert {event["type"] for event in seen} <= {"BOOKMARK"}
    if cluster.stand_in is not None:
        assert seen
    assert all(set(event["object"]["metadata"]) <= {"resourceVersion", "creationTimestamp"} for event in seen)


async def test_a_forgotten_version_is_gone(cluster: Cluster) -> None:
    if cluster.stand_in is not None:
        cluster.stand_in.faults.compact_now()
    async with cluster.watch(cluster.path("secrets"), resourceVersion="1") as events:
        event = await anext(events)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_a_page_of_a_forgotten_version_is_gone(cluster: Cluster) -> None:
    if cluster.stand_in is None:
        pytest.skip("a real server forgets only after minutes")
    for name in ("a", "b"):
        await _secret(cluster, name)
    first = await cluster.call("GET", cluster.path("secrets"), limit="1")
    cluster.stand_in.faults.compact_now()
    gone = await cluster.call("GET", cluster.path("secrets"), limit="1", **{"continue": first.body["metadata"]["continue"]})
    assert (gone.code, gone.body["reason"]) == (410, "Expired")


async def test_a_list_of_the_future_is_refused_for_now(cluster: Cluster) -> None:
    ahead = str(int(await _version(cluster)) + 1_000_000)
    early = await cluster.call("GET", cluster.path("secrets"), resourceVersion=ahead, resourceVersionMatch="NotOlderThan")
    assert (early.code, early.body["reason"]) == (504, "Timeout")


async def test_initial_events_end_with_a_marked_bookmark(cluster: Cluster) -> None:
    cluster.differs("initial events")
    await _secret(cluster, "a")
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with cluster.watch(cluster.path("secrets"), **query) as events:
        first, second = await anext(events), await anext(events)
    assert (first["type"], second["type"]) == ("ADDED", "BOOKMARK")
    assert second["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
