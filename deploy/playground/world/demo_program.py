"""The demo application as a program of its own: what an image of the old cluster would be.

    python -m deploy.playground.world.demo_program --address 127.0.0.5 --port 8078

It answers as `backends.Application` does, counts in the folder that DEMO_TALLIES names, under its HOSTNAME, and ends at TERM when
what is on its way was answered.
"""

import argparse
import asyncio
import os
import signal
from pathlib import Path

from deploy.playground.world import backends, tally_file

_ON_ITS_WAY = 0.2  # seconds for what was accepted before the end


class Counts(backends.Counts):
    """Also for whoever reads the file."""

    def __init__(self, writer: tally_file.Writer) -> None:
        super().__init__()
        self._writer = writer

    def add(self, arrival: backends.Arrival) -> None:
        super().add(arrival)
        self._writer.write(tally_file.Seen(self.total, self.probes, self.failed, arrival.at))


async def serve(address: str, port: int, writer: tally_file.Writer) -> None:
    """Until TERM. Raises OSError when the port is taken."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    backend = backends.CountingBackend(address=address, port=port)
    backend.application.counts = Counts(writer)
    await backend.start()
    await ended.wait()
    await asyncio.sleep(_ON_ITS_WAY)
    await backend.stop()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="demo-app", description="answers every request, and counts")
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    with tally_file.Writer(Path(os.environ["DEMO_TALLIES"]), os.environ["HOSTNAME"]) as writer:
        asyncio.run(serve(given.address, given.port, writer))


if __name__ == "__main__":
    main()
