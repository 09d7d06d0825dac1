"""Which structure nginx was last brought to, on disk beside the memory: an agent that starts anew goes on with it.

Best effort: without it the agent waits for the cluster, as a fresh one does.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from k8s import model

FILE = "nginx-structure"  # not .json: those are the services' memories


@dataclass(frozen=True, slots=True)
class Kept:
    """What nginx called it, and each service's exposure in it (the weights mean nothing here)."""

    generation: str
    exposures: Mapping[str, model.Exposure]


class LastGood:
    """`folder` exists."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def read(self) -> Kept | None:
        """None where nothing can be read or understood."""
        try:
            document = json.loads(self._path.read_text())
            exposures = {str(name): model.exposure_from(one) for name, one in document["exposures"].items()}
            return Kept(str(document["generation"]), exposures)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, kept: Kept) -> None:
        exposures = {name: one.at(0).as_document() for name, one in kept.exposures.items()}
        fresh = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            fresh.write_text(json.dumps({"generation": kept.generation, "exposures": exposures}))
            fresh.replace(self._path)
