"""Cards, lines, pages and audit events are said, never waited on: their faults stay theirs."""

from collections.abc import Awaitable

import structlog

_log = structlog.get_logger("ferry.speaking")


async def spoken(call: Awaitable[None]) -> None:
    """Whatever goes wrong in saying it must never stop a change of traffic."""
    try:
        await call
    except Exception as error:  # noqa: BLE001  whatever the fault is, it stays there
        _log.error("not said", error=f"{type(error).__name__}: {error}")
