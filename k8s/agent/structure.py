"""The structure nginx serves: hosts, targets, rules, never weights. Rendered from the wish's old side and the record's new
side, tested, swapped in, and counted only once nginx itself names the new generation.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from k8s import model, nginx
from k8s.agent import (
    bisecting,
    last_good,
    long_lived,
    nginx_process,
    overrides,
    refusals,
    rendering,
    resolving,
    serving,
    trust_files,
)
from k8s.agent import sites as planning

NO_SERVICE = ""  # what a refused configuration is counted under when no service is in it
PATIENCE = 3  # rounds in which a fresh proxy waits for the last of its names before it takes requests


class Structure:
    """`follow` brings nginx to what the cluster says; what an earlier agent knew is where it begins.

    `generation`: what nginx named last. `failures`: refused configurations, by the services that are to blame (`NO_SERVICE`:
    none of them is). `repairs`: by what was not as this agent had left it ("nginx": it served another generation; "config":
    the file it would start with was another).
    """

    def __init__(
        self,
        *,
        config: nginx.ProxyConfig,
        process: nginx_process.NginxProcess,
        resolver: resolving.Resolver,
        served: serving.Serving,
        kept: last_good.LastGood,
        testers: overrides.Overrides,
        trust: trust_files.TrustFiles,
    ) -> None:
        self._config = config
        self._process = process
        self._resolver = resolver
        self._serving = served
        self._kept = kept
        self._testers = testers
        self._trust = trust
        self._found = kept.read()
        self._before = dict(self._found.services)
        resolver.remember(self._found.addresses)
        self._applied = _applied_before(self._found, resolver.known, trust.copy_of)
        self._refusals = refusals.Refusals()
        self._rendering = rendering.Rendering()
        self._left = ""  # the last generation nginx was brought to
        self._renew = False
        self._planned: tuple[str, ...] = ()
        self._awaited: tuple[str, ...] = ()
        self._waits = PATIENCE
        self._not_applied = ""
        self.generation = ""
        self.reloads = 0
        self.failures: Counter[str] = Counter()
        self.repairs: Counter[str] = Counter()

    @property
    def trouble(self) -> list[str]:
        """Sentences: why nginx is not brought to what the cluster says, and what is served otherwise than it says."""
        return [
            *([self._not_applied] if self._not_applied else []),
            *self._planned,
            *self._refusals.sentences,
            *self._resolver.trouble,
            *self._testers.trouble,
            *self._trust.trouble,
        ]

    @property
    def unready(self) -> str:
        """Why no request should come here; empty once nginx serves every service, or enough was waited for the last of them."""
        if not self.generation:
            return self._not_applied or "nginx serves no configuration of ours yet: the cluster was not read"
        return "; ".join(self._awaited) if self._waits else ""

    @property
    def ends(self) -> dict[str, frozenset[long_lived.End]]:
        """Where the new cluster of each service is, as nginx has it."""
        return {name: frozenset(map(_end, site.new_addresses)) for name, site in self._applied.items()}

    def renew(self) -> None:
        """nginx's workers are to be replaced at the next `follow`, though nothing is new."""
        self._renew = True

    async def resume(self) -> bool:
        """True when nginx still serves what an earlier agent brought it to: that goes on, whether the cluster answers or not."""
        if not self._found.generation or await self._process.served() != self._found.generation:
            return False
        self.generation, self._waits = self._found.generation, 0
        self._serving.nginx_serves(self._found.exposures)
        return True

    async def follow(self, services: Mapping[str, model.Service], *, refused: str = "") -> bool:
        """True when nginx serves the structure of these services; otherwise the last good one stays, and `trouble` says why.

        `refused`: why the document cannot be read, if it cannot: what it does not name is no news then.
        """
        signed, finished = self._signed(), self._finished()
        hosts = {one.new_host for one in signed.values()}
        entries = [one for one in (*services.values(), *self._before.values()) if one.name not in finished]
        hosts |= {host for one in entries for host in planning.hosts_of(one)}
        await self._resolver.look_up(hosts)
        self._resolver.forget_others(hosts)
        authorities = self._look_at_trust((*signed.values(), *(one.exposure for one in entries)))
        known = self._resolver.known
        plan = planning.plan(
            services,
            before=self._before,
            signed=signed,
            known=known,
            refused=bool(refused),
            finished=finished,
            secrets=self._testers.secrets(signed),
            trusted=self._trust.copy_of,
        )
        self._planned = (*plan.trouble, *plan.unreachable)
        if why := self._nothing_to_serve(plan, refused=refused, recorded=self._recorded()):
            self._not_applied = why
            return False
        sites = await self._tested(plan.sites)
        if sites is None or not await self._apply(sites):
            return False
        self._applied, self._not_applied = sites, ""
        self._trust.forget_others(authorities, served=self._trusted_by(sites))
        self._refusals.served()
        self._awaited = plan.unreachable
        self._waits = max(0, self._waits - 1) if self._unanswered(plan) else 0
        reachable = {name for name, site in sites.items() if planning.answered(site)}
        self._before = {name: sites[name].service for name in sorted(reachable - plan.by_record)}
        exposures = {name: site.exposure for name, site in sites.items() if site.new_addresses}
        self._serving.nginx_serves(exposures, without_old=frozenset(sites.keys() - reachable))
        self._kept.write(last_good.Kept(self.generation, exposures, self._before, dict(self._resolver.last_good)))
        return True

    def _look_at_trust(self, exposures: Iterable[model.Exposure]) -> set[str]:
        """CA files as they are now. Returns the names of those that are asked for."""
        names = {one.tls.ca for one in exposures if one.tls.ca is not None}
        self._trust.look(names)
        self._config = replace(self._config, default_ca=self._trust.copy_of(None) or self._config.default_ca)
        return names

    def _trusted_by(self, sites: Mapping[str, nginx.Site]) -> set[str]:
        return {self._config.default_ca, *(site.ca_file for site in sites.values() if site.ca_file is not None)}

    def _nothing_to_serve(self, plan: planning.Plan, *, refused: str, recorded: bool) -> str:
        """Why this plan would answer nobody, though there are users; empty: it may be applied."""
        if plan.sites and not plan.reachable and (self.generation or self._unanswered(plan)):
            return "no service's old cluster has a known address: nothing is brought to nginx before one has"
        if not plan.sites.keys() - plan.by_record and (refused or recorded):
            return refused or (
                "migration.yaml names no service though there are records of some, and this proxy does not know their old"
                " clusters; put the document back with kubectl apply, or delete the records if nothing is migrated any more"
            )
        return ""

    def _unanswered(self, plan: planning.Plan) -> bool:
        """Whether DNS still owes the old cluster's address of a service: it may be away, and the name be good."""
        waiting = [site.service for name, site in plan.sites.items() if name not in plan.reachable]
        return self._resolver.unanswered(host for one in waiting for host in planning.hosts_of(one))

    async def _tested(self, wanted: Mapping[str, nginx.Site]) -> Mapping[str, nginx.Site] | None:
        """Sites that nginx accepts together: those that are wanted, and other ones for services that are refused. None: nothing
        is accepted, and what nginx serves stays.
        """
        known = self._resolver.known
        sites = self._refusals.stand_in(wanted, known)
        try:
            if await self._is_served(sites) or not await self._complaint(sites):
                return sites
            changed = [name for name, site in sites.items() if self._applied.get(name) != site]
            instead = {name: refusals.instead_of(site, self._applied.get(name), known) for name, site in sites.items()}
            verdict = await bisecting.Bisection(sites, instead=instead, refuses=self._complaint).run(changed)
        except OSError as error:
            self._not_applied = nginx_process.not_written(error)
            return None
        if verdict.hopeless:
            self.failures[NO_SERVICE] += 1
            self._not_applied = f"nginx refuses the new config ({verdict.hopeless}); the last good one stays"
            return None
        self.failures.update(verdict.culprits.keys())
        self._refusals.found(verdict, sites)
        return verdict.sites

    async def _is_served(self, sites: Mapping[str, nginx.Site]) -> bool:
        """Whether nginx was brought to just this: it has read it, and what it names (a CA file) may be gone since then."""
        try:
            return (await self._rendering.text_of(self._config, sites)).generation == self._left
        except model.ModelError:
            return False

    async def _complaint(self, sites: Mapping[str, nginx.Site]) -> str:
        """Why these sites cannot be one configuration; empty when nginx accepts them. Raises OSError."""
        try:
            rendered = await self._rendering.text_of(self._config, sites)
        except model.ModelError as error:
            return str(error)
        return await self._process.complaint(rendered.text)

    async def _apply(self, sites: Mapping[str, nginx.Site]) -> bool:
        rendered = await self._rendering.text_of(self._config, sites)
        repaired = ""
        if rendered.generation == self.generation:
            served, intact = await self._process.served(), self._process.has(rendered.text)
            if served == rendered.generation and intact and not self._renew:
                self._left = served
                return True
            repaired = "nginx" if served not in {"", rendered.generation} else "config" if not intact else ""
        outcome = await self._process.apply(rendered)
        self.generation = outcome.served
        self.reloads += outcome.reloaded
        self._not_applied = outcome.trouble
        if outcome.trouble:
            self.failures.update([NO_SERVICE] if outcome.refused else [])
            return False
        if repaired:
            self.repairs[repaired] += 1
        self._left, self._renew = rendered.generation, False
        return True

    def _recorded(self) -> bool:
        """Whether there is a record of a service that needs its old cluster."""
        records = [one.record for one in self._serving.memories.values() if not one.missing]
        return any(one is not None and not one.finished for one in records)

    def _finished(self) -> frozenset[str]:
        memories = self._serving.memories
        return frozenset(name for name, one in memories.items() if one.record is not None and one.record.finished)

    def _signed(self) -> dict[str, model.Exposure]:
        memories = self._serving.memories
        return {name: one.record.exposure for name, one in memories.items() if one.record is not None}


def _applied_before(found: last_good.Kept, known: planning.Known, trusted: planning.Trusted) -> Mapping[str, nginx.Site]:
    """What an earlier agent had nginx serve."""
    return {
        name: nginx.Site(
            service=one,
            exposure=(exposure := found.exposures[name].at(0)),
            old_addresses=known(one.old_backend.host, one.old_backend.port),
            new_addresses=known(exposure.new_host, exposure.new_port),
            path_addresses=tuple(known(path.backend.host, path.backend.port) for path in one.paths),
            ca_file=trusted(exposure.tls.ca) if exposure.tls.ca is not None else None,
        )
        for name, one in found.services.items()
        if name in found.exposures
    }


def _end(address: str) -> long_lived.End:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
