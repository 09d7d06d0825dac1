"""Who gets through the API's gate, and with how large a body; nothing behind it is reached before."""

import asyncio
import json
from typing import Any

import pytest
from starlette import requests, responses
from starlette.types import Message, Receive, Scope, Send

from bot.api import callers, gate

TOKEN, OTHER = "a" * 32, "b" * 64
KNOWN = callers.Callers([("U0ANN", TOKEN), ("U0BOB", OTHER), ("U0ANN", "c" * 32)])


class Behind:
    """What stands behind the gate: answers who calls and what was sent."""

    def __init__(self) -> None:
        self.called = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.called += 1
        body = await requests.Request(scope, receive).body()
        answer = responses.JSONResponse({"by": scope.get(gate.CALLER, ""), "sent": body.decode()})
        await answer(scope, receive, send)


class Door:
    def __init__(self, known: callers.Callers = KNOWN) -> None:
        self.behind = Behind()
        self.turned: list[tuple[str, str]] = []
        self.gate = gate.Gate(self.behind, known, self._turned_away)

    async def _turned_away(self, address: str, sentence: str) -> None:
        self.turned.append((address, sentence))

    async def ask(self, *chunks: bytes, path: str = "/api/v1/x", method: str = "POST", **headers: str) -> tuple[int, Any]:
        """The status and the document. After the last chunk the body is at its end."""
        left: list[Message] = [{"type": "http.request", "body": one, "more_body": True} for one in chunks]
        left.append({"type": "http.request", "body": b"", "more_body": False})
        sent: list[Message] = []

        async def receive() -> Message:
            return left.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": method, "path": path, "root_path": "/api/v1", "query_string": b"",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
            "client": ("10.0.0.7", 4711), "server": ("127.0.0.1", 80), "scheme": "http",
        }  # fmt: skip
        await self.gate(scope, receive, send)
        return sent[0]["status"], json.loads(b"".join(one.get("body", b"") for one in sent[1:]))


@pytest.mark.parametrize(
    ("token", "person"), [(TOKEN, "U0ANN"), (OTHER, "U0BOB"), ("c" * 32, "U0ANN"), (TOKEN[:-1], ""), (f"{TOKEN}a", ""), ("", "")]
)
def test_a_token_is_exactly_one_persons(token: str, person: str) -> None:
    assert KNOWN.person(f"Bearer {token}") == person
    assert KNOWN.person(f"bearer  {token} ") == person
    assert KNOWN.person(f"Basic {token}") == ""
    assert KNOWN.person(token) == ""
    assert token not in repr(KNOWN) or not token


async def test_who_is_known_gets_through_with_what_they_sent() -> None:
    door = Door()
    assert await door.ask(b"one ", b"two", authorization=f"Bearer {OTHER}") == (200, {"by": "U0BOB", "sent": "one two"})
    assert door.turned == []


async def test_who_is_not_known_is_turned_away_before_anything_is_read() -> None:
    door = Door()
    status, told = await door.ask(b"x" * 100_000, authorization="Bearer guessed")
    assert (status, told["error"]["kind"], door.behind.called) == (401, "unauthorised", 0)
    assert door.turned == [("10.0.0.7", told["error"]["sentence"])]
    nobody = Door(callers.Callers([]))
    status, told = await nobody.ask(authorization="Bearer ")
    assert (status, "api.tokens" in told["error"]["sentence"]) == (401, True)


async def test_the_description_is_open_and_nothing_else_is() -> None:
    door = Door()
    assert (await door.ask(path="/api/v1/openapi.json", method="GET"))[0] == 200
    assert (await door.ask(path="/api/v1/openapi.json", method="POST"))[0] == 401
    assert (await door.ask(path="/api/v1/x/openapi.json", method="GET"))[0] == 401


async def test_a_body_may_be_so_large_and_no_larger() -> None:
    door, authorization = Door(), f"Bearer {TOKEN}"
    assert (await door.ask(b"x" * gate.LARGEST, authorization=authorization))[0] == 200
    half = b"x" * (gate.LARGEST // 2 + 1)
    status, told = await door.ask(half, half, authorization=authorization)
    assert (status, told["error"]["kind"]) == (413, "too_large")
    announced = await door.ask(authorization=authorization, content_length=str(gate.LARGEST + 1))
    assert announced[0] == 413
    assert door.behind.called == 1


async def test_a_body_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "READ_SECONDS", 0.05)
    door = Door()
    forever: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return await forever

    scope = {"type": "http", "method": "POST", "path": "/x", "headers": [(b"authorization", f"Bearer {TOKEN}".encode())]}
    await door.gate(scope, receive, send)
    assert (sent[0]["status"], door.behind.called) == (408, 0)
