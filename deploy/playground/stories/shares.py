"""The share of one service that reaches the new cluster, counted at the backends while nobody else asks."""

from typing import Any

from deploy.playground import objects
from deploy.playground.stories import counting, scene


async def measure(told: scene.Scene, app: objects.App, weight: int) -> dict[str, Any]:
    """A burst of clients alone: what old and new counted of it, judged by chance."""
    playground = told.playground
    old, new = playground.old[app.name].counts, playground.new.counts
    async with playground.alone():
        before = old.total, new.per_host[app.new_host]
        burst = await playground.client_of([app]).burst(told.sizes.requests)
    counted_old, counted_new = old.total - before[0], new.per_host[app.new_host] - before[1]
    total = counted_old + counted_new
    told.notes.clients(told.sizes.requests, burst.failed)
    told.demand(total == told.sizes.requests, f"at {weight}% {told.sizes.requests} were asked and {total} reached a backend")
    right = counting.within(total, counted_new, weight)
    low, high = counting.interval(total, weight)
    told.demand(right, f"at {weight}% {counted_new} of {total} requests reached new, which chance puts at {low} to {high}")
    return {
        "weight": weight,
        "requests": total,
        "new": counted_new,
        "percent": round(100 * counted_new / total, 3) if total else 0.0,
        "interval": [low, high],
        "failed": burst.failed,
        "requests_per_second": round(burst.rate),
    }
