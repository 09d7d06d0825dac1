"""Which services' change is refused, found by halves: one service that nginx refuses must not keep back all the others.

It begins at something that is accepted (what was served before, or else everything to old) and brings the services from there
to what is wanted, all at once where that is accepted, and else one half after the other, down to single services. Two that only
do not go together are found as well: the later one is left as it was.
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
        self._before = {name: some[0] for name, some in instead.items() if some}
        self._plainest = {name: some[-1] for name, some in instead.items() if some}
        self._refuses = refuses
        self._tests = 0

    async def run(self, suspects: Sequence[str]) -> Verdict:
        """`suspects` are blamed first; the others too where what remains is refused without the suspects' change."""
        standing = {name: site for name, site in self._wanted.items() if name not in suspects}
        standing |= {name: self._before[name] for name in suspects if name in self._before}
        complaint = await self._complaint(standing)
        if complaint:
            standing, suspects = {}, list(self._wanted)
            if complaint := await self._complaint(standing):
                return Verdict({}, {}, complaint)
            await self._bring(standing, sorted(self._plainest), self._plainest)
            await self._bring(standing, sorted(self._before), self._before)
        return Verdict(standing, await self._bring(standing, sorted(suspects), self._wanted))

    async def _bring(self, standing: dict[str, nginx.Site], names: Sequence[str], to: Mapping[str, nginx.Site]) -> dict[str, str]:
        """Replaces in `standing` what is accepted there. Returns the complaint about each that is not."""
        if all(standing.get(name) == to[name] for name in names):
            return {}
        sites = {name: to[name] for name in names}
        if not (complaint := await self._complaint({**standing, **sites})):
            standing.update(sites)
            return {}
        if len(names) == 1:
            return {names[0]: complaint}
        half = len(names) // 2
        first = await self._bring(standing, names[:half], to)
        return first | await self._bring(standing, names[half:], to)

    async def _complaint(self, sites: Mapping[str, nginx.Site]) -> str:
        self._tests += 1
        return await self._refuses(sites) if self._tests <= MOST_TESTS else UNDECIDED
