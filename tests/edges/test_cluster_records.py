"""Records, holds and the wish, written against the API stand-in: races, lost answers and crashes between two writes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from deploy.playground.kubernetes.faults import Match
from deploy.playground.kubernetes.server import KubernetesStandIn
from k8s import client, credentials, errors, holds, model, records, signing, views, wish, wish_change

NAMESPACE = "default"
EXPOSURE = model.Exposure(weight=5, old_host="api.old.example", new_host="api.new.example")
SIGNER = signing.Signer.generate()


def change(operation: str, weight: int, *, expected: int = 0, least: int = 0) -> views.RecordChange:
    return views.RecordChange(
        service="api",
        exposure=EXPOSURE.at(weight),
        expected_generation=expected,
        operation_id=operation,
        operation={"id": operation, "phase": "applying", "revision": 1},
        audit={"by": "slack:T0/U1", "operation": operation},
        least_generation=least,
    )


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


async def record_map(api: client.ClusterClient) -> dict[str, Any]:
    return await api.get(client.CONFIG_MAPS, NAMESPACE, "migration-record-api")


async def test_a_written_record_points_to_its_revision_and_the_chain_verifies(book: records.RecordBook) -> None:
    await book.write(change("op-1", 5))
    record, revision = await book.write(change("op-2", 25, expected=1))
    assert (record.generation, record.exposure.weight, record.revision) == (2, 25, revision.name)
    history = await book.history("api")
    assert [one.record.operation for one in history] == ["op-2", "op-1"]
    assert history[0].previous == history[1].hash
    assert await book.verify("api") == ()


async def test_a_retry_of_the_same_operation_changes_nothing(book: records.RecordBook, server: KubernetesStandIn) -> None:
    first = await book.write(change("op-1", 5))
    writes = len(server.writes)
    assert await book.write(change("op-1", 5)) == first
    assert len(server.writes) == writes


async def test_a_change_made_from_another_generation_is_a_conflict(book: records.RecordBook) -> None:
    await book.write(change("op-1", 5))
    with pytest.raises(errors.Conflict, match="generation 1"):
        await book.write(change("op-2", 25, expected=0))
    assert [one.record.operation for one in await book.history("api")] == ["op-1"]


async def test_the_generation_is_above_what_agents_reported(book: records.RecordBook) -> None:
    record, _ = await book.write(change("op-1", 5, least=41))
    assert record.generation == 42


@pytest.mark.parametrize(
    "boundary",
    [
        Match(verb="create", resource="configmaps"),
        Match(verb="create", resource="controllerrevisions"),
        Match(verb="patch", resource="configmaps"),
    ],
    ids=["the ConfigMap was made", "the revision was made", "the record was set"],
)
@pytest.mark.parametrize("committed", [True, False])
async def test_a_crash_at_any_boundary_is_completed_by_the_retry(
    book: records.RecordBook, server: KubernetesStandIn, boundary: Match, committed: bool
) -> None:
    fail = server.faults.fail_after_commit if committed else server.faults.fail_before
    rule = fail(1, boundary)
    with pytest.raises(errors.Unreachable):
        await book.write(change("op-1", 5))
    assert rule.hits == 1
    record, _ = await book.write(change("op-1", 5))
    assert (record.generation, record.operation) == (1, "op-1")
    assert [one.record.operation for one in await book.history("api")] == ["op-1"]
    assert await book.verify("api") == ()


async def test_a_revision_that_nobody_points_to_never_happened(book: records.RecordBook, server: KubernetesStandIn) -> None:
    server.faults.fail_before(1, Match(verb="patch", resource="configmaps"))
    with pytest.raises(errors.Unreachable):
        await book.write(change("op-crashed", 5))
    record, _ = await book.write(change("op-next", 7))
    with pytest.raises(errors.Conflict, match="plan it again"):
        await book.write(change("op-crashed", 5))
    assert record.generation == 2  # the crashed one's generation is not used again
    assert [one.record.operation for one in await book.history("api")] == ["op-next"]
    assert await book.verify("api") == ()


async def test_an_operation_id_is_not_used_for_another_change(book: records.RecordBook, server: KubernetesStandIn) -> None:
    server.faults.fail_before(1, Match(verb="patch", resource="configmaps"))
    with pytest.raises(errors.Unreachable):
        await book.write(change("op-1", 5))
    with pytest.raises(errors.Conflict, match="new operation id"):
        await book.write(change("op-1", 50))


async def test_two_different_changes_at_once_leave_exactly_one(book: records.RecordBook) -> None:
    await book.write(change("op-0", 1))
    changes = [change(f"op-{number}", number, expected=1) for number in range(2, 6)]
    outcomes = await asyncio.gather(*(book.write(one) for one in changes), return_exceptions=True)
    won = [one for one in outcomes if isinstance(one, tuple)]
    assert len(won) == 1
    assert all(isinstance(one, errors.Conflict) for one in outcomes if not isinstance(one, tuple))
    assert (await book.history("api"))[0].record == won[0][0]
    assert await book.verify("api") == ()


async def test_two_replicas_with_the_same_operation_write_one_record(api: client.ClusterClient) -> None:
    books = [records.RecordBook(api, NAMESPACE, SIGNER) for _ in range(2)]
    one, other = await asyncio.gather(*(book.write(change("op-1", 5)) for book in books))
    assert one == other
    assert len(await books[0].history("api")) == 1


async def test_an_unrelated_edit_of_the_config_map_is_no_conflict(book: records.RecordBook, api: client.ClusterClient) -> None:
    await book.write(change("op-1", 5))
    await api.patch(client.CONFIG_MAPS, NAMESPACE, "migration-record-api", {"metadata": {"annotations": {"note": "x"}}})
    record, _ = await book.write(change("op-2", 6, expected=1))
    assert record.generation == 2


async def test_a_changed_audit_entry_is_found(book: records.RecordBook, api: client.ClusterClient) -> None:
    _, revision = await book.write(change("op-1", 5))
    await book.write(change("op-2", 25, expected=1))
    kept = await api.get(client.CONTROLLER_REVISIONS, NAMESPACE, revision.name)
    await api.delete(client.CONTROLLER_REVISIONS, NAMESPACE, revision.name)
    forged = {**kept, "metadata": {"name": revision.name, "labels": kept["metadata"]["labels"]}}
    forged["data"] = {**kept["data"], "audit": {"by": "nobody"}}
    await api.create(client.CONTROLLER_REVISIONS, NAMESPACE, forged)
    sentences = await book.verify("api")
    assert any("audit entry" in one for one in sentences)
    assert any("the revision before it is gone or was changed" in one for one in sentences)


async def test_at_most_twenty_revisions_are_kept_and_the_rest_verifies(book: records.RecordBook) -> None:
    for number in range(23):
        await book.write(change(f"op-{number}", number, expected=number))
    assert [one.generation for one in await book.history("api")] == list(range(23, 3, -1))
    assert await book.verify("api") == ()


async def test_a_record_restored_under_another_uid_does_not_count_and_is_written_above(
    book: records.RecordBook, api: client.ClusterClient
) -> None:
    await book.write(change("op-1", 5))
    old = await record_map(api)
    await api.delete(client.CONFIG_MAPS, NAMESPACE, "migration-record-api")
    restored = {**old, "metadata": {"name": "migration-record-api", "labels": old["metadata"]["labels"]}}
    await api.create(client.CONFIG_MAPS, NAMESPACE, restored)
    assert "another ConfigMap" in (await book.verify("api"))[0]
    record, _ = await book.write(change("op-2", 3, expected=0))
    assert record.generation == 2
    assert [one.record.operation for one in await book.history("api")] == ["op-2", "op-1"]


async def test_a_note_belongs_to_the_operation_that_wrote_the_record(book: records.RecordBook) -> None:
    await book.write(change("op-1", 5))
    await book.note("api", {"id": "op-1", "revision": 3}, "op-1")
    await book.note("api", {"id": "op-1", "revision": 3}, "op-1")  # a repeated note is one note
    for revision in (2, 3):
        with pytest.raises(errors.Conflict, match="another state"):
            await book.note("api", {"id": "op-1", "revision": revision, "phase": "done"}, "op-1")
    with pytest.raises(errors.Conflict, match="op-9"):
        await book.note("api", {"id": "op-9"}, "op-9")
    assert await book.verify("api") == ()


async def test_fifty_holds_at_once_are_all_there_and_none_conflicts(api: client.ClusterClient) -> None:
    book = holds.HoldBook(api, NAMESPACE)
    wanted = [model.Hold("api", f"h{number}", reason=f"alert {number}", cause=f"c{number}") for number in range(50)]
    await asyncio.gather(*(book.place(one) for one in wanted))
    assert set(await book.standing()) == set(wanted)


async def test_a_hold_whose_answer_is_lost_is_placed_all_the_same(api: client.ClusterClient, server: KubernetesStandIn) -> None:
    book = holds.HoldBook(api, NAMESPACE)
    await book.place(model.Hold("api", "h1"))
    rule = server.faults.fail_after_commit(1, Match(verb="patch", resource="configmaps"))
    await book.place(model.Hold("all", "h2", reason="down"))
    assert rule.hits == 1
    assert {hold.key for hold in await book.standing()} == {"hold.api.h1", "hold.all.h2"}


async def test_adopting_a_hold_never_overwrites_what_its_key_says(api: client.ClusterClient) -> None:
    book = holds.HoldBook(api, NAMESPACE)
    assert await book.adopt(model.Hold("api", "h1", reason="seen at the proxies"))
    await book.place(model.Hold("api", "h2", reason="errors", cause="abc/1"))
    assert not await book.adopt(model.Hold("api", "h2", reason="seen at the proxies"))
    assert {hold.id: hold.cause for hold in await book.standing()} == {"h1": "", "h2": "abc/1"}


async def test_from_a_record_that_was_restored_by_hand_nothing_is_a_lowering(book: records.RecordBook) -> None:
    await book.write(change("op-1", 25))
    with pytest.raises(errors.Conflict, match="restored by hand"):
        await book.write(change("op-2", 20, expected=1, least=3))
    record, _ = await book.write(change("op-3", 0, expected=1, least=3))
    assert (record.generation, record.exposure.weight) == (4, 0)


async def test_only_holds_that_still_say_what_was_seen_are_removed(api: client.ClusterClient) -> None:
    book = holds.HoldBook(api, NAMESPACE)
    seen = [model.Hold("api", "h1", reason="one"), model.Hold("api", "h2", reason="two")]
    for hold in [seen[0], replace(seen[1], reason="another order"), model.Hold("api", "h3")]:
        await book.place(hold)
    assert await book.remove(seen) == ("hold.api.h1",)
    assert [hold.id for hold in await book.standing()] == ["h2", "h3"]


async def test_any_text_is_a_hold(api: client.ClusterClient) -> None:
    data = {"hold.api.a": "broken {", "hold.api.b.c": "", "hold.all.d": "[1]", "readme": "no hold", "hold.api.e": '{"by": 7}'}
    await api.create(client.CONFIG_MAPS, NAMESPACE, {"metadata": {"name": "migration-holds"}, "data": data})
    standing = {hold.key: (hold.reason, hold.by) for hold in await holds.HoldBook(api, NAMESPACE).standing()}
    assert standing == {
        "hold.all.d": ("[1]", ""), "hold.api.a": ("broken {", ""), "hold.api.b.c": ("", ""), "hold.api.e": ("", "7"),
    }  # fmt: skip


def wished(**weights: int) -> str:
    entry = """\
  - name: {0}
    old_host: {0}.old.example
    new_host: {0}.new.example
    old_backend: {0}.team.svc.cluster.local:80
    migration_percentage: {1}  # of {0}
"""
    return "# by hand\nservices:\n" + "".join(entry.format(name, weight) for name, weight in weights.items())


def asked(service: str, weight: int, *, expected: int = 0) -> wish_change.WishChange:
    return wish_change.WishChange(service, EXPOSURE.at(weight), expected)


async def test_weights_of_many_services_are_set_at_once_and_comments_stay(api: client.ClusterClient) -> None:
    text = wished(a=0, b=0, c=0)
    await api.create(client.CONFIG_MAPS, NAMESPACE, {"metadata": {"name": "migration-config"}, "data": {wish.DOCUMENT: text}})
    book = wish.WishBook(api, NAMESPACE)
    assert await asyncio.gather(*(book.write(asked(name, 5)) for name in "abc")) == ["", "", ""]
    await book.write(asked("a", 5))  # a retry after a lost answer
    assert (await book.read()).text == wished(a=5, b=5, c=5)
    with pytest.raises(errors.Conflict, match="is 5, not 0"):
        await book.write(asked("a", 9))


async def test_what_waits_is_written_at_once_and_a_refused_change_hinders_no_other(
    server: KubernetesStandIn, api: client.ClusterClient
) -> None:
    names = [f"s{number}" for number in range(40)]
    text = wished(**dict.fromkeys(names, 10))
    created = await api.create(
        client.CONFIG_MAPS, NAMESPACE, {"metadata": {"name": "migration-config"}, "data": {wish.DOCUMENT: text}}
    )
    book = wish.WishBook(api, NAMESPACE)
    changes = [asked(name, 0, expected=10) for name in names] + [asked("s1", 5, expected=10), asked("nobody", 0)]
    outcomes = await asyncio.gather(*(book.write(one) for one in changes), return_exceptions=True)
    assert (await book.read()).text == wished(**dict.fromkeys(names, 0))
    assert outcomes[:40] == [""] * 40
    assert all(isinstance(one, errors.Conflict) for one in outcomes[40:])
    assert "is 0, not 10" in str(outcomes[40])
    assert "nobody" in str(outcomes[41])
    versions = int((await book.read()).version) - int(created["metadata"]["resourceVersion"])
    assert versions == 2, "the first, and while it was written all others together"


async def test_a_write_that_is_cancelled_leaves_the_others_to_be_written(
    server: KubernetesStandIn, api: client.ClusterClient
) -> None:
    body = {"metadata": {"name": "migration-config"}, "data": {wish.DOCUMENT: wished(a=0, b=0)}}
    await api.create(client.CONFIG_MAPS, NAMESPACE, body)
    book = wish.WishBook(api, NAMESPACE)
    first, second = asyncio.create_task(book.write(asked("a", 5))), asyncio.create_task(book.write(asked("b", 5)))
    await asyncio.sleep(0)  # both have asked; nothing was answered
    first.cancel()
    assert await second == ""
    assert wished(a=0, b=5).splitlines()[-1] in (await book.read()).text
    assert first.cancelled()
