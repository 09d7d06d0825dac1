"""In the place of the bot's API, for the command line: remembers what came, answers what it is told to."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from typer.testing import CliRunner

from bot import __main__ as ferry

TOKEN = "a-token-of-thirty-two-characters!"


def typed(*arguments: str, url: str = "http://127.0.0.1:1", token: str = TOKEN) -> tuple[int, str, str]:
    """Exit code, what was printed, what was complained."""
    told = CliRunner().invoke(ferry.app, list(arguments), env={"FERRY_API": url, "FERRY_API_TOKEN": token, "COLUMNS": "200"})
    return told.exit_code, told.stdout, told.stderr


class AnsweringApi:
    """`answers`: by method and path (`GET services/api`), one answer or several in turn, the last for ever; a tuple is a status
    with a document, None a connection that is cut. `asked`: method, path with its query, body.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        served = web.Application()
        served.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(served, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def ask(self, *arguments: str) -> tuple[int, str, str]:
        return await asyncio.to_thread(typed, *arguments, url=self.url)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path.removeprefix("/api/v1/")
        self.asked.append((request.method, path, await request.json() if request.can_read_body else None))
        known = self.answers.get(f"{request.method} {path}")
        if isinstance(known, list):
            known = known.pop(0) if len(known) > 1 else known[0]
        if known is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        status, document = known if isinstance(known, tuple) else (200, known)
        return web.json_response(document, status=status)


def operation(kind: str = "raise", **changes: Any) -> dict[str, Any]:
    """As the API shows one, waiting for its confirmation."""
    told: dict[str, Any] = {
        "id": "op-1", "service": "api", "kind": kind, "reason": "first step", "requester": "slack:T0/U0ANN",
        "requester_shown": "ann", "source": "cli", "phase": "approved", "outcome": "open", "because": "it waits",
        "before": None, "after": {"weight": 5, "strategy": "weight"}, "approvals": [], "approvals_needed": 1,
        "requested_at": "2026-05-04T12:00:00Z", "expires_at": "2026-05-04T13:00:00Z", "confirmed_at": None, "generation": 0,
        "revision": 1, "plan_hash": "0123456789abcdef", "clears": [], "steps": [], "until": "", "skips": "", "objects": [],
        "diff": "", "timeline": [], "members": [], "next": "",
    }  # fmt: skip
    return told | changes


def timeline(*sentences: str) -> list[dict[str, str]]:
    return [{"at": f"2026-05-04T12:00:{second:02d}Z", "sentence": one} for second, one in enumerate(sentences)]


def answered(said: str = "It is asked for.", of: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"said": said, "operation": of}


def refusal(kind: str, *parts: str) -> tuple[int, dict[str, Any]]:
    """What, why, remedy; with the status of a conflict."""
    what, why, remedy = parts
    told = {"kind": kind, "what": what, "why": why, "remedy": remedy, "sentence": " ".join(parts)}
    return 409, {"error": told}


def paths(api: AnsweringApi) -> Sequence[str]:
    return [f"{method} {path}" for method, path, _ in api.asked]
