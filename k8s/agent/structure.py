"""The structure nginx serves: hosts, targets, rules, never weights. Rendered from the wish's old side and the record's new
side, tested, swapped in, and counted only once nginx itself names the new generation.
"""

from collections import Counter
from collections.abc import Mapping

from k8s import model, nginx
from k8s.agent import last_good, nginx_process, resolving, serving
from k8s.agent import sites as planning

NO_SERVICE = ""  # what a refused configuration is counted under when no service is in it
PATIENCE = 3  # rounds in which a fresh proxy waits for the last of its names before it takes requests


class Structure:
    """`follow` brings nginx to what the cluster says; what an earlier agent knew is where it begins.

    `generation`: what nginx named last. `failures`: refused configurations, by each service that the refused one would have
    changed (`NO_SERVICE`: by none).
    """

    def __init__(
        self,
        *,
        config: nginx.ProxyConfig,
        process: nginx_process.NginxProcess,
        resolver: resolving.Resolver,
        served: serving.Serving,
        kept: last_good.LastGood,
    ) -> None:
        self._config = config
        self._process = process
        self._resolver = resolver
        self._serving = served
        self._kept = kept
        self._found = kept.read()
        self._before = dict(self._found.services)
        resolver.remember(self._found.addresses)
        self._applied: Mapping[str, nginx.Site] = {}
        self._planned: tuple[str, ...] = ()
        self._awaited: tuple[str, ...] = ()
        self._waits = PATIENCE
        self._not_applied = ""
        self.generation = ""
        self.reloads = 0
        self.failures: Counter[str] = Counter()

    @property
    def trouble(self) -> list[str]:
        """Sentences: why nginx is not brought to what the cluster says, and what is served otherwise than it says."""
        return [*([self._not_applied] if self._not_applied else []), *self._planned, *self._resolver.trouble]

    @property
    def unready(self) -> str:
        """Why no request should come here; empty once nginx serves every service, or enough was waited for the last of them."""
        if not self.generation:
            return self._not_applied or "nginx serves no configuration of ours yet: the cluster was not read"
        return "; ".join(self._awaited) if self._waits else ""

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
        signed = self._signed()
        hosts = {one.new_host for one in signed.values()}
        hosts |= {host for one in (*services.values(), *self._before.values()) for host in planning.hosts_of(one)}
        await self._resolver.look_up(hosts)
        self._resolver.forget_others(hosts)
        known = self._resolver.known
        plan = planning.plan(services, before=self._before, signed=signed, known=known, refused=bool(refused))
        self._planned = (*plan.trouble, *plan.unreachable)
        if why := self._nothing_to_serve(plan, refused=refused, recorded=self._recorded()):
            self._not_applied = why
            return False
        if not await self._apply(plan.sites):
            return False
        self._applied, self._not_applied = plan.sites, ""
        self._awaited = plan.unreachable
        self._waits = max(0, self._waits - 1) if self._unanswered(plan) else 0
        self._before = {name: plan.sites[name].service for name in plan.reachable}
        exposures = {name: plan.sites[name].exposure for name in plan.whole}
        self._serving.nginx_serves(exposures, without_old=frozenset(plan.sites.keys() - plan.reachable))
        self._kept.write(last_good.Kept(self.generation, exposures, self._before, dict(self._resolver.last_good)))
        return True

    def _nothing_to_serve(self, plan: planning.Plan, *, refused: str, recorded: bool) -> str:
        """Why this plan would answer nobody, though there are users; empty: it may be applied."""
        if plan.sites and not plan.reachable and (self.generation or self._unanswered(plan)):
            return "no service's old cluster has a known address: nothing is brought to nginx before one has"
        if not plan.sites and (refused or recorded):
            return refused or (
                "migration.yaml names no service though there are records of some, and this proxy does not know their old"
                " clusters; put the document back with kubectl apply, or delete the records if nothing is migrated any more"
            )
        return ""

    def _unanswered(self, plan: planning.Plan) -> bool:
        """Whether DNS still owes the old cluster's address of a service: it may be away, and the name be good."""
        waiting = [site.service for name, site in plan.sites.items() if name not in plan.reachable]
        return self._resolver.unanswered(host for one in waiting for host in planning.hosts_of(one))

    async def _apply(self, sites: Mapping[str, nginx.Site]) -> bool:
        try:
            rendered = nginx.render(self._config, list(sites.values()))
        except model.ModelError as error:
            self._refused(sites, f"the services cannot be one configuration ({error}); the last good one stays")
            return False
        if rendered.generation == self.generation and await self._process.served() == rendered.generation:
            return True
        outcome = await self._process.apply(rendered)
        self.generation = outcome.served
        self.reloads += 1
        if outcome.refused:
            self._refused(sites, outcome.trouble)
        self._not_applied = outcome.trouble
        return not outcome.trouble

    def _refused(self, sites: Mapping[str, nginx.Site], trouble: str) -> None:
        changed = [name for name, site in sites.items() if self._applied.get(name) != site]
        self.failures.update(changed or sites.keys() or [NO_SERVICE])
        self._not_applied = trouble

    def _recorded(self) -> bool:
        return any(one.record is not None and not one.missing for one in self._serving.memories.values())

    def _signed(self) -> dict[str, model.Exposure]:
        memories = self._serving.memories
        return {name: one.record.exposure for name, one in memories.items() if one.record is not None}
