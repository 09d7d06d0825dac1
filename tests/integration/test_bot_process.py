"""The real `ferry run` in a process of its own, against real Redis and the stand-ins of Kubernetes and Slack."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.playground.slack import people, records
from deploy.playground.slack.server import SlackStandIn
from k8s import client
from tests.integration import bot_world

SECRETS = (
    SlackStandIn.bot_token,
    SlackStandIn.app_token,
    bot_world.SIGNING_SECRET,
    bot_world.WEBHOOK_TOKEN,
    bot_world.AGENT_TOKEN,
    "PRIVATE KEY",
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[bot_world.World]:
    one = bot_world.World(tmp_path)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()
    if (tmp_path / "bot.log").exists():
        leaked = [secret for secret in SECRETS if secret in one.log]
        assert leaked == []
        assert "Traceback" not in one.log


def whispered(world: bot_world.World, user: str, words: str) -> str:
    return next((one.words for one in reversed(world.slack.driver.ephemerals(user)) if words in one.words), "")


async def card_of(world: bot_world.World, *words: str) -> records.Message:
    def look() -> records.Message | None:
        found = (one for one in world.slack.driver.messages() if all(word in one.words for word in words))
        return next(found, None)

    return await world.slack.driver.wait_for(look, within=30)


async def ended(world: bot_world.World, number: signal.Signals = signal.SIGTERM) -> int:
    """The code that the process ends with when it is told to, as kubelet does it."""
    assert world.bot is not None
    world.bot.send(number)
    return await asyncio.wait_for(world.bot.wait(), 25)


async def test_a_slack_command_moves_a_service_and_every_click_counts(world: bot_world.World) -> None:
    await world.run()
    driver = world.slack.driver
    assert (await driver.command(people.U_ANN, "/migrate help")).error == ""
    await driver.wait_for(lambda: whispered(world, people.U_ANN, "shift"), within=30)

    assert (await driver.command(people.U_ANN, "/migrate shift api 5% try it out")).error == ""
    card = await card_of(world, "api", "5%")
    await driver.click(people.U_BOB, card, "ferry.approve")

    async def confirmable() -> records.Message | None:
        now = driver.find(people.C_MIGRATION, card.ts)
        return now if now is not None and any(one.startswith("ferry.confirm") for one in now.action_ids) else None

    await driver.click(people.U_ANN, await world.until(confirmable), "ferry.confirm")

    async def moved() -> bool:
        return "record" in await world.data("migration-record-api") and await world.weight("api") == 5

    await world.until(moved)

    async def decided() -> bool:
        return 'ferry_bot_operations_total{outcome="done"} 1.0' in (await world.http.get("/metrics")).text

    await world.until(decided)
    assert "migration_percentage: 5  # by hand" in (await world.data("migration-config"))["migration.yaml"]
    assert await ended(world) == 0
    assert world.slack.connections == 0


async def test_a_critical_alert_holds_an_exposed_service_and_nothing_else(world: bot_world.World) -> None:
    await world.expose("shop", 25)
    await world.run()
    answer = await world.post_alerts(bot_world.alert("shop"), bot_world.alert("api", zone="b"))
    assert answer.status_code == 200
    assert answer.json()["acted"] == 1
    holds = await world.data("migration-holds")
    ((key, value),) = holds.items()
    assert key.startswith("hold.shop.alert-")
    assert "01a05544725aab1a-20260504T115958.123Z" in value
    assert [(one["service"], f"hold.shop.{one['id']}") for one in world.agent.pushed[:1]] == [("shop", key)]

    async def settled() -> bool:
        return await world.weight("shop") == 0

    await world.until(settled)
    again = await world.post_alerts(bot_world.alert("shop"))
    assert again.status_code == 200
    assert await world.data("migration-holds") == holds
    assert await world.data("migration-record-api") == {}
    await card_of(world, "shop", "held at 100% old")
    assert await ended(world) == 0


async def test_a_wrong_token_and_a_payload_that_is_none_change_nothing_and_are_recorded(world: bot_world.World) -> None:
    await world.expose("shop", 25)
    await world.run()
    refused = await world.post_alerts(bot_world.alert("shop"), token="guessed")
    assert refused.status_code == 401
    assert "token is missing or wrong" in refused.json()["error"]
    headers = {"Authorization": f"Bearer {bot_world.WEBHOOK_TOKEN}"}
    unread = await world.http.post("/alerts/alertmanager", content=b"no json", headers=headers)
    assert unread.status_code == 400
    assert "no JSON object" in unread.json()["error"]
    assert (await world.data("migration-holds"), await world.weight("shop"), world.agent.pushed) == ({}, 25, [])
    assert world.log.count("A call of the alert webhook was refused.") == 2
    assert await ended(world) == 0


async def test_without_redis_the_bot_starts_and_lowers_and_raises_nothing(world: bot_world.World) -> None:
    await world.expose("shop", 25)
    await world.redis.stop()
    await world.run()
    readiness = await world.http.get("/readyz")
    assert readiness.status_code == 200
    assert any("Redis" in note for note in readiness.json()["notes"])
    assert "Redis is away" in world.log

    driver = world.slack.driver
    await driver.command(people.U_ANN, "/migrate shift api 5% now")
    await driver.wait_for(lambda: whispered(world, people.U_ANN, "Redis"), within=30)
    assert "record" not in await world.data("migration-record-api")

    assert (await world.post_alerts(bot_world.alert("shop"))).status_code == 200
    assert [key for key in await world.data("migration-holds") if key.startswith("hold.shop.")]

    await world.redis.start()

    async def back() -> bool:
        return not (await world.http.get("/readyz")).json()["notes"]

    await world.until(back)
    assert await ended(world) == 0


async def test_an_api_server_that_comes_late_is_waited_for_and_said(world: bot_world.World) -> None:
    await world.cluster.stop()
    await world.run(ready=False)
    readiness = await world.http.get("/readyz")
    assert readiness.status_code == 503
    assert any("cluster cannot be read completely" in sentence for sentence in readiness.json()["missing"])

    async def said() -> bool:
        return "cannot be watched" in world.log

    await world.until(said)
    await world.cluster.start()

    async def ready() -> bool:
        return (await world.http.get("/readyz")).status_code == 200

    await world.until(ready, within=60)
    assert await ended(world) == 0


async def test_a_key_that_agents_do_not_know_keeps_the_replica_out(world: bot_world.World) -> None:
    await world.api.patch(
        client.CONFIG_MAPS, bot_world.NAMESPACE, "ferry-public-keys", {"data": {f"{world.signer.key_id}.pem": None}}
    )
    await world.run(ready=False)

    async def missing() -> Any:
        found = (await world.http.get("/readyz")).json()["missing"]
        return [sentence for sentence in found if f"The public key {world.signer.key_id} of this bot is not in" in sentence]

    assert len(await world.until(missing)) == 1
    assert await ended(world) == 0


async def test_a_wrong_slack_token_is_said_and_alerts_still_lower(world: bot_world.World) -> None:
    await world.expose("shop", 25)
    await world.run(ready=False, SLACK_BOT_TOKEN="xoxb-some-other-token")

    async def missing() -> Any:
        return [one for one in (await world.http.get("/readyz")).json()["missing"] if "bot token" in one]

    assert "SLACK_BOT_TOKEN" in (await world.until(missing))[0]
    assert (await world.post_alerts(bot_world.alert("shop"))).status_code == 200
    assert [key for key in await world.data("migration-holds") if key.startswith("hold.shop.")]
    assert await ended(world) == 0


async def test_the_end_is_orderly_though_everything_around_hangs(world: bot_world.World) -> None:
    await world.expose("shop", 25)
    await world.run()
    world.redis.child.pause()
    world.cluster.faults.hang()
    world.slack.faults.refuse()
    assert (await world.post_alerts(bot_world.alert("shop"))).status_code == 200  # by direct push
    assert [one["service"] for one in world.agent.pushed[:1]] == ["shop"]
    try:
        assert await ended(world, signal.SIGINT) == 0
    finally:
        world.redis.child.proceed()


async def test_in_http_mode_slack_calls_in(tmp_path: Path) -> None:
    world = bot_world.World(tmp_path, http_mode=True)
    await world.start()
    try:
        await world.run()
        assert (await world.slack.driver.command(people.U_ANN, "/migrate help")).error == ""
        await world.slack.driver.wait_for(lambda: whispered(world, people.U_ANN, "shift"), within=30)
        forged = await world.http.post("/slack/events", content=b"command=%2Fmigrate&text=help")
        assert forged.status_code == 401
        assert await ended(world) == 0
        assert bot_world.SIGNING_SECRET not in world.log
    finally:
        await world.stop()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"FERRY_SIGNING_KEY": "/nowhere/key.pem"}, "/nowhere/key.pem"),
        ({"KUBECONFIG": "/nowhere/kubeconfig"}, "/nowhere/kubeconfig"),
        ({"FERRY_CONFIG": "/nowhere/settings.yaml"}, "/nowhere/settings.yaml"),
        ({"ALERTMANAGER_TOKEN": ""}, "ALERTMANAGER_TOKEN is missing"),
        ({"SLACK_APP_TOKEN": ""}, "SLACK_APP_TOKEN is missing"),
    ],
)
async def test_what_cannot_work_is_said_in_a_sentence_and_ends_with_one(
    world: bot_world.World, changes: dict[str, str], sentence: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "run",
        env={**world.environment(**changes), "PYTHONPATH": str(bot_world.ROOT)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert sentence in output.decode()
    assert "Traceback" not in output.decode()


async def test_a_port_that_is_taken_ends_the_start_with_a_sentence(world: bot_world.World) -> None:
    taken = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", world.web_port)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "run",
        env={**world.environment(), "PYTHONPATH": str(bot_world.ROOT)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 40)
    taken.close()
    await taken.wait_closed()
    assert process.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {world.web_port}" in output.decode()
