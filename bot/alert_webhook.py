"""`POST /alerts/alertmanager`: from the bearer token to the hold, and what Alertmanager is answered.

Alertmanager tries again at once after a 5xx and loses the alert after a 4xx. So nothing authenticated and readable is ever
answered with a 4xx, and no answer waits longer than `Limits.answer`: an Alertmanager that waits for us cannot notify.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson
import structlog
from starlette import requests, responses

from bot import alertmanager_payload, metrics
from handlers import answers, messages, ports
from handlers.rules import effects

_LOG = structlog.get_logger(__name__)

Hear = Callable[[Sequence[messages.Alert]], Awaitable[answers.Heard]]


@dataclass(frozen=True, slots=True)
class Limits:
    """`body`: bytes. `read` and `answer`: seconds. `refusals`: audit entries a minute; the metrics count every call."""

    body: int = 5_000_000
    read: float = 5.0
    answer: float = 4.0
    refusals: int = 10


class Eyes(Protocol):
    """What knows which alerts fire."""

    def noticed(self, notice: alertmanager_payload.Notice) -> None:
        """A webhook said so now."""

    def nudge(self) -> None:
        """Ask Alertmanager at once: something was not delivered."""


class _Unread(Exception):
    """The body was not taken; `status` and the sentence go back."""

    def __init__(self, status: int, answer: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.answer = answer


class AlertWebhook:
    """`hear`: Front.alerts. `alarm` reaches people when alerts were delivered that could not be read."""

    def __init__(
        self,
        *,
        token: str,
        reading: alertmanager_payload.Reading,
        clock: ports.Clock,
        hear: Hear,
        eyes: Eyes,
        audit: ports.AuditLog,
        alarm: Callable[[str], Awaitable[None]],
        counts: metrics.Metrics,
        limits: Limits | None = None,
    ) -> None:
        self._token = token.encode()
        self._reading = reading
        self._clock = clock
        self._hear = hear
        self._eyes = eyes
        self._audit = audit
        self._alarm = alarm
        self._counts = counts
        self._limits = limits or Limits()
        self._under_way: set[asyncio.Task[answers.Heard]] = set()
        self._audited: list[float] = []

    async def handle(self, request: requests.Request) -> responses.Response:
        if not self._authorised(request.headers.get("authorization", "")):
            return await self._unauthorised(request)
        try:
            document = _object(await self._body(request))
        except _Unread as error:
            return await self._unread(request, error)
        return await self._accepted(document)

    async def stop(self) -> None:
        """Waits for what callers were no longer kept waiting for."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _authorised(self, header: str) -> bool:
        scheme, _, given = header.partition(" ")
        # Without a token of our own nothing may match, not even an empty one.
        same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token)
        return bool(self._token) and scheme.lower() == "bearer" and same

    async def _unauthorised(self, request: requests.Request) -> responses.Response:
        sentence = "The bearer token is missing or wrong, so nothing was done; send the token that ALERTMANAGER_TOKEN holds."
        if not self._token:
            sentence = "No ALERTMANAGER_TOKEN is set, so no alert can be accepted; set it and start the bot again."
        await self._refused(request, sentence)
        return self._answered("unauthorised", 401, {"error": sentence}, {"WWW-Authenticate": "Bearer"})

    async def _body(self, request: requests.Request) -> bytes:
        body = bytearray()
        too_large = _Unread(
            413,
            "too_large",
            f"The payload is larger than {self._limits.body} bytes and was not read; Alertmanager is asked instead, and people "
            "are told; group alerts by service to make payloads small.",
        )
        if request.headers.get("content-length", "0").isdecimal():
            announced = int(request.headers.get("content-length", "0")[:20])
            if announced > self._limits.body:
                raise too_large
        try:
            async with asyncio.timeout(self._limits.read):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self._limits.body:
                        raise too_large
        except (TimeoutError, requests.ClientDisconnect):
            sentence = f"The payload did not arrive within {self._limits.read:g} s; send it again."
            raise _Unread(503, "late", sentence) from None
        return bytes(body)

    async def _unread(self, request: requests.Request, error: _Unread) -> responses.Response:
        sentence = str(error)
        await self._refused(request, sentence)
        if error.status == 413:
            self._eyes.nudge()
            await self._alarm(f"Alertmanager's webhook: {sentence}")
        return self._answered(error.answer, error.status, {"error": sentence})

    async def _accepted(self, document: Mapping[str, object]) -> responses.Response:
        notice = alertmanager_payload.from_webhook(document, self._reading, now=self._clock.now())
        # Traffic first: nothing that could wait or fail stands before this.
        heard = asyncio.create_task(_heard(self._hear, notice.alerts), name="alerts of a webhook")
        self._under_way.add(heard)
        heard.add_done_callback(self._finished)
        self._eyes.noticed(notice)
        for alert in notice.alerts:
            self._counts.alert_read(alert.severity, "webhook")
        done, _ = await asyncio.wait({heard}, timeout=self._limits.answer)
        if notice.trouble:
            _LOG.warning("parts of an alert payload cannot be read", trouble=list(notice.trouble))
        if notice.truncated:
            self._eyes.nudge()
            await self._alarm(
                f"Alertmanager left out {notice.truncated} alerts of a notification; set max_alerts: 0 on Ferry's webhook."
            )
        if not done:
            sentence = (
                f"The alerts are still being worked on after {self._limits.answer:g} s; send them again to hear the result."
            )
            return self._answered("late", 503, {"error": sentence})
        return self._outcome(heard)

    def _finished(self, heard: asyncio.Task[answers.Heard]) -> None:
        self._under_way.discard(heard)
        if not heard.cancelled() and (error := heard.exception()) is not None:
            _LOG.error("alerts were not dealt with; Alertmanager is asked to send them again", exc_info=error)

    def _outcome(self, heard: asyncio.Task[answers.Heard]) -> responses.Response:
        if (error := heard.exception()) is not None:
            sentence = f"The alerts could not be dealt with ({type(error).__name__}); send them again and look at the bot's log."
            return self._answered("lost", 503, {"error": sentence})
        result = heard.result()
        if result.lost:
            sentence = "Some alerts could be neither acted on nor recorded; send them again."
            return self._answered("lost", 503, {"error": sentence, "lost": list(result.lost)})
        return self._answered("accepted", 200, {"acted": result.acted, "told": result.told})

    async def _refused(self, request: requests.Request, sentence: str) -> None:
        """An audit entry; a flood of refusals must not push everything else out of the chain."""
        now = self._clock.monotonic()
        self._audited = [at for at in self._audited if now - at < 60.0]
        if len(self._audited) >= self._limits.refusals:
            return
        self._audited.append(now)
        caller = request.client.host if request.client else "an unknown address"
        event = effects.AuditEvent(
            kind=effects.EventKind.REFUSED,
            who=f"address:{caller}",
            service="",
            operation="",
            sentence=f"A call of the alert webhook was refused. {sentence}",
            source=messages.Source.ALERTMANAGER,
        )
        await self._audit.record(event)

    def _answered(
        self, answer: str, status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> responses.Response:
        self._counts.webhook_answered(answer)
        return responses.JSONResponse(dict(body), status_code=status, headers=dict(headers or {}))


async def _heard(hear: Hear, alerts: Sequence[messages.Alert]) -> answers.Heard:
    return await hear(alerts) if alerts else answers.Heard(0, 0)


def _object(body: bytes) -> Mapping[str, object]:
    try:
        document = orjson.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise _Unread(
            400,
            "unreadable",
            "The payload is no JSON object, so nothing was done; send what Alertmanager's webhook (version 4) sends.",
        )
    return document
