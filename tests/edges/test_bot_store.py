"""Redis as the bot uses it: a real server, stopped, frozen, restarted empty, and two savers at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
import redis.asyncio

from bot.store import cards, connection, pending, seen
from deploy.playground.world import redis as redis_world
from handlers import errors
from handlers.rules import migration
from tests.rules import builders
from tests.rules.builders import Phase

SHOP = "ferry:operation:shop"


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[redis_world.Redis]:
    server = redis_world.Redis(tmp_path / "redis")
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture
async def store(server: redis_world.Redis) -> AsyncIterator[redis.asyncio.Redis]:
    store = connection.open_redis(server.url)
    yield store
    await store.aclose()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of who wins: a machine that is busy with other tests must not decide that."""
    monkeypatch.setattr(connection, "SOCKET_SECONDS", 10.0)
    monkeypatch.setattr(connection, "WHOLE_SECONDS", 20.0)


def an_operation(**changes: object) -> migration.Operation:
    return replace(builders.the(builders.in_phase(Phase.PROPOSED)), **changes)  # type: ignore[arg-type]  # fields by name


async def test_an_operation_is_found_by_its_service_and_its_id_as_it_was_saved(store: redis.asyncio.Redis) -> None:
    book = pending.RedisPending(store)
    operation = an_operation(reason="Größe <!channel> 🚢", kept='{"weather":{"steps":[5]}}')
    assert await book.load("shop") is None
    assert await book.find(operation.id) is None
    assert await book.save(operation, 0)
    assert await book.load("shop") == operation
    assert await book.find(operation.id) == operation
    assert await book.load("other") is None


async def test_a_save_counts_only_over_the_revision_it_was_decided_from(store: redis.asyncio.Redis) -> None:
    book = pending.RedisPending(store)
    first = an_operation()
    second = first.moved(because="approved")
    assert not await book.save(second, first.revision), "nothing is stored: there is no revision to go over"
    assert await book.save(first, 0)
    assert not await book.save(first, 0), "there is one already"
    assert not await book.save(second, second.revision)
    assert await book.save(second, first.revision)
    assert not await book.save(first.moved(because="rejected"), first.revision), "somebody else was first"
    assert await book.load("shop") == second
    assert await book.find(first.id) == second


async def test_another_operation_with_the_right_revision_does_not_take_the_place(store: redis.asyncio.Redis) -> None:
    book = pending.RedisPending(store)
    mine, theirs = an_operation(id="op-mine"), an_operation(id="op-theirs")
    assert await book.save(mine, 0)
    assert not await book.save(theirs.moved(because="x"), mine.revision)
    assert await book.load("shop") == mine
    assert await book.find("op-theirs") is None


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("same", [True, False])
async def test_of_fifty_savers_at_once_exactly_one_wins(server: redis_world.Redis, same: bool) -> None:
    one, other = connection.open_redis(server.url), connection.open_redis(server.url)
    try:
        books = [pending.RedisPending(one), pending.RedisPending(other)]
        first = an_operation()
        for expected, before in ((0, None), (first.revision, first)):
            forms = [(before.moved() if before else first) for _ in range(50)]
            if not same:
                forms = [replace(form, because=f"saver {number}") for number, form in enumerate(forms)]
            won = await asyncio.gather(*(books[number % 2].save(form, expected) for number, form in enumerate(forms)))
            assert won.count(True) == 1
            assert await books[0].load("shop") == forms[won.index(True)]
            await one.flushall()
            assert await books[0].save(first, 0)
    finally:
        await one.aclose()
        await other.aclose()


async def test_a_decided_operation_leaves_its_service_and_is_found_by_its_id_for_a_week(store: redis.asyncio.Redis) -> None:
    book = pending.RedisPending(store)
    operation = an_operation()
    assert await book.save(operation, 0)
    done = operation.moved(outcome=migration.Outcome.REJECTED)
    await book.drop(done)
    await book.drop(done)
    assert await book.load("shop") is None
    assert await book.find(operation.id) == done
    assert 0 < await store.ttl(f"ferry:by-id:{operation.id}") <= pending.KEPT_SECONDS == 7 * 86400
    assert not await book.save(operation.moved(because="too late"), operation.revision)
    assert await book.save(an_operation(id="op-next"), 0)


async def test_dropping_a_decided_operation_late_leaves_the_next_one_alone(store: redis.asyncio.Redis) -> None:
    book = pending.RedisPending(store)
    old, new = an_operation(id="op-old"), an_operation(id="op-new")
    assert await book.save(new, 0)
    await book.drop(old)
    assert await book.load("shop") == new
    assert await book.find("op-old") == old


@pytest.mark.parametrize("text", ["no json", "[]", '{"version": 2}', "null", b"\xff\xfe"])
async def test_what_cannot_be_read_counts_as_absent_and_is_overwritten(
    store: redis.asyncio.Redis, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    book = pending.RedisPending(store)
    await store.set(SHOP, text)
    assert await book.load("shop") is None
    assert "cannot be read" in capsys.readouterr().out
    operation = an_operation()
    assert not await book.save(operation.moved(), operation.revision)
    assert await book.save(operation, 0)
    assert await book.load("shop") == operation


@pytest.mark.usefixtures("patient")
async def test_a_message_is_seen_for_the_first_time_once_over_all_replicas(server: redis_world.Redis) -> None:
    one, other = connection.open_redis(server.url), connection.open_redis(server.url)
    try:
        both = [seen.RedisSeen(one), seen.RedisSeen(other)]
        answers = await asyncio.gather(*(both[number % 2].first_time("Ev1") for number in range(50)))
        assert answers.count(True) == 1
        assert await both[0].first_time("Ev2")
        assert 0 < await one.ttl("ferry:seen:Ev1") <= 86400
    finally:
        await one.aclose()
        await other.aclose()


@pytest.mark.parametrize("how", ["stopped", "frozen"])
async def test_with_redis_away_everything_that_needs_it_says_so_in_a_sentence(
    server: redis_world.Redis, store: redis.asyncio.Redis, how: str
) -> None:
    book, ids = pending.RedisPending(store), seen.RedisSeen(store)
    operation = an_operation()
    assert await book.save(operation, 0)
    if how == "stopped":
        await server.stop()
    else:
        server.child.pause()
    for call in (
        book.load("shop"),
        book.find("op"),
        book.save(operation.moved(), 1),
        book.drop(operation),
        ids.first_time("Ev1"),
    ):
        with pytest.raises(errors.Away, match=r"Redis cannot be used \(.+\); see that ferry-redis runs"):
            await call


async def test_restarted_empty_redis_is_used_again_at_once_and_has_nothing(
    server: redis_world.Redis, store: redis.asyncio.Redis
) -> None:
    book, ids = pending.RedisPending(store), seen.RedisSeen(store)
    operation = an_operation()
    assert await book.save(operation, 0)
    await asyncio.gather(*(ids.first_time(f"Ev{number}") for number in range(20)))  # many connections, all stale afterwards
    await server.child.restart()
    assert await book.load("shop") is None
    assert not await book.save(operation.moved(), operation.revision)
    assert all(await asyncio.gather(*(ids.first_time(f"Ev{number}") for number in range(20))))


async def test_after_redis_came_back_from_an_old_copy_what_waited_is_void_and_makes_room(
    server: redis_world.Redis, store: redis.asyncio.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    book = pending.RedisPending(store)
    approved = an_operation(phase=Phase.APPROVED)
    assert await book.save(approved, 0)
    await store.save()  # the copy on disk, in which nobody has rejected it
    await book.drop(approved.moved(outcome=migration.Outcome.REJECTED))
    await server.child.restart()
    fresh = connection.open_redis(server.url)
    try:
        for after in (book, pending.RedisPending(fresh)):
            assert await fresh.get(SHOP), "the copy has it"
            assert await after.load("shop") is None
            assert await after.load("shop") is None
            assert await after.find(approved.id) is None
            assert not await after.save(approved.moved(), approved.revision)
    finally:
        await fresh.aclose()
    assert capsys.readouterr().out.count("Redis was restarted") == 2, "once for each replica"
    following = an_operation(id="op-next")
    assert await book.save(following, 0)
    assert await book.load("shop") == following


async def test_a_void_operation_is_closed_like_any_other(server: redis_world.Redis, store: redis.asyncio.Redis) -> None:
    book = pending.RedisPending(store)
    operation = an_operation()
    assert await book.save(operation, 0)
    await store.save()
    await server.child.restart()
    rejected = operation.moved(outcome=migration.Outcome.REJECTED)
    await book.drop(rejected)
    assert not await store.exists(SHOP)
    assert await book.find(operation.id) == rejected


async def test_what_runs_or_is_decided_survives_a_restart_of_redis(server: redis_world.Redis, store: redis.asyncio.Redis) -> None:
    book = pending.RedisPending(store)
    runs, decided = an_operation(phase=Phase.VERIFYING), an_operation(id="op-old", outcome=migration.Outcome.DONE)
    assert await book.save(runs, 0)
    await book.drop(decided)
    await store.save()
    await server.child.restart()
    assert await book.load("shop") == runs
    assert await book.find(runs.id) == runs
    assert await book.find("op-old") == decided
    assert await book.save(runs.moved(because="still"), runs.revision)


async def test_an_error_of_redis_names_no_password(server: redis_world.Redis) -> None:
    port = server.port
    store = connection.open_redis(f"redis://ferry:hunter2-hunter2@127.0.0.1:{port}/0")
    try:
        with pytest.raises(errors.Away, match="Redis cannot be used") as raised:
            await seen.RedisSeen(store).first_time("Ev1")
        assert "hunter2" not in str(raised.value)
        assert "hunter2" not in repr(raised.value.__cause__)
    finally:
        await store.aclose()


async def test_a_card_is_found_by_operation_and_by_place_also_by_another_replica(server: redis_world.Redis) -> None:
    one, other = connection.open_redis(server.url), connection.open_redis(server.url)
    try:
        await cards.RedisCards(one).keep("op-1", migration.Card("C1", "1.0"))
        book = cards.RedisCards(other)
        assert await book.find("op-1") == migration.Card("C1", "1.0")
        assert await book.operation_at("C1", "1.0") == "op-1"
        assert await book.find("op-2") is None
        assert await book.operation_at("C1", "2.0") is None
        await other.set("ferry:card:op-3", "garbage")
        assert await book.find("op-3") is None
    finally:
        await one.aclose()
        await other.aclose()


async def test_cards_kept_while_redis_is_away_are_known_and_written_through_later(
    server: redis_world.Redis, store: redis.asyncio.Redis
) -> None:
    book = cards.RedisCards(store)
    await book.keep("op-before", migration.Card("C1", "0.5"))
    await server.stop()
    await book.keep("op-1", migration.Card("C1", "1.0"))
    await book.keep("op-1", migration.Card("C1", "1.1"))
    assert await book.find("op-1") == migration.Card("C1", "1.1")
    assert await book.operation_at("C1", "1.1") == "op-1"
    assert await book.find("op-before") == migration.Card("C1", "0.5")
    await server.start()
    await book.keep("op-2", migration.Card("C1", "2.0"))
    fresh = cards.RedisCards(store)
    assert await fresh.find("op-1") == migration.Card("C1", "1.1")
    assert await fresh.operation_at("C1", "1.1") == "op-1"
    assert await fresh.find("op-2") == migration.Card("C1", "2.0")
    assert await book.find("op-before") == migration.Card("C1", "0.5"), "Redis lost it, the process that posted it did not"


async def test_memory_of_cards_is_bounded(
    server: redis_world.Redis, store: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "MOST_REMEMBERED", 3)
    await server.stop()
    book = cards.RedisCards(store)
    for number in range(10):
        await book.keep(f"op-{number}", migration.Card("C1", f"{number}.0"))
    assert [await book.find(f"op-{number}") is not None for number in range(10)] == [False] * 7 + [True] * 3
