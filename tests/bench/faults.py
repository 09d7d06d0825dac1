"""A new cluster that dies, hangs, answers 503, is slow, resets, or whose packets vanish, under load at 50%: what users see.

A fault lasts FAULT seconds. `suppression`: until the link is at 0; `recovery`: from the fault's end until it is at 50 again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from deploy.playground.world import certificates, new_cluster
from tests.bench import dropped_packets, nginx_servers, proxy_world, rows, steady_traffic
from tests.integration import one_proxy

WEIGHT, FAULT, AFTER = 50, 25.0, 2.0
WARM = 12.0  # seconds of steady answers: the agent hears a silence only after ten of them
RECOVERY_LIMIT = 120.0
SLOW = 4.0  # seconds to an answer; the agent calls an answer slow from 3 s on

Turn = Callable[[Any, bool], Awaitable[None]]


class FaultyProxy(one_proxy.OneProxy):
    """OneProxy whose new cluster may be another."""

    new: Any


async def _killed(new: Any, on: bool) -> None:
    await new.turn(new_cluster.Reach.DOWN if on else new_cluster.Reach.UP)


async def _without_tls(new: Any, on: bool) -> None:
    await new.turn(new_cluster.Reach.UNREACHABLE if on else new_cluster.Reach.UP)


async def _hanging(new: Any, on: bool) -> None:
    new.knobs.hang = on


async def _unavailable(new: Any, on: bool) -> None:
    new.knobs.status = 503 if on else 200


async def _slow(new: Any, on: bool) -> None:
    new.knobs.delay = SLOW if on else 0.0


async def _reset(new: Any, on: bool) -> None:
    new.knobs.reset = on


async def _dropped(new: Any, on: bool) -> None:
    await new.drop(on)


FAULTS: dict[str, Turn] = {
    "killed (refused)": _killed,
    "accepts, no TLS": _without_tls,
    "hanging after TLS": _hanging,
    "answers 503": _unavailable,
    f"slow ({SLOW:.0f} s)": _slow,
    "resets": _reset,
    "packets dropped": _dropped,
}


@dataclass(slots=True)
class Seen:
    answers: list[steady_traffic.Answer] = field(default_factory=list)
    suppressed: float | None = None
    recovered: float | None = None


async def measure() -> None:
    for name, turn in FAULTS.items():
        rows.say(f"new {name}")
        with nginx_servers.scratch_folder() as folder:
            world = FaultyProxy(folder)
            if turn is _dropped:
                world.stack.remove(world.new)
                authority = certificates.Authority(folder / "ca")
                world.new = (
                    dropped_packets.FarCluster(folder)
                    if dropped_packets.namespaces_work()
                    else dropped_packets.DeafCluster(authority, [one_proxy.NEW_HOST])
                )
                world.stack.append(world.new)
            async with proxy_world.torn_down(world):
                await world.start()
                await world.raised(WEIGHT, expected=0)
                seen = await _through(world, turn)
                proxy_world.demand_alive(world)
                _report(name, seen)


async def _through(world: FaultyProxy, turn: Turn) -> Seen:
    seen = Seen()
    loop = asyncio.get_running_loop()
    async with steady_traffic.steady(world.address, world.ports["proxy"], one_proxy.OLD_HOST) as answers:
        await asyncio.sleep(WARM)
        began = loop.time()
        await turn(world.new, True)
        seen.suppressed = await proxy_world.moved(world, ["api"], 0, limit=FAULT)
        await asyncio.sleep(max(0.0, FAULT - (loop.time() - began)))
        await turn(world.new, False)
        seen.recovered = await proxy_world.moved(world, ["api"], WEIGHT, limit=RECOVERY_LIMIT)
        await asyncio.sleep(AFTER)
    seen.answers = answers
    return seen


def _report(name: str, seen: Seen) -> None:
    by_method = {
        method: [one for one in seen.answers if (one.method == "GET") == (method == "GET")] for method in ("GET", "POST")
    }
    failed = {method: [one.status for one in some if one.status != 200] for method, some in by_method.items()}
    statuses = {
        method: ", ".join(f"{some.count(one)} x {one or 'no answer'}" for one in sorted({*some}))
        for method, some in failed.items()
    }
    waited = sorted(one.seconds for one in seen.answers if one.seconds > 1.0)
    rows.at_most(f"new {name}: failed GET", len(failed["GET"]), "requests", 0, n=len(by_method["GET"]), note=statuses["GET"])
    rows.told(f"new {name}: failed POST", len(failed["POST"]), "requests", n=len(by_method["POST"]), note=statuses["POST"])
    rows.told(
        f"new {name}: waited longer than 1 s", len(waited), "requests", n=len(seen.answers),
        note=f"the longest {waited[-1]:.1f} s" if waited else "",
    )  # fmt: skip
    never = "" if seen.suppressed is not None else f"the link did not go to 0 within {FAULT:.0f} s"
    rows.told(f"new {name}: until suppression", seen.suppressed, "s", note=never)
    late = "" if seen.recovered is not None else f"not back at {WEIGHT}% within {RECOVERY_LIMIT:.0f} s"
    if seen.suppressed is not None:
        rows.told(f"new {name}: from its end until {WEIGHT}% again", seen.recovered, "s", note=late)
