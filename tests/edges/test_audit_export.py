"""`ferry audit export`: one file that proves itself, whole or a selection; and what shows when somebody changes it."""

import asyncio
import copy
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from typer import testing

from bot import __main__ as entrance
from bot.cli import audit_pack
from bot.store import audit, connection
from handlers import messages
from handlers.rules import effects
from k8s import client, signing
from tests.edges import test_audit_in_cluster as in_cluster
from tests.rules.builders import NOON

place = in_cluster.place  # the fixture: two changes of shop, and the chain of bot-0 with two events
Place = in_cluster.Place
Line = dict[str, Any]


async def ferry(at: Place, *words: str) -> tuple[int, str, str]:
    environment = {"KUBECONFIG": str(at.config), "REDIS_URL": at.redis_url}
    told = await asyncio.to_thread(testing.CliRunner().invoke, entrance.app, ["audit", *words], env=environment)
    return told.exit_code, told.stdout, told.stderr


async def exported(at: Place, *words: str) -> tuple[Path, list[Line]]:
    file = at.config.parent / f"evidence-{len(list(at.config.parent.iterdir()))}.jsonl"
    code, printed, complaint = await ferry(at, "export", *words, "-o", str(file), "--json")
    assert (code, complaint) == (0, ""), complaint
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert json.loads(printed) == {**lines[0], "ok": True, "file": str(file), "problems": []}
    return file, lines


async def verified(at: Place, file: Path, *words: str) -> tuple[int, Line]:
    code, printed, complaint = await ferry(at, "verify", str(file), "--json", *words)
    assert complaint == ""
    found: Line = json.loads(printed)
    assert found["ok"] is (code == 0)
    return code, found


async def more(at: Place, *services: str) -> None:
    """Another event about each of these services, a day later each."""
    store = connection.open_redis(at.redis_url)
    day = iter(range(1, 9))
    chain = audit.AuditChain(store, "bot-0", now=lambda: NOON + timedelta(days=next(day)))
    for service in services:
        await chain.record(
            effects.AuditEvent(effects.EventKind.REFUSED, "slack:T0/BOB", service, "", "Bob tried", messages.Source.CLI)
        )
    await chain.close()
    await store.aclose()


async def test_one_file_has_events_records_revisions_and_keys_and_verifies_alone(place: Place) -> None:
    file, lines = await exported(place, "--cluster")
    kinds = [line["event"] for line in lines]
    assert kinds == ["audit-pack", "audit", "audit", "audit-keys", "audit-record", "audit-revision", "audit-revision"]
    assert [line["hash"] for line in lines if line["event"] == "audit-revision"] != []
    assert file.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in file.read_text()
    code, found = await verified(place, file)
    assert (code, found["problems"]) == (0, [])
    assert (found["events"], found["services"], found["anchors"], found["compared"]) == (2, 1, 2, 2)
    assert [note for note in found["notes"] if "its signatures fit the keys that it brings" in note] != []
    code, found = await verified(place, file, "--cluster", "--redis")
    assert (code, found["problems"], found["notes"], found["events"]) == (0, [], [], 4)
    code, printed, _ = await ferry(place, "verify", str(file))
    assert (code, printed.splitlines()[1]) == (0, f"  {file}: 1 service, 2 anchors, 2 of them compared")


def changed(kind: str, number: int, change: Callable[[Line], None]) -> Callable[[list[Line]], None]:
    def work(lines: list[Line]) -> None:
        change([line for line in lines if line["event"] == kind][number])

    return work


def taken(kind: str, number: int, *, counted: str = "") -> Callable[[list[Line]], None]:
    def work(lines: list[Line]) -> None:
        lines.remove([line for line in lines if line["event"] == kind][number])
        if counted:
            lines[0][counted] -= 1

    return work


def revision_told(line: Line) -> None:
    line["object"]["data"]["audit"]["who"] = "bob"


def record_told(line: Line) -> None:
    data = line["object"]["data"]
    data["record"] = data["record"].replace('"weight":10', '"weight":50')


CHANGES: list[tuple[Callable[[list[Line]], None], str]] = [
    (changed("audit", 0, lambda line: line.update(sentence="nobody asked")), "seq 1: was changed"),
    (taken("audit", 0), "it says that it has 2 events, and has 1"),
    (taken("audit", 0, counted="events"), "seq 2: the event before it is not here"),
    (taken("audit", 1, counted="events"), "generation 2 of shop anchors an event that is not here"),
    (taken("audit-pack", 0), "its first line is gone"),
    (changed("audit-pack", 0, lambda line: line.update(format=2)), "another Ferry (format 2)"),
    (changed("audit-revision", 0, revision_told), "was changed after it was sealed"),
    (changed("audit-revision", 1, revision_told), "was changed after it was sealed"),
    (taken("audit-revision", 0, counted="revisions"), "service shop: "),
    (changed("audit-record", 0, record_told), "no trusted key"),
    (taken("audit-keys", 0, counted="keys"), "lists no public key"),
    (changed("audit-record", 0, lambda line: line.update(object=[])), "it says that it has 1 records, and has 0"),
    (changed("audit-revision", 0, lambda line: line["object"].update(metadata=7)), "2 revisions, and has 1"),
]


async def test_whatever_is_changed_in_it_shows(place: Place) -> None:
    file, lines = await exported(place, "--cluster")
    for change, says in CHANGES:
        forged = copy.deepcopy(lines)
        change(forged)
        file.write_text("".join(f"{json.dumps(line)}\n" for line in forged))
        code, found = await verified(place, file)
        assert code == 1, says
        assert [one for one in found["problems"] if says in one] != [], (says, found["problems"])


async def test_a_file_that_brings_other_keys_is_no_file_of_this_cluster(place: Place) -> None:
    file, _ = await exported(place, "--cluster")
    await place.api.delete(client.CONFIG_MAPS, in_cluster.NAMESPACE, "ferry-public-keys")
    other = signing.Signer.generate()
    await place.keep("ferry-public-keys", {f"{other.key_id}.pem": other.public_pem().decode()})
    assert (await verified(place, file))[0] == 0
    code, found = await verified(place, file, "--cluster")
    assert (code, [one for one in found["problems"] if "which the cluster does not list" in one] != []) == (1, True)


async def test_a_selection_keeps_the_place_of_what_it_leaves_out(place: Place) -> None:
    await more(place, "other", "all", "shop")
    file, lines = await exported(place, "--cluster", "--service", "shop")
    assert [(line["event"], line["seq"]) for line in lines if "seq" in line] == [
        ("audit", 1), ("audit", 2), ("audit-left-out", 3), ("audit", 4), ("audit", 5),
    ]  # fmt: skip
    assert set(next(line for line in lines if line["event"] == "audit-left-out")) == {
        "event", "seq", "replica", "previous", "hash",
    }  # fmt: skip
    code, found = await verified(place, file)
    assert (code, found["problems"], found["events"], found["compared"]) == (0, [], 4, 2)
    assert f"{file}: a selection (service shop); of 1 other events only number and hashes are here" in found["notes"]
    code, found = await verified(place, file, "--redis")  # the whole chain beside it
    assert (code, found["problems"]) == (0, [])
    for line in [line for line in lines if "seq" in line and line["seq"] in (3, 4)]:
        rest = [one for one in lines if one is not line]
        file.write_text("".join(f"{json.dumps(one)}\n" for one in rest))
        code, found = await verified(place, file)
        assert (code, any("the event before it is not here" in one for one in found["problems"])) == (1, True)


async def test_since_a_day_is_since_its_beginning(place: Place) -> None:
    await more(place, "shop", "shop")
    day = f"{NOON + timedelta(days=1):%Y-%m-%d}"
    file, lines = await exported(place, "--since", day)
    assert [line["event"] for line in lines[1:]] == ["audit-left-out", "audit-left-out", "audit", "audit"]
    assert (lines[0]["since"], lines[0]["revisions"]) == (f"{day}T00:00:00+00:00", 0)
    assert (await verified(place, file))[0] == 0
    lines[0]["since"] = ""
    file.write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    assert "leaves events out" in (await verified(place, file))[1]["problems"][0]


async def test_evidence_is_not_written_over_and_nothing_half_is_written(place: Place, tmp_path: Path) -> None:
    file, lines = await exported(place)
    before = file.read_text()
    code, printed, complaint = await ferry(place, "export", "-o", str(file))
    assert (code, printed, "is there already" in complaint, file.read_text()) == (1, "", True, before)
    code, printed, complaint = await ferry(place, "export", str(tmp_path / "absent.log"), "-o", str(tmp_path / "new"))
    assert (code, "nothing was written" in complaint, (tmp_path / "new").exists()) == (1, True, False)
    code, _, complaint = await ferry(place, "export", "--service", "shp", "-o", str(tmp_path / "new"))
    assert (code, "nothing is known of a service 'shp'" in complaint, (tmp_path / "new").exists()) == (1, True, False)
    assert (await ferry(place, "export", str(file)))[0] == 2
    assert (await ferry(place, "export", "--since", "soon"))[0] == 2
    assert [json.loads(line) | {"made_at": ""} for line in (await ferry(place, "export"))[1].splitlines()] == [
        line | {"made_at": ""} for line in lines
    ]


async def test_what_does_not_verify_is_written_and_said(place: Place, tmp_path: Path) -> None:
    _, lines = await exported(place)
    log, file = tmp_path / "bot.log", tmp_path / "evidence.jsonl"
    log.write_text("".join(f"{json.dumps({**line, 'sentence': 'nobody asked'})}\n" for line in lines[1:2]))
    code, printed, complaint = await ferry(place, "export", str(log), "-o", str(file))
    assert (code, "seq 1: was changed" in complaint, "1 of it does not verify" in printed) == (1, True, True)
    assert json.loads(file.read_text().splitlines()[1])["sentence"] == "nobody asked"


def test_an_event_that_was_changed_stands_beside_the_one_of_the_same_hash() -> None:
    event: Line = {"seq": 1, "at": "", "replica": "bot-0", "service": "shop", "previous": "", "hash": "a" * 64}
    given: list[Line] = [event, {**event, "service": "other"}, event, {"seq": "1"}]
    lines = list(audit_pack.lines(given, audit_pack.Objects(), audit_pack.Selection("shop"), made_at=NOON))
    assert [line.get("service") for line in lines[1:]] == ["shop", "other"]
    assert (lines[0]["events"], lines[0]["left_out"]) == (2, 0)
