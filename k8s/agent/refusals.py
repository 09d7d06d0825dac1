"""Services whose structure nginx refuses, and what stands in for it until it is another one or nginx takes it.

First what was served before; where that cannot be, everything to old: the way to old is never given up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from k8s import model, nginx
from k8s.agent import bisecting
from k8s.agent import sites as planning

ROUNDS = 6  # in which a refused structure is not tried again: what it lacks (a CA file) may come, but testing takes time


@dataclass(slots=True)
class _Refused:
    wanted: nginx.Site
    complaint: str
    instead: nginx.Site | None
    rounds: int = ROUNDS


class Refusals:
    """Every round: `stand_in` gives the sites with the refused ones replaced, `found` tells it a verdict if there is one, and
    `served` that nginx serves what came of it.
    """

    def __init__(self) -> None:
        self._refused: dict[str, _Refused] = {}
        self._in_question: set[str] = set()

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(_sentence(name, self._refused[name]) for name in sorted(self._refused))

    def stand_in(self, wanted: Mapping[str, nginx.Site], known: planning.Known) -> dict[str, nginx.Site]:
        """`wanted`, but what is known to be refused is replaced, with addresses as they are known now."""
        sites = dict(wanted)
        self._in_question = set()
        for name, one in self._refused.items():
            one.rounds -= 1
            if name not in wanted or _unlike(wanted[name], one.wanted) or one.rounds < 0:
                self._in_question.add(name)
            elif one.instead is None:
                del sites[name]
            else:
                sites[name] = at_known_addresses(one.instead, known)
        return sites

    def found(self, verdict: bisecting.Verdict, wanted: Mapping[str, nginx.Site]) -> None:
        for name, complaint in verdict.culprits.items():
            self._refused[name] = _Refused(wanted[name], complaint, verdict.sites.get(name))
            self._in_question.discard(name)

    def served(self) -> None:
        """What was in question and not refused again is refused no more."""
        for name in self._in_question:
            del self._refused[name]
        self._in_question = set()


def instead_of(wanted: nginx.Site, applied: nginx.Site | None, known: planning.Known) -> tuple[nginx.Site, ...]:
    """What may stand in for a refused site, the best first. `applied`: what nginx served of it last."""
    before = (at_known_addresses(applied, known),) if applied is not None else ()
    plain = (_only_old(wanted),) if not wanted.finished else ()  # there is no old to go to
    return tuple(one for one in (*before, *plain) if one != wanted)


def at_known_addresses(site: nginx.Site, known: planning.Known) -> nginx.Site:
    """The same site where its names are now; what is not known any more stays as it was."""
    service, exposure = site.service, site.exposure
    old = known(service.old_backend.host, service.old_backend.port) or site.old_addresses
    new = known(exposure.new_host, exposure.new_port) or site.new_addresses
    earlier = site.path_addresses or ((),) * len(service.paths)
    paths = tuple(known(one.backend.host, one.backend.port) or was for one, was in zip(service.paths, earlier, strict=True))
    return replace(site, old_addresses=old, new_addresses=new if site.new_addresses else (), path_addresses=paths)


def _only_old(site: nginx.Site) -> nginx.Site:
    """Its hosts and its way to old, and nothing else that could be refused; what is meant for new falls back to old."""
    given = site.exposure
    plain = model.Exposure(weight=0, old_host=given.old_host, new_host=given.new_host, trusted_proxies=given.trusted_proxies)
    falls_back = replace(site.service, retries=max(1, site.service.retries))
    return replace(site, service=falls_back, exposure=plain, new_addresses=(), override_secret=None, ca_file=None)


def _unlike(one: nginx.Site, other: nginx.Site) -> bool:
    """Whether people asked for something else; other addresses are no reason to try again."""
    asked, before = ((site.service, site.exposure, site.finished, site.override_secret, site.ca_file) for site in (one, other))
    return asked != before


def _sentence(name: str, one: _Refused) -> str:
    if one.instead is None:
        instead = "its host is not served"
    elif one.instead.new_addresses:
        instead = "its last good structure stays"
    else:
        instead = "all its requests go to the old cluster"
    return (
        f"{name}: nginx refuses what is asked for it ({one.complaint}); {instead}, every other service is served as asked."
        f" Correct {name} in migration.yaml, or put what it names where the proxies look for it"
    )
