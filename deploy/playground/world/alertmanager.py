"""A real Alertmanager on a free port, alone (no cluster), with its configuration in one folder."""

from pathlib import Path
from typing import Any

import yaml

from deploy.playground.world import addresses, processes

Json = dict[str, Any]


class Alertmanager:
    """`config`: what would stand in alertmanager.yml; secrets in it are written with mode 0600."""

    def __init__(self, folder: Path, *, config: Json) -> None:
        self._folder = folder
        self._config = config
        self.port = addresses.free_port()
        argv = [
            "prometheus-alertmanager", f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'alerts'}",
            f"--web.listen-address={self.address}", "--cluster.listen-address=", "--log.level=warn",
        ]  # fmt: skip
        self.child = processes.Child("alertmanager", argv, folder=folder, ready=lambda: processes.answers(f"{self.url}/-/ready"))

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`, as Prometheus wants it."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://{self.address}"

    async def start(self) -> None:
        """Writes its configuration, starts it, waits until it is ready. Raises processes.NotReady."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / "alertmanager.yml"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(self._config, sort_keys=False))
        await self.child.start()

    async def stop(self) -> None:
        """Stops it; silences and notification history stay in the folder."""
        await self.child.stop()
