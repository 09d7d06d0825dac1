"""What a service's whole journey needs beside the clusters' records, put together from the settings: the objects around it, the
numbers of Prometheus, discovery, preflight, and a look into the new cluster."""

from bot import cluster_access, cluster_side, prometheus, settings, settings_journey
from handlers import discovering, ports, preflighting
from k8s import client, discovery
from k8s.discovery import listing
from k8s.entries import cluster_entries
from k8s.preflight import new_side, old_side, origins, rights


class JourneySide:
    """Started and stopped together. `measures` None: no Prometheus is named. Raises CannotStart for a kubeconfig of no use."""

    def __init__(
        self, told: settings.Settings, *, cluster: cluster_side.ClusterSide, clock: ports.Clock, audit: ports.AuditLog
    ) -> None:
        api = cluster.api
        view = cluster.port.view
        self.entries = cluster_entries.Entries(
            api,
            told.entry.objects(told.namespace),
            lambda: {name: one.wished for name, one in view().services.items() if one.wished is not None},
        )
        self._look = _look(told.prometheus, clock)
        self._new = _new_cluster(told.new_cluster)
        reads = listing.Listing(api, own_namespace=told.namespace)
        self.discovering = discovering.Discovering(
            cluster.port,
            audit,
            old=reads,
            book=cluster.book,
            wanted=discovering.Wanted(
                rules=tuple(discovery.HostRule(**rule.model_dump()) for rule in told.discovery.rules),
                namespaces=told.discovery.namespaces,
                ingress_class=told.entry.ingress_class,
            ),
        )
        self.preflighting = preflighting.Preflighting(
            clock,
            cluster.port,
            cluster.agents,
            preflighting.Sides(
                listing=reads,
                door=old_side.OldDoor(dns_server=told.entry.dns_server, port=told.entry.old_port),
                new=new_side.NewSide(api, self._new),
                rights=rights.Rights(api, own_namespace=told.namespace),
                origins=lambda: origins.origins(api, told.namespace),
            ),
            measures=self.measures,
            around=preflighting.Surroundings(
                old_addresses=told.entry.old_addresses,
                new_networks=told.entry.load_balancers,
                ingress_class=told.entry.ingress_class,
            ),
        )

    @property
    def measures(self) -> ports.Measures | None:
        return self._look

    async def start(self) -> None:
        """Returns at once; what is away is tried until it answers."""
        self.entries.start()
        if self._look is not None:
            self._look.start()

    async def stop(self) -> None:
        if self._look is not None:
            await self._look.stop()
        await self.entries.stop()
        if self._new is not None:
            await self._new.close()


def _look(told: settings_journey.Prometheus, clock: ports.Clock) -> prometheus.PrometheusLook | None:
    if not told.url:
        return None
    return prometheus.PrometheusLook(url=told.url, window=told.window, every=told.every, clock=clock, queries=told.queries)


def _new_cluster(told: settings_journey.NewCluster) -> client.ClusterClient | None:
    """With the rights of the kubeconfig, which are to read and nothing else."""
    if told.kubeconfig is None:
        return None
    try:
        return client.ClusterClient(cluster_access.Kubeconfig(told.kubeconfig), agent="ferry-bot")
    except cluster_access.NoAccess as error:
        raise cluster_side.CannotStart(f"new_cluster.kubeconfig: {error}") from None
