"""The same asked in Slack, on the command line and over HTTP: one truth, one policy, and the same audit but for the source."""

import functools
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from deploy.playground.slack import people, records
from k8s import client
from k8s import records as record_book
from tests.integration import bot_world

ANN, BOB = people.U_ANN, people.U_BOB
NAMES = ("aaa", "bbb", "ccc")  # one for each way
_TIMES = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
_FRESH = {
    "at",
    "confirmed_at",
    "plan_hash",
    "operation",
    "id",
    "audit_head",
}  # differ from one change to the next, whoever makes it


def document() -> str:
    entries = []
    for name in NAMES:
        hosts = f"    old_host: {name}.old.example\n    new_host: {name}.new.example\n"
        entries.append(
            f"  - name: {name}\n{hosts}    old_backend: {name}.team.svc.cluster.local:8080\n    migration_percentage: 0\n"
        )
    return "services:\n" + "".join(entries)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[bot_world.World]:
    one = bot_world.World(tmp_path)
    await one.start()
    try:
        wish = {"data": {"migration.yaml": document()}}
        await one.api.patch(client.CONFIG_MAPS, bot_world.NAMESPACE, "migration-config", wish)
        await one.run()
        yield one
    finally:
        await one.stop()
    assert "Traceback" not in one.log


class Way(Protocol):
    source: str

    async def ask(self, service: str, verb: str, reason: str) -> None: ...

    async def approve(self, service: str) -> None: ...

    async def confirm(self, service: str) -> None: ...


@dataclass
class InSlack:
    world: bot_world.World
    source: str = "slack"

    async def ask(self, service: str, verb: str, reason: str) -> None:
        typed = f"{service} 10%" if verb == "shift" else service
        await self.world.slack.driver.command(ANN, f"/migrate {verb} {typed} {reason}")

    async def approve(self, service: str) -> None:
        await self._click(BOB, service, "ferry.approve")

    async def confirm(self, service: str) -> None:
        await self._click(ANN, service, "ferry.confirm")

    async def _click(self, person: str, service: str, action: str) -> None:
        def card() -> records.Message | None:
            shown = self.world.slack.driver.messages()
            return next((one for one in shown if action in one.action_ids and service in one.words), None)

        await self.world.slack.driver.click(person, await self.world.slack.driver.wait_for(card), action)


@dataclass
class OnTheCommandLine:
    world: bot_world.World
    source: str = "cli"

    async def ask(self, service: str, verb: str, reason: str) -> None:
        await self._typed(ANN, verb, service, *(["10%"] if verb == "shift" else []), "--reason", reason)

    async def approve(self, service: str) -> None:
        await self._typed(BOB, "approve", service)

    async def confirm(self, service: str) -> None:
        lines = await self._typed(ANN, "confirm", service, "--wait")
        assert lines[-1].startswith("done: "), lines  # it was followed to its end

    async def _typed(self, person: str, *words: str) -> list[str]:
        ended = await self.world.cli(person, *words)
        assert (ended.code, ended.complaint) == (0, "")
        return ended.output.splitlines()


@dataclass
class OverHttp:
    world: bot_world.World
    source: str = "api"

    async def ask(self, service: str, verb: str, reason: str) -> None:
        body = {"weight": 10, "reason": reason} if verb == "shift" else {"reason": reason}
        await self._sent(ANN, f"services/{service}/{verb}", body)

    async def approve(self, service: str) -> None:
        await self._sent(BOB, f"operations/{await self._waiting(service)}/approve")

    async def confirm(self, service: str) -> None:
        await self._sent(ANN, f"operations/{await self._waiting(service)}/confirm")

    async def _waiting(self, service: str) -> str:
        return str((await self.world.ask(ANN, "GET", f"services/{service}")).json()["operation"]["id"])

    async def _sent(self, person: str, path: str, body: dict[str, Any] | None = None) -> None:
        answer = await self.world.ask(person, "POST", path, body)
        assert answer.status_code == 200, answer.text


def audit(world: bot_world.World, service: str) -> list[dict[str, str]]:
    """Every audit event about the service, oldest first, without what no two events have in common."""
    lines = [json.loads(line) for line in world.log.splitlines() if '"audit"' in line and line.startswith("{")]
    found = [one for one in lines if one.get("event") == "audit" and one["service"] == service]
    told = [{name: str(one[name]) for name in ("kind", "who", "source", "sentence")} for one in found]
    return [one | {"sentence": _TIMES.sub("AT", one["sentence"]).replace(service, "NAME")} for one in told]


def alike(value: Any, service: str) -> Any:
    """Of a revision's audit entry, what must be the same whichever way it came."""
    if isinstance(value, dict):
        return {name: alike(one, service) for name, one in value.items() if name not in _FRESH}
    if isinstance(value, list):
        return [alike(one, service) for one in value]
    return _TIMES.sub("AT", value).replace(service, "NAME") if isinstance(value, str) else value


async def test_the_same_by_three_ways_is_the_same_in_the_audit_but_for_the_source(world: bot_world.World) -> None:
    ways: dict[str, Way] = dict(zip(NAMES, (InSlack(world), OnTheCommandLine(world), OverHttp(world)), strict=True))
    book = record_book.RecordBook(world.api, bot_world.NAMESPACE, world.signer)
    kept: dict[str, Any] = {}
    for name, way in ways.items():
        await way.ask(name, "shift", "as agreed")
        await way.approve(name)
        await way.confirm(name)
        await world.until(functools.partial(_steady, world, name, 10))
        await way.ask(name, "run", "the ladder")
        await world.until(functools.partial(_told, world, name, "ladder", 1))
        await way.ask(name, "pause", "lunch")
        await world.until(functools.partial(_told, world, name, "ladder", 2))
        (revision,) = await book.history(name)
        assert revision.audit["source"] == way.source
        kept[name] = alike({**revision.audit, "source": ""}, name)
    assert kept["aaa"]["reason"] == "as agreed"
    assert kept["aaa"] == kept["bbb"] == kept["ccc"]

    told = {name: audit(world, name) for name in NAMES}
    for name, way in ways.items():
        by_people = [one["source"] for one in told[name] if one["who"].startswith("slack:")]
        assert set(by_people) == {way.source}, told[name]
    kinds = [one["kind"] for one in told["aaa"]]
    assert kinds[:3] == ["proposed", "approved", "confirmed"]
    assert kinds.count("ladder") == 2
    same = {name: [{**one, "source": ""} for one in told[name]] for name in NAMES}
    assert same["aaa"] == same["bbb"] == same["ccc"]


async def _steady(world: bot_world.World, service: str, weight: int) -> bool:
    told = (await world.ask(ANN, "GET", f"services/{service}")).json()
    return told["operation"] is None and told["weight"] == weight


async def _told(world: bot_world.World, service: str, kind: str, times: int) -> bool:
    return sum(one["kind"] == kind for one in audit(world, service)) >= times


async def test_the_whole_way_is_asked_with_the_same_rules_and_told_with_the_same_words(world: bot_world.World) -> None:
    early = await world.cli(ANN, "finish", "aaa", "--reason", "too early", "--json")
    over_http = await world.ask(ANN, "POST", "services/bbb/finish", {"reason": "too early"})
    told = json.loads(early.output)["error"]
    assert (early.code, told["kind"]) == (1, over_http.json()["error"]["kind"])
    assert told["sentence"].replace("aaa", "bbb") == over_http.json()["error"]["sentence"]
    assert told["sentence"] == f"{told['what']} {told['why']} {told['remedy']}"

    standing = await world.ask(ANN, "POST", "services/ccc/run", {"mode": "auto", "until": "400d", "reason": "x"})
    assert standing.status_code in (409, 422), standing.text
    nothing_climbs = await world.cli(ANN, "pause", "ccc")
    assert nothing_climbs.code == 1
    assert nothing_climbs.complaint != ""

    lasting = await world.cli(ANN, "shift", "aaa", "5%", "--plan")
    assert (lasting.code, "Plan only: aaa: 0% → 5% of every request (raise)" in lasting.output) == (0, True)
    gone = await world.cli(ANN, "rollback", "aaa", "--to", "7")
    assert (gone.code, "No revision 7 of it is kept" in gone.complaint) == (1, True)
    status = await world.cli(ANN, "status", "aaa")
    assert (status.code, "way: new" in status.output) == (0, True)
    assert (await world.cli(ANN, "history", "aaa")).output == "Nothing of aaa was ever changed.\n"
