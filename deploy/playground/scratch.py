"""Temporary folders that are gone when the playground is: one on disk, and one in memory where this machine has room."""

import os
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

_NEEDED = 512 << 20  # bytes
_SHM = Path("/dev/shm")  # noqa: S108 Linux' own tmpfs; a fresh folder with a name of its own is made in it


def folder(undo: AsyncExitStack) -> Path:
    """On disk. Removed when `undo` is unwound."""
    return _made(undo, None)


def in_memory(undo: AsyncExitStack) -> Path:
    """Where pods live: their volumes ask for memory, and a proxy makes 5,000 files at its start. On disk where there is none."""
    roomy = _SHM.is_dir() and os.access(_SHM, os.W_OK) and shutil.disk_usage(_SHM).free > _NEEDED
    return _made(undo, _SHM if roomy else None)


def _made(undo: AsyncExitStack, where: Path | None) -> Path:
    made = Path(tempfile.mkdtemp(prefix="ferry-playground-", dir=where))
    undo.callback(shutil.rmtree, made, ignore_errors=True)
    return made
