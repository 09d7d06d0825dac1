"""The audit chain: what it writes, what Redis may do to it, and what `ferry audit verify` says when somebody changed it."""

import asyncio
import io
import json
import logging
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import redis.asyncio
import structlog

from bot import logs
from bot.store import audit, connection, proof
from deploy.playground.world import redis as redis_world
from handlers import messages
from handlers.rules import effects
from tests.rules.builders import NOON

LIST = audit.key("bot-0")


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
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    before = list(root.handlers), root.level
    logs.configure(stream)
    yield stream
    logs.configure(stream)  # forgets the secrets that a test gave
    structlog.reset_defaults()
    root.handlers[:], root.level = before


def event(sentence: str = "Ann asks for 5%", **changes: Any) -> effects.AuditEvent:
    facts: dict[str, Any] = {
        "kind": effects.EventKind.PROPOSED,
        "who": "slack:T0/ANN",
        "service": "shop",
        "operation": "op-1",
        "sentence": sentence,
        "source": messages.Source.SLACK,
    }
    return effects.AuditEvent(**{**facts, **changes})


async def in_redis(store: redis.asyncio.Redis) -> list[dict[str, Any]]:
    return [json.loads(text) for text in await audit.stored(store)]


async def written(store: redis.asyncio.Redis, count: int = 5, replica: str = "bot-0") -> list[dict[str, Any]]:
    chain = audit.AuditChain(store, replica, now=lambda: NOON)
    await chain.start()
    for number in range(count):
        await chain.record(event(f"event {number}"))
    await chain.close()
    return [one for one in await in_redis(store) if one["replica"] == replica]


async def test_every_event_is_logged_and_stored_with_the_hash_of_the_one_before(
    store: redis.asyncio.Redis, logged: io.StringIO
) -> None:
    chain = audit.AuditChain(store, "bot-0", now=lambda: NOON)
    await chain.start()
    assert (chain.head, chain.anchor) == ("", "")
    await chain.record(event())
    await chain.record(event("Bob approves", kind=effects.EventKind.APPROVED, who="slack:T0/BOB"))
    assert await chain.flush()
    first, second = await in_redis(store)
    assert first == {
        "seq": 1,
        "at": "2026-01-02T12:00:00+00:00",
        "replica": "bot-0",
        "kind": "proposed",
        "who": "slack:T0/ANN",
        "source": "slack",
        "service": "shop",
        "operation": "op-1",
        "sentence": "Ann asks for 5%",
        "previous": "",
        "hash": audit.hash_of(first),
    }
    assert second["previous"] == first["hash"]
    assert chain.head == second["hash"]
    assert proof.anchor_in({"audit_head": chain.anchor}, where="here") == proof.Anchor("here", "bot-0", 2, second["hash"])
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    in_log = [line for line in lines if line["event"] == "audit"]
    assert [{name: line[name] for name in audit.FIELDS} for line in in_log] == [first, second]
    assert proof.verify_chain([*in_log, first, second]) == []
    await chain.close()


async def test_after_a_restart_the_chain_goes_on_where_it_was(store: redis.asyncio.Redis) -> None:
    await written(store, 3)
    events = await written(store, 2)
    assert [one["seq"] for one in events] == [1, 2, 3, 4, 5]
    assert proof.verify_chain(events) == []
    assert proof.heads(events) == [("bot-0", 5, events[-1]["hash"])]


async def test_without_start_the_first_event_finds_its_place_itself(store: redis.asyncio.Redis) -> None:
    await written(store, 2)
    chain = audit.AuditChain(store, "bot-0")
    await asyncio.gather(*(chain.record(event()) for _ in range(20)))
    await chain.close()
    events = await in_redis(store)
    assert [one["seq"] for one in events] == list(range(1, 23))
    assert proof.verify_chain(events) == []


async def test_replicas_have_chains_of_their_own(store: redis.asyncio.Redis) -> None:
    one, other = await written(store, 3, "bot-0"), await written(store, 2, "bot-1")
    assert proof.verify_chain([*other, *one]) == []
    assert [(replica, seq) for replica, seq, _ in proof.heads([*one, *other])] == [("bot-0", 3), ("bot-1", 2)]


async def test_redis_stopped_breaks_nothing_and_gets_what_it_missed(
    server: redis_world.Redis, store: redis.asyncio.Redis
) -> None:
    chain = audit.AuditChain(store, "bot-0")
    await chain.start()
    await chain.record(event("before"))
    assert await chain.flush()
    await server.stop()
    for number in range(3):
        await chain.record(event(f"while away {number}"))
    assert not await chain.flush()
    assert chain.waiting == 3
    await server.start()
    await chain.record(event("after"))
    assert await chain.flush()
    assert chain.waiting == 0
    events = await in_redis(store)
    assert [one["sentence"] for one in events] == ["before", *(f"while away {number}" for number in range(3)), "after"]
    assert proof.verify_chain(events) == []
    await chain.close()


async def test_what_waits_is_pushed_by_itself_when_redis_is_back(
    server: redis_world.Redis, store: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "AGAIN_SECONDS", 0.01)
    await server.stop()
    chain = audit.AuditChain(store, "bot-0")
    await chain.record(event())
    pushing = chain._pushing
    assert pushing is not None
    await server.start()
    await asyncio.wait_for(pushing, 20)
    assert len(await in_redis(store)) == 1
    await chain.close()


async def test_redis_that_lost_everything_gets_the_whole_chain_again(
    server: redis_world.Redis, store: redis.asyncio.Redis
) -> None:
    chain = audit.AuditChain(store, "bot-0")
    for number in range(450):
        await chain.record(event(f"event {number}"))
    assert await chain.flush()
    await server.child.restart()
    await chain.record(event("after"))
    assert await chain.flush()
    events = await in_redis(store)
    assert [one["seq"] for one in events] == list(range(1, 452))
    assert proof.verify_chain(events) == []
    await chain.close()


async def test_an_older_copy_of_redis_and_a_lost_answer_make_no_hole_and_no_double(store: redis.asyncio.Redis) -> None:
    chain = audit.AuditChain(store, "bot-0")
    for number in range(10):
        await chain.record(event(f"event {number}"))
    assert await chain.flush()
    await store.ltrim(LIST, 0, 5)
    await chain.record(event("after the older copy"))
    assert await chain.flush()
    await chain.record(event("stored, but the answer was lost"))
    await store.rpush(LIST, json.dumps(chain._kept[-1], separators=(",", ":")))
    assert await chain.flush()
    events = await in_redis(store)
    assert [one["seq"] for one in events] == list(range(1, 13))
    assert proof.verify_chain(events) == []
    await chain.close()


async def test_strange_things_in_the_list_stop_nothing(store: redis.asyncio.Redis) -> None:
    for strange in ("no json", "[]", '{"hash": 7}', '{"seq": 1}', '{"seq": 3, "hash": "x"}'):
        await store.delete(LIST)
        await store.rpush(LIST, strange)
        chain = audit.AuditChain(store, "bot-0")
        await chain.record(event())
        await store.rpush(LIST, strange + " ")
        await chain.record(event())
        assert await asyncio.wait_for(chain.flush(), 20)
        await chain.close()
        assert json.loads((await audit.stored(store))[-1])["hash"] == chain.head
    await store.delete(LIST)
    await store.set(LIST, "no list at all")
    chain = audit.AuditChain(store, "bot-0")
    await chain.record(event())
    assert not await chain.flush()
    assert chain.head != ""
    await chain.close()


async def test_what_waits_for_redis_is_bounded_and_the_newest_stay(
    server: redis_world.Redis, store: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST_KEPT", 5)
    await server.stop()
    chain = audit.AuditChain(store, "bot-0")
    for number in range(12):
        await chain.record(event(f"event {number}"))
    assert chain.waiting == 5
    await server.start()
    assert await chain.flush()
    events = await in_redis(store)
    assert [one["seq"] for one in events] == [8, 9, 10, 11, 12]
    assert len(proof.verify_chain(events)) == 1
    await chain.close()


async def test_redis_keeps_the_newest_of_each_replica_and_forgets_one_that_fell_silent(
    store: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST_STORED", 10)
    monkeypatch.setattr(audit, "MOST_KEPT", 10)
    events = await written(store, 25)
    assert [one["seq"] for one in events] == list(range(16, 26))
    assert 0 < await store.ttl(LIST) <= audit.STORED_SECONDS == 30 * 86400
    assert proof.verify_chain(events) == []
    assert proof.trimmed(events) == ["replica bot-0: begins at seq 16; older ones are only in the log, Redis keeps 10"]
    assert proof.verify_chain(events[1:]), "fewer than Redis keeps: something else took the first one away"
    assert proof.verify_chain([*events[:4], *events[5:]])
    more = await written(store, 3)
    assert [one["seq"] for one in more] == list(range(19, 29))
    assert proof.verify_chain([*events, *more]) == []


def test_anchors_show_a_chain_that_was_cut_or_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    events = chained(6)
    held = [anchor(events[1]), anchor(events[5])]
    assert proof.compared(held, events) == ([], 2)
    cut, count = proof.compared(held, events[:4])
    assert ([problem.split(":")[0] for problem in cut], count) == (["replica bot-0, seq 6"], 2)
    assert "generation 6 of shop anchors an event that is not here" in cut[0]
    others = chained(6, sentence="nothing happened")
    assert len(proof.compared(held, others)[0]) == 2
    assert proof.compared(held, chained(3, replica="bot-1")) == ([], 0), "nothing of that replica is here to compare"
    monkeypatch.setattr(audit, "MOST_STORED", 4)
    assert proof.compared(held, events[2:]) == ([], 1), "what Redis dropped cannot be compared"


@pytest.mark.parametrize("text", ["", "bot-0", "bot-0 0 " + "ab" * 32, "bot-0 3 xy", None, 7])
def test_what_is_no_anchor_is_none(text: object) -> None:
    assert proof.anchor_in({"audit_head": text}, where="here") is None


def chained(count: int, *, replica: str = "bot-0", sentence: str = "something happened") -> list[dict[str, Any]]:
    """A whole chain, without a store."""
    events: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        one: dict[str, Any] = {name: "x" for name in audit.FIELDS if name not in ("hash", "seq")}
        one |= {"seq": number, "replica": replica, "sentence": sentence, "previous": events[-1]["hash"] if events else ""}
        events.append({**one, "hash": audit.hash_of(one)})
    return events


def anchor(event: dict[str, Any]) -> proof.Anchor:
    found = proof.anchor_in(
        {"audit_head": f"{event['replica']} {event['seq']} {event['hash']}"}, where=f"generation {event['seq']} of shop"
    )
    assert found is not None
    return found


async def test_no_secret_of_a_sentence_gets_into_log_or_redis(store: redis.asyncio.Redis, logged: io.StringIO) -> None:
    logs.configure(logged, secrets=["plain-webhook-secret"])
    chain = audit.AuditChain(store, "bot-0")
    await chain.record(
        event("because xoxb-1-abcdef and redis://ferry:hunter2@host and plain-webhook-secret", who="Bearer abc.def")
    )
    await chain.close()
    stored = await audit.stored(store)
    for text in (logged.getvalue(), *stored):
        for secret in ("xoxb-1", "hunter2", "plain-webhook-secret", "abc.def"):
            assert secret not in text
    in_log = [json.loads(line) for line in logged.getvalue().splitlines() if '"audit"' in line]
    assert in_log
    assert proof.verify_chain(in_log) == []


def changed(events: list[dict[str, Any]], at: int, /, **changes: Any) -> list[dict[str, Any]]:
    return [{**one, **changes} if one["seq"] == at else one for one in events]


async def test_every_way_to_cheat_is_found_whatever_the_order(store: redis.asyncio.Redis) -> None:
    events = await written(store, 6)
    assert proof.verify_chain(random.sample(events, len(events))) == []
    assert proof.verify_chain([*events, *events]) == []
    for name in audit.FIELDS:
        for seq in range(1, 7):
            wrong = changed(events, seq, **{name: 99 if name == "seq" else "forged"})
            assert proof.verify_chain(wrong), f"{name} of seq {seq}"
            assert any(f"seq {99 if name == 'seq' else seq}:" in problem for problem in proof.verify_chain(wrong)), name
    for seq in range(1, 6):  # without its end a chain is whole in itself: that is what the anchors are for
        assert any(f"seq {seq + 1}:" in problem for problem in proof.verify_chain([e for e in events if e["seq"] != seq]))
    rehashed = changed(events, 3, sentence="nothing happened")
    rehashed[2]["hash"] = audit.hash_of(rehashed[2])
    assert any("seq 4: the event before it is not here" in problem for problem in proof.verify_chain(rehashed))
    inserted = {**events[2], "sentence": "put in"}
    inserted["hash"] = audit.hash_of(inserted)
    assert any("seq 3: follows the same event" in problem for problem in proof.verify_chain([*events, inserted]))
    skipped = {**events[5], "seq": 9, "previous": events[5]["hash"]}
    skipped["hash"] = audit.hash_of(skipped)
    assert any("seq 9: has the wrong number" in problem for problem in proof.verify_chain([*events, skipped]))
    assert proof.verify_chain([{"seq": "1"}])


def ferry(*words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", "audit", "verify", *words],
        capture_output=True,
        text=True,
        check=False,
        input=stdin,
        env={"PATH": os.environ["PATH"], **environment},
    )


async def test_ferry_audit_verify_reads_logs_and_names_what_is_broken(store: redis.asyncio.Redis, tmp_path: Path) -> None:
    events = await written(store, 4)
    lines = [json.dumps({"event": "audit", "level": "info", **one}) for one in events]
    noise = ["plain text", json.dumps({"event": "started", "seq": 1}), "{"]
    good, bad = tmp_path / "good.log", tmp_path / "bad.log"
    good.write_text("\n".join([*noise, lines[0], f"[pod/ferry-bot-0/bot] {lines[1]}", *lines[2:]]))
    bad.write_text("\n".join([lines[0], lines[1].replace("event 1", "event one"), *lines[2:3], lines[3][:-20]]))
    done = await asyncio.to_thread(ferry, str(good))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["ok: 4 events in 1 chain", f"  bot-0 ends at seq 4, hash {events[3]['hash']}"]
    done = await asyncio.to_thread(ferry, str(bad), "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert (found["ok"], found["events"]) == (False, 3)
    assert [problem.split(":")[0] for problem in found["problems"]] == [str(bad), "replica bot-0, seq 2"]
    piped = await asyncio.to_thread(ferry, "-", stdin=good.read_text())
    assert piped.returncode == 0
    assert (await asyncio.to_thread(ferry, str(tmp_path / "absent.log"))).returncode == 1
    (tmp_path / "quiet.log").write_text("nothing\n")
    assert (await asyncio.to_thread(ferry, str(tmp_path / "quiet.log"))).returncode == 1, "nothing verified is not verified"
    assert (await asyncio.to_thread(ferry)).returncode == 2


async def test_ferry_audit_verify_reads_redis(server: redis_world.Redis, store: redis.asyncio.Redis) -> None:
    await written(store, 3)
    done = await asyncio.to_thread(ferry, "--redis", REDIS_URL=server.url)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "ok: 3 events in 1 chain")
    await store.lset(LIST, 1, "gone")
    done = await asyncio.to_thread(ferry, "--redis", REDIS_URL=server.url)
    assert done.returncode == 1
    assert "replica bot-0, seq 3: the event before it is not here" in done.stdout
    await server.stop()
    done = await asyncio.to_thread(ferry, "--redis", REDIS_URL=server.url)
    assert (done.returncode, "Redis cannot be used" in done.stdout) == (1, True)
    done = await asyncio.to_thread(ferry, "--redis")
    assert (done.returncode, "REDIS_URL is missing" in done.stdout) == (1, True)
