"""One proxy whose parts the tests break: nginx's processes by pid, its ports, its run folder, the agent at a chosen moment."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from k8s.agent import processes
from tests.integration import one_proxy

SHOP_HOST = "shop.old.example"


class FaultyProxy(one_proxy.OneProxy):
    """A `OneProxy` with what is needed to break it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.left_behind: list[processes.Process] = []

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def two(self, weight: int, *, more: str = "", shop_more: str = "") -> str:
        """A document of `api` at this weight and of `shop`, each with further lines of its entry."""
        shop = one_proxy.entry(0, self.new.port, self.old.port, name="shop", old_host=SHOP_HOST)
        return one_proxy.document(weight, self.new.port, self.old.port, extra=more + shop + shop_more)

    def master(self) -> processes.Process:
        found = processes.find(int((self.run / "nginx.pid").read_text()))
        assert found is not None
        return found

    def workers(self) -> list[processes.Process]:
        master = self.master()
        return [one for one in processes.find_all("nginx") if one.parent == master.pid]

    async def kill_master(self) -> list[processes.Process]:
        """SIGKILL, waited for. Returns the workers it leaves."""
        workers = self.workers()
        self.left_behind += workers
        nginx = next(one for one in self.processes if one.pid == self.master().pid)
        nginx.kill()
        await nginx.wait()
        return workers

    async def stop_processes(self) -> None:
        """Also the workers that outlived their master: a test that fails leaves nobody behind."""
        await super().stop_processes()
        for one in self.left_behind:
            if processes.find(one.pid) == one:
                os.kill(one.pid, signal.SIGKILL)

    async def generation(self) -> str:
        """What nginx itself serves."""
        url = f"http://127.0.0.1:{self.ports['status']}/generation"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return await answer.text()

    async def eventually_serves(self, generation: str, *, within: float = 30.0) -> None:
        """Asks nginx until it names this generation."""
        async with asyncio.timeout(within):
            while await self.generation() != generation:  # noqa: ASYNC110 nginx announces nothing
                await asyncio.sleep(0.02)

    async def eventually_reloaded_with(self, text: str) -> None:
        """Until this stands in the configuration that nginx serves."""
        config = self.run / "nginx.conf"
        await self.eventually(lambda report: text in config.read_text() and f'"{report["config"]}"' in config.read_text())

    async def nginx_accepts(self) -> bool:
        """Whether what lies on disk is a configuration that nginx could start with now."""
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        tested = await asyncio.create_subprocess_exec(nginx, "-t", "-q", "-c", str(self.run / "nginx.conf"))
        return await tested.wait() == 0

    async def start_dying_agent(self, point: str) -> None:
        """The real agent, that dies as by SIGKILL when it comes to `point` (see `crash_points/sitecustomize.py`)."""
        here = Path(__file__).parent
        await self.start_agent(PYTHONPATH=f"{here / 'crash_points'}:{here.parents[1]}", FERRY_TEST_DIES=point)


async def until(holds_true: Callable[[], bool], *, within: float = 30.0) -> None:
    """Looks until it is so: nothing announces what happens to processes and files."""
    async with asyncio.timeout(within):
        while not holds_true():  # noqa: ASYNC110 no event tells of other processes
            await asyncio.sleep(0.02)


@asynccontextmanager
async def faulty(folder: Path) -> AsyncIterator[FaultyProxy]:
    proxy = FaultyProxy(folder)
    try:
        await proxy.start()
        yield proxy
    finally:
        await proxy.stop()
