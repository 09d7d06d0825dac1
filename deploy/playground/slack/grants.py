"""Things handed out that work once, or for a while: triggers, Socket Mode tickets, response URLs."""

import itertools
import secrets
from dataclasses import dataclass
from typing import Any

from deploy.playground.slack import clock, records

TRIGGER_LIFE = 3.0
RESPONSE_URL_LIFE = 30 * 60.0
RESPONSE_URL_USES = 5


@dataclass(slots=True)
class _Trigger:
    user: str
    expires: float
    view: records.View | None
    used: bool = False


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Whose trigger it was, and the modal it came from (only then may a view be pushed); or why it is worth nothing."""

    user: str = ""
    view: records.View | None = None
    error: str = ""


class Triggers:
    def __init__(self, time: clock.Clock) -> None:
        self._clock = time
        self._numbers = itertools.count(1)
        self._issued: dict[str, _Trigger] = {}

    def issue(self, user: str, *, view: records.View | None = None) -> str:
        _forget_beyond(self._issued, 2000)
        trigger_id = f"{next(self._numbers)}.{int(self._clock.now())}.{secrets.token_hex(16)}"
        self._issued[trigger_id] = _Trigger(user=user, expires=self._clock.now() + TRIGGER_LIFE, view=view)
        return trigger_id

    def redeem(self, trigger_id: str) -> Redeemed:
        trigger = self._issued.get(trigger_id)
        if trigger is None:
            return Redeemed(error="invalid_trigger_id")
        if trigger.used:
            return Redeemed(error="exchanged_trigger_id")
        if self._clock.now() > trigger.expires:
            return Redeemed(error="expired_trigger_id")
        trigger.used = True
        return Redeemed(user=trigger.user, view=trigger.view)


class Tickets:
    """One websocket each, like the `wss://` address of apps.connections.open."""

    def __init__(self) -> None:
        self._open: dict[str, None] = {}

    def issue(self) -> str:
        ticket = secrets.token_urlsafe(16)
        self._open[ticket] = None
        _forget_beyond(self._open, 500)
        return ticket

    def redeem(self, ticket: str) -> bool:
        if ticket not in self._open:
            return False
        del self._open[ticket]
        return True


@dataclass(slots=True)
class ResponseUrl:
    """Where posts to the address appear, and the message whose click handed it out (None for a command)."""

    user: str
    channel: str
    expires: float
    source: records.Message | None
    thread_ts: str | None
    uses: int = 0


class ResponseUrls:
    def __init__(self, time: clock.Clock) -> None:
        self._clock = time
        self._issued: dict[str, ResponseUrl] = {}

    def issue(self, *, user: str, channel: str, source: records.Message | None = None) -> str:
        """The last part of the address."""
        _forget_beyond(self._issued, 5000)
        secret = secrets.token_urlsafe(18)
        self._issued[secret] = ResponseUrl(
            user=user,
            channel=channel,
            expires=self._clock.now() + RESPONSE_URL_LIFE,
            source=source,
            thread_ts=source.thread_ts if source else None,
        )
        return secret

    def redeem(self, secret: str) -> ResponseUrl | str:
        """One use of the address, or Slack's word for why it no longer works."""
        found = self._issued.get(secret)
        if found is None:
            return "invalid_url"
        if self._clock.now() > found.expires:
            return "expired_url"
        if found.uses >= RESPONSE_URL_USES:
            return "used_url"
        found.uses += 1
        return found


def _forget_beyond(issued: dict[str, Any], most: int) -> None:
    while len(issued) > most:
        del issued[next(iter(issued))]
