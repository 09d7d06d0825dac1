"""The public keys in a folder, read again as they change: keys rotate without a restart. A broken file changes nothing."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from k8s import signing

EVERY = 2.0  # seconds
log = logging.getLogger("ferry.agent.keys")


class TrustedKeys:
    """`verifier` is of the `*.pem` files in the folder as last read. Raises ValueError or OSError if they are broken at first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pems = self._read()
        self.verifier = signing.Verifier.from_pems(self._pems)
        self.trouble = ""

    async def follow(self, changed: Callable[[signing.Verifier], None]) -> None:
        """Endless; tells of every other set."""
        while True:
            await asyncio.sleep(EVERY)
            if self.look():
                log.info("records are verified with the keys %s from now on", ", ".join(self.verifier.key_ids) or "(none)")
                changed(self.verifier)

    def look(self) -> bool:
        """Whether the folder says something else than before."""
        try:
            pems = self._read()
            if pems == self._pems:
                self.trouble = ""
                return False
            self.verifier = signing.Verifier.from_pems(pems)
        except (OSError, ValueError) as error:
            self.trouble = f"the public keys in {self._folder} cannot be read ({error}); the ones read before still count"
            return False
        self._pems, self.trouble = pems, ""
        return True

    def _read(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self._folder.glob("*.pem"))]
