"""The bot's eyes: which alerts fire, by asking Alertmanager again and again and by what its webhook said meanwhile.

Webhooks can be lost (an alert that fires and resolves while nobody answers is never sent again), so what fires and is
critical is handed to the same use case that the webhook calls. It acts once on the same cause.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import structlog

from bot import alertmanager_payload, background, metrics
from handlers import answers, errors, messages, ports
from k8s import model

_LOG = structlog.get_logger(__name__)
_ASK_SECONDS = 3.0
_MOST_BYTES = 20_000_000
_POLLS_TRUSTED = 3
_PATIENCE_SECONDS = 1.0
_WATCHDOG_SECONDS = 120.0
_REMEMBERED_SECONDS = 3600.0  # what no poll replaces: a firing alert is repeated every minute, its end may have been lost
# Muted alerts too: silencing a page must not move traffic forward.
_EVERY_STATE = {"active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true"}

Hear = Callable[[Sequence[messages.Alert]], Awaitable[answers.Heard]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A good answer: when it was asked for (monotonic), and what it said."""

    at: float
    notice: alertmanager_payload.Notice


class AlertEyes:
    """`handlers.ports.Alerts`. `url`: of Alertmanager, empty where only the webhook tells. `poll`: seconds between questions.

    `hold_all`: a critical alert that maps to no service counts for every service.
    """

    def __init__(
        self,
        *,
        url: str,
        reading: alertmanager_payload.Reading,
        clock: ports.Clock,
        counts: metrics.Metrics,
        poll: float = 5.0,
        hold_all: bool = False,
    ) -> None:
        self._url = url.rstrip("/")
        self._reading = reading
        self._clock = clock
        self._counts = counts
        self._poll = poll
        self._hold_all = hold_all
        self._trouble = "it has not answered yet"
        self._seen: _Seen | None = None
        self._heard: dict[str, tuple[float, messages.Alert]] = {}  # by cause, as the webhook said it
        self._watchdog_at: float | None = None
        self._taken: set[str] = set()  # causes that were handed over and not lost
        self._nudged = asyncio.Event()
        self._asked = asyncio.Event()  # of the next question; a new one for each
        self._task: asyncio.Task[None] | None = None

    def start(self, hear: Hear) -> None:
        """Asks from now on and hands firing criticals to `hear` (Front.alerts); without an address it only listens."""
        if self._url and self._task is None:
            self._task = asyncio.create_task(self._run(hear), name="alertmanager poll")

    async def stop(self) -> None:
        task, self._task = self._task, None
        await background.end(task)

    def noticed(self, notice: alertmanager_payload.Notice) -> None:
        """The webhook said this now."""
        now = self._clock.monotonic()
        if notice.watchdog:
            self._watchdog_at = now
        for alert in notice.alerts:
            self._heard[alert.cause] = (now, alert)
        if notice.alerts:
            self._heard = {cause: one for cause, one in self._heard.items() if now - one[0] < _REMEMBERED_SECONDS}

    def nudge(self) -> None:
        """Asks at once."""
        self._nudged.set()

    async def firing(self, service: str) -> tuple[messages.Alert, ...]:
        """By the last good answer and what the webhook said since. Raises errors.Away when that answer is too old."""
        found = self._firing(service) if self._answers() else ()
        if self._url and (found or not self._answers()):
            await self._ask_again()
        return self._firing(service)

    def _answers(self) -> bool:
        return not self._url or (self._seen is not None and self._current(self._seen))

    def _firing(self, service: str) -> tuple[messages.Alert, ...]:
        known: dict[str, messages.Alert] = {}
        if self._url:
            seen = self._seen
            if seen is None or not self._current(seen):
                raise errors.Away(self._away())
            known = {alert.cause: alert for alert in seen.notice.alerts}
        known.update({cause: alert for cause, (_, alert) in self._heard.items()})
        return tuple(alert for alert in known.values() if alert.firing and self._counts_for(alert, service))

    async def blind(self) -> str:
        """See `blindness`; a no is asked for once more before it is given."""
        if self._url and self.blindness():
            await self._ask_again()
        return self.blindness()

    async def _ask_again(self) -> None:
        """Whoever is told no has waited for an answer of now, not of some seconds ago."""
        if self._task is None:
            return
        asked = self._asked
        self.nudge()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await asked.wait()

    def blindness(self) -> str:
        """Why nobody watches, as one sentence; empty: eyes are open."""
        watchdog = self._reading.watchdog
        if not self._url:
            recent = self._watchdog_at is not None and self._clock.monotonic() - self._watchdog_at <= _WATCHDOG_SECONDS
            if not watchdog or recent:
                return ""
            return (
                f"Nobody watches: {watchdog} has not arrived for {_WATCHDOG_SECONDS:g} s; see that Prometheus and Alertmanager "
                "run and call Ferry's webhook."
            )
        if self._seen is None or not self._current(self._seen):
            return f"Nobody watches: {self._away()}"
        if watchdog and not self._seen.notice.watchdog:
            return f"Nobody watches: {watchdog} does not fire in Alertmanager; see that Prometheus runs and reaches Alertmanager."
        return ""

    def trouble(self) -> str:
        """Why Alertmanager cannot be asked now, empty when it answers or is not to be asked."""
        return self._away() if self._url and (self._seen is None or not self._current(self._seen)) else ""

    def _current(self, seen: _Seen) -> bool:
        return self._clock.monotonic() - seen.at <= _POLLS_TRUSTED * self._poll + _ASK_SECONDS

    def _away(self) -> str:
        where = _shown(self._url)
        return f"Alertmanager at {where} cannot be asked ({self._trouble}); see that it runs and that the address is right."

    def _counts_for(self, alert: messages.Alert, service: str) -> bool:
        if alert.service in {service, model.ALL_SERVICES}:
            return True
        return self._hold_all and not alert.service and alert.severity is messages.Severity.CRITICAL

    async def _run(self, hear: Hear) -> None:
        # trust_env: a proxy variable of the machine must not carry the question elsewhere.
        async with httpx.AsyncClient(trust_env=False, timeout=_ASK_SECONDS, follow_redirects=False) as http:
            while True:
                self._nudged.clear()
                try:
                    await self._look(http, hear)
                except Exception:  # noqa: BLE001 whatever fails with one answer, the next question must be asked
                    _LOG.exception("what Alertmanager lists was not dealt with; it is handed over again at the next poll")
                done, self._asked = self._asked, asyncio.Event()
                done.set()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll):
                        await self._nudged.wait()

    async def _look(self, http: httpx.AsyncClient, hear: Hear) -> None:
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                listed = await self._ask(http)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            why = (
                f"no answer within {_ASK_SECONDS:g} s" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
            )
            if why != self._trouble:
                _LOG.warning("Alertmanager cannot be asked; raises are refused until it answers", why=why)
            self._trouble = why
            return
        if self._trouble:
            _LOG.info("Alertmanager answers")
            self._trouble = ""
        notice = alertmanager_payload.from_api(listed, self._reading, now=self._clock.now())
        self._seen = _Seen(began, notice)
        self._heard = {cause: one for cause, one in self._heard.items() if one[0] >= began}
        await self._hand_over(notice.alerts, hear)

    async def _ask(self, http: httpx.AsyncClient) -> list[Any]:
        """Raises httpx.HTTPError, or ValueError with a sentence for an answer that is none."""
        body = bytearray()
        async with http.stream("GET", f"{self._url}/api/v2/alerts", params=_EVERY_STATE) as response:
            if response.status_code != 200:
                raise ValueError(f"it answers {response.status_code} to /api/v2/alerts")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise ValueError(f"its answer is larger than {_MOST_BYTES} bytes")
        try:
            listed = orjson.loads(body)
        except ValueError:
            listed = None
        if not isinstance(listed, list):
            raise ValueError("its answer is no JSON list; is this address Alertmanager's")  # noqa: TRY004 foreign text, not our types
        return listed

    async def _hand_over(self, alerts: Iterable[messages.Alert], hear: Hear) -> None:
        """At every poll: an alert that was only told because nothing reached new is acted on once something does.

        One that is mapped to no service has no such second look; it is handed over until it was taken.
        """
        critical = {one.cause: one for one in alerts if one.firing and one.severity is messages.Severity.CRITICAL}
        self._taken &= critical.keys()
        due = [alert for cause, alert in critical.items() if alert.service or cause not in self._taken]
        if not due:
            return
        heard = await hear(due)
        if heard.lost:
            _LOG.error("alerts could be neither acted on nor recorded; they are handed over again", lost=list(heard.lost))
        for alert in due:
            if alert.cause not in self._taken and alert.cause not in heard.lost:
                self._taken.add(alert.cause)
                self._counts.alert_read(alert.severity, "poll")


def _shown(url: str) -> str:
    """Without user and password."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return "(an address that cannot be read)"
    return f"{parts.scheme}://{parts.netloc.decode()}{parts.path.rstrip('/')}"
