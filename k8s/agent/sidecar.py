"""One agent whole: its parts built from its settings, and the loops that run until it is told to stop."""

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import Any

import prometheus_client
from aiohttp import web

from k8s import client, cluster_watch, model, nginx, proxy_report, report_document, views, wish_document, wish_edit
from k8s.agent import (
    access_log,
    document_fault,
    endpoints,
    journal,
    last_good,
    long_lived,
    metrics,
    nginx_watch,
    overrides,
    peers,
    preflight,
    pressure,
    probe,
    protection,
    recording,
    resolving,
    safety_metrics,
    serving,
    settings,
    silence,
    structure,
    supervision,
    traffic,
    trust_files,
    trusted_keys,
)

log = logging.getLogger("ferry.agent")


class Agent:
    """Everything of one agent, built from its settings. `run` returns after SIGTERM."""

    def __init__(self, chosen: settings.AgentSettings, *, api: client.ClusterClient, nginx_version: tuple[int, int, int]) -> None:
        self._chosen = chosen
        self._journal = journal.Journal(chosen.run)
        files = recording.RecordedLinks(chosen.run, self._journal)
        files.prepare()
        chosen.scratch.mkdir(parents=True, exist_ok=True)
        memory = recording.RecordedMemory(chosen.state, self._journal)
        self.serving = files.serving = serving.Serving(memory=memory, links=files, may_raise=False)
        self._keys = trusted_keys.TrustedKeys(chosen.public_keys)
        self._cluster = cluster_watch.ClusterWatch(
            api, chosen.namespace, self._keys.verifier, wish_document.read_entries, weights=wish_edit.weights
        )
        status = f"127.0.0.1:{chosen.status_port}"
        self._nginx = recording.RecordedNginx(
            self._journal, binary=chosen.nginx, run=chosen.run, status_url=f"http://{status}/generation"
        )
        resolver = resolving.Resolver(chosen.resolver)
        self._trust = trust_files.TrustFiles(chosen.run, given=chosen.ca_folder, default_given=chosen.default_ca)
        self.structure = structure.Structure(
            config=_proxy_config(chosen, self._trust, status=status, nginx_version=nginx_version),
            process=self._nginx,
            resolver=resolver,
            served=self.serving,
            kept=last_good.LastGood(chosen.state),
            testers=overrides.Overrides(chosen.overrides),
            trust=self._trust,
        )
        self.tallies = traffic.Tallies()
        self._log = access_log.AccessLog(
            chosen.run, count=self._count, reopen=self._nginx.reopen_logs, largest=chosen.largest_log
        )
        self._probes = probe.Probes(resolver, ca_folder=self._trust.named, default_ca=self._trust.default)
        self._peers = _peers(chosen)
        self._entries = dict(last_good.LastGood(chosen.state).read().services)  # the last good one of each service
        self._protection = self._protected()
        self._probed: frozenset[str] = frozenset()
        self._stopping = False
        self._looked = asyncio.Event()
        self._supervision = supervision.Supervision(
            process=self._nginx,
            watch=nginx_watch.NginxWatch(chosen.run, repairs=self.structure.repairs),
            nginx=self.structure,
            served=self.serving,
            fault=document_fault.DocumentFault(patience=chosen.document_patience, by=chosen.pod),
            outliving=long_lived.LongLived(grace=chosen.long_lived_grace),
            view=self._cluster.view,
            changes=self._cluster.changes,
            look_again=self._looked.set,
        )

    def _protected(self) -> protection.Protection:
        one = recording.RecordedProtection(
            self._journal,
            served=self.serving,
            tallies=self.tallies,
            probes=self._probes,
            neighbours=self._peers,
            pod=self._chosen.pod,
            latch_after=self._chosen.latch_after,
        )
        one.follow(self._entries)  # until the cluster is read
        self._probes.on_change = one.review
        return one

    def report(self) -> proxy_report.ProxyReport:
        """What the bot reads from `/status`."""
        trouble = [*self._cluster.view().trouble, *self.structure.trouble, *self.serving.trouble.values()]
        trouble += [*self._protection.trouble, *self._peers.trouble, *self._probes.trouble, self._keys.trouble, self._log.trouble]
        trouble += [self._journal.trouble]
        trouble += self._supervision.trouble
        up, dead = self._probes.up, set(self._protection.old_unusable())
        said, spread = self.serving.reports(self.tallies.traffic), self.tallies.spread
        reports = {
            name: replace(one, new_up=up.get(name), old_dead=name in dead, spread=spread(name)) for name, one in said.items()
        }
        return proxy_report.ProxyReport(
            pod=self._chosen.pod,
            ready=not self.unready(),
            terminating=self._stopping,
            config=self.structure.generation,
            services=reports,
            trouble=tuple(sentence for sentence in trouble if sentence),
        )

    def status(self) -> dict[str, Any]:
        """The report, and beside it what only other agents read."""
        document = report_document.as_document(self.report())
        return document | {"memory": self._memory()}

    def _memory(self) -> dict[str, Any]:
        known, said = self.serving, self._protection
        return peers.document_of(known.memories, known.holds_for_all, known.orders, said.seen_up(), said.turned_away())

    def unready(self) -> str:
        """Why no request should be sent to this proxy; empty when it is ready.

        Nothing is rendered before the cluster was looked at once, so that a configuration in nginx is of then, or an
        earlier agent's that it had brought nginx to.
        """
        if self._stopping:
            return "the agent is stopping"
        return self.structure.unready

    async def run(self, stop: asyncio.Event) -> None:
        runner = web.AppRunner(self._application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, self._chosen.address, self._chosen.port).start()
        loops: list[asyncio.Task[None]] = []
        try:
            async with self._cluster:
                loops = [
                    asyncio.create_task(one)
                    for one in (
                        self._look(),
                        self._follow(),
                        self._meet(),
                        self._log.follow(),
                        self._journal.follow(),
                        self._supervision.run(),
                        self._listen(),
                        self._protection.watch(),
                        self._keys.follow(self._cluster.trust),
                    )
                ]
                stopped = asyncio.create_task(self._wait(stop))
                loops.append(stopped)
                done, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stopped}:
                    task.result()  # a loop never ends by itself: whatever ended it ends the agent, and it is started anew
        finally:
            self._stopping = True
            for task in loops:
                task.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await self._probes.stop()
            self._log.close()
            await runner.cleanup()
            self._journal.close()

    def _application(self) -> web.Application:
        registry = prometheus_client.CollectorRegistry()
        registry.register(
            metrics.AgentMetrics(
                tallies=self.tallies,
                served=self.serving,
                nginx=self.structure,
                probes=self._probes,
                limits=pressure.Pressure(self._chosen.run),
                view=self._cluster.view,
                unready=self.unready,
            )
        )
        registry.register(safety_metrics.SafetyMetrics(served=self.serving, protection=self._protection))
        application = endpoints.Endpoints(
            served=self.serving,
            token=self._chosen.token.get_secret_value(),
            pod=self._chosen.pod,
            status=self.status,
            unready=self.unready,
            registry=registry,
            ahead=self._ahead(),
        ).application()
        application.middlewares.append(recording.requests_received)
        return application

    def _ahead(self) -> preflight.Preflight:
        return preflight.Preflight(
            lambda: resolving.Resolver(self._chosen.resolver),
            ca_folder=self._trust.named,
            default_ca=self._trust.default,
            copy_of=self._trust.copy_of,
        )

    def _count(self, lines: bytes) -> None:
        self.tallies.count(lines)
        if self.tallies.touched:
            touched, self.tallies.touched = self.tallies.touched, set()
            with recording.received():
                self._protection.notice(touched)

    async def _listen(self) -> None:
        """Where answers of new came steadily and cease, it is probed at once: packets that are dropped say nothing."""
        heard = silence.Silence()
        while True:
            await asyncio.sleep(silence.EVERY)
            links = {name: self.serving.link(name) for name in self.tallies.tallies}
            reaching = {name: self._heard(name, weight) for name, weight in links.items() if weight > 0}
            found = heard.look(reaching, now=asyncio.get_running_loop().time())
            self._probes.hurry(found.silent)
            self._protection.hang(found.hanging)

    def _heard(self, name: str, weight: int) -> silence.Heard:
        tally, rules = self.tallies.tallies[name], self.serving.structure.get(name)
        return silence.Heard(
            head=max(tally.said.last_ok, tally.said.last_head),
            new=tally.ok_tries + tally.failed_tries,
            old=tally.said.old_answers,
            way=(weight, rules),
            drawn=rules is None or rules.drawn_anew,
            weight=weight,
            slow=tally.said.slow(),
        )

    async def _wait(self, stop: asyncio.Event) -> None:
        await stop.wait()

    async def _look(self) -> None:
        """Every newer view of the cluster goes through the protocol to the links."""
        async with contextlib.aclosing(self._cluster.changes()) as newer:
            async for view in newer:
                with recording.received():
                    self.serving.look(view)
                self._protect(view)
                if view.synced:
                    self._looked.set()

    async def _follow(self) -> None:
        """The structure, at most once every `reload_spacing`, and at least that often: addresses change unannounced."""
        if await self.structure.resume():
            log.info("nginx still serves what an earlier agent brought it to; that goes on")
        self._count_by_key()
        self._probes.follow(self._targets(self._cluster.view()))  # also while the API is away
        await self._looked.wait()
        while True:
            self._looked.clear()
            view = self._cluster.view()
            if self.serving.trouble:
                self.serving.look(view)  # what could not be moved or written before is tried again
            wished = {name: one.wished for name, one in view.services.items() if one.wished is not None}
            await self.structure.follow(wished, refused=_refused(view))
            self._count_by_key()
            self._probes.follow(self._targets(view))
            self._protection.follow(self._entries)
            await asyncio.sleep(self._chosen.reload_spacing)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._chosen.reload_spacing):
                    await self._looked.wait()

    def _count_by_key(self) -> None:
        self.tallies.follow(self.serving.structure, now=asyncio.get_running_loop().time())

    def _protect(self, view: views.ClusterView) -> None:
        """A service's first record waits for its first probe: that must not wait for the structure."""
        signed = {name for name, memory in self.serving.memories.items() if memory.record is not None}
        if not signed <= self._probed:
            self._probes.follow(self._targets(view))

    def _targets(self, view: views.ClusterView) -> dict[str, probe.Target]:
        """The new side of every service that was ever approved for it, held or not: a hold's cause must be seen to end.

        An entry that is refused or gone says no more how to ask: the last good one does.
        """
        found = {}
        self._entries |= {name: one.wished for name, one in view.services.items() if one.wished is not None}
        for name, memory in self.serving.memories.items():
            if memory.record is not None:
                entry = self._entries.get(name)
                exposure, health = memory.record.exposure, entry.health if entry is not None else model.Health()
                self._trust.copy_of(exposure.tls.ca)  # the first probe may come before the structure has been looked at
                found[name] = probe.Target(exposure.new_host, exposure.new_port, exposure.tls, health)
        self._probed = frozenset(found)
        return found

    async def _meet(self) -> None:
        """The peers' holds come before this agent raises anything; whoever does not answer in time is asked again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(peers.FIRST_LIMIT):
                await self._ask_peers()
        self.serving.raise_from_now()
        while True:
            await asyncio.sleep(peers.EVERY)
            await self._ask_peers()

    async def _ask_peers(self) -> None:
        for told in await self._peers.ask():
            self.serving.meet(told.services, told.for_all, told.orders)


def _refused(view: views.ClusterView) -> str:
    """Why `migration.yaml` cannot be read; empty when it can, or is not there."""
    return view.document_trouble if view.document_version else ""


def _peers(chosen: settings.AgentSettings) -> peers.Peers:
    return peers.Peers(
        chosen.peers,
        port=chosen.port,
        own_address=chosen.address,
        pod=chosen.pod,
        resolver=resolving.Resolver(chosen.resolver, search=True),
    )


def _proxy_config(
    chosen: settings.AgentSettings, trust: trust_files.TrustFiles, *, status: str, nginx_version: tuple[int, int, int]
) -> nginx.ProxyConfig:
    return nginx.ProxyConfig(
        run=str(chosen.run),
        scratch=str(chosen.scratch),
        listen=f"{chosen.address}:{chosen.proxy_port}",
        status_listen=status,
        nginx_version=nginx_version,
        ca_folder=str(trust.named),
        default_ca=str(trust.default),
        worker_user=chosen.worker_user or None,
    )
