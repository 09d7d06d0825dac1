"""In front of the API: a token that is somebody's, and a body that is small and arrives in time. Only then is it looked at."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette import requests
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.api import callers, errors_told

CALLER = "ferry.caller"  # where the scope says who calls
LARGEST = 262_144  # bytes of a body: a thousand names at once
READ_SECONDS = 5.0
Turned = Callable[[str, str], Awaitable[None]]
_OPEN = "/openapi.json"
_WRONG = ("The bearer token is missing or wrong.", "Send one that api.tokens in the bot's settings names.")
_NONE = ("No token is known here.", "Name tokens in the bot's settings (api.tokens) and start it again.")


class Gate:
    """`turned_away`: hears the caller's address and why."""

    def __init__(self, app: ASGIApp, known: callers.Callers, turned_away: Turned) -> None:
        self._app = app
        self._known = known
        self._turned_away = turned_away

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = requests.Request(scope, receive)
        if request.method == "GET" and scope["path"] == f"{scope.get('root_path', '')}{_OPEN}":
            await self._app(scope, receive, send)  # the description of the API is no secret
            return
        try:
            scope[CALLER] = await self._caller(request)
            body = await _read(request)
        except errors_told.NotDone as error:
            await errors_told.answer(error)(scope, receive, send)
            return
        await self._app(scope, _again(body, receive), send)

    async def _caller(self, request: requests.Request) -> str:
        if person := self._known.person(request.headers.get("authorization", "")):
            return person
        why, remedy = _WRONG if self._known else _NONE
        error = errors_told.NotDone(401, "unauthorised", "Nothing was done.", why=why, remedy=remedy)
        await self._turned_away(request.client.host if request.client else "an unknown address", error.sentence)
        raise error


async def _read(request: requests.Request) -> bytes:
    body = bytearray()
    why = f"The body is larger than {LARGEST} bytes and was not read."
    too_large = errors_told.NotDone(413, "too_large", "Nothing was done.", why=why, remedy="Send less.")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:20]) > LARGEST:
        raise too_large
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    raise too_large
    except (TimeoutError, requests.ClientDisconnect):
        why = f"The body did not arrive within {READ_SECONDS:g} s."
        raise errors_told.NotDone(408, "late", "Nothing was done.", why=why, remedy="Send it again.") from None
    return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """What was read, for whoever reads next; afterwards whatever else the connection says."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> Message:
        return left.pop() if left else await receive()

    return read
