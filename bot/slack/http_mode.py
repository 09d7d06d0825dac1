"""HTTP mode: Slack calls in. Size and headers are checked here, the signature by Bolt, before anybody looks at the content."""

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from starlette import requests, responses

MOST_BYTES = 1_000_000
MOST_SECONDS = 300  # Slack's own limit for the age of a signature
Answer = tuple[int, Mapping[str, str], str]


class HttpMode:
    def __init__(self, app: AsyncApp, *, now: Callable[[], float] = time.time) -> None:
        self._app = app
        self._now = now

    async def answer(self, method: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Status, headers, body. Never raises; nothing of the request is repeated in a refusal."""
        named = {name.lower(): value for name, value in headers.items()}
        if (refused := self._refused(method, named, body)) is not None:
            return refused
        try:
            request = AsyncBoltRequest(body=body.decode(), headers=dict(named))
        except Exception:  # noqa: BLE001 - the library reads the content first; what it trips over is not Slack's
            return _said(HTTPStatus.BAD_REQUEST, "The body is neither a form nor JSON as Slack sends them; nothing was done.")
        answer = await self._app.async_dispatch(request)
        return answer.status, answer.first_headers_without_set_cookie(), answer.body or ""

    async def handle(self, request: requests.Request) -> responses.Response:
        """For `bot.web.application(slack_events=…)`. No more than the limit is ever read."""
        taken = bytearray()
        async for chunk in request.stream():
            taken += chunk
            if len(taken) > MOST_BYTES:
                break
        status, headers, body = await self.answer(request.method, dict(request.headers), bytes(taken))
        return responses.Response(body, status_code=status, headers=dict(headers))

    def _refused(self, method: str, named: Mapping[str, str], body: bytes) -> Answer | None:
        if method == "POST" and body.startswith(b"ssl_check=1"):
            return _said(HTTPStatus.OK, "")  # Slack looks at the certificate now and then, without signing
        if method != "POST":
            return _said(HTTPStatus.METHOD_NOT_ALLOWED, "Slack calls this address with POST; there is nothing to see here.")
        if len(body) > MOST_BYTES:
            return _said(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {MOST_BYTES} bytes; Slack's never are.")
        stamp = named.get("x-slack-request-timestamp", "")
        if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12 or not named.get("x-slack-signature"):
            return _said(
                HTTPStatus.UNAUTHORIZED, "The request is not signed as Slack signs; see slack.mode and SLACK_SIGNING_SECRET."
            )
        if abs(self._now() - int(stamp)) > MOST_SECONDS:
            return _said(HTTPStatus.UNAUTHORIZED, "The signature is too old, or this machine's clock is wrong; check its time.")
        return None


def _said(status: HTTPStatus, sentence: str) -> Answer:
    return int(status), {"content-type": "text/plain; charset=utf-8"}, sentence
