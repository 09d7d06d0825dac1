"""The journey beside the record: kept by compare-and-set, never at the record's cost, counted only where it is signed for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from deploy.playground.kubernetes.faults import Match
from deploy.playground.kubernetes.server import KubernetesStandIn
from k8s import (
    client,
    cluster_watch,
    credentials,
    errors,
    model,
    record_document,
    records,
    signing,
    views,
    watch,
    wish_document,
)

NAMESPACE = "default"
NAME = "migration-record-api"
EXPOSURE = model.Exposure(weight=5, old_host="api.old.example", new_host="api.new.example")
SIGNER = signing.Signer.generate()
VERIFIER = signing.Verifier.from_pems([SIGNER.public_pem()])


def change(operation: str, weight: int, *, expected: int = 0) -> views.RecordChange:
    return views.RecordChange(
        service="api",
        exposure=EXPOSURE.at(weight),
        expected_generation=expected,
        operation_id=operation,
        operation={"id": operation, "phase": "applying", "revision": 1},
        audit={"by": "slack:T0/U1", "operation": operation},
    )


def journey(revision: int, **more: Any) -> dict[str, Any]:
    return {"version": 1, "service": "api", "revision": revision, **more}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[KubernetesStandIn]:
    stand_in = KubernetesStandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest_asyncio.fixture
async def api(server: KubernetesStandIn) -> AsyncIterator[client.ClusterClient]:
    async with client.ClusterClient(credentials.Explicit(server.url, token=server.admin_token)) as made:
        yield made


@pytest.fixture
def book(api: client.ClusterClient) -> records.RecordBook:
    return records.RecordBook(api, NAMESPACE, SIGNER)


async def seen(api: client.ClusterClient) -> record_document.Sighting:
    return record_document.read(await api.get(client.CONFIG_MAPS, NAMESPACE, NAME), VERIFIER)


async def test_a_journey_stands_where_there_is_no_record_yet_and_the_record_leaves_it(
    book: records.RecordBook, api: client.ClusterClient
) -> None:
    assert await book.keep_journey("api", journey(1), 0)
    found = await seen(api)
    assert (found.record, found.trouble, found.journey, found.journey_revision) == (None, "", journey(1), 1)
    await book.write(change("op-1", 5))
    await book.note("api", {"id": "op-1", "revision": 2}, "op-1")
    assert await book.keep_journey("api", journey(2, served=[5]), 1)
    await book.write(change("op-2", 25, expected=1))
    found = await seen(api)
    assert found.record is not None
    assert (found.record.operation, found.operation_id, found.journey) == ("op-2", "op-2", journey(2, served=[5]))
    assert await book.verify("api") == ()


async def test_only_the_revision_that_it_was_made_from_is_written_over(
    book: records.RecordBook, api: client.ClusterClient
) -> None:
    assert await book.keep_journey("api", journey(1), 0)
    assert not await book.keep_journey("api", journey(1, served=[5]), 0)
    assert await book.keep_journey("api", journey(2), 1)
    assert not await book.keep_journey("api", journey(2, served=[5]), 1)
    assert (await seen(api)).journey == journey(2)


async def test_of_many_at_once_one_is_kept_and_a_record_written_meanwhile_is_not_lost(
    book: records.RecordBook, api: client.ClusterClient
) -> None:
    await book.write(change("op-1", 5))
    writing = asyncio.create_task(book.write(change("op-2", 25, expected=1)))
    won = await asyncio.gather(*(book.keep_journey("api", journey(1, replica=number), 0) for number in range(4)))
    await writing
    assert sorted(won) == [False, False, False, True]
    found = await seen(api)
    assert found.record is not None
    assert (found.record.operation, found.journey) == ("op-2", journey(1, replica=won.index(True)))


@pytest.mark.parametrize("committed", [True, False])
async def test_a_lost_answer_is_asked_again(book: records.RecordBook, server: KubernetesStandIn, *, committed: bool) -> None:
    await book.write(change("op-1", 5))
    fail = server.faults.fail_after_commit if committed else server.faults.fail_before
    rule = fail(1, Match(verb="patch", resource="configmaps"))
    with pytest.raises(errors.Unreachable):
        await book.keep_journey("api", journey(1), 0)
    assert rule.hits == 1
    assert await book.keep_journey("api", journey(1), 0)


async def _of_another_service(book: records.RecordBook, api: client.ClusterClient) -> dict[str, str]:
    await book.keep_journey("other", journey(9), 0)
    return dict((await api.get(client.CONFIG_MAPS, NAMESPACE, "migration-record-other"))["data"])


def _forged(uid: str, *, signer: signing.Signer, service: str = "api") -> dict[str, str]:
    return record_document.journey_data(journey(9), signer, uid=uid, service=service)


@pytest.mark.parametrize(
    "case", ["other service", "other key", "other uid", "changed text", "no signature", "no JSON", "operation"]
)
async def test_what_is_forged_or_copied_does_not_count_and_is_written_over(
    book: records.RecordBook, api: client.ClusterClient, case: str
) -> None:
    await book.write(change("op-1", 5))
    uid = (await seen(api)).uid
    good = _forged(uid, signer=SIGNER)
    operation = record_document.operation_data(journey(9), SIGNER, uid=uid, service="api", operation_id="op-1")
    data = {
        "other service": await _of_another_service(book, api),
        "other key": _forged(uid, signer=signing.Signer.generate()),
        "other uid": _forged("another", signer=SIGNER),
        "changed text": {**good, "journey": good["journey"].replace('"revision":9', '"revision":8')},
        "no signature": {**good, "journey-signature": ""},
        "no JSON": {**good, "journey": "[" * 100_000},
        "operation": {"journey": operation["operation"], "journey-signature": operation["operation-signature"]},
    }[case]
    await api.patch(client.CONFIG_MAPS, NAMESPACE, NAME, {"data": data})
    found = await seen(api)
    assert (found.journey, found.journey_revision, found.record is not None) == (None, 0, True)
    assert "does not count" in found.journey_trouble
    assert found.journey_trouble in await book.verify("api")
    assert await book.keep_journey("api", journey(1), 0)
    assert (await seen(api)).journey == journey(1)


async def test_what_a_newer_ferry_signed_is_not_written_over(book: records.RecordBook, api: client.ClusterClient) -> None:
    await book.write(change("op-1", 5))
    uid = (await seen(api)).uid
    envelope = {**json.loads(_forged(uid, signer=SIGNER)["journey"]), "wave": "blue"}
    payload = record_document.canonical(envelope)
    signature = SIGNER.sign(record_document.JOURNEY_DOMAIN + payload)
    await api.patch(client.CONFIG_MAPS, NAMESPACE, NAME, {"data": {"journey": payload.decode(), "journey-signature": signature}})
    with pytest.raises(errors.Invalid, match="upgrade Ferry"):
        await book.keep_journey("api", journey(10), 9)
    assert (await api.get(client.CONFIG_MAPS, NAMESPACE, NAME))["data"]["journey"] == payload.decode()


@pytest_asyncio.fixture
async def watching(api: client.ClusterClient) -> AsyncIterator[Callable[[Callable[[views.ServiceView], bool]], Any]]:
    limits = watch.Limits(first_pause=0.02, longest_pause=0.1)
    watched = cluster_watch.ClusterWatch(api, NAMESPACE, VERIFIER, wish_document.read_entries, limits=limits, journeys=True)

    async def until(met: Callable[[views.ServiceView], bool]) -> views.ServiceView:
        async with asyncio.timeout(20):
            async for view in watched.changes():
                if "api" in view.services and met(view.services["api"]):
                    return view.services["api"]
        raise AssertionError("the watch has ended")

    async with watched:
        yield until


async def test_the_watch_shows_it_and_an_earlier_one_put_back_by_hand_does_not_come_back(
    book: records.RecordBook, api: client.ClusterClient, watching: Callable[[Callable[[views.ServiceView], bool]], Any]
) -> None:
    await book.write(change("op-1", 5))
    await book.keep_journey("api", journey(1, standing="of five steps"), 0)
    before = (await api.get(client.CONFIG_MAPS, NAMESPACE, NAME))["data"]
    await book.keep_journey("api", journey(2), 1)
    one = await watching(lambda one: one.journey == journey(2))
    assert one.journey_trouble == ""
    await api.patch(client.CONFIG_MAPS, NAMESPACE, NAME, {"data": {"note": "x", **before}})
    one = await watching(lambda one: bool(one.journey_trouble))
    assert (one.journey, one.trouble) == (journey(2), (one.journey_trouble,))
    assert "put back by hand" in one.journey_trouble
    assert await book.keep_journey("api", journey(3), 2)
    one = await watching(lambda one: one.journey == journey(3))
    assert one.trouble == ()
