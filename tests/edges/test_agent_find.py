"""One id leads to every line about it: the request, nginx's errors on its connection, the agent's decisions and their times."""

import asyncio
import datetime
import functools
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s.agent import __main__ as entrance
from k8s.agent import find, journal

T = 1_700_000_000.0


def access(wanted: str, *, t: float = T, conn: int = 7, uri: str = "/orders", **more: object) -> str:
    fields = {"t": t, "service": "api", "id": wanted, "method": "GET", "uri": uri, "status": 200, "time": 0.5, "conn": conn}
    return json.dumps(fields | more) + "\n"


def error(text: str, *, t: float = T, conn: int = 7, request: str = "GET /orders HTTP/1.1") -> str:
    second = datetime.datetime.fromtimestamp(t).astimezone().strftime("%Y/%m/%d %H:%M:%S")
    return (
        f'{second} [error] 12#12: *{conn} {text}, client: 10.0.0.9, server: api.old.example, request: "{request}",'
        ' upstream: "https://10.2.0.1:443/orders", host: "api.old.example"\n'
    )


class Echo(io.BytesIO):
    """Says when it was written to, also from a thread."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def flush(self) -> None:
        self._loop.call_soon_threadsafe(self.flushed.set)


def kinds(found: list[dict[str, object]]) -> list[object]:
    return [one["kind"] for one in found]


def test_a_request_is_found_with_its_errors_and_with_nobody_elses(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(access("r-1") + access("r-2", conn=8) + access("r-10"))
    (tmp_path / "error.log").write_text(
        error("upstream timed out")
        + error("of another connection", conn=8)
        + error("of another path", request="GET /other HTTP/1.1")
        + error("of another method", request="POST /orders HTTP/1.1")
        + error("of an earlier request", t=T - 5)
        + error("of a later request", t=T + 5)
    )
    found = find.traces(tmp_path, "r-1")
    assert sorted(map(str, kinds(found))) == ["access", "error"]
    assert next(str(one["message"]) for one in found if one["kind"] == "error").startswith("upstream timed out")


def test_what_was_rotated_is_found_and_a_file_under_two_names_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "access.log.41").write_text(access("r-1"))
    (tmp_path / "access.log").hardlink_to(tmp_path / "access.log.41")
    (tmp_path / "error.log.1").write_text(error("connect() failed"))
    (tmp_path / "error.log").write_text("")
    (tmp_path / "access.log.notes").write_text(access("r-1"))
    assert sorted(map(str, kinds(find.traces(tmp_path, "r-1")))) == ["access", "error"]


def test_half_a_line_foreign_bytes_and_files_that_are_not_there_hide_nothing(tmp_path: Path) -> None:
    whole, half = access("r-1", uri="/PATH").encode().replace(b"/PATH", "/订单".encode("gbk")), b'{"t":1,"id":"r-1'
    (tmp_path / "access.log").write_bytes(b"\xff r-1\n" + whole + half)
    assert kinds(find.traces(tmp_path, "r-1")) == ["access"]


@pytest.mark.parametrize(
    "text",
    [
        'request: "GET /a?token=hunter2 HTTP/1.1", host: "x"',
        'upstream: "https://10.0.0.1:443/a?q=hunter2", host: "x"',
        'request: "GET /a?b="hunter2 HTTP/1.1"',
        'referrer: "https://someone:hunter2@x.example/"',
        'upstream sent invalid header: "Set-Cookie: session=hunter2" while reading',
        'client sent: "X-Migrate-Token: hunter2"',
        'client sent: "Authorization: Bearer hunter2"',
        'got "bearer hunter2" twice',
    ],
)
def test_no_query_string_and_no_token_leaves_the_error_log(text: str) -> None:
    assert "hunter2" not in find.without_secrets(text)
    assert find.without_secrets("no live upstreams while connecting") == "no live upstreams while connecting"


@given(st.text(st.characters(blacklist_categories=("Cs", "Zs", "Cc")), max_size=40))
def test_no_query_survives_whatever_is_in_it(query: str) -> None:
    said = find.without_secrets(f'x, request: "GET /a?{query}MARK HTTP/1.1", host: "h"')
    assert "MARK" not in said
    assert said.endswith(' HTTP/1.1", host: "h"')


async def test_the_journals_lines_are_found_by_hold_operation_and_generation_and_only_by_whole_ids(tmp_path: Path) -> None:
    said = journal.Journal(tmp_path, echo=io.BytesIO())
    said.audit("link moved", service="api", holds=("h-1",), operation="op-9", because="held by h-1")
    said.timing("link moved", 0.00125, service="api", holds=("h-1",), operation="op-9")
    said.audit("hold begins", service="api", hold="h-11", reason="not about h-1 at all")
    said.close()
    assert kinds(find.traces(tmp_path, "h-1")) == ["audit", "timing"]
    assert kinds(find.traces(tmp_path, "op-9")) == ["audit", "timing"]
    assert find.traces(tmp_path, "op-9")[1]["ms"] == 1.25
    assert kinds(find.traces(tmp_path, "h-11")) == ["audit"]


async def test_what_is_said_is_written_while_the_agent_goes_on_and_the_older_file_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LARGEST", 50)
    echo = Echo()
    said = journal.Journal(tmp_path, echo=echo)
    following = asyncio.create_task(said.follow())
    async with asyncio.timeout(20):
        for number in range(3):
            said.audit("step", hold=f"h-{number}", note="x" * 50)
            await echo.flushed.wait()
            echo.flushed.clear()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert not find.traces(tmp_path, "h-0"), "two files are kept, not three"
    assert kinds(find.traces(tmp_path, "h-1")) == kinds(find.traces(tmp_path, "h-2")) == ["audit"]
    assert echo.getvalue().count(b"\n") == 3


async def until(there: Callable[[], object]) -> None:
    """Files, and threads, announce nothing."""
    while True:
        if there():
            return
        await asyncio.sleep(0.01)


async def test_who_stops_reading_stdout_costs_lines_there_only_and_is_told_how_many_when_reading_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MOST_UNREAD", 5)
    monkeypatch.setattr(journal, "AT_ONCE", 1)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as reader, os.fdopen(writing, "wb", buffering=0) as stdout:
        said = journal.Journal(tmp_path, echo=stdout)
        following = asyncio.create_task(said.follow())
        async with asyncio.timeout(60):
            for number in range(20):
                said.audit("step", hold=f"h-{number}", note="x" * 100_000)  # more than a pipe takes
                await until(functools.partial(find.traces, tmp_path, f"h-{number}"))
            assert "nobody reads this agent's stdout: " in said.trouble
            read = b""
            while b"h-19" not in read.rpartition(b"\n")[0]:
                read += await asyncio.to_thread(reader.read, 1_000_000)
            await until(lambda: not said.trouble)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await asyncio.to_thread(said.close)
    lines = [json.loads(line) for line in read.splitlines()]
    lost = sum(line["lines"] for line in lines if line["what"] == "lost on stdout")
    steps = [line["hold"] for line in lines if line["what"] == "step"]
    assert lost + len(steps) == 20
    assert steps[-5:] == [f"h-{number}" for number in range(15, 20)]


async def test_who_stopped_reading_stdout_does_not_stand_in_the_way_of_the_end(tmp_path: Path) -> None:
    says = f"""
import pathlib
from k8s.agent import journal
said = journal.Journal(pathlib.Path({str(tmp_path)!r}))
for number in range(10):
    said.audit("step", hold="h-1", note="x" * 100_000)
said.close()
"""
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb") as stdout:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", says, stdout=stdout, env=buffered)
        try:
            async with asyncio.timeout(60):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert len(find.traces(tmp_path, "h-1")) == 10


async def test_what_cannot_be_written_is_told_waits_for_nobody_and_is_still_on_stdout(tmp_path: Path) -> None:
    echo = io.BytesIO()
    said = journal.Journal(tmp_path / "not-there", echo=echo)
    said.audit("hold begins", hold="h-1")
    said.close()
    assert "journal cannot be written" in said.trouble
    assert b'"h-1"' in echo.getvalue()


async def test_of_more_than_can_wait_the_newest_stay_and_the_loss_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MOST_WAITING", 5)
    said = journal.Journal(tmp_path, echo=io.BytesIO())
    for number in range(20):
        said.audit("step", hold=f"h-{number}")
    said.close()
    assert kinds(find.traces(tmp_path, "h-19")) == ["audit"]
    assert not find.traces(tmp_path, "h-3")
    assert '"lost"' in (tmp_path / journal.NAME).read_text()


def called(monkeypatch: pytest.MonkeyPatch, run: Path, *words: str) -> int | str | None:
    monkeypatch.setattr("sys.argv", ["ferry-agent", *words])
    monkeypatch.setenv("FERRY_RUN_FOLDER", str(run))
    with pytest.raises(SystemExit) as ended:
        entrance.main()
    return ended.value.code


def test_the_command_says_found_not_found_and_not_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "access.log").write_text(access("r-1"))
    assert called(monkeypatch, tmp_path, "find", "r-1") == 0
    assert [json.loads(line)["kind"] for line in capfdbinary.readouterr().out.splitlines()] == ["access"]
    assert called(monkeypatch, tmp_path, "find", "r-2") == 1
    out, err = capfdbinary.readouterr()
    assert not out
    assert b"nothing of r-2" in err
    assert called(monkeypatch, tmp_path, "find", "r 2") == 2
    assert called(monkeypatch, tmp_path, "find") == 2
    assert called(monkeypatch, tmp_path, "look", "r-2") == 2
