"""How a payload reaches the app: what every way has in common."""

from dataclasses import dataclass
from typing import Any, Protocol

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """`kind` is slash_commands, interactive or events_api; `reason` says why an event is sent again."""

    id: str
    kind: str
    payload: Json
    attempt: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The app's acknowledgement. `payload` None means an empty one; `no_retry` is the app's wish not to get an event again."""

    payload: Json | None = None
    no_retry: bool = False


class NotDelivered(Exception):
    """The app could not be reached or did not say yes; `reason` is Slack's word for it."""

    def __init__(self, reason: str, *, no_retry: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.no_retry = no_retry


class Courier(Protocol):
    async def deliver(self, envelope: Envelope) -> tuple[str, Answer]:
        """Waits for the acknowledgement without any limit; (which way it went, answer). Raises NotDelivered."""
        ...

    async def close(self) -> None: ...
