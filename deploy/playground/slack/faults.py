"""What can be made to go wrong with this Slack. Every fault counts itself down or stays until `clear`."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Countdown:
    method: str | None
    left: int | None
    value: float


class SlackFaults:
    """The knobs. `times=None` means until `clear()`; `method=None` means every Web API method."""

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._hang_up: Callable[[str], int] = lambda _reason: 0
        self._drop: Callable[[], int] = lambda: 0
        self._limits: list[_Countdown] = []
        self._slow_calls: list[_Countdown] = []
        self._slow_deliveries: list[_Countdown] = []
        self._lost_replies: list[_Countdown] = []
        self._duplicates: list[_Countdown] = []
        self._signatures: list[_Countdown] = []
        self.refusing = False

    def bind_sockets(self, *, hang_up: Callable[[str], int], drop: Callable[[], int]) -> None:
        """How `disconnect` and `drop_connections` reach the app's websockets; each returns how many it hit."""
        self._hang_up, self._drop = hang_up, drop

    def rate_limit(self, method: str | None = None, times: int | None = 1, retry_after: int = 1) -> None:
        """The next calls get 429 with `Retry-After: retry_after` seconds."""
        self._add(self._limits, method, times, float(retry_after))

    def slow(self, seconds: float, *, method: str | None = None, times: int | None = None) -> None:
        """Web API calls take that much longer."""
        self._add(self._slow_calls, method, times, seconds)

    def slow_delivery(self, seconds: float, *, times: int | None = 1) -> None:
        """Commands, clicks and events reach the app that much later, while the 3 s deadline already runs."""
        self._add(self._slow_deliveries, None, times, seconds)

    def refuse(self) -> None:
        """Slack is down: 503 to every call, websockets closed and not let in again, until `clear`."""
        self.refusing = True
        self._drop()
        self._notify()

    def lose_reply(self, method: str, *, times: int | None = 1) -> None:
        """The call takes effect and its answer never arrives: the connection breaks instead."""
        self._add(self._lost_replies, method, times, 0)

    def disconnect(self, reason: str = "refresh_requested") -> int:
        """The polite way: each websocket gets a `disconnect` and is closed soon after. How many there were."""
        return self._hang_up(reason)

    def drop_connections(self) -> int:
        """The rude way: every websocket breaks without a word. How many there were."""
        return self._drop()

    def duplicate_events(self, times: int | None = 1) -> None:
        """The next events arrive twice, as when Slack did not see an acknowledgement that was sent."""
        self._add(self._duplicates, None, times, 0)

    def bad_signature(self, times: int | None = 1) -> None:
        """Signed HTTP mode: the next requests carry a signature made with another secret."""
        self._add(self._signatures, None, times, 0)

    def old_signature(self, seconds: float = 400, times: int | None = 1) -> None:
        """Signed HTTP mode: the next requests were correctly signed that long ago."""
        self._add(self._signatures, None, times, seconds)

    def clear(self) -> None:
        self.refusing = False
        for faults in (self._limits, self._slow_calls, self._slow_deliveries, self._lost_replies, self._duplicates):
            faults.clear()
        self._signatures.clear()
        self._notify()

    @property
    def active(self) -> list[str]:
        """What stands, in words, for the page."""
        named = {
            "rate limited": self._limits,
            "slow API": self._slow_calls,
            "slow delivery": self._slow_deliveries,
            "replies lost": self._lost_replies,
            "events twice": self._duplicates,
            "bad signature": self._signatures,
        }
        return [*(["Slack is down"] if self.refusing else []), *(words for words, faults in named.items() if faults)]

    # What the rest of the stand-in asks

    def retry_after(self, method: str) -> int | None:
        """Seconds for Retry-After when this call is to get 429."""
        seconds = self._take(self._limits, method)
        return None if seconds is None else int(seconds)

    def call_delay(self, method: str) -> float:
        return self._take(self._slow_calls, method) or 0.0

    def delivery_delay(self) -> float:
        return self._take(self._slow_deliveries, None) or 0.0

    def loses_reply(self, method: str) -> bool:
        return self._take(self._lost_replies, method) is not None

    def duplicates_event(self) -> bool:
        return self._take(self._duplicates, None) is not None

    def signature_age(self) -> float | None:
        """None: sign properly. 0: sign with another secret. Otherwise the age of the signature in seconds."""
        return self._take(self._signatures, None)

    def _add(self, faults: list[_Countdown], method: str | None, times: int | None, value: float) -> None:
        faults.append(_Countdown(method, times, value))
        self._notify()

    @staticmethod
    def _take(faults: list[_Countdown], method: str | None) -> float | None:
        for fault in faults:
            if fault.method in (None, method):
                if fault.left is not None:
                    fault.left -= 1
                    if fault.left <= 0:
                        faults.remove(fault)
                return fault.value
        return None
