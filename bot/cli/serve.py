"""`ferry serve`: the bot, until it is told to stop."""

import asyncio
import logging
import signal
import sys

import structlog

from bot import logs, settings, wiring

_LOG = structlog.get_logger(__name__)
_STOP_SECONDS = 19.0  # a pod is given 30; what does not end by then ends with the process


def serve() -> None:
    """Run the bot. SIGTERM or Ctrl-C ends it in good order; settings come from FERRY_CONFIG and the environment."""
    try:
        told = settings.from_process()
    except settings.SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    logs.configure(secrets=told.secrets())
    for warning in told.warnings():
        _LOG.warning("settings", warning=warning)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for every question to Alertmanager hides what matters
    sys.exit(asyncio.run(_serve(told)))


async def _serve(told: settings.Settings) -> int:
    try:
        app = wiring.build(told)
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        await app.start()
    except wiring.CannotStart as error:
        print(f"ferry cannot start: {error}", file=sys.stderr)
        return 1
    _LOG.info("ferry runs", replica=told.replica, namespace=told.namespace, port=app.port)
    told_to, ended = asyncio.create_task(stopping.wait()), asyncio.create_task(app.ended())
    await asyncio.wait({told_to, ended}, return_when=asyncio.FIRST_COMPLETED)
    for task in (told_to, ended):
        task.cancel()
    _LOG.info("ferry stops")
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await app.stop()
    except TimeoutError:
        _LOG.warning("not everything ended in time; the process ends now", seconds=_STOP_SECONDS)
    return 0 if stopping.is_set() else 1
