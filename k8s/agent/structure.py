"""The structure nginx serves: hosts, targets, rules, never weights. Rendered from the wish's old side and the record's new
side, tested, swapped in, and counted only once nginx itself names the new generation.
"""

from collections.abc import Mapping

from k8s import model, nginx
from k8s.agent import nginx_process, resolving, serving


class Structure:
    """`follow` brings nginx to what the cluster says. `trouble`: a sentence while it does not get there."""

    def __init__(
        self,
        *,
        config: nginx.ProxyConfig,
        process: nginx_process.NginxProcess,
        resolver: resolving.Resolver,
        served: serving.Serving,
    ) -> None:
        self._config = config
        self._process = process
        self._resolver = resolver
        self._serving = served
        self.generation = ""  # what nginx named last
        self.reloads = 0
        self.failures = 0
        self.trouble = ""

    async def follow(self, services: Mapping[str, model.Service]) -> bool:
        """True when nginx serves the structure of these services; otherwise the last good one stays, and `trouble` says why."""
        exposures = {name: self._exposure(service) for name, service in services.items()}
        sites = [await self._site(services[name], exposures[name]) for name in sorted(services)]
        self._resolver.forget_others(_hosts(services, exposures))
        rendered = nginx.render(self._config, sites)
        if rendered.generation != self.generation or await self._process.served() != rendered.generation:
            outcome = await self._process.apply(rendered)
            self.generation, self.trouble = outcome.served, outcome.trouble
            self.reloads += 1
            if outcome.trouble:
                self.failures += 1
                return False
        self.trouble = ""
        self._serving.nginx_serves(exposures)
        return True

    def _exposure(self, service: model.Service) -> model.Exposure:
        """The signed one; the wish's own only where nothing is signed, and then nothing is allowed to reach it."""
        memory = self._serving.memories.get(service.name)
        return memory.record.exposure if memory is not None and memory.record is not None else service.exposure

    async def _site(self, service: model.Service, exposure: model.Exposure) -> nginx.Site:
        return nginx.Site(
            service=service,
            exposure=exposure,
            old_addresses=await self._resolver.addresses(service.old_backend.host, service.old_backend.port),
            new_addresses=await self._resolver.addresses(exposure.new_host, exposure.new_port),
            path_addresses=tuple([await self._resolver.addresses(one.backend.host, one.backend.port) for one in service.paths]),
        )


def _hosts(services: Mapping[str, model.Service], exposures: Mapping[str, model.Exposure]) -> set[str]:
    old = {service.old_backend.host for service in services.values()}
    paths = {one.backend.host for service in services.values() for one in service.paths}
    return old | paths | {exposure.new_host for exposure in exposures.values()}
