"""A site as the template sees it: only what is printed, every value looked at once more. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from k8s import model, nginx_values
from k8s.nginx_decision import Decision, decision
from k8s.nginx_site import ProxyConfig, Site

LONGEST_RETRYING = 30_000  # milliseconds since the first try; later, only old is asked


@dataclass(frozen=True, slots=True)
class OldBackend:
    """An upstream of the old cluster, and the path prefix it answers for (empty: all others)."""

    upstream: str
    addresses: tuple[str, ...]
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Times in milliseconds. `tries`: at new, for a method that may be repeated; `falls_back`: old is asked after them.
    `new_servers`: addresses in turns, so that the next try is at another one. `new_spares`: the same once more, never left out;
    nginx leaves out a dead address while another one lives, and never new as a whole. None where there is one address only.
    """

    index: str
    name: str
    old_host: str
    new_host: str
    new_port: int
    cookie_domains: str
    decision: Decision
    trusted_proxies: tuple[str, ...]
    allow_link: str
    old_backends: tuple[OldBackend, ...]
    new_servers: tuple[str, ...]
    new_spares: tuple[str, ...]
    finished: bool
    tries: int
    falls_back: bool
    connect_timeout: int
    timeout: int
    retry_timeout: int
    upgrade_timeout: int
    tls_name: str
    tls_verify: bool
    ca: str | None

    @property
    def by_path(self) -> bool:
        """Whether the path says which upstream of old answers."""
        return len(self.old_backends) > 1

    @property
    def new_zone(self) -> int:
        """Kilobytes that nginx's workers share about the servers of new: about 60 fit into 64, and DNS may name many."""
        return 64 * (1 + (len(self.new_servers) + len(self.new_spares)) // 32)

    @property
    def old_known(self) -> bool:
        return any(old.addresses for old in self.old_backends)


def block(config: ProxyConfig, index: str, site: Site, *, allow_link: str, cookies: Sequence[str]) -> Block:
    """`index`: what the site is called inside the text. Raises model.ModelError naming the field that cannot be rendered."""
    service, exposure = site.service, site.exposure
    retries = nginx_values.whole(service.retries, "retries", least=0, most=10)
    tries = max(1, retries)
    timeout = nginx_values.milliseconds(service.timeout, "timeout")
    old_backends = () if site.finished else _old_backends(index, site)
    addresses = tuple(sorted({nginx_values.address(one, "new_addresses") for one in site.new_addresses}))
    return Block(
        index=index,
        name=service.name,
        old_host=exposure.old_host,
        new_host=exposure.new_host,
        new_port=exposure.new_port,
        cookie_domains="|".join(_cookie_domains(exposure)),
        decision=decision(site, cookies),
        trusted_proxies=nginx_values.networks(exposure.trusted_proxies),
        allow_link=allow_link,
        old_backends=old_backends,
        new_servers=addresses * max(2, _copies(addresses, tries)),
        new_spares=addresses * _copies(addresses, tries) if len(addresses) > 1 else (),
        finished=site.finished,
        tries=tries,
        falls_back=retries > 0 and any(old.addresses for old in old_backends),
        connect_timeout=nginx_values.milliseconds(service.connect_timeout, "connect_timeout"),
        timeout=timeout,
        retry_timeout=min(timeout, LONGEST_RETRYING),
        upgrade_timeout=nginx_values.milliseconds(service.upgrade_timeout, "upgrade_timeout"),
        tls_name=exposure.tls.server_name or exposure.new_host,
        tls_verify=exposure.tls.verify,
        ca=_authorities(config, site),
    )


def _authorities(config: ProxyConfig, site: Site) -> str | None:
    """None: by the default, whose certificates nginx reads once (since 1.23.1) for all services that name no others."""
    given = site.exposure.tls.ca
    if given is None:
        return None
    path = site.ca_file or f"{config.ca_folder}/{given}"
    return path if path != config.default_ca else None


def _cookie_domains(exposure: model.Exposure) -> list[str]:
    """The new host and those of its parents that a browser at the old host would refuse as a cookie's domain."""
    labels = exposure.new_host.split(".")
    parents = [".".join(labels[start:]) for start in range(1, len(labels) - 1)]
    return [exposure.new_host, *(parent for parent in parents if not f".{exposure.old_host}".endswith(f".{parent}"))]


def _copies(addresses: tuple[str, ...], tries: int) -> int:
    """How often each address must be there for as many servers as tries: with fewer, nginx says 502 where a cluster's last answer
    belongs.
    """
    return -(-tries // max(1, len(addresses)))


def _old_backends(index: str, site: Site) -> tuple[OldBackend, ...]:
    if len(site.path_addresses) != len(site.service.paths):
        raise model.ModelError("paths", "every path needs its backend's addresses; resolve each path's backend")
    prefixes = [part.path.rstrip("/") for part in site.service.paths]
    nginx_values.demand_unique(prefixes, "paths.path")
    if "" in prefixes:
        raise model.ModelError("paths.path", "'/' is what old_backend is for; put that backend there")
    groups = [("", site.old_addresses), *zip(prefixes, site.path_addresses, strict=True)]
    return tuple(
        OldBackend(
            upstream=f"old_cluster_backend_{index}" + (f"_p{number}" if prefix else ""),
            addresses=tuple(sorted({nginx_values.address(one, "old_addresses") for one in addresses})),
            prefix=prefix,
        )
        for number, (prefix, addresses) in enumerate(groups)
    )
