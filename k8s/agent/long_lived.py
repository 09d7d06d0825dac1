"""Connections that outlive a hold: websockets and streams that began at the new cluster and would stay there for hours.

A weight of 0 turns every next request to old, but what has begun goes on. Nobody can close single connections of another
process without being root, so nginx's workers are replaced instead: the old ones end by themselves, with whatever they still
carry, at nginx's `worker_shutdown_timeout`, and clients that connect again land at old. Every other service's long-lived
connections end with them, so it is done only where there is something to end, and once.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping

LOOK_EVERY = 2.0  # seconds
NAMED = 3  # services, in a sentence

End = tuple[str, int]  # IP address, port
Standing = Callable[[], Collection[End]]  # the other ends of every connection that nginx has open


class LongLived:
    """`grace`: seconds at 0 before anything is ended. Longer than nginx keeps idle connections to new (60 s): whatever is left
    then carries something.
    """

    def __init__(self, *, grace: float) -> None:
        self._grace = grace
        self._since: dict[str, float] = {}
        self._settled: set[str] = set()
        self._above: frozenset[str] = frozenset()
        self._reached: set[str] = set()  # above 0 at some time since nginx's workers were replaced last
        self._shared: dict[str, str] = {}  # of those, services at 0 whose address is another's that is served there: which

    @property
    def trouble(self) -> str:
        """A sentence while connections may stand that are not ended; empty otherwise."""
        if not self._shared:
            return ""
        named, others = _some(self._shared), _some(set(self._shared.values()))
        return (
            f"connections of {named} that began before may still be at the new cluster: they are not ended, because their"
            f" address is also that of {others}, and whose they are cannot be told; they end by themselves, or with the proxies'"
            " pods: `kubectl rollout restart deployment/migration-proxy`"
        )

    async def outlived(
        self, now: float, *, served: Mapping[str, int], ends: Mapping[str, frozenset[End]], standing: Standing
    ) -> frozenset[str]:
        """Services whose connections at new are to be ended now. `served`: weights on the links, of every service that may
        ever have reached new; `ends`: where each one's new cluster is; `now`: monotonic seconds. `standing` is asked in a thread
        (thousands of connections take a while), and only where its answer can matter.

        An address that a service above 0 (or one within its grace) may use as well is left alone: whose connections there
        are cannot be told apart. It is looked at again until nobody else uses it.
        """
        self._since = {name: self._since.get(name, now) for name, weight in served.items() if weight == 0}
        self._settled &= self._since.keys()
        self._above = frozenset(served.keys() - self._since.keys())
        self._reached |= self._above
        over = {name for name, since in self._since.items() if now - since >= self._grace}
        waiting = sorted((over & ends.keys()) - self._settled)
        if not waiting:
            self._shared = {}
            return frozenset()
        users = {end: name for name in sorted((served.keys() - over) & ends.keys(), reverse=True) for end in ends[name]}
        used = users.keys()
        both = {name: ends[name] & used for name in waiting if name in self._reached}
        self._shared = {name: users[min(some)] for name, some in both.items() if some}
        if all(ends[name] and ends[name] <= used for name in waiting):
            return frozenset()
        left = set(await asyncio.to_thread(standing)) - used
        self._settled.update(name for name in waiting if not ends[name] & (left | used))
        return frozenset(name for name in waiting if ends[name] & left)

    def ended(self, services: Collection[str]) -> None:
        """nginx was told: they are not looked at again before they were above 0 once more."""
        self._settled.update(services)
        self._reached = set(self._above)  # all workers are replaced: nobody's connections outlive them
        self._shared = {}


def _some(names: Collection[str]) -> str:
    """The first ones, by name."""
    more = len(names) - NAMED
    return ", ".join(sorted(names)[:NAMED]) + (f" and {more} more" if more > 0 else "")
