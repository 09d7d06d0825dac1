"""The verbs that ask the bot: what is typed wrongly never leaves the machine, and what is answered becomes lines for people."""

import asyncio
import importlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner

from bot import __main__ as ferry
from bot.cli import remote_lines, verbs

TOKEN = "a-token-of-thirty-two-characters!"
ROOT = Path(__file__).resolve().parents[2]
SHIFT = ("shift", "api", "10%", "--reason", "why")


def typed(*arguments: str, url: str = "http://127.0.0.1:1", token: str = TOKEN) -> tuple[int, str, str]:
    """Exit code, what was printed, what was complained."""
    told = CliRunner().invoke(ferry.app, list(arguments), env={"FERRY_API": url, "FERRY_API_TOKEN": token, "COLUMNS": "200"})
    return told.exit_code, told.stdout, told.stderr


class Api:
    """In the place of the bot's API: remembers what came, answers `answer`; the first `lost` answers get lost."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any, str]] = []
        self.answer: Any = {"said": "done", "operation": None}
        self.status = 200
        self.lost = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.raw_path, body, request.headers["Idempotency-Key"]))
        if len(self.asked) <= self.lost:
            assert request.transport is not None
            request.transport.abort()
        if isinstance(self.answer, str):
            return web.Response(text=self.answer, status=self.status)
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    made = Api()
    served = web.Application()
    served.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
def ask(api: Api) -> Callable[..., Awaitable[tuple[int, str, str]]]:
    async def asked(*arguments: str) -> tuple[int, str, str]:
        return await asyncio.to_thread(typed, *arguments, url=api.url)

    return asked


Ask = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ((), {}),
        (("--strategy", "weight"), {"strategy": "weight"}),
        (("--cidr", "10.2.0.0/16", "--cidr", "10.3.0.0/16"), {"strategy": "ip", "cidrs": ["10.2.0.0/16", "10.3.0.0/16"]}),
        (
            ("--strategy", "header", "--header", "X-A=1,2"),
            {"strategy": "header", "header": {"name": "X-A", "values": ["1", "2"]}},
        ),
        (("--user", "cookie:uid=ann"), {"strategy": "user", "user": {"source": "cookie:uid", "ids": ["ann"]}}),
        (("--strategy", "user", "--user", "header:X-U"), {"strategy": "user", "user": {"source": "header:X-U", "ids": []}}),
    ],
)
async def test_a_shift_is_sent_with_its_strategy(api: Api, ask: Ask, options: tuple[str, ...], sent: dict[str, Any]) -> None:
    assert await ask(*SHIFT, *options) == (0, "done\n", "")
    ((method, path, body, _),) = api.asked
    assert (method, path, body) == ("POST", "/api/v1/services/api/shift", {"weight": 10, "reason": "why", **sent})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("shift", "api", "101%", "--reason", "x"), "is not a whole percentage"),
        (("shift", "api", "ten", "--reason", "x"), "is not a whole percentage"),
        (("shift", "api", "10%"), "--reason"),
        ((*SHIFT, "--strategy", "magic"), "--strategy"),
        ((*SHIFT, "--strategy", "ip"), "Try: --strategy ip --cidr 10.2.0.0/16"),
        ((*SHIFT, "--cidr", "10.2.0.1/16"), "the network itself is 10.2.0.0/16"),
        ((*SHIFT, "--strategy", "weight", "--cidr", "10.2.0.0/16"), "give the rule of one strategy"),
        ((*SHIFT, "--header", "X-A=1", "--cidr", "10.2.0.0/16"), "give the rule of one strategy"),
        (("safe-mode", "maybe"), "maybe"),
        ((*SHIFT, "--token", TOKEN), "seen by everybody"),
        ((*SHIFT, "--token-file", "/nowhere/token"), "/nowhere/token"),
        ((*SHIFT, "--api", "http://ferry.example:8080"), "would show your token"),
        ((*SHIFT, "--api", "ferry"), "does not say where the bot listens"),
    ],
)
async def test_what_is_typed_wrongly_is_said_and_not_sent(api: Api, ask: Ask, arguments: tuple[str, ...], says: str) -> None:
    code, printed, complaint = await ask(*arguments)
    assert (code, printed, api.asked) == (2, "", [])
    assert says in complaint
    assert TOKEN not in complaint


def test_without_a_token_nothing_is_asked(tmp_path: Path) -> None:
    assert typed("status", token="")[0] == 2
    empty = tmp_path / "token"
    empty.write_text("\n")
    assert "there is no token" in typed("status", "--token-file", str(empty))[2]


async def test_an_answer_that_was_lost_is_asked_for_again_and_done_once(api: Api, ask: Ask) -> None:
    api.lost = 1
    assert (await ask(*SHIFT))[0] == 0
    assert len(api.asked) == 2
    assert api.asked[0] == api.asked[1]  # the same key too


@pytest.mark.parametrize("as_json", [True, False])
async def test_a_refusal_is_a_sentence_and_ends_with_one(api: Api, ask: Ask, as_json: bool) -> None:
    api.status, api.answer = 409, {"error": {"sentence": "It is held\x1b[2J.", "kind": "held"}}
    code, printed, complaint = await ask("rollback", "api", *(["--json"] if as_json else []))
    assert code == 1
    if as_json:
        assert json.loads(printed) == api.answer
    else:
        assert (printed, complaint) == ("", "It is held [2J.\n")


async def test_what_is_no_ferry_and_what_is_not_there_are_told_apart(api: Api, ask: Ask) -> None:
    api.answer = "<html>"
    assert "not as Ferry does" in (await ask("status"))[2]
    code, _, complaint = typed("status")
    assert (code, "is not reached" in complaint, "port-forward" in complaint) == (1, True, True)


async def test_a_name_cannot_leave_its_place_in_the_path(api: Api, ask: Ask) -> None:
    await ask("rollback", "../safe-mode?x#y")
    assert api.asked[0][1] == "/api/v1/services/..%2Fsafe-mode%3Fx%23y/rollback"


@pytest.mark.parametrize("name", verbs.VERBS)
def test_every_verb_loads_and_says_of_itself_what_the_list_says(name: str) -> None:
    module, _, attribute = verbs.VERBS[name].where.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    own = found.info.help if name == "audit" else (found.__doc__ or "")
    assert own.startswith(verbs.VERBS[name].line.rstrip(".")), name
    assert typed(name, "--help")[0] == 0


def test_help_lists_every_verb() -> None:
    code, printed, _ = typed("--help")
    assert code == 0
    assert [name for name in (*verbs.VERBS, "playground") if name not in printed] == []
    assert typed("nonsense")[0] == 2


@pytest.mark.parametrize("arguments", [["--help"], ["status"], ["shift", "--help"]])
async def test_asking_the_bot_imports_none_of_it(arguments: list[str]) -> None:
    script = f"import sys; sys.argv = ['ferry', *{arguments}]\nfrom bot import __main__\n"
    script += "try: __main__.main()\nexcept SystemExit: pass\n"
    script += "print('imported', *sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=ROOT, env={"PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, complaint = await process.communicate()
    imported = complaint.decode().rpartition("imported ")[2].split()
    assert "typer" in imported
    assert {"slack_bolt", "slack_sdk", "redis", "fastapi", "uvicorn", "kubernetes", "handlers", "deploy"}.isdisjoint(imported)


def test_foreign_text_cannot_steer_the_terminal() -> None:
    assert remote_lines.clean("a\x1b]0;title\x07b\u202ec\nd") == "a ]0;title b c d"
