"""The structure nginx serves: hosts, targets, rules, never weights. Rendered from the wish's old side and the record's new
side, tested, swapped in, and counted only once nginx itself names the new generation.
"""

from collections import Counter
from collections.abc import Mapping

from k8s import model, nginx
from k8s.agent import last_good, nginx_process, resolving, serving

NO_SERVICE = ""  # what a refused configuration is counted under when no service is in it


class Structure:
    """`follow` brings nginx to what the cluster says. `trouble`: a sentence while it does not get there.

    `failures`: refused configurations, by each service that the refused one would have changed (`NO_SERVICE`: by none).
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
        self._applied: dict[str, nginx.Site] = {}
        self.generation = ""  # what nginx named last
        self.reloads = 0
        self.failures: Counter[str] = Counter()
        self.trouble = ""

    async def resume(self) -> bool:
        """True when nginx still serves what an earlier agent brought it to: that goes on, whether the cluster answers or not."""
        kept = self._kept.read()
        if kept is None or not kept.generation or await self._process.served() != kept.generation:
            return False
        self.generation = kept.generation
        self._serving.nginx_serves(kept.exposures)
        return True

    async def follow(self, services: Mapping[str, model.Service]) -> bool:
        """True when nginx serves the structure of these services; otherwise the last good one stays, and `trouble` says why."""
        exposures = {name: self._exposure(service) for name, service in services.items()}
        sites = {name: await self._site(services[name], exposures[name]) for name in sorted(services)}
        self._resolver.forget_others(_hosts(services, exposures))
        try:
            rendered = nginx.render(self._config, list(sites.values()))
        except model.ModelError as error:
            self._refused(sites, f"the services cannot be one configuration ({error}); the last good one stays")
            return False
        if rendered.generation != self.generation or await self._process.served() != rendered.generation:
            outcome = await self._process.apply(rendered)
            self.generation = outcome.served
            self.reloads += 1
            if outcome.refused:
                self._refused(sites, outcome.trouble)
            self.trouble = outcome.trouble
            if outcome.trouble:
                return False
            self._kept.write(last_good.Kept(rendered.generation, exposures))
        self._applied, self.trouble = sites, ""
        self._serving.nginx_serves(exposures)
        return True

    def _refused(self, sites: Mapping[str, nginx.Site], trouble: str) -> None:
        changed = [name for name, site in sites.items() if self._applied.get(name) != site]
        self.failures.update(changed or sites.keys() or [NO_SERVICE])
        self.trouble = trouble

    def _exposure(self, service: model.Service) -> model.Exposure:
        """The signed one; the wish's own only where nothing is signed, and then nothing is allowed to reach it."""
        memory = self._serving.memories.get(service.name)
        return memory.record.exposure if memory is not None and memory.record is not None else service.exposure

    async def _site(self, service: model.Service, exposure: model.Exposure) -> nginx.Site:
        return nginx.Site(
            service=service,
            exposure=exposure.at(0),  # weights are not structure
            old_addresses=await self._resolver.addresses(service.old_backend.host, service.old_backend.port),
            new_addresses=await self._resolver.addresses(exposure.new_host, exposure.new_port),
            path_addresses=tuple([await self._resolver.addresses(one.backend.host, one.backend.port) for one in service.paths]),
        )


def _hosts(services: Mapping[str, model.Service], exposures: Mapping[str, model.Exposure]) -> set[str]:
    old = {service.old_backend.host for service in services.values()}
    paths = {one.backend.host for service in services.values() for one in service.paths}
    return old | paths | {exposure.new_host for exposure in exposures.values()}
