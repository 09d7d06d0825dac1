"""Addresses at which nobody opens. A thousand services behind one ingress need not find that out a thousand times.

Only so many questions are open at a time; each waits its full time where packets are dropped. What one of them found at an
address while others were waiting for their turn is their answer, too: no connection is no matter of the service.
"""


class Doors:
    """`address` is IP:port. Times are the event loop's clock."""

    def __init__(self) -> None:
        self._closed: dict[str, tuple[float, str, str]] = {}

    def closed(self, address: str, *, since: float) -> tuple[str, str] | None:
        """Outcome and why, if somebody found it closed at `since` or later and nobody found it open after that."""
        found, outcome, why = self._closed.get(address, (-1.0, "", ""))
        return (outcome, why) if found >= since else None

    def found_closed(self, address: str, outcome: str, why: str, *, now: float) -> None:
        self._closed[address] = now, outcome, why

    def found_open(self, address: str) -> None:
        self._closed.pop(address, None)
