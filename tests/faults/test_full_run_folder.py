"""The run folder that the agent shares with nginx is full: nothing new is brought to nginx, and a hold still holds."""

import asyncio
import itertools
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from k8s.agent import links
from tests.faults.faulty_proxy import FaultyProxy

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a folder of 2 MB is mounted, which needs root")


async def mount(folder: Path, options: str) -> None:
    await _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder))


async def unmount(folder: Path) -> None:
    if folder.is_mount():
        await _run("umount", "-l", str(folder))


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    if await process.wait() != 0:
        pytest.skip(f"{command[0]} is not allowed here")


class SmallRunFolder(FaultyProxy):
    """`run` is a memory file system of 2 MB, as in the pod, where it is larger."""

    async def prepare(self) -> None:
        await super().prepare()
        (self.folder / "memory").mkdir()
        await mount(self.run, "size=2m,mode=755")

    async def unmount(self) -> None:
        await unmount(self.run)

    def fill(self) -> Path:
        """Until not a byte is left. Returns the file to delete again."""
        ballast = self.run / "ballast"
        with ballast.open("wb", buffering=0) as file:
            for size in (65536, 4096, 512, 1):
                while True:
                    try:
                        if not file.write(b"x" * size):
                            break
                    except OSError:
                        break
        return ballast


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[SmallRunFolder]:
    one = SmallRunFolder(tmp_path)
    try:
        await one.start()
        yield one
    finally:
        await one.stop()
        await one.unmount()


async def test_where_not_even_a_name_has_room_a_hold_takes_the_link_away(tmp_path: Path) -> None:
    await mount(run := tmp_path, "nr_inodes=10500")
    try:
        files = links.Links(run)
        files.prepare()
        files.serve("api", 50)
        (run / "ballast").mkdir()
        with pytest.raises(OSError, match="No space left"):  # noqa: PT012 as many as there is room for
            for number in itertools.count():
                (run / "ballast" / str(number)).touch()
        with pytest.raises(OSError, match="No space left"):
            files.serve("api", 60)
        assert files.served("api") == 50
        files.serve("api", 0)
        assert (files.served("api"), os.path.lexists(run / "allow" / "api")) == (0, False)
        shutil.rmtree(run / "ballast")
        files.serve("api", 60)
        assert files.served("api") == 60
    finally:
        await unmount(run)


async def test_a_full_folder_keeps_what_is_served_lets_a_hold_through_and_recovers(proxy: SmallRunFolder) -> None:
    await proxy.raised(100, expected=0)
    before = await proxy.generation()
    ballast = proxy.fill()
    await proxy.wish(100, extra="    timeout: 7s\n")
    await proxy.eventually(lambda report: any("could not be written" in one for one in report["trouble"]))
    assert (await proxy.generation(), await proxy.nginx_accepts()) == (before, True)
    assert await proxy.served(50) == 50
    assert await proxy.push("api", "direct") == 200
    assert await proxy.served(100) == 0, "taking the link away needs no room"
    ballast.unlink()
    await proxy.eventually(lambda report: report["config"] not in {before, ""} and report["trouble"] == [])
    assert await proxy.served(50) == 0
    await proxy.wish(0)
    await proxy.raised(100, expected=1, clears=("direct",))
    assert await proxy.served(20) == 20
