"""What concerns a host as a whole: who shares its Service, whose canary stands there, how its paths are divided. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence

from k8s.discovery.notes import note
from k8s.discovery.proposal import Level, Note
from k8s.discovery.routes import Route

_REGEX = re.compile(r"[()|*+?^$\\\[\]{}]")
At = tuple[str, str, int | str]  # namespace, Service, port


def at(route: Route) -> At:
    return route.namespace, route.service, route.port


def is_regex(route: Route) -> bool:
    """ingress-nginx takes the path for a regex where it is told to, or where the path cannot be anything else."""
    return route.annotations.get("use-regex") == "true" or bool(_REGEX.search(route.path))


def of_host(routes: Sequence[Route], *, sharing: Mapping[At, frozenset[str]], canaries: Sequence[str]) -> Iterator[Note]:
    """`routes`: all of one host. `sharing`: by backend, the hosts that use it. `canaries`: of others, for this host."""
    host = routes[0].host
    if canaries:
        yield note(
            Level.STOP,
            "canary in use",
            f"{', '.join(canaries)} is a canary of this host already, and ingress-nginx takes one canary for a rule",
            "Finish that canary and delete its Ingress before you prepare the host.",
        )
    yield from _shared(host, routes, sharing)
    yield from _paths(routes)


def _shared(host: str, routes: Sequence[Route], sharing: Mapping[At, frozenset[str]]) -> Iterator[Note]:
    others = sorted({each for one in routes for each in sharing.get(at(one), frozenset())} - {host})
    if others:
        shown = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
        yield note(
            Level.WARNING,
            "shared Service",
            f"its Service also serves {shown}; the old ingress turns a canary of one Service on and off"
            " for all of its hosts together",
            "Prepare these hosts together, as one wave; their shares are still set one by one.",
        )


def _paths(routes: Sequence[Route]) -> Iterator[Note]:
    several = len({at(one) for one in routes}) > 1
    regexes = sorted({one.path for one in routes if is_regex(one)})
    rewrites = any("rewrite-target" in one.annotations for one in routes)
    if several and (regexes or rewrites):
        why = f"the paths {', '.join(regexes[:3])} are regular expressions" if regexes else "their paths are rewritten before"
        yield note(
            Level.STOP,
            "several backends",
            f"the host has several backends, and {why}: the proxy divides requests by plain prefixes of what it sees",
            "Give each backend a plain path prefix without rewrite-target, or a host of its own, first.",
        )
    elif regexes:
        yield note(
            Level.INFO,
            "regex paths",
            f"paths of it are regular expressions ({', '.join(regexes[:3])}); all lead to one backend, and the entry"
            " repeats them",
            "Nothing to do; do not change them while the host is prepared.",
        )
    if not any(one.path == "/" for one in routes) and not regexes:
        yield note(
            Level.INFO,
            "paths",
            f"the old ingress serves only {', '.join(sorted({one.path for one in routes})[:5])} of it; other"
            " paths never reach the proxy",
            "Nothing to do; see that new answers these paths.",
        )
    exact = sorted({one.path for one in routes if one.path_type == "Exact"})
    if several and exact:
        yield note(
            Level.WARNING,
            "exact paths",
            f"{', '.join(exact[:3])} is an exact path, and paths of an entry are prefixes: what lies"
            " below it goes to its backend, too",
            "See that nothing below it belongs to another backend.",
        )
