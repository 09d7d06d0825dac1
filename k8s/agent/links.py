"""The weight on disk: one link a service, to the folder of its weight. The only writer of both.

A weight change is one atomic rename: nginx sees it on the next request of every connection, in old workers too. Where there
is no link nothing reaches new, so taking it away is always safe, and possible also where there is no room for another.
"""

import os
import shutil
from pathlib import Path

from k8s import nginx


class Links:
    """`run` is the folder shared with nginx. `prepare` makes the 101 weight folders once."""

    def __init__(self, run: Path) -> None:
        self._run = str(run)
        folders = {weight: nginx.weight_folder(self._run, weight) for weight in range(nginx.BUCKETS + 1)}
        # From the link's own place: nginx follows it at every request, and from the root the way is longer.
        self._targets = {weight: f"../{folder.parent.name}/{folder.name}" for weight, folder in folders.items()}
        self._weights = {target: weight for weight, target in self._targets.items()}

    def prepare(self) -> None:
        """In every folder each slot has a name, a plain file where it goes to new, a pipe where it goes to old: what is not there
        at all costs a memory file system a walk to the end of the folder at every request. Nobody ever opens the pipe.
        """
        weights = nginx.weight_folder(self._run, 0).parent
        weights.mkdir(parents=True, exist_ok=True)
        plain, pipe = weights / ".bucket", weights / ".old"
        plain.touch()
        if not pipe.is_fifo():
            pipe.unlink(missing_ok=True)
            os.mkfifo(pipe, 0)  # asked for, never read: who opened it would wait for ever
        for weight in range(nginx.BUCKETS + 1):
            self._fill(weight, plain, pipe)
        nginx.allow_link(self._run, "x").parent.mkdir(parents=True, exist_ok=True)
        self._remove_what_older_agents_left()

    def _fill(self, weight: int, plain: Path, pipe: Path) -> None:
        folder, to_new = nginx.weight_folder(self._run, weight), set(nginx.bucket_names(weight))
        fresh = folder
        if not folder.is_dir():
            fresh = folder.with_name(f".{weight}.new")  # whole or not there: a folder cut short would send too little for ever
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
        present = {one.name for one in fresh.iterdir()}  # an older agent gave names only to what goes to new
        for slot in nginx.SLOTS:
            if slot not in present:
                os.link(plain if slot in to_new else pipe, fresh / slot)  # making as many files takes seconds on a disk
        if fresh != folder:
            fresh.rename(folder)

    def _remove_what_older_agents_left(self) -> None:
        """Links in `split/`, which counted where a plain file lay in `allow/`. nginx reads such a file as nothing allowed."""
        shutil.rmtree(Path(self._run, "split"), ignore_errors=True)
        for one in nginx.allow_link(self._run, "x").parent.iterdir():
            if not one.is_symlink():
                one.unlink(missing_ok=True)

    def served(self, service: str) -> int:
        """What nginx serves now, read from disk: 0 where there is no link, or none of ours."""
        try:
            return self._weights.get(str(nginx.allow_link(self._run, service).readlink()), 0)
        except OSError:
            return 0

    def serve(self, service: str, weight: int) -> None:
        """From the next request on. Raises OSError; then the link is what it was, and at 0 not even taking it away worked."""
        link = nginx.allow_link(self._run, service)
        try:
            self._point(link, self._targets[weight])
        except OSError:
            if weight > 0:
                raise
            link.unlink(missing_ok=True)  # needs no room on a full disk

    def _point(self, link: Path, target: str) -> None:
        fresh = link.with_name(f".{link.name}.new")
        try:
            fresh.symlink_to(target)
        except FileExistsError:  # an agent died between these two lines
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(target)
        os.replace(fresh, link)  # noqa: PTH105 the atomic rename is the point: Path.replace reads like a copy
