"""Everything that speaks with Slack, put together from the settings; Slack may be away, wrong or late, and nothing else waits."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog
from starlette import requests, responses

from bot import background, settings
from bot.slack import app as slack_app
from bot.slack import card_writer, handing_over, http_mode, socket_mode, use_cases, web_client
from bot.slack.words import Words
from handlers import ports

_LOG = structlog.get_logger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds between tries to connect
_LOOK_SECONDS = 1.0
_DRAIN_SECONDS = 2.5


class _Mode(Protocol):
    """How Slack's events reach Ferry."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def trouble(self) -> str: ...


class SlackSide:
    """`poster` works from the first moment: what it is told waits until Slack takes it.

    `unread`, `events`: as in `use_cases.Behind`.
    """

    def __init__(
        self,
        told: settings.Settings,
        *,
        clock: ports.Clock,
        cards: card_writer.Cards,
        seen: ports.Seen,
        audit: ports.AuditLog,
        unread: Callable[[], str],
        events: use_cases.Events | None = None,
    ) -> None:
        self._told = told.slack
        self._namespace = told.namespace
        self._clock = clock
        self._cards = cards
        self._seen = seen
        self._audit = audit
        self._unread = unread
        self._events_told = events
        self._words = Words(told.locale)
        self.poster = slack_app.open_poster(told.slack, cards, clock, self._words, namespace=told.namespace)
        self.events = self._events if told.slack.mode == "http" else None
        self._behind: use_cases.Behind | None = None
        self._app: slack_app.SlackApp | None = None
        self._mode: _Mode | None = None
        self._http: http_mode.HttpMode | None = None
        self._trouble = "Slack is not connected yet: the bot has just started; if this stays, the bot's log says why"
        self._task: asyncio.Task[None] | None = None

    def attach(self, front: use_cases.Whole) -> None:
        """What Slack's commands and buttons call. Before `start`."""
        self.poster.tell_handovers(handing_over.HandingOver(front, self._seen, self._words))
        self._behind = use_cases.Behind(
            front=front,
            cards=self._cards,
            chat=self.poster,
            seen=self._seen,
            audit=self._audit,
            clock=self._clock,
            namespace=self._namespace,
            unread=self._unread,
            events=self._events_told,
            discovers=front,
            preflights=front,
        )

    async def start(self) -> None:
        """Returns at once; connecting is tried until it succeeds."""
        if self._behind is None:
            raise RuntimeError("the Slack side is started before it is attached to the use cases")
        self._task = asyncio.create_task(self._keep(self._behind), name="slack")

    async def stop(self) -> None:
        """Nothing more is heard; requests that are being answered are ended."""
        task, self._task = self._task, None
        await background.end(task)
        await self._disconnect()

    async def drain(self) -> None:
        """Says what waits, as far as Slack takes it now."""
        await self.poster.drain(_DRAIN_SECONDS)

    def trouble(self) -> str:
        """Why nothing can be heard from Slack now, as one sentence; empty: all is well."""
        return self._trouble

    async def _keep(self, behind: use_cases.Behind) -> None:
        pause = _FIRST_PAUSE
        while True:
            why = await self._connect(behind)
            if not why:
                break
            if why != self._trouble:
                _LOG.error("Slack cannot be used; it is tried again, alerts and holds work meanwhile", why=why)
            self._trouble = why
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        while True:
            why = await self._mode.trouble() if self._mode is not None else ""
            if why and why != self._trouble:
                _LOG.warning("Slack was lost", why=why)
            elif self._trouble and not why:
                _LOG.info("Slack is connected", mode=self._told.mode)
            self._trouble = why
            await asyncio.sleep(_LOOK_SECONDS)

    async def _connect(self, behind: use_cases.Behind) -> str:
        """Why it did not succeed; empty: connected."""
        try:
            self._app = await slack_app.SlackApp.build(self._told, behind)
            if self._told.mode == "http":
                self._http = http_mode.HttpMode(self._app.app)
            else:
                self._mode = socket_mode.SocketMode(self._app, self._told.app_token.get_secret_value())
                await self._mode.start()
        except web_client.NotUsable as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 whatever the library meets, Slack is tried again
            _LOG.exception("connecting to Slack failed")
            why = f"Slack cannot be used ({type(error).__name__}); it is tried again, see the log."
        else:
            return ""
        await self._disconnect()
        return why

    async def _disconnect(self) -> None:
        mode, self._mode = self._mode, None
        if mode is not None:
            await mode.stop()
        app, self._app = self._app, None
        if app is not None:
            await app.stop()

    async def _events(self, request: requests.Request) -> responses.Response:
        if self._http is None:
            return responses.PlainTextResponse(f"Ferry is not ready for Slack's requests: {self._trouble}", status_code=503)
        return await self._http.handle(request)
