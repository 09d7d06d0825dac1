"""For tests of the Slack side: the stand-in for Slack, the real app in either mode, and a front that records what reaches it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from bot import clock, settings
from bot.slack import app, http_mode, poster, socket_mode, use_cases
from bot.slack.words import Words
from deploy.playground.slack import people, records
from deploy.playground.slack.server import SlackStandIn
from handlers import answers, discovering, errors, messages, ports
from handlers.rules import decide, effects, key_outlook, migration, planning, refusals
from k8s import discovery, model, preflight, views
from tests.edges import test_bot_discover_cards as builders_of_proposals
from tests.rules import builders

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
SECRET = SlackStandIn.signing_secret
SHIFT = "/migrate shift shop 25% the new build is ready"


class MemoryCards:
    """Where cards are, as `bot.store.cards` keeps it."""

    def __init__(self) -> None:
        self.kept: dict[str, migration.Card] = {}
        self.may_keep = asyncio.Event()
        self.may_keep.set()

    async def find(self, operation_id: str) -> migration.Card | None:
        return self.kept.get(operation_id)

    async def keep(self, operation_id: str, card: migration.Card) -> None:
        await self.may_keep.wait()
        self.kept[operation_id] = card

    async def operation_at(self, channel: str, ts: str) -> str | None:
        return next((one for one, card in self.kept.items() if (card.channel, card.ts) == (channel, ts)), None)


class MemorySeen:
    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.away = False

    async def first_time(self, message_id: str) -> bool:
        if self.away:
            raise errors.Away("the store is away; start it")
        known = message_id in self.ids
        self.ids.add(message_id)
        return not known


class Audit:
    def __init__(self) -> None:
        self.events: list[effects.AuditEvent] = []

    async def record(self, event: effects.AuditEvent) -> None:
        self.events.append(event)


@dataclass
class RecordingFront:
    """One service, `shop`, by the real rules (`decide`), without a cluster: records messages, shows cards, moves nothing.

    `gate` cleared: `handle` waits until it is set. `failing`: what `handle` raises, `failing_status`: `status`.
    `unread`: why the cluster is not known.
    """

    chat: ports.Chat
    heard: list[messages.Message] = field(default_factory=list)
    held: list[messages.PlaceHold] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    waiting_now: asyncio.Event = field(default_factory=asyncio.Event)
    failing: Exception | None = None
    failing_status: Exception | None = None
    unread: str = ""
    of: migration.Migration = field(default_factory=lambda: builders.at(5))
    past: dict[int, int] = field(default_factory=dict)  # weights by generation
    accepted: list[discovering.Accept] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    def names(self) -> tuple[str, ...]:
        return () if self.unread else ("shop", "cart")

    def find(self, name_or_host: str) -> str | None:
        if self.unread:
            return None
        return {"shop": "shop", "shop.old.example.com": "shop", "cart": "cart"}.get(name_or_host)

    def target(self, service: str, weight: int, **rules: Any) -> model.Exposure | refusals.Refusal:
        return builders.exposure(weight, **{name: rule for name, rule in rules.items() if rule})

    async def handle(self, message: messages.Message) -> answers.Answer:
        self.heard.append(message)
        self.waiting_now.set()
        await self.gate.wait()
        if self.failing is not None:
            raise self.failing
        looked = builders.view(self.of.exposure, generation=self.of.generation, wish=self.of.wish)
        plan = self.of.operation.plan if self.of.operation else None
        if isinstance(message, messages.ProposeShift):
            plan = planning.plan(looked, target=message.target)
        decided = decide.decide(replace(self.of, plan_now=plan), message, NOW)
        self.of = decided.next
        for effect in decided.effects:
            if isinstance(effect, effects.ShowCard):
                await self.chat.show(effect.operation)
            elif isinstance(effect, effects.Say):
                await self.chat.say(effect.operation, effect.sentence)
        operation = self.of.operation or self.of.last
        if decided.refusal:
            return answers.Answer(decided.refusal.sentence, decided.refusal, operation)
        return answers.Answer(decided.because, None, operation)

    async def hold(self, message: messages.PlaceHold) -> answers.Placed:
        self.held.append(message)
        return answers.Placed(
            model.Hold(message.service, "h1", by=message.actor.id), True, (views.PushAnswer("pod-1", True),), 0.04
        )

    async def preview(self, service: str, target: model.Exposure, actor: messages.Person) -> answers.Preview | refusals.Refusal:
        looked = builders.view(self.of.exposure, generation=self.of.generation, wish=self.of.wish)
        return answers.Preview(planning.plan(looked, target=target), None)

    async def past_exposure(self, service: str, generation: int) -> model.Exposure | refusals.Refusal:
        if generation in self.past:
            return builders.exposure(self.past[generation])
        return refusals.refuse(refusals.Reason.INVALID, service=service, why=f"No generation {generation} is kept.")

    async def discover(self) -> discovery.Found:
        return discovery.Found((builders_of_proposals.proposal("api"), builders_of_proposals.proposal("web")))

    async def accept(self, asked: discovering.Accept) -> discovering.Accepted:
        self.accepted.append(asked)
        return discovering.Accepted(f"{len(asked.names) + len(asked.texts)} added", added=(*asked.names, *asked.texts))

    async def preflight(self, service: str) -> preflight.Report:
        return preflight.Report(service, (preflight.Check("dns", preflight.Ok.NO, "no such name", "Add it."),))

    async def newest(self, service: str, most: int) -> tuple[tuple[datetime, effects.AuditEvent], ...]:
        kind, source = effects.EventKind.REFUSED, messages.Source.SLACK
        return ((NOW, effects.AuditEvent(kind, "Bob", service or "shop", "", "tried to raise it", source)),)

    def drift(self, service: str | None = None) -> answers.Drift:
        return answers.Drift((), ("how its entry stands is not known",))

    def keys(self, plan: migration.Plan) -> key_outlook.Outlook | key_outlook.Unseen | None:
        return key_outlook.outlook(None, plan.service, plan.after)

    async def status(self, service: str) -> answers.ServiceStatus | None:
        if self.failing_status is not None:
            raise self.failing_status
        return answers.ServiceStatus(
            name=service, phase=self.of.phase, exposure=self.of.exposure, generation=1, wish=5, wished=None, holds=(),
            operation=self.of.operation, last=None, proxies=(answers.ProxyLine("pod-1", True, 5, 1, "record"),), expected=1,
            served="1 of 1 serve 5%", firing=(), trouble=(),
        )  # fmt: skip

    async def overview(self) -> answers.Overview:
        line = answers.ServiceLine("shop", self.of.phase, 5, 5, "shop.old.example.com", (), self.of.operation)
        return answers.Overview((line,), (), synced=True)

    async def history(self, service: str) -> tuple[answers.Past, ...]:
        return (answers.Past(1, NOW, "Ann", "0% to 5%", 0, 5, ("Bob",), "op-1", "abcdef"),)

    async def operation(self, operation_id: str) -> migration.Operation | None:
        known = (self.of.operation, self.of.last)
        return next((one for one in known if one is not None and one.id == operation_id), None)

    async def waiting(self, service: str) -> migration.Operation | None:
        return self.of.operation


@dataclass
class House:
    """`slack`: the workspace. `front`: what the requests reach."""

    slack: SlackStandIn
    front: RecordingFront
    cards: MemoryCards
    seen: MemorySeen
    audit: Audit
    chat: poster.Poster
    app: app.SlackApp
    http: http_mode.HttpMode | None = None
    socket: socket_mode.SocketMode | None = None


def slack_settings(slack: SlackStandIn, **changes: Any) -> settings.Slack:
    chosen: dict[str, Any] = {
        "mode": "socket",
        "team": people.TEAM_ID,
        "channel": people.C_MIGRATION,
        "approvers": settings.Approvers(group=people.S_APPROVERS),
        "bot_token": SecretStr(slack.bot_token),
        "app_token": SecretStr(slack.app_token),
        "signing_secret": SecretStr(slack.signing_secret),
        "api_url": slack.api_url,
    }
    return settings.Slack.model_construct(**chosen | changes)


@asynccontextmanager
async def house(*, mode: str, deadline: float = 3.0, **changes: Any) -> AsyncIterator[House]:
    """The whole Slack side, started and stopped. `mode`: socket or http."""
    if mode == "socket":
        async with SlackStandIn(deadline=deadline) as slack, _app(slack, **changes) as made:
            made.socket = socket_mode.SocketMode(made.app, slack.app_token, ping=1)
            await made.socket.start()
            await slack.connected(1)
            try:
                yield made
            finally:
                await made.socket.stop()
        return
    entrance = _Entrance()
    runner = web.AppRunner(entrance.served, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    try:
        async with SlackStandIn(request_url=address, deadline=deadline) as slack, _app(slack, mode=mode, **changes) as made:
            made.http = entrance.behind = http_mode.HttpMode(made.app.app)
            yield made
    finally:
        await runner.cleanup()


class _Entrance:
    """A web server in front of `HttpMode.answer`."""

    def __init__(self) -> None:
        self.behind: http_mode.HttpMode | None = None
        self.served = web.Application()
        self.served.router.add_post("/slack/events", self.receive)

    async def receive(self, request: web.Request) -> web.Response:
        assert self.behind is not None
        status, headers, body = await self.behind.answer(request.method, request.headers, await request.read())
        return web.Response(status=status, headers=headers, text=body)


@asynccontextmanager
async def _app(slack: SlackStandIn, **changes: Any) -> AsyncIterator[House]:
    chosen = slack_settings(slack, **changes)
    cards, seen, audit = MemoryCards(), MemorySeen(), Audit()
    time = clock.SystemClock()
    chat = app.open_poster(chosen, cards, time, Words("en"), namespace="migration-system", spacing=0.01)
    front = RecordingFront(chat)
    behind = use_cases.Behind(
        front, cards, chat, seen, audit, time, "migration-system", lambda: front.unread, front.newest, front, front
    )
    made = await app.SlackApp.build(chosen, behind)
    try:
        yield House(slack, front, cards, seen, audit, chat, made)
    finally:
        await made.stop()
        await chat.drain(2.0)


def cards(house: House) -> list[records.Message]:
    return [message for message in house.slack.driver.messages() if message.from_bot]


async def a_card(house: House, *, says: str = "", offers: str = "") -> records.Message:
    def found() -> records.Message | None:
        fits = [one for one in cards(house) if says in one.words and (not offers or offers in one.action_ids)]
        return next(iter(fits), None)

    return await house.slack.driver.wait_for(found)


async def asked_for(house: House) -> records.Message:
    """Ann asks; the card, once it can be approved."""
    outcome = await house.slack.driver.command(people.U_ANN, SHIFT)
    assert outcome.acknowledged
    return await a_card(house)


async def told(house: House, user: str, *, says: str) -> records.Message:
    driver = house.slack.driver
    return await driver.wait_for(lambda: next((one for one in driver.ephemerals(user) if says in one.words), None))


async def heard(house: House, kind: type[messages.Message]) -> messages.Message:
    return await house.slack.driver.wait_for(lambda: next((one for one in house.front.heard if isinstance(one, kind)), None))
