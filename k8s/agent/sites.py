"""Which site nginx is to have for each service. Pure: entries, signed exposures and known addresses in; sites and sentences out.

The way to the old cluster is never given up: a service that `migration.yaml` does not name any more keeps its last known entry,
and a backend that was never resolved is replaced by the one that was served before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from k8s import model, nginx

Known = Callable[[str, int], tuple[str, ...]]  # host, port -> IP:port as last resolved
Trusted = Callable[[str], str | None]  # the name of a CA file -> the path of what it holds now
NO_SECRETS: Mapping[str, str] = MappingProxyType({})


def _wherever(_: str) -> None:
    """In the folder that nginx's configuration knows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`sites` by service. `reachable`: those whose old cluster has an address (of finished ones: the new one); `unreachable`: a
    sentence for each of the others. `by_record`: those that nobody's entry describes; they are finished, so that their records
    say all that matters. `trouble`: what is not as the document says.
    """

    sites: Mapping[str, nginx.Site]
    reachable: frozenset[str]
    unreachable: tuple[str, ...]
    by_record: frozenset[str]
    trouble: tuple[str, ...]


def plan(
    wished: Mapping[str, model.Service],
    *,
    before: Mapping[str, model.Service],
    signed: Mapping[str, model.Exposure],
    known: Known,
    refused: bool = False,
    finished: frozenset[str] = frozenset(),
    secrets: Mapping[str, str] = NO_SECRETS,
    trusted: Trusted = _wherever,
) -> Plan:
    """`before`: the entries that were served before, of all services. `signed`: the exposures of records; without one, the
    entry's own is used, and nothing is allowed to reach it. `refused`: the document cannot be read, so that it may still name
    what it seems not to. `finished`: services without an old cluster, by their records. `secrets`: the testers', by service.
    `trusted`: None where there is no such CA file.
    """
    sites: dict[str, nginx.Site] = {}
    trouble: list[str] = []
    hosts: dict[str, str] = {}
    by_host = {one.exposure.old_host: one for one in before.values()}
    by_record = (finished & signed.keys()) - {*wished, *before}
    first = {
        name: (name not in finished, name not in wished, name not in signed, name) for name in {*wished, *before, *by_record}
    }
    for name in sorted(first, key=first.__getitem__):  # what is finished has nothing but its host: nobody else may take that
        entry = wished.get(name) or before.get(name) or _entry_of(name, signed[name])
        exposure = signed.get(name, entry.exposure).at(0)  # weights are not structure
        if (other := hosts.setdefault(exposure.old_host, name)) != name:
            if name in wished:
                trouble.append(f"{name} is left out: its host {exposure.old_host} is {other}'s; give one of them another host")
            continue  # not named any more, and its host has another name now: it was renamed
        if name not in wished and not refused:
            trouble.append(_finished_not_named(name, by_record) if name in finished else _not_named(name, entry))
        serving = entry
        earlier = before.get(name) or by_host.get(exposure.old_host)  # by its host too: it may have been renamed
        if name in finished:
            pass  # nothing of it goes to old, whatever its entry says
        elif not _reaches_old(entry, known) and earlier is not None and _reaches_old(earlier, known):
            serving = replace(earlier, name=name)
            trouble.append(
                f"{name}: {_unknown_old(entry, known)} has no known address; its requests go to {serving.old_backend} as before"
            )
        site = _site(serving, exposure, known)
        ca_file = trusted(exposure.tls.ca) if exposure.tls.ca is not None else None
        sites[name] = replace(site, finished=name in finished, override_secret=secrets.get(name), ca_file=ca_file)
    reachable = frozenset(name for name, site in sites.items() if answered(site))
    return Plan(
        sites=sites,
        reachable=reachable,
        unreachable=tuple(_unreachable(sites[name], known) for name in sorted(sites.keys() - reachable)),
        by_record=frozenset(by_record & sites.keys()),
        trouble=(*trouble, *_nowhere(signed, sites)),
    )


def hosts_of(service: model.Service) -> set[str]:
    """Every name that must be resolved for this entry by itself."""
    return {service.old_backend.host, service.exposure.new_host, *(one.backend.host for one in service.paths)}


def _entry_of(name: str, exposure: model.Exposure) -> model.Service:
    """Of a service that has no old cluster any more: nothing goes to the one that stands here; its times are the defaults."""
    return model.Service(name, exposure, model.Backend(exposure.old_host, 80))


def _finished_not_named(name: str, by_record: frozenset[str]) -> str:
    times = "the default timeouts and retries" if name in by_record else "the timeouts and retries of its last known entry"
    return (
        f"migration.yaml does not name {name} any more: it is finished, and its host goes on to the new cluster by its signed"
        f" record, with {times}; put its entry back, or delete migration-record-{name} and `kubectl rollout restart` the proxies"
        " when nobody uses the host any more"
    )


def _not_named(name: str, entry: model.Service) -> str:
    return (
        f"migration.yaml does not name {name} any more: its host is still served by the last known entry (old cluster:"
        f" {entry.old_backend}); put its entry back, or `kubectl rollout restart` the proxies when nobody uses the host any more"
    )


def _nowhere(signed: Mapping[str, model.Exposure], sites: Mapping[str, nginx.Site]) -> list[str]:
    """Those with a record that are neither named, nor known from before, nor renamed."""
    hosts = {site.exposure.old_host for site in sites.values()}
    return [
        f"{name} has a record, but migration.yaml does not name it and this proxy never knew its old cluster: its host"
        f" {signed[name].old_host} is refused; put its entry back"
        for name in sorted(signed.keys() - sites.keys())
        if signed[name].old_host not in hosts
    ]


def answered(site: nginx.Site) -> bool:
    """Whether somebody is there where nothing else may answer."""
    return bool(site.new_addresses) if site.finished else bool(site.old_addresses) and all(site.path_addresses)


def _unreachable(site: nginx.Site, known: Known) -> str:
    service = site.service
    if site.finished:
        return (
            f"{service.name}: it is finished, and {site.exposure.new_host} has no known address: its requests cannot be answered;"
            " look at the DNS entry of the new host"
        )
    return (
        f"{service.name}: {_unknown_old(service, known)} has no known address: its requests cannot be answered, nothing of it"
        " is raised; correct old_backend or paths in migration.yaml, or look at the cluster's DNS"
    )


def _old_backends(service: model.Service) -> list[model.Backend]:
    return [service.old_backend, *(one.backend for one in service.paths)]


def _reaches_old(service: model.Service, known: Known) -> bool:
    return all(known(one.host, one.port) for one in _old_backends(service))


def _unknown_old(service: model.Service, known: Known) -> str:
    return ", ".join(dict.fromkeys(one.host for one in _old_backends(service) if not known(one.host, one.port)))


def _site(service: model.Service, exposure: model.Exposure, known: Known) -> nginx.Site:
    return nginx.Site(
        service=service,
        exposure=exposure,
        old_addresses=known(service.old_backend.host, service.old_backend.port),
        new_addresses=known(exposure.new_host, exposure.new_port),
        path_addresses=tuple(known(one.backend.host, one.backend.port) for one in service.paths),
    )
