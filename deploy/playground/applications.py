"""The applications of the old cluster: what runs of them, their objects, their entry to the proxies, and what reached them."""

from pathlib import Path

import yaml

from deploy.playground import before_ferry, installation, objects
from deploy.playground.nodes import manifests
from deploy.playground.world import addresses, backends, ingress_routes
from k8s import client, entry_change, wish_document
from k8s.entries import cluster_entries, entry_names

_PREPARE = entry_change.Stage.PREPARE
_RIGHTS = Path(__file__).parents[1] / "kubernetes" / "examples" / "application-namespace.yaml"
_BINDINGS = client.Resource("rolebindings", "rbac.authorization.k8s.io/v1")


class Applications:
    """`backends`: those that answer within this process, by the name of their service. `before`: with the one whose pods are
    processes of their own, where Ferry is not there yet; None: the ingress hands both to the proxies from the start."""

    def __init__(self, network: addresses.PodNetwork, before: before_ferry.BeforeFerry | None) -> None:
        self.before = before
        inside = [app for app in objects.APPS if before is None or app is not before_ferry.APP]
        self.backends = {app.name: backends.CountingBackend(address=network.next_pod_ip(), port=app.port) for app in inside}

    @property
    def entered(self) -> tuple[objects.App, ...]:
        """Those that stand in migration.yaml, and have an entry, from the start."""
        return () if self.before else objects.APPS

    async def install(self, api: client.ClusterClient) -> None:
        """As whoever owns them. Raises errors.ClusterError."""
        for app in objects.APPS:
            await installation.put(api, objects.namespace(app.namespace))
            if app.name in self.backends:
                for item in objects.application(app, self.backends[app.name].address):
                    await installation.put(api, item)
        if self.before:
            await self.before.install(api)

    async def enter(self, api: client.ClusterClient, document: str) -> None:
        """Their owner lets Ferry change their entries; the old ingress hands their hosts to the proxies, by the very objects of
        `/migrate prepare`. `document`: migration.yaml. Raises errors.ClusterError.
        """
        for binding in yaml.safe_load_all(_RIGHTS.read_text(encoding="utf-8")):
            await manifests.apply_one(api, binding, _BINDINGS)
        services = wish_document.read(document).services
        entries = cluster_entries.Entries(api, entry_names.EntrySettings(objects.NAMESPACE), lambda: services)
        for app in self.entered:
            planned = await entries.plan(services[app.name], _PREPARE)
            await entries.arrange(services[app.name], _PREPARE, planned.objects)

    def counted(self) -> int:
        """All requests that reached any of them."""
        deployed = self.before.served().total if self.before else 0
        return deployed + sum(backend.counts.total for backend in self.backends.values())

    def served_by(self, table: ingress_routes.Table) -> bool:
        """Whether the ingress does with every host what it should at the start."""
        if self.before is None:
            return all(table.canary(app.old_host) for app in objects.APPS)
        found = [table.location(app.old_host, "/") for app in objects.APPS]
        return all(one is not None and one.upstream.usable for one in found)
