"""Calls to Slack that must get there in the end: they wait as Slack says, try again while it is away, and never overtake."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers import ports

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
PASSING = frozenset(
    {
        "ratelimited",
        "rate_limited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
    }
)
_log = structlog.get_logger("ferry.slack")

Body = Mapping[str, Any]


class SaidNo(Exception):
    """Slack's answer is no, and will be the next time: `word` is its word for why, `details` what it adds."""

    def __init__(self, method: str, word: str, details: str = "") -> None:
        super().__init__(f"{method}: {word} {details}".strip())
        self.word = word


class Outgoing:
    """All that is posted shares it, so that a 429 for one makes all wait."""

    def __init__(self, client: AsyncWebClient, clock: ports.Clock, *, first_wait: float = FIRST_WAIT) -> None:
        self._client = client
        self._clock = clock
        self._first_wait = first_wait
        self._not_before = 0.0
        self._lanes: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def call(self, method: str, body: Callable[[], Body], *, lane: str = "") -> Mapping[str, Any]:
        """Until Slack took it. `body` is asked for again before each try, so that the newest state is sent. Raises SaidNo.

        One at a time in each lane (the method, unless one is named): after a 429 one knocks, not everybody who waits.
        """
        async with self._lanes[lane or method]:
            return await self._call(method, body)

    async def _call(self, method: str, body: Callable[[], Body]) -> Mapping[str, Any]:
        wait = self._first_wait
        while True:
            await self._paused()
            made = dict(body())
            try:
                answer = await self._client.api_call(method, json=made)
            except SlackApiError as error:
                wait = self._after_refusal(method, error, wait)
            except (
                TimeoutError,
                aiohttp.ClientError,
                OSError,
                AttributeError,
            ) as error:  # the last: an answer that is plain text
                _log.warning("Slack cannot be reached; trying again", method=method, why=str(error) or type(error).__name__)
                self._pause(wait)
                wait = self._longer(wait)
            else:
                return answer.data if isinstance(answer.data, dict) else {}

    def _after_refusal(self, method: str, error: SlackApiError, wait: float) -> float:
        """Sets the pause and returns the next wait, or raises SaidNo."""
        status = int(getattr(error.response, "status_code", 0) or 0)
        data = getattr(error.response, "data", None)
        told: Mapping[str, Any] = data if isinstance(data, dict) else {}
        word = str(told.get("error") or "")
        if status == 429 or word in ("ratelimited", "rate_limited"):
            seconds = _retry_after(getattr(error.response, "headers", {}))
            _log.info("Slack asks to wait", method=method, seconds=seconds)
            self._pause(seconds)
            return wait
        if status >= 500 or not word or word in PASSING:
            _log.warning("Slack is not well; trying again", method=method, status=status, word=word)
            self._pause(wait)
            return self._longer(wait)
        details = (told.get("response_metadata") or {}).get("messages") or []
        raise SaidNo(method, word, "; ".join(str(one) for one in details)) from None

    def _pause(self, seconds: float) -> None:
        self._not_before = max(self._not_before, self._clock.monotonic() + seconds)

    def _longer(self, wait: float) -> float:
        return min(wait * 2, LONGEST_WAIT) * random.uniform(0.8, 1.2)  # noqa: S311 - so that replicas do not knock together

    async def _paused(self) -> None:
        while (seconds := self._not_before - self._clock.monotonic()) > 0:
            await self._clock.sleep(seconds)


def _retry_after(headers: Any) -> float:
    for name, value in dict(headers or {}).items():
        if str(name).lower() == "retry-after":
            text = value[0] if isinstance(value, list) else value
            try:
                return min(max(float(text), 0.0), 300.0)
            except (TypeError, ValueError):
                break
    return 1.0
