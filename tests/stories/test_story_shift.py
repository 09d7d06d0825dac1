"""`ferry playground --story shift`: it holds, and without the entry it does not, also at the command line."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from deploy.playground.stories import running, scene

pytestmark = [pytest.mark.stories, pytest.mark.xdist_group("playground-shift"), pytest.mark.timeout(240)]
FERRY = Path(sys.executable).parent / "ferry"


async def test_five_then_twenty_five_percent_reach_new_by_the_backends_own_count() -> None:
    told = await running.tell("shift", sizes=scene.Sizes(requests=4_000))
    assert told.held, told.why
    document = told.as_document()
    assert [share["weight"] for share in document["measured"]["shares"]] == [0, 5, 25]
    assert document["measured"]["shares"][0]["new"] == 0
    assert all(share["requests"] == 4_000 and not share["failed"] for share in document["measured"]["shares"])
    assert "another person" in document["measured"]["own_approval"]
    assert document["invariants"]["broken"] == []
    assert {"I1", "I2", "I8", "I9", "I10", "I15", "I16"} <= document["invariants"]["checked"].keys()


async def test_without_the_entry_nothing_is_raised_and_the_command_says_so_with_code_1() -> None:
    process = await asyncio.create_subprocess_exec(
        FERRY, "playground", "--story", "shift", "--sabotage", "no-entry", "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, aside = await process.communicate()
    assert process.returncode == 1, aside.decode()
    document = json.loads(output)
    assert (document["story"], document["held"]) == ("shift", False)
    assert [(share["new"], share["requests"]) for share in document["measured"]["shares"]] == [(0, 20_000)]
    why = document["measured"]["why_not"][0]
    assert "Its host does not reach the proxies" in why, "a weight that no request meets is refused"
    assert "/migrate prepare api-name01" in why


async def test_one_ctrl_c_ends_the_page_every_process_and_every_folder() -> None:
    process = await asyncio.create_subprocess_exec(FERRY, "playground", stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            if line.startswith(b"Open http://127.0.0.1:"):
                break
        children = _children(process.pid)
        folders = {Path(found) for child in children for found in _folders(child)}
        assert len(children) >= 8, "two bots, two agents, two nginx, Redis, Prometheus, Alertmanager"
        assert folders
        process.send_signal(signal.SIGINT)
        told = (await process.stdout.read()).decode().splitlines()
        assert told[-1] == "stopped; nothing is left behind"
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    async with asyncio.timeout(5):
        while any(_alive(child) for child in children):  # noqa: ASYNC110 a kernel ends a killed process a moment later
            await asyncio.sleep(0.02)
    assert not any(folder.exists() for folder in folders)


def _children(parent: int) -> list[int]:
    """Every process below this one."""
    own = [int(pid) for task in Path(f"/proc/{parent}/task").iterdir() for pid in (task / "children").read_text().split()]
    return own + [below for child in own for below in _children(child)]


def _folders(pid: int) -> list[str]:
    """The playground's folders that a process was told of."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("=", "\0").split("\0")
    parts = [Path(word).parts for word in words if "/ferry-playground-" in word]
    return [str(Path(*one[: next(n for n, part in enumerate(one) if part.startswith("ferry-playground-")) + 1])) for one in parts]


def _alive(pid: int) -> bool:
    """A process that has ended and waits for somebody to ask for its code is not alive."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}
