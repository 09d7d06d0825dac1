"""What went over the wire, both ways, with timing. The inspector shows it and tests assert on it."""

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
KEPT = 2000


@dataclass(slots=True, kw_only=True)
class ApiCall:
    """One call of the Web API by the app; tokens are left out. `number` counts up over both directions."""

    number: int = 0
    at: float
    method: str
    arguments: Json
    status: int
    error: str
    milliseconds: float


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One payload sent to the app. `milliseconds` is None until the app acknowledged it, or the deadline passed."""

    number: int = 0
    at: float
    kind: str
    summary: str
    payload: Json
    attempt: int
    connection: str = ""
    milliseconds: float | None = None
    ack: Json | None = None
    error: str = ""


class CallLog:
    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._numbers = itertools.count(1)
        self.calls: deque[ApiCall] = deque(maxlen=KEPT)
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)

    def called(self, call: ApiCall) -> None:
        call.number = next(self._numbers)
        self.calls.append(call)
        self._notify()

    def sending(self, delivery: Delivery) -> Delivery:
        delivery.number = next(self._numbers)
        self.deliveries.append(delivery)
        self._notify()
        return delivery

    def settled(self, delivery: Delivery, *, milliseconds: float, ack: Json | None, error: str) -> None:
        delivery.milliseconds = milliseconds
        delivery.ack = ack
        delivery.error = error
        self._notify()
