"""The whole bot, put together once: what is made from the settings, in which order it starts, and how it ends."""

import asyncio
import functools
from collections.abc import Awaitable, Callable

import redis.asyncio
import structlog
from starlette.types import ASGIApp

from bot import (
    alert_webhook,
    alertmanager_payload,
    alerts,
    clock,
    cluster_port,
    cluster_side,
    heartbeat,
    journey_side,
    metrics,
    readiness,
    settings,
    slack_side,
    web,
)
from bot.api import callers, desk, routes
from bot.slack import app as slack_app
from bot.store import audit, cards, connection, pending, recent, seen
from handlers import front, outside
from k8s import model

_LOG = structlog.get_logger(__name__)
_WEB_GRACE = 4.0
_STEP_SECONDS = 3.0  # a part that does not end in this time is left to the end of the process

CannotStart = cluster_side.CannotStart


class App:
    """`start` returns when the bot listens; parts that are away are tried on behind it. `stop` takes less than 20 s."""

    def __init__(self, told: settings.Settings) -> None:
        self.counts = metrics.Metrics()
        self._clock = clock.SystemClock()
        self._redis = connection.open_redis(told.redis_url.get_secret_value())
        self._redis_beat = heartbeat.Heartbeat("Redis", lambda: _ping(self._redis))
        self._audit = audit.AuditChain(self._redis, told.replica)
        self.cluster = cluster_side.ClusterSide(told, clock=self._clock, counts=self.counts, head=lambda: self._audit.anchor)
        self._journey = journey_side.JourneySide(told, cluster=self.cluster, clock=self._clock, audit=self._audit)
        self._reading = _reading(told.alertmanager)
        self._eyes = alerts.AlertEyes(
            url=told.alertmanager.url,
            reading=self._reading,
            clock=self._clock,
            counts=self.counts,
            poll=told.alertmanager.poll,
            hold_all=told.alertmanager.unmapped == "all",
        )
        self._seen = seen.RedisSeen(self._redis)
        self._slack = slack_side.SlackSide(
            told,
            clock=self._clock,
            cards=cards.RedisCards(self._redis),
            seen=self._seen,
            audit=self._audit,
            unread=self.cluster.port.trouble,
            events=recent.RecentEvents(self._redis).newest,
        )
        self.front = front.Front(
            self._world(),
            trust=told.trust.policy,
            limits=outside.Limits(**told.limits.model_dump()),
            unmapped_holds_all=told.alertmanager.unmapped == "all",
            looking=front.Looking(self._journey.discovering, self._journey.preflighting),
        )
        self._slack.attach(self.front)
        self.ready = readiness.Readiness(
            demanded={"cluster": self.cluster.port.trouble, "keys": self.cluster.keys.trouble, "slack": self._slack.trouble},
            noted={"redis": lambda: self._redis_beat.trouble, "alertmanager": self._eyes.blindness},
        )
        self._webhook = self._alert_webhook(told.alertmanager.token.get_secret_value())
        app = web.application(
            alerts=self._webhook.handle,
            counts=self.counts,
            ready=self.ready,
            slack_events=self._slack.events,
            api=self._api(told),
        )
        self._web = web.WebServer(app, address=told.web.address, port=told.web.port, grace=_WEB_GRACE)
        self._stops: list[tuple[str, Callable[[], Awaitable[object]]]] = []
        self._show_gauges()

    def _world(self) -> outside.Outside:
        return outside.Outside(
            clock=self._clock,
            pending=cluster_port.CountedPending(pending.RedisPending(self._redis), self.counts),
            seen=self._seen,
            cluster=self.cluster.port,
            records=self.cluster.records,
            wishes=self.cluster.wishes,
            documents=self.cluster.documents,
            holds=self.cluster.holds,
            agents=self.cluster.agents,
            chat=self._slack.poster,
            audit=self._audit,
            alerts=self._eyes,
            journeys=self.cluster.journeys,
            entries=self._journey.entries,
            measures=self._journey.measures,
            notices=self._slack.poster,
        )

    def _alert_webhook(self, token: str) -> alert_webhook.AlertWebhook:
        return alert_webhook.AlertWebhook(
            token=token,
            reading=self._reading,
            clock=self._clock,
            hear=self.front.alerts,
            eyes=self._eyes,
            audit=self._audit,
            alarm=self._alarm,
            counts=self.counts,
        )

    def _api(self, told: settings.Settings) -> ASGIApp:
        """For persons, with the rights that they have in the first channel where changes are heard."""
        behind = desk.Behind(
            front=self.front,
            persons=slack_app.open_people(told.slack),
            audit=self._audit,
            clock=self._clock,
            team=told.slack.team,
            channel=told.slack.heard[0],
            unread=self.cluster.port.trouble,
            events=recent.RecentEvents(self._redis).newest,
        )
        known = callers.Callers((one.person, one.token_file.get_secret_value()) for one in told.api.tokens)
        return routes.application(desk.Desk(behind), known)

    def _show_gauges(self) -> None:
        troubles: list[tuple[str, str, Callable[[], str]]] = [
            ("slack_connected", "1 while Slack is connected", self._slack.trouble),
            ("cluster_synced", "1 while the cluster is read completely", self.cluster.port.trouble),
            ("redis_connected", "1 while Redis answers", lambda: self._redis_beat.trouble),
            ("eyes_open", "1 while somebody watches: without it nothing is raised", self._eyes.blindness),
            ("ready", "1 while this replica is ready", lambda: "; ".join(self.ready.answer().missing)),
        ]
        for name, meaning, trouble in troubles:
            self.counts.watch(name, meaning, functools.partial(_fine, trouble))

    @property
    def port(self) -> int:
        """Where the web server listens."""
        return self._web.port

    async def start(self) -> None:
        """Raises CannotStart, with everything stopped that had been started."""
        try:
            await self._begin("the cluster", self.cluster.start, self.cluster.stop)
            await self._begin("the objects around services", self._journey.start, self._journey.stop)
            await self._begin("Redis", self._redis_beat.start, self._close_redis)
            await self._begin("the audit", self._audit.start, self._audit.close)
            await self._begin("messages to Slack", _nothing, self._slack.drain)
            await self._begin("the use cases", self.front.start, self.front.stop)
            await self._begin("Alertmanager", self._look, self._eyes.stop)
            await self._begin("the web server", self._web.start, self._stop_web)
            await self._begin("Slack", self._slack.start, self._slack.stop)
        except OSError as error:
            await self.stop()
            raise CannotStart(str(error)) from None
        except BaseException:
            await self.stop()
            raise

    async def ended(self) -> None:
        """Returns only when something that everything stands on has ended by itself."""
        await self._web.ended()

    async def stop(self) -> None:
        """No new work, then what is under way is finished or left to another replica, then every connection is closed."""
        self.ready.stopping = True
        stops, self._stops = self._stops, []
        for name, stop in reversed(stops):
            try:
                async with asyncio.timeout(_STEP_SECONDS + _WEB_GRACE if name == "the web server" else _STEP_SECONDS):
                    await stop()
            except TimeoutError:
                _LOG.warning("a part did not end in time and is left", part=name)
            except Exception:  # noqa: BLE001 the other parts must still be ended
                _LOG.exception("a part did not end well", part=name)

    async def _begin(self, name: str, start: Callable[[], Awaitable[object]], stop: Callable[[], Awaitable[object]]) -> None:
        self._stops.append((name, stop))
        await start()

    async def _look(self) -> None:
        self._eyes.start(self.front.alerts)

    async def _stop_web(self) -> None:
        await self._web.stop()
        await self._webhook.stop()

    async def _close_redis(self) -> None:
        await self._redis_beat.stop()
        await self._redis.aclose()

    async def _alarm(self, sentence: str) -> None:
        await self._slack.poster.page(model.ALL_SERVICES, sentence)


def build(told: settings.Settings) -> App:
    """Nothing runs yet. Raises CannotStart with a sentence."""
    return App(told)


def _fine(trouble: Callable[[], str]) -> float:
    return 0.0 if trouble() else 1.0


def _reading(told: settings.Alertmanager) -> alertmanager_payload.Reading:
    matched = tuple(alertmanager_payload.Matched(dict(one.matchers), one.service) for one in told.services)
    return alertmanager_payload.Reading(told.watchdog, matched)


async def _ping(store: redis.asyncio.Redis) -> None:
    async with connection.reaching():
        await store.ping()


async def _nothing() -> None:
    """The poster starts by itself with the first message."""
