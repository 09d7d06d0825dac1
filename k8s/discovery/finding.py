"""Objects of the old cluster in, proposals out: one for each host that a rule renames and nobody has named yet. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from k8s import model, wish_document
from k8s.discovery import entry_text, host_notes, notes, routes, sessions
from k8s.discovery.backends import Backends, Behind
from k8s.discovery.notes import note
from k8s.discovery.proposal import Found, HostRule, Level, Note, Proposal, Skipped

_LONGEST_TIMEOUT, _LONGEST_UPGRADE = 3600.0, 7 * 86400.0  # seconds, of the document's fields
_STRANGE = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Known:
    """What `migration.yaml` says already: `names` are taken; `hosts`: the service's name by its old host."""

    names: frozenset[str] = frozenset()
    hosts: Mapping[str, str] = field(default_factory=dict)


def known(reading: wish_document.Reading) -> Known:
    """Of a document as it was read; entries that are refused have names and hosts, too."""
    named = [(name, one.exposure.old_host) for name, one in reading.wish.services.items()]
    named += [(one.name, one.old_host) for one in reading.refused]
    return Known(frozenset(name for name, _ in named if name), {host: name for name, host in named if host})


@dataclass(frozen=True, slots=True)
class _Host:
    """One host: its routes, the main one first, with what stands behind each."""

    host: str
    routes: tuple[routes.Route, ...]
    behind: tuple[Behind, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.source for one in self.routes))


def found(
    table: routes.Table,
    behind: Backends,
    *,
    rules: Sequence[HostRule],
    taken: Known,
    ingress_class: str = "nginx",
    namespaces: Iterable[str] = (),
    trouble: tuple[str, ...] = (),
) -> Found:
    """`namespaces`: only Ingresses there; empty: all. `ingress_class`: the one whose canaries the entry may rely on."""
    wanted = set(namespaces)
    sharing = _sharing(table)
    skipped = [one for one in table.skipped if not wanted or one.source.split()[1].split("/")[0] in wanted]
    names, proposals = set(taken.names), []
    for one in _hosts(table, behind):
        if wanted and one.routes[0].namespace not in wanted:
            continue
        made = _proposal(one, rules=rules, taken=taken, names=names, ingress_class=ingress_class)
        if isinstance(made, Skipped):
            skipped.append(made)
            continue
        names.add(made.name)
        more = _notes(one, sharing, table.canaries.get(one.host, ()), ingress_class)
        proposals.append(replace(made, notes=_sorted((*more, *made.notes))))
    return Found(tuple(sorted(proposals, key=lambda each: each.name)), tuple(skipped), trouble)


def notes_of(host: str, table: routes.Table, behind: Backends, *, ingress_class: str = "nginx") -> tuple[Note, ...] | None:
    """What is to be known of one host, also when it is in `migration.yaml` already; None: no Ingress names it."""
    one = next((each for each in _hosts(table, behind) if each.host == host), None)
    return None if one is None else _sorted(_notes(one, _sharing(table), table.canaries.get(host, ()), ingress_class))


def _hosts(table: routes.Table, behind: Backends) -> list[_Host]:
    by_host: dict[str, list[routes.Route]] = {}
    for route in table.routes:
        by_host.setdefault(route.host, []).append(route)
    return [
        _Host(host, main, tuple(behind.behind(one.namespace, one.service, one.port) for one in main))
        for host, some in sorted(by_host.items())
        for main in [tuple(sorted(some, key=lambda one: (one.path != "/", len(one.path), one.path)))]
    ]


def _sharing(table: routes.Table) -> dict[host_notes.At, frozenset[str]]:
    found: dict[host_notes.At, set[str]] = {}
    for route in table.routes:
        found.setdefault(host_notes.at(route), set()).add(route.host)
    return {place: frozenset(hosts) for place, hosts in found.items()}


def _proposal(one: _Host, *, rules: Sequence[HostRule], taken: Known, names: set[str], ingress_class: str) -> Proposal | Skipped:
    main, source = one.routes[0], one.routes[0].source
    if one.host in taken.hosts:
        why = f"it is in migration.yaml already, as {taken.hosts[one.host]}"
        return Skipped(one.host, source, why, f"See `/migrate status {taken.hosts[one.host]}`.")
    named = ((rule, rule.renamed(one.host, main.namespace)) for rule in rules)
    rule, renamed = next(((rule, new) for rule, new in named if new is not None), (None, None))
    if rule is None or renamed is None:
        why = "no rule says what its host is called in the new cluster"
        return Skipped(one.host, source, why, "Add a rule for it under discovery.rules in the settings, or its entry by hand.")
    troubles = sorted({each.trouble for each in one.behind if each.trouble})
    if troubles:
        return Skipped(one.host, source, "; ".join(troubles), "Correct the Ingress or the Service, then look again.")
    name = _name(one.host, names)
    try:
        service = _service(name, one, new_host=renamed[0], new_port=rule.new_port, ingress_class=ingress_class)
    except model.ModelError as error:
        return Skipped(one.host, source, f"it cannot be an entry: {error}", "Correct the rule or the Ingress, or add it by hand.")
    mapping, about_mapping = _mapping(main, renamed)
    told = [*_about_name(one.host, name), *about_mapping]
    return Proposal(service, mapping, entry_text.document(service, mapping), tuple(told), one.sources)


def _service(name: str, one: _Host, *, new_host: str, new_port: int, ingress_class: str) -> model.Service:
    key = next(
        (key for route, each in zip(one.routes, one.behind, strict=True) if (key := sessions.sticky(route, each)[0])), None
    )
    reads = float(max(notes.whole(route.annotations.get("proxy-read-timeout", "")) for route in one.routes))
    service = model.Service(
        name,
        model.Exposure(0, one.host, new_host, new_port, sticky=key or model.Sticky()),
        _backend(one.routes[0], one.behind[0]),
        paths=_paths(one),
        entry="canary" if _known_class(one, ingress_class) else "replace",
    )
    return replace(
        service,
        timeout=min(max(service.timeout, reads), _LONGEST_TIMEOUT),
        upgrade_timeout=min(max(service.upgrade_timeout, reads), _LONGEST_UPGRADE),
    )


def _paths(one: _Host) -> tuple[model.PathBackend, ...]:
    """The prefixes that lead elsewhere than the rest of the host. Regular expressions have none: a note stops such a host."""
    plain = [pair for pair in zip(one.routes, one.behind, strict=True) if not host_notes.is_regex(pair[0])]
    kept: list[model.PathBackend] = []
    for route, behind in plain:
        path = route.path.rstrip("/")
        backend = _backend(route, behind)
        above = [each for each in kept if path == each.path or path.startswith(each.path + "/")]
        leads = above[-1].backend if above else _backend(one.routes[0], one.behind[0])
        if path and backend != leads and all(each.path != path for each in kept):
            kept.append(model.PathBackend(path, backend))
    return tuple(kept)


def _backend(route: routes.Route, behind: Behind) -> model.Backend:
    if behind.port is None:
        raise model.ModelError("old_backend", behind.trouble)
    return model.Backend(f"{route.service}.{route.namespace}.svc.cluster.local", behind.port)


def _mapping(main: routes.Route, renamed: tuple[str, str]) -> tuple[model.ServiceMapping | None, tuple[Note, ...]]:
    new_host, namespace = renamed
    if model.SERVICE_NAME.fullmatch(namespace):
        return model.ServiceMapping(main.service, main.namespace, main.service, namespace, new_host), ()
    why = f"the rule makes {namespace!r} of it, which is no namespace" if namespace else "the rule says no new_namespace"
    remedy = (
        "Give the rule a new_namespace, or write the mapping by hand: without it the new side cannot be checked before traffic."
    )
    return None, (note(Level.INFO, "mapping", f"nobody knows its namespace in the new cluster: {why}", remedy),)


def _name(host: str, names: set[str]) -> str:
    """The host's first label, or the first two, or with a number: one that nobody has."""
    labels = [label for part in host.split(".") if (label := _STRANGE.sub("-", part).strip("-"))]
    first = labels[0] if labels else "service"
    tries = [
        first,
        *(["-".join(labels[:2])] if len(labels) > 2 else []),
        *(f"{first}-{number}" for number in range(2, len(names) + 4)),
    ]
    fits = (one[:63].rstrip("-") for one in tries)
    return next(one for one in fits if one not in names and one != model.ALL_SERVICES)


def _about_name(host: str, name: str) -> list[Note]:
    if name == host.partition(".")[0]:
        return []
    return [
        note(Level.INFO, "name", f"it is called {name}, because {host.partition('.')[0]} is taken", "Choose another if you like.")
    ]


def _known_class(one: _Host, ingress_class: str) -> bool:
    return all(route.ingress_class in {"", ingress_class} for route in one.routes)


def _notes(
    one: _Host, sharing: Mapping[host_notes.At, frozenset[str]], canaries: Sequence[str], ingress_class: str
) -> list[Note]:
    told = list(host_notes.of_host(one.routes, sharing=sharing, canaries=canaries))
    if not _known_class(one, ingress_class):
        strange = ", ".join(sorted({route.ingress_class for route in one.routes} - {"", ingress_class}))
        told.append(
            note(
                Level.WARNING,
                "ingress class",
                f"its Ingress is of the class {strange}, which may know no canaries of ingress-nginx; entry: replace is proposed",
                "Leave entry: replace, or set entry.ingress_class in the settings if that controller is ingress-nginx.",
            )
        )
    for route, behind in zip(one.routes, one.behind, strict=True):
        told += [*notes.of_route(route, behind), *sessions.sticky(route, behind)[1], *notes.of_backend(route, behind)]
    return told


def _sorted(some: Iterable[Note]) -> tuple[Note, ...]:
    """Each once, the gravest first."""
    order = (Level.STOP, Level.WARNING, Level.INFO)
    return tuple(sorted(dict.fromkeys(some), key=lambda one: order.index(one.level)))
