"""Cards, lines, pages and audit events are said, never waited on: their faults stay theirs."""

from collections.abc import Awaitable

import structlog

from handlers import errors, outside

_log = structlog.get_logger("ferry.speaking")


async def spoken(call: Awaitable[None]) -> None:
    """Whatever goes wrong in saying it must never stop a change of traffic."""
    try:
        await call
    except Exception as error:  # noqa: BLE001  whatever the fault is, it stays there
        _log.error("not said", error=f"{type(error).__name__}: {error}")


async def page(world: outside.Outside, service: str, sentence: str, *, once: str = "", held: bool = False) -> None:
    """Calls people. `once`: a key that is called for once over all replicas; empty: each time. `held`: it is safe already."""
    if not once or await first(world, f"page/{once}"):
        await spoken(world.chat.page(service, sentence, held=held))


async def first(world: outside.Outside, key: str) -> bool:
    """True for one replica, and for every one while the store is away: said twice is better than said by nobody."""
    try:
        return await world.seen.first_time(key)
    except errors.Away:
        return True
