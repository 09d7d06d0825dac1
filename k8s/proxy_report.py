"""What one proxy says of itself: plain values, made by the agent and judged by the bot."""

from collections.abc import Mapping
from dataclasses import dataclass

from k8s import key_spread, model


@dataclass(frozen=True, slots=True)
class Traffic:
    """Of one service since this agent started, counted from nginx's log; every number only grows.

    `new`, `old`: requests by the side that the split chose for them. `attempts_new`, `failed_new`: tries at the new
    cluster, and those that failed (also when the old one saved the request). `seconds_new`, `seconds_old`: response
    times summed over the requests answered by that side; `answered_new`, `answered_old`: how many those are.
    """

    new: int = 0
    old: int = 0
    attempts_new: int = 0
    failed_new: int = 0
    answered_new: int = 0
    answered_old: int = 0
    seconds_new: float = 0.0
    seconds_old: float = 0.0


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """What one agent says of one service. `generation`: the record it serves. `served`: the weight on its links now.

    `pushed`: of `holds`, those whose words (reason, by, since, cause) it knows, each of the service it was placed for (or `all`).
    `suppression`: the most that its breaker lets through, in percent; None: it sets no limit. `suppressed_since`: ISO time,
    empty where that is not known. `new_up`: what its probe of the new cluster says; None: nothing yet, or it is not asked.
    `old_dead`: none of the last requests that it sent to the old cluster got through. `finished`: it serves all of it at new for
    good, whatever stands against it.
    """

    service: str
    generation: int
    served: int
    holds: tuple[str, ...] = ()
    lowest_wish: int | None = None
    because: str = ""
    applied: bool = True  # nginx was asked, over a fresh connection, and serves this structure
    traffic: Traffic | None = None  # None: this agent cannot count
    pushed: tuple[model.Hold, ...] = ()
    suppression: int | None = None
    suppressed_since: str = ""
    new_up: bool | None = None
    old_dead: bool = False
    finished: bool = False
    spread: key_spread.Spread | None = None  # None: each request is drawn for itself, or an agent that does not count by key


@dataclass(frozen=True, slots=True)
class ProxyReport:
    """What one agent says of itself. `services` by name; `trouble` says what it could not apply, in sentences."""

    pod: str
    ready: bool
    terminating: bool
    config: str  # hash of the nginx config that nginx itself says it serves
    services: Mapping[str, ServiceReport]
    trouble: tuple[str, ...] = ()
