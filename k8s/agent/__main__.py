"""Where the agent enters: settings, keys, the memory on disk, then the three loops until it is told to stop."""

import asyncio
import contextlib
import logging
import re
import signal
import sys

import prometheus_client
from aiohttp import web

from k8s import client, cluster_watch, credentials, nginx, proxy_report, signing, wish_document, wish_edit
from k8s.agent import endpoints, links, memory_file, nginx_process, resolving, serving, settings, structure

log = logging.getLogger("ferry.agent")


class Agent:
    """Everything of one agent, built from its settings. `run` returns after SIGTERM."""

    def __init__(self, chosen: settings.AgentSettings, *, api: client.ClusterClient, nginx_version: tuple[int, int, int]) -> None:
        self._chosen = chosen
        files = links.Links(chosen.run)
        files.prepare()
        self.serving = serving.Serving(memory=memory_file.MemoryFolder(chosen.state), links=files)
        verifier = signing.Verifier.from_pems(path.read_bytes() for path in sorted(chosen.public_keys.glob("*.pem")))
        self._cluster = cluster_watch.ClusterWatch(api, chosen.namespace, verifier, wish_document.read, weights=wish_edit.weights)
        status = f"127.0.0.1:{chosen.status_port}"
        self.structure = structure.Structure(
            config=nginx.ProxyConfig(
                run=str(chosen.run),
                listen=f"{chosen.address}:{chosen.proxy_port}",
                status_listen=status,
                nginx_version=nginx_version,
                ca_folder=str(chosen.ca_folder),
                default_ca=str(chosen.default_ca),
                worker_user=chosen.worker_user or None,
            ),
            process=nginx_process.NginxProcess(binary=chosen.nginx, run=chosen.run, status_url=f"http://{status}/generation"),
            resolver=resolving.Resolver(chosen.resolver),
            served=self.serving,
        )
        self._stopping = False
        self._looked = asyncio.Event()

    def report(self) -> proxy_report.ProxyReport:
        """What `/status` says."""
        trouble = [*self._cluster.view().trouble, self.structure.trouble, *self.serving.trouble.values()]
        return proxy_report.ProxyReport(
            pod=self._chosen.pod,
            ready=not self.unready(),
            terminating=self._stopping,
            config=self.structure.generation,
            services=self.serving.reports(),
            trouble=tuple(sentence for sentence in trouble if sentence),
        )

    def unready(self) -> str:
        """Why no request should be sent to this proxy; empty when it is ready."""
        if self._stopping:
            return "the agent is stopping"
        if not self.structure.generation:
            return self.structure.trouble or "nginx serves no configuration of ours yet"
        return ""

    async def run(self, stop: asyncio.Event) -> None:
        app = endpoints.Endpoints(
            served=self.serving,
            token=self._chosen.token.get_secret_value(),
            report=self.report,
            unready=self.unready,
            registry=prometheus_client.CollectorRegistry(),
        ).application()
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, self._chosen.address, self._chosen.port).start()
        loops = [asyncio.create_task(self._look()), asyncio.create_task(self._follow())]
        stopped = asyncio.create_task(stop.wait())
        try:
            async with self._cluster:
                done, _ = await asyncio.wait([*loops, stopped], return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stopped}:
                    task.result()  # a loop never ends by itself: whatever ended it ends the agent, and it is started anew
        finally:
            self._stopping = True
            for task in [*loops, stopped]:
                task.cancel()
            await asyncio.gather(*loops, stopped, return_exceptions=True)
            await runner.cleanup()

    async def _look(self) -> None:
        """Every newer view of the cluster goes through the protocol to the links."""
        async with contextlib.aclosing(self._cluster.changes()) as newer:
            async for view in newer:
                self.serving.look(view)
                if view.synced:
                    self._looked.set()

    async def _follow(self) -> None:
        """The structure, at most once every `reload_spacing`, and at least that often: addresses change unannounced."""
        await self._looked.wait()
        while True:
            self._looked.clear()
            view = self._cluster.view()
            await self.structure.follow({name: one.wished for name, one in view.services.items() if one.wished is not None})
            await asyncio.sleep(self._chosen.reload_spacing)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._looked.wait(), self._chosen.reload_spacing)


async def version_of(program: str) -> tuple[int, int, int]:
    """Of the nginx binary. Raises OSError or ValueError with a sentence."""
    process = await asyncio.create_subprocess_exec(program, "-v", stderr=asyncio.subprocess.PIPE)
    _, output = await process.communicate()
    found = re.search(rb"nginx/(\d+)\.(\d+)\.(\d+)", output)
    if found is None:
        raise ValueError(f"{program} -v does not say its version; is it nginx?")
    return int(found[1]), int(found[2]), int(found[3])


async def _run(chosen: settings.AgentSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    access = credentials.InCluster(chosen.service_account, host=chosen.api_host, port=chosen.api_port, scheme=chosen.api_scheme)
    async with client.ClusterClient(access, agent="ferry-agent") as api:
        await Agent(chosen, api=api, nginx_version=await version_of(str(chosen.nginx))).run(stop)


def main() -> None:
    """Exit code 1 with a sentence when the agent cannot start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(_run(settings.load()))
    except (settings.SettingsError, OSError, ValueError) as error:
        log.error("%s", error)  # noqa: TRY400 a sentence for the operator, not a traceback
        sys.exit(1)


if __name__ == "__main__":
    main()
