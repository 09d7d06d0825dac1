"""How payloads reach a real Bolt app: Socket Mode and signed HTTP, deadlines, retries, refreshes, broken wires."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from deploy.playground.slack import clock, people
from deploy.playground.slack.server import SlackStandIn

PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]


class PongBot:
    """Acknowledges commands with "pong" (silence on request) and answers mentions in their thread."""

    def __init__(self, slack: SlackStandIn) -> None:
        self.slack = slack
        self.heard: list[str] = []
        self.retries: list[str | None] = []
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
        self.app = AsyncApp(client=client, signing_secret=slack.signing_secret)
        self.app.command("/migrate")(self._command)
        self.app.event("app_mention")(self._mentioned)
        self.handlers: list[AsyncSocketModeHandler] = []

    async def _command(self, ack: Any, command: dict[str, Any]) -> None:
        self.heard.append(command["text"])
        if command["text"] != "silent":
            await ack("pong")

    async def _mentioned(self, event: dict[str, Any], say: Any, request: Any, body: dict[str, Any]) -> None:
        self.heard.append(event["text"])
        self.retries.append((request.headers.get("x-slack-retry-num") or [None])[0])
        await say(text=f"Heard {body['event_id']}", thread_ts=event["ts"])

    async def connect(self, *, expecting: int = 1) -> None:
        handler = AsyncSocketModeHandler(self.app, self.slack.app_token, ping_interval=1)
        self.handlers.append(handler)
        await handler.connect_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped
        await self.slack.connected(expecting)

    async def close(self) -> None:
        for handler in self.handlers:
            await handler.close_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
async def bot(slack: SlackStandIn) -> AsyncIterator[PongBot]:
    bot = PongBot(slack)
    await bot.connect()
    yield bot
    await bot.close()


async def test_silence_becomes_operation_timeout_for_the_person_to_see() -> None:
    async with SlackStandIn(deadline=0.05) as slack:
        bot = PongBot(slack)
        await bot.connect()
        outcome = await slack.driver.command(people.U_ANN, "/migrate silent")
        assert outcome.error == "operation_timeout"
        assert "operation_timeout" in slack.driver.ephemerals(people.U_ANN)[0].text
        await bot.close()


async def test_a_command_held_up_beyond_the_deadline_reaches_the_app_all_the_same() -> None:
    async with SlackStandIn(deadline=0.05) as slack:
        bot = PongBot(slack)
        await bot.connect()
        slack.faults.slow_delivery(0.1)
        assert (await slack.driver.command(people.U_ANN, "/migrate status")).error == "operation_timeout"
        await slack.driver.wait_for(lambda: bot.heard == ["status"])
        await slack.driver.wait_for(lambda: slack._deliveries.idle)
        assert len(slack.driver.ephemerals(people.U_ANN)) == 1
        await bot.close()


async def test_without_a_connection_a_command_fails_at_once(slack: SlackStandIn) -> None:
    outcome = await slack.driver.command(people.U_ANN, "/migrate status")
    assert outcome.error == "dispatch_failed"
    assert "not connected" in slack.driver.ephemerals(people.U_ANN)[0].text


async def test_a_duplicate_event_arrives_twice_with_the_same_id(slack: SlackStandIn, bot: PongBot) -> None:
    slack.faults.duplicate_events()
    ts = await slack.driver.mention(people.U_ANN, "status")
    replies = await slack.driver.wait_for(lambda: len(slack.driver.thread(people.C_MIGRATION, ts)) == 2)
    assert replies
    assert len({m.text for m in slack.driver.thread(people.C_MIGRATION, ts)}) == 1
    assert bot.retries == ["0", "1"]


async def test_an_event_nobody_takes_is_sent_again_at_once_then_after_one_and_five_minutes() -> None:
    time = clock.SteppedClock()
    async with SlackStandIn(time=time) as slack:
        await slack.driver.mention(people.U_ANN, "status")
        await slack.driver.wait_for(partial(_failed, slack, times=2))
        start = slack.deliveries[0].at
        for wait, count in ((60, 3), (300, 4)):
            await _sleepers_registered()
            time.advance(wait)
            await slack.driver.wait_for(partial(_failed, slack, times=count))
        assert [(d.attempt, d.at - start) for d in slack.deliveries] == [(0, 0), (1, 0), (2, 60), (3, 360)]


def _failed(slack: SlackStandIn, *, times: int) -> bool:
    return [delivery.error for delivery in slack.deliveries] == ["dispatch_failed"] * times


async def _sleepers_registered() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_forced_refresh_is_survived_with_a_new_ticket(slack: SlackStandIn, bot: PongBot) -> None:
    assert slack.faults.disconnect() == 1
    await slack.connected(1)
    assert (await slack.driver.command(people.U_ANN, "/migrate help")).text == "pong"
    assert [call.method for call in slack.calls].count("apps.connections.open") == 2


async def test_a_broken_wire_is_survived_too(slack: SlackStandIn, bot: PongBot) -> None:
    assert slack.faults.drop_connections() == 1
    await slack.connected(1, within=15)
    assert (await slack.driver.command(people.U_ANN, "/migrate help")).text == "pong"


async def test_two_connections_take_turns(slack: SlackStandIn, bot: PongBot) -> None:
    second = PongBot(slack)
    await second.connect(expecting=2)
    for _ in range(4):
        await slack.driver.command(people.U_ANN, "/migrate help")
    assert (len(bot.heard), len(second.heard)) == (2, 2)
    await second.close()


async def test_a_ticket_opens_one_websocket(slack: SlackStandIn) -> None:
    opened: Any = await AsyncWebClient(base_url=slack.api_url).apps_connections_open(app_token=slack.app_token)
    ticket = opened["url"].partition("ticket=")[2].partition("&")[0]
    assert slack._tickets.redeem(ticket)
    assert not slack._tickets.redeem(ticket)
    assert not slack._tickets.redeem("made up")


async def test_slack_down_means_no_api_no_sockets_and_then_everything_again(slack: SlackStandIn, bot: PongBot) -> None:
    slack.faults.refuse()
    assert slack.connections == 0
    assert (await slack.driver.command(people.U_ANN, "/migrate help")).error == "dispatch_failed"
    slack.faults.clear()
    await slack.connected(1, within=20)
    assert (await slack.driver.command(people.U_ANN, "/migrate help")).text == "pong"


class HttpHouse:
    """The bot's own web server, with the stand-in that signs and POSTs to it."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.bot: PongBot | None = None

    async def receive(self, request: web.Request) -> web.Response:
        assert self.bot is not None
        bolt = AsyncBoltRequest(body=await request.text(), query=request.query_string, headers=dict(request.headers))
        answer = await self.bot.app.async_dispatch(bolt)
        self.statuses.append(answer.status)
        return web.Response(status=answer.status, text=answer.body, headers=answer.first_headers_without_set_cookie())


@pytest.fixture
async def house() -> AsyncIterator[HttpHouse]:
    house = HttpHouse()
    served = web.Application()
    served.router.add_post("/slack/events", house.receive)
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with SlackStandIn(request_url=f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events") as slack:
        house.bot = PongBot(slack)
        yield house
    await runner.cleanup()


async def test_signed_http_carries_commands_and_events(house: HttpHouse) -> None:
    assert house.bot is not None
    slack = house.bot.slack
    assert (await slack.driver.command(people.U_ANN, "/migrate shift a&b")).text == "pong"
    ts = await slack.driver.mention(people.U_ANN, "status")
    await slack.driver.wait_for(lambda: slack.driver.thread(people.C_MIGRATION, ts))
    assert house.bot.heard == ["shift a&amp;b", f"<@{people.BOT_USER}> status"]
    assert house.statuses == [200, 200]


@pytest.mark.parametrize("spoil", ["bad_signature", "old_signature"])
async def test_a_wrong_or_old_signature_is_refused_by_the_app(house: HttpHouse, spoil: str) -> None:
    assert house.bot is not None
    slack = house.bot.slack
    getattr(slack.faults, spoil)()
    assert (await slack.driver.command(people.U_ANN, "/migrate status")).error == "http_error"
    assert house.statuses == [401]
    assert house.bot.heard == []
    assert (await slack.driver.command(people.U_ANN, "/migrate status")).text == "pong"


async def test_http_mode_offers_no_websocket(house: HttpHouse) -> None:
    assert house.bot is not None
    with pytest.raises(SlackApiError, match="socket_mode_disabled"):
        await AsyncWebClient(base_url=house.bot.slack.api_url).apps_connections_open(app_token=house.bot.slack.app_token)


async def test_nobody_at_the_address_is_a_refused_connection() -> None:
    async with SlackStandIn(request_url="http://127.0.0.1:9/slack/events") as slack:
        assert (await slack.driver.command(people.U_ANN, "/migrate status")).error == "connection_failed"


async def test_a_repeated_event_says_so_in_its_headers(house: HttpHouse) -> None:
    assert house.bot is not None
    slack = house.bot.slack
    slack.faults.duplicate_events()
    ts = await slack.driver.mention(people.U_ANN, "status")
    await slack.driver.wait_for(lambda: len(slack.driver.thread(people.C_MIGRATION, ts)) == 2)
    assert house.bot.retries == [None, "1"]


async def test_an_app_can_ask_not_to_get_a_failed_event_again() -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=500, headers={"X-Slack-No-Retry": "1"})

    served = web.Application()
    served.router.add_post("/slack/events", refuse)
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with SlackStandIn(request_url=f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events") as slack:
        await slack.driver.mention(people.U_ANN, "status")
        await slack.driver.wait_for(lambda: [delivery.error for delivery in slack.deliveries] == ["http_error"])
        await slack.driver.wait_for(lambda: slack._deliveries.idle)
        assert len(slack.deliveries) == 1
    await runner.cleanup()
