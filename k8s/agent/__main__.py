"""Where the agent enters: its settings, the version of its nginx, and then `sidecar.Agent` until it is told to stop."""

import asyncio
import logging
import re
import signal
import sys

from k8s import client, credentials
from k8s.agent import settings, sidecar

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


def main() -> None:
    """Exit code 1 with a sentence when the agent cannot start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(_run(settings.load()))
    except (settings.SettingsError, OSError, ValueError) as error:
        log.error("%s", error)  # noqa: TRY400 a sentence for the operator, not a traceback
        sys.exit(1)


if __name__ == "__main__":
    main()
