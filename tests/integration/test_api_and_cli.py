"""The API and the command line against the real `ferry run`: one way in beside Slack, with the same persons, rules and audit."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.api import gate
from deploy.playground.slack import people, records
from tests.integration import bot_world

ANN, BOB, GUEST = people.U_ANN, people.U_BOB, people.U_GUEST


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[bot_world.World]:
    one = bot_world.World(tmp_path)
    await one.start()
    try:
        await one.run()
        yield one
    finally:
        await one.stop()
    assert [token for token in bot_world.API_TOKENS.values() if token in one.log] == []
    assert "Traceback" not in one.log


def refused(answer: Any, status: int, kind: str) -> str:
    """The sentence of a refusal."""
    assert (answer.status_code, answer.json()["error"]["kind"]) == (status, kind), answer.text
    assert set(answer.json()) == {"error"}
    told = answer.json()["error"]
    assert all(told[part] for part in ("what", "why", "remedy")), told
    assert told["sentence"] == f"{told['what']} {told['why']} {told['remedy']}"
    return str(told["sentence"])


async def exposure(world: bot_world.World, service: str) -> dict[str, Any]:
    """Of the record; empty: none."""
    data = await world.data(f"migration-record-{service}")
    return dict(json.loads(data["record"])["exposure"]) if "record" in data else {}


async def test_asked_on_the_command_line_approved_over_the_api_and_confirmed_on_the_command_line(world: bot_world.World) -> None:
    asked = await world.cli(
        ANN, "shift", "api", "10%", "--strategy", "ip", "--cidr", "10.2.0.0/16", "--cidr", "10.3.0.0/16", "--reason", "office"
    )
    assert (asked.code, asked.complaint) == (0, "")
    assert "api: 0% → 10% of ip 10.2.0.0/16,10.3.0.0/16" in asked.output
    operation = next(word for word in asked.output.split() if word.startswith("op-")).rstrip(",")
    assert f"an approver other than ann must approve: ferry approve {operation}" in asked.output

    early = await world.cli(ANN, "confirm", operation)
    assert (early.code, "It has 0 of 1 approvals" in early.complaint) == (1, True)
    own = await world.ask(ANN, "POST", f"operations/{operation}/approve")
    assert "your own request" in refused(own, 403, "own_request")
    approved = await world.ask(BOB, "POST", f"operations/{operation}/approve")
    assert approved.status_code == 200, approved.text
    shown = approved.json()["operation"]
    assert [(one["by"], one["source"]) for one in shown["approvals"]] == [(f"slack:{people.TEAM_ID}/{BOB}", "api")]
    assert shown["next"].startswith("Now ann confirms: ferry confirm ")
    assert await exposure(world, "api") == {}

    confirmed = await world.cli(ANN, "confirm", "api")
    assert (confirmed.code, confirmed.complaint) == (0, "")

    async def done() -> bool:
        return bool((await world.ask(ANN, "GET", f"operations/{operation}")).json()["outcome"] == "done")

    await world.until(done)
    record = await exposure(world, "api")
    assert (record["weight"], record["strategy"], record["cidrs"]) == (10, "ip", ["10.2.0.0/16", "10.3.0.0/16"])
    status = await world.cli(BOB, "status", "api")
    assert (status.code, "api: 10% of ip 10.2.0.0/16,10.3.0.0/16, steady" in status.output) == (0, True)
    listed = json.loads((await world.cli(BOB, "status", "--json")).output)
    assert [(one["name"], one["weight"]) for one in listed["services"]] == [("api", 10), ("shop", 0)]
    # Slack shows the same operation: it is one truth, whichever way people come.
    assert world.slack.driver.messages()[0].words.count("10% (ip)") > 0
    said = [json.loads(line) for line in world.log.splitlines() if '"event": "audit"' in line or '"event":"audit"' in line]
    assert {(one["kind"], one["source"]) for one in said} >= {("proposed", "cli"), ("approved", "api"), ("confirmed", "cli")}


async def test_what_was_asked_for_in_slack_is_approved_over_the_api_and_back_in_slack_confirmed(world: bot_world.World) -> None:
    driver = world.slack.driver
    await driver.command(ANN, "/migrate shift api strategy header X-Canary=yes 5% try it")
    card = await driver.wait_for(lambda: next((one for one in driver.messages() if "ferry.approve" in one.action_ids), None))
    waiting = (await world.ask(BOB, "GET", "services/api.old.example")).json()["operation"]
    assert waiting["after"]["header"] == {"name": "X-Canary", "values": ["yes"]}
    stale = await world.ask(BOB, "POST", f"operations/{waiting['id']}/approve", {"revision": waiting["revision"] + 1})
    refused(stale, 409, "stale_card")
    approved = await world.cli(BOB, "approve", "api")
    assert approved.code == 0, approved.complaint
    assert "of header X-Canary=yes, asked for by ann: try it" in approved.output

    def confirmable() -> records.Message | None:
        now = driver.find(people.C_MIGRATION, card.ts)
        return now if now is not None and "ferry.confirm" in now.action_ids else None

    await driver.click(ANN, await driver.wait_for(confirmable), "ferry.confirm")

    async def written() -> bool:
        return (await exposure(world, "api")).get("strategy") == "header"

    await world.until(written)


async def test_a_rollback_needs_nobody_else_and_the_release_does(world: bot_world.World) -> None:
    back = await world.cli(ANN, "rollback", "api", "--reason", "errors")
    assert (back.code, back.complaint) == (0, "")
    assert "api is held at 100% old. 1 of 1 proxies took it" in back.output
    (key,) = await world.data("migration-holds")
    assert key.startswith("hold.api.order-")
    again = await world.cli(ANN, "shift", "api", "5%", "--reason", "too early")
    assert (again.code, "ferry safe-mode off api" in again.output) == (1, False)
    assert "held at 100% old" in again.complaint
    released = await world.cli(ANN, "safe-mode", "off")
    assert (released.code, released.output.count("api: release of ")) == (0, 1)
    assert list(await world.data("migration-holds")) == [key]  # nothing is cleared without another person
    rejected = await world.cli(BOB, "reject", "api", "--reason", "not yet", "--json")
    assert json.loads(rejected.output)["operation"]["outcome"] == "rejected"
    everything = await world.ask(BOB, "POST", "safe-mode", {"on": True, "reason": "fire"})
    assert (everything.status_code, everything.json()["hold"]["service"]) == (200, "all")


async def test_less_traffic_needs_one_confirmation_and_keeps_the_rules_in_force(world: bot_world.World) -> None:
    await world.expose("shop", 25)

    async def seen() -> bool:
        return bool((await world.ask(ANN, "GET", "services/shop")).json()["weight"] == 25)

    await world.until(seen)
    lower = (await world.ask(ANN, "POST", "services/shop/shift", {"weight": 10, "reason": "calmer"})).json()["operation"]
    assert (lower["kind"], lower["approvals_needed"], lower["phase"]) == ("lower", 0, "approved")
    confirmed = await world.cli(ANN, "confirm", "shop", "--json")
    assert json.loads(confirmed.output)["operation"]["id"] == lower["id"]

    async def lowered() -> bool:
        return (await exposure(world, "shop")).get("weight") == 10

    await world.until(lowered)
    await world.until(lambda: _free(world, "shop"))
    # Others than those that go to new now are a raise, at whatever percentage.
    users = {"strategy": "user", "user": {"source": "cookie:uid", "ids": ["ann"]}}
    other = await world.ask(ANN, "POST", "services/shop/shift", {"weight": 5, "reason": "testers", **users})
    assert (other.json()["operation"]["kind"], other.json()["operation"]["approvals_needed"]) == ("raise", 1)


async def _free(world: bot_world.World, service: str) -> bool:
    return (await world.ask(ANN, "GET", f"services/{service}")).json()["operation"] is None


async def test_a_plan_of_another_strategy_says_of_which_requests_the_percentage_is(world: bot_world.World) -> None:
    driver = world.slack.driver
    await driver.command(ANN, "/migrate plan api strategy ip 10.2.0.0/16, 10.3.0.0/16 10%")
    plan = await driver.wait_for(
        lambda: next((one for one in driver.ephemerals(ANN) if "Plan only" in one.words), None), within=30
    )
    assert "Plan only: api 0% → 10% (ip)" in plan.words
    assert "10% of requests for api.old.example from 10.2.0.0/16,10.3.0.0/16 go to api.new.example" in plan.words
    assert "/migrate shift api 10% strategy ip 10.2.0.0/16,10.3.0.0/16 reason" in plan.words
    assert (await world.ask(ANN, "GET", "services/api")).json()["operation"] is None


async def test_nobody_gets_in_without_a_token_that_is_theirs(world: bot_world.World) -> None:
    for token in ("none", "guessed", f"{bot_world.API_TOKENS[ANN]}x", bot_world.API_TOKENS[ANN][:-1], bot_world.WEBHOOK_TOKEN):
        answer = await world.ask(token, "POST", "services/api/shift", {"weight": 5, "reason": "x"})
        assert "token is missing or wrong" in refused(answer, 401, "unauthorised")
        assert answer.headers["www-authenticate"] == "Bearer"
    basic = await world.ask(ANN, "GET", "services", Authorization=f"Basic {bot_world.API_TOKENS[ANN]}")
    refused(basic, 401, "unauthorised")
    wrong = await world.cli("guessed-token-guessed-token-guessed", "status")
    assert (wrong.code, wrong.output) == (1, "")
    assert "token is missing or wrong" in wrong.complaint
    assert world.log.count("A call of the API was refused.") == 7
    # A guest has a token and is a guest all the same.
    for method, path, body in (
        ("GET", "services", None),
        ("POST", "services/api/rollback", {}),
        ("POST", "safe-mode", {"on": True}),
    ):
        assert "guests may not change traffic" in refused(await world.ask(GUEST, method, path, body), 403, "outsider")
    asked = await world.ask(GUEST, "POST", "services/api/shift", {"weight": 5, "reason": "x"})
    refused(asked, 403, "outsider")
    assert (await world.data("migration-holds"), await exposure(world, "api")) == ({}, {})


async def test_what_cannot_be_asked_for_is_refused_with_a_sentence(world: bot_world.World) -> None:
    good = {"weight": 5, "reason": "x"}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"weight": 101, "reason": "x"}, "weight"),
        ({"weight": "5", "reason": "x"}, "weight"),
        ({"weight": 5.5, "reason": "x"}, "weight"),
        ({"weight": True, "reason": "x"}, "weight"),
        ({"weight": 5}, "reason is missing"),
        ({"weight": 5, "reason": "  "}, "reason"),
        ({**good, "wieght": 5}, "wieght is not a known field. Use weight, strategy"),
        ({**good, "strategy": "magic"}, "strategy"),
        ({**good, "strategy": "ip"}, "strategy ip needs the field cidrs"),
        ({**good, "cidrs": ["10.2.0.0/16"]}, "cidrs belongs to strategy ip"),
        ({**good, "strategy": "ip", "cidrs": ["10.2.0.1/16"]}, "is not a network"),
        ({**good, "strategy": "ip", "cidrs": ["0.0.0.0/0"]}, "too wide"),
        ({**good, "strategy": "header", "header": {"name": "X-A", "values": ["a b"]}}, "header.values"),
        ({**good, "strategy": "header", "header": {"name": "X-A", "values": ["a"], "x": 1}}, "Use name, values"),
        ({**good, "strategy": "user", "user": {"source": "client_ip"}}, "user.source"),
    ]
    for body, says in wrong:
        answer = await world.ask(ANN, "POST", "services/api/shift", body)
        assert says in refused(answer, 422, answer.json()["error"]["kind"])
    unread = await world.http.post(
        "/api/v1/services/api/shift", content=b"{", headers={"Authorization": f"Bearer {bot_world.API_TOKENS[ANN]}"}
    )
    refused(unread, 422, "unreadable")
    assert "did you mean api?" in refused(await world.ask(ANN, "POST", "services/apis/shift", good), 404, "unknown_service")
    refused(await world.ask(ANN, "GET", "services/nothing"), 404, "unknown_service")
    refused(await world.ask(ANN, "GET", "operations/op-none"), 404, "unknown_operation")
    refused(await world.ask(ANN, "POST", "operations/op-none/confirm"), 404, "unknown_operation")
    refused(await world.ask(ANN, "GET", "elsewhere"), 404, "no_such_address")
    refused(await world.ask(ANN, "GET", "safe-mode"), 405, "no_such_address")
    refused(await world.ask(ANN, "POST", "services/api/shift", {"weight": 0, "reason": "x"}), 409, "no_change")
    big = {**good, "reason": "x" * gate.LARGEST}
    refused(await world.ask(ANN, "POST", "services/api/shift", big), 413, "too_large")
    assert await exposure(world, "api") == {}


async def test_a_request_that_is_sent_twice_is_one(world: bot_world.World) -> None:
    key = {"Idempotency-Key": "some-random-key-1"}
    first = await world.ask(ANN, "POST", "services/api/shift", {"weight": 5, "reason": "x"}, **key)
    second = await world.ask(ANN, "POST", "services/api/shift", {"weight": 5, "reason": "x"}, **key)
    assert first.status_code == 200
    assert second.json() == first.json()
    third = await world.ask(ANN, "POST", "services/api/shift", {"weight": 6, "reason": "x"})
    refused(third, 409, "operation_waits")


async def test_the_api_describes_itself(world: bot_world.World) -> None:
    document = (await world.http.get("/api/v1/openapi.json")).json()
    paths = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert paths == {
        "GET /services", "GET /services/{name}", "POST /services/{name}/shift", "POST /services/{name}/rollback",
        "POST /services/{name}/plan", "POST /services/{name}/prepare", "POST /services/{name}/bypass",
        "POST /services/{name}/finish", "POST /services/{name}/remove", "POST /services/{name}/run", "POST /services/{name}/skip",
        "POST /services/{name}/pause", "POST /services/{name}/resume", "GET /services/{name}/history",
        "GET /services/{name}/preflight", "GET /services/{name}/arrangement/{stage}", "GET /discovery",
        "POST /discovery/accept", "GET /audit", "GET /drift", "GET /whoami", "POST /waves", "GET /waves",
        "GET /waves/{wave}",
        "POST /safe-mode", "GET /operations/{operation}", "POST /operations/{operation}/approve",
        "POST /operations/{operation}/reject", "POST /operations/{operation}/confirm",
    }  # fmt: skip
    assert document["servers"] == [{"url": "/api/v1"}]
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    shift = document["components"]["schemas"]["Shift"]
    assert shift["additionalProperties"] is False
    assert set(shift["required"]) == {"weight", "reason"}


async def test_with_slack_away_traffic_is_taken_back_and_nothing_is_raised(world: bot_world.World) -> None:
    world.slack.faults.refuse()
    raised = await world.ask(ANN, "POST", "services/api/shift", {"weight": 5, "reason": "x"})
    assert "Slack could not be asked" in refused(raised, 403, "person_refused")
    back = await world.cli(ANN, "rollback", "shop")
    assert back.code == 0, back.complaint
    assert [key for key in await world.data("migration-holds") if key.startswith("hold.shop.")]


async def test_with_redis_away_traffic_is_taken_back_and_nothing_is_raised(world: bot_world.World) -> None:
    await world.redis.stop()
    raised = await world.ask(ANN, "POST", "services/api/shift", {"weight": 5, "reason": "x"})
    assert "Redis cannot be used" in refused(raised, 409, "blocked")
    back = await world.cli(ANN, "safe-mode", "on", "shop", "--reason", "fire", "--json")
    assert json.loads(back.output)["safe"] is True, back.complaint
    assert [key for key in await world.data("migration-holds") if key.startswith("hold.shop.")]
    assert (await world.cli(ANN, "status", "shop")).output.startswith("shop: 0%, held at 100% old")
