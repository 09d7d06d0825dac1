"""Where the agent enters: its settings, the version of its nginx, and then `sidecar.Agent` until it is told to stop.

ferry-agent            runs it
ferry-agent find ID    prints where a request, a hold or an operation left its traces in this proxy
"""

import argparse
import asyncio
import logging
import re
import signal
import sys

import orjson

from k8s import client, credentials
from k8s.agent import find, settings, sidecar

log = logging.getLogger("ferry.agent")


async def version_of(program: str) -> tuple[int, int, int]:
    """Of the nginx binary. Raises OSError or ValueError with a sentence."""
    process = await asyncio.create_subprocess_exec(program, "-v", stderr=asyncio.subprocess.PIPE)
    _, output = await process.communicate()
    found = re.search(rb"nginx/(\d+)\.(\d+)\.(\d+)", output)
    if found is None:
        raise ValueError(f"{program} -v does not say its version; is it nginx?")
    return int(found[1]), int(found[2]), int(found[3])


async def _run(chosen: settings.AgentSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    access = credentials.InCluster(chosen.service_account, host=chosen.api_host, port=chosen.api_port, scheme=chosen.api_scheme)
    async with client.ClusterClient(access, agent="ferry-agent") as api:
        await sidecar.Agent(chosen, api=api, nginx_version=await version_of(str(chosen.nginx))).run(stop)


def _find(wanted: str) -> int:
    """JSON lines on stdout, oldest first. Exit code 1 with a sentence when there is nothing."""
    run = settings.load().run
    found = find.traces(run, wanted)
    for one in found:
        sys.stdout.buffer.write(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE))
    if not found:
        sys.stderr.write(
            f"nothing of {wanted} is in the logs of this proxy ({run}): ask the other proxies, each request passes one of them;"
            " only the current and the last rotated files are kept\n"
        )
    return 0 if found else 1


def _id(text: str) -> str:
    if not find.ID.fullmatch(text):
        raise argparse.ArgumentTypeError("an id is up to 128 letters, digits and . _ : - without spaces")
    return text


def main() -> None:
    """Exit codes: 1 with a sentence when the agent cannot start or nothing was found, 2 for a call that is not understood."""
    parser = argparse.ArgumentParser(prog="ferry-agent", description="The proxy agent; without a command it runs.")
    commands = parser.add_subparsers(dest="command")
    finding = commands.add_parser("find", help="print where an id left its traces in this proxy's logs, as JSON lines")
    finding.add_argument("id", type=_id, help="of a request, a hold, an operation, or a generation of nginx's configuration")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        if asked.command == "find":
            sys.exit(_find(asked.id))
        asyncio.run(_run(settings.load()))
    except (settings.SettingsError, OSError, ValueError) as error:
        log.error("%s", error)  # noqa: TRY400 a sentence for the operator, not a traceback
        sys.exit(1)


if __name__ == "__main__":
    main()
