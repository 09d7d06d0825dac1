"""Which services' change is refused, found by halves: one service that nginx refuses must not keep back all the others.

What is accepted together with everything accepted so far is taken; a part that is refused is halved until one service is left.
Two that only do not go together are found as well: the later one, by name, is the one that is left out.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from k8s import nginx

Refuses = Callable[[Mapping[str, nginx.Site]], Awaitable[str]]  # the complaint, empty when these sites are accepted together
MOST_TESTS = 200  # a few dozen refused services among a thousand; what is undecided then waits for another round
UNDECIDED = "too many services are refused at once: this one was not tried by itself"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`sites`: accepted together. `culprits`: the complaint by each service that is not served as it was meant to be.

    `hopeless`: the complaint when not even the ways that remain are accepted; `sites` is empty then.
    """

    sites: Mapping[str, nginx.Site]
    culprits: Mapping[str, str]
    hopeless: str = ""


class Bisection:
    """`wanted`: every service's site. `instead`: for each, sites to fall back to, the best first; none of them: left out."""

    def __init__(
        self, wanted: Mapping[str, nginx.Site], *, instead: Mapping[str, Sequence[nginx.Site]], refuses: Refuses
    ) -> None:
        self._wanted = wanted
        self._instead = instead
        self._refuses = refuses
        self._tests = 0
        self._culprits: dict[str, str] = {}

    async def run(self, suspects: Sequence[str]) -> Verdict:
        """`suspects` are tried by halves first; all the others too only where what remains is refused without them as well."""
        suspected, given = sorted(suspects), sorted(self._wanted)
        for some in (suspected, given) if suspected != given else (given,):
            standing = {name: site for name, site in self._wanted.items() if name not in some}
            if not (complaint := await self._complaint(standing)):
                await self._add(standing, some, at=0)
                break
        else:
            return Verdict({}, {}, complaint)
        return Verdict(standing, self._culprits)

    async def _add(self, standing: dict[str, nginx.Site], names: Sequence[str], *, at: int) -> None:
        """Puts those of `names` into `standing` that are accepted with it. `at`: 0, as wanted; n, by their n-th other site."""
        sites = {name: site for name in names if (site := self._site(name, at)) is not None}
        if not sites:
            return
        complaint = await self._complaint({**standing, **sites})
        if not complaint:
            standing.update(sites)
        elif len(sites) == 1:
            (name,) = sites
            self._culprits.setdefault(name, complaint)
            await self._add(standing, [name], at=at + 1)
        else:
            ordered = list(sites)
            await self._add(standing, ordered[: len(ordered) // 2], at=at)
            await self._add(standing, ordered[len(ordered) // 2 :], at=at)

    def _site(self, name: str, at: int) -> nginx.Site | None:
        choice = [self._wanted[name], *self._instead.get(name, ())]
        return choice[at] if at < len(choice) else None

    async def _complaint(self, sites: Mapping[str, nginx.Site]) -> str:
        self._tests += 1
        return await self._refuses(sites) if self._tests <= MOST_TESTS else UNDECIDED
