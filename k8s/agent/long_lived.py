"""Connections that outlive a hold: websockets and streams that began at the new cluster and would stay there for hours.

A weight of 0 turns every next request to old, but what has begun goes on. Nobody can close single connections of another
process without being root, so nginx's workers are replaced instead: the old ones end by themselves, with whatever they still
carry, at nginx's `worker_shutdown_timeout`, and clients that connect again land at old. Every other service's long-lived
connections end with them, so it is done only where there is something to end, and once.
"""

from collections.abc import Callable, Collection, Mapping

LOOK_EVERY = 2.0  # seconds

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

    def outlived(
        self, now: float, *, served: Mapping[str, int], ends: Mapping[str, frozenset[End]], standing: Standing
    ) -> frozenset[str]:
        """Services whose connections at new are to be ended now. `served`: weights on the links, of every service that may
        ever have reached new; `ends`: where each one's new cluster is; `now`: monotonic seconds.

        An address that a service above 0 (or one within its grace) may use as well is left alone: whose connections there
        are cannot be told apart. It is looked at again until nobody else uses it.
        """
        self._since = {name: self._since.get(name, now) for name, weight in served.items() if weight == 0}
        self._settled &= self._since.keys()
        over = {name for name, since in self._since.items() if now - since >= self._grace}
        waiting = sorted((over & ends.keys()) - self._settled)
        if not waiting:
            return frozenset()
        used = {end for name in (served.keys() - over) & ends.keys() for end in ends[name]}
        left = set(standing()) - used
        self._settled.update(name for name in waiting if not ends[name] & (left | used))
        return frozenset(name for name in waiting if ends[name] & left)

    def ended(self, services: Collection[str]) -> None:
        """nginx was told: they are not looked at again before they were above 0 once more."""
        self._settled.update(services)
