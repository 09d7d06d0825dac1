"""Slack's rate limits: a token bucket for each method, and for posting one for each channel.

A tier's "N+ a minute" is taken as exactly N a minute with N at once; an app that lives within that lives within Slack's.
"""

import math
from dataclasses import dataclass

from deploy.playground.slack import clock


@dataclass(frozen=True, slots=True)
class Limit:
    """`burst` calls at once, refilled at `per_minute`."""

    burst: float
    per_minute: float


TIER_2 = Limit(burst=20, per_minute=20)
TIER_3 = Limit(burst=50, per_minute=50)
TIER_4 = Limit(burst=100, per_minute=100)
SPECIAL = Limit(burst=300, per_minute=300)
POSTING_A_CHANNEL = Limit(burst=5, per_minute=60)
POSTING_A_WORKSPACE = Limit(burst=100, per_minute=300)

LIMITS = {
    # Slack's pages disagree (Tier 1 or 3). Tier 1 would lock out two replicas that restart together.
    "apps.connections.open": TIER_3,
    "auth.test": SPECIAL,
    "chat.delete": TIER_3,
    "chat.getPermalink": SPECIAL,
    "chat.postEphemeral": TIER_4,
    "chat.postMessage": POSTING_A_WORKSPACE,
    "chat.update": TIER_3,
    "conversations.history": TIER_3,
    "conversations.info": TIER_3,
    "conversations.members": TIER_4,
    "conversations.open": TIER_3,
    "conversations.replies": TIER_3,
    "files.completeUploadExternal": TIER_4,
    "files.getUploadURLExternal": TIER_4,
    "reactions.add": TIER_3,
    "usergroups.list": TIER_2,
    "usergroups.users.list": TIER_2,
    "users.info": TIER_4,
    "users.list": TIER_2,
    "views.open": TIER_4,
    "views.publish": TIER_4,
    "views.push": TIER_4,
    "views.update": TIER_4,
}


class RateLimits:
    def __init__(self, time: clock.Clock) -> None:
        self._clock = time
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, method: str, channel: str = "") -> int:
        """Counts one call. 0 when it may go ahead, otherwise whole seconds for Retry-After."""
        rules = [(method, "", LIMITS.get(method, TIER_3))]
        if method == "chat.postMessage":
            rules.append((method, channel, POSTING_A_CHANNEL))
        levels = [(rule, self._level(rule[0], rule[1], rule[2])) for rule in rules]
        wait = max((1 - level) * 60 / limit.per_minute for (_, _, limit), level in levels)
        if wait > 0:
            return math.ceil(wait)
        for (name, place, _), level in levels:
            self._buckets[name, place] = (level - 1, self._clock.now())
        return 0

    def _level(self, name: str, place: str, limit: Limit) -> float:
        level, since = self._buckets.get((name, place), (limit.burst, self._clock.now()))
        return min(limit.burst, level + (self._clock.now() - since) * limit.per_minute / 60)
