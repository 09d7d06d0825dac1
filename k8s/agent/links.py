"""The weight on disk: one link a service, one `allow` file a service. The only writer of both.

A weight change is one atomic rename: nginx sees it on the next request of every connection, in old workers too. The
`allow` file goes first when nothing may reach new, and comes last when something may: its absence is always safe.
"""

import os
import shutil
from pathlib import Path

from k8s import nginx


class Links:
    """`run` is the folder shared with nginx. `prepare` makes the 101 weight folders once."""

    def __init__(self, run: Path) -> None:
        self._run = str(run)

    def prepare(self) -> None:
        weights = nginx.weight_folder(self._run, 0).parent
        weights.mkdir(parents=True, exist_ok=True)
        empty = weights / ".bucket"
        empty.touch()
        for weight in range(101):
            folder = nginx.weight_folder(self._run, weight)
            if folder.is_dir():
                continue
            fresh = folder.with_name(f".{weight}.new")  # whole or not there: a folder cut short would send too little for ever
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            for name in nginx.bucket_names(weight):
                os.link(empty, fresh / name)  # one file under 5,050 names: making as many files takes seconds on a disk
            fresh.rename(folder)
        nginx.split_link(self._run, "x").parent.mkdir(parents=True, exist_ok=True)
        nginx.allow_file(self._run, "x").parent.mkdir(parents=True, exist_ok=True)

    def served(self, service: str) -> int:
        """What nginx serves now, read from disk: 0 where nothing is allowed or the link is not one of ours."""
        if not nginx.allow_file(self._run, service).exists():
            return 0
        try:
            return int(nginx.split_link(self._run, service).readlink().name)
        except (OSError, ValueError):
            return 0

    def serve(self, service: str, weight: int) -> None:
        """From the next request on. Raises OSError; then nothing was raised, and `allow` is gone if it was to go."""
        allow = nginx.allow_file(self._run, service)
        if weight == 0:
            allow.unlink(missing_ok=True)
        self._point(service, weight)
        if weight > 0:
            allow.touch()

    def _point(self, service: str, weight: int) -> None:
        link = nginx.split_link(self._run, service)
        fresh = link.with_name(f".{link.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(nginx.weight_folder(self._run, weight))
        os.replace(fresh, link)  # noqa: PTH105 the atomic rename is the point: Path.replace reads like a copy

    def forget(self, service: str) -> None:
        """The service is gone from the config: nothing may reach new under its name."""
        nginx.allow_file(self._run, service).unlink(missing_ok=True)
        nginx.split_link(self._run, service).unlink(missing_ok=True)
