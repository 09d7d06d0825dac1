"""A real Prometheus on a free port, with its configuration, rules and data in one folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from deploy.playground.world import addresses, processes

Json = dict[str, Any]


class Prometheus:
    """`scrapes`: scrape_configs; `rules`: rule files; `alertmanagers`: `127.0.0.1:PORT` each; `interval`: scrape and evaluation.
    `arguments`: more of its command line.

    Scrape configurations with `file_sd_configs` or `http_sd_configs` follow pods that come and go without a reload.
    """

    def __init__(
        self,
        folder: Path,
        *,
        scrapes: Sequence[Json] = (),
        rules: Sequence[Path] = (),
        alertmanagers: Sequence[str] = (),
        interval: str = "1s",
        arguments: Sequence[str] = (),
    ) -> None:
        self._folder = folder
        self._config: Json = {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "scrape_configs": list(scrapes),
            "rule_files": [str(path.resolve()) for path in rules],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}] if alertmanagers else []},
        }
        self.port = addresses.free_port()
        argv = [
            "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-lifecycle", "--log.level=warn",
            *arguments,
        ]  # fmt: skip
        self.child = processes.Child("prometheus", argv, folder=folder, ready=lambda: processes.answers(f"{self.url}/-/ready"))

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Writes its configuration, starts it, waits until it is ready. Raises processes.NotReady."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(self._config, sort_keys=False))
        await self.child.start()

    async def stop(self) -> None:
        """Stops it; its data stays in the folder."""
        await self.child.stop()
