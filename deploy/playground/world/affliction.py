"""What can befall the new cluster, one at a time: what a story does to it, and what the page offers to try."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.playground.world import new_cluster

SLOW_SECONDS = 5.0  # longer than a probe waits, shorter than a request does


class Affliction(enum.StrEnum):
    """The new cluster is …"""

    UP = "up"
    DOWN = "down"
    HANGING = "hanging"
    SLOW = "slow"
    UNAVAILABLE = "unavailable"
    RESETTING = "resetting"
    UNREACHABLE = "unreachable"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class _Ways:
    reach: new_cluster.Reach = new_cluster.Reach.UP
    status: int = 200
    delay: float = 0.0
    hang: bool = False
    reset: bool = False


_WAYS: Mapping[Affliction, _Ways] = {
    Affliction.UP: _Ways(),
    Affliction.DOWN: _Ways(new_cluster.Reach.DOWN),
    Affliction.HANGING: _Ways(hang=True),
    Affliction.SLOW: _Ways(delay=SLOW_SECONDS),
    Affliction.UNAVAILABLE: _Ways(status=503),
    Affliction.RESETTING: _Ways(reset=True),
    Affliction.UNREACHABLE: _Ways(new_cluster.Reach.UNREACHABLE),
    Affliction.DROPPED: _Ways(new_cluster.Reach.DROPPED),
}


ONE_HOST = frozenset({Affliction.HANGING, Affliction.SLOW, Affliction.UNAVAILABLE, Affliction.RESETTING})


async def befall(new: new_cluster.NewCluster, what: Affliction, *, host: str = "") -> None:
    """This and nothing else is wrong with it from now on. Raises OSError when its port cannot be opened again.

    `host`: what is in ONE_HOST can befall this one only.
    """
    ways, knobs = _WAYS[what], new.knobs
    knobs.only = frozenset({host} if host and what in ONE_HOST else ())
    knobs.status, knobs.delay, knobs.hang, knobs.reset = ways.status, ways.delay, ways.hang, ways.reset
    await new.turn(ways.reach)


def of(new: new_cluster.NewCluster) -> Affliction:
    """What has befallen it; UP also where only a share of its answers is bad."""
    knobs = new.knobs
    now = _Ways(new.reach, knobs.status, knobs.delay, knobs.hang, knobs.reset)
    return next((what for what, ways in _WAYS.items() if ways == now), Affliction.UP)
