"""The testers' secrets, read from a folder: a file a service, mounted from a Secret, so that files come and go at run time.

A secret counts only when its SHA-256 is the one in the service's signed record: who can write the folder alone opens nothing.
"""

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path

from k8s import model

LONGEST_FILE = 1024  # bytes; a secret has at most 128


class Overrides:
    """`trouble`: a sentence for each service whose record has an override that cannot be served. No secret is ever in one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.trouble: list[str] = []

    def secrets(self, signed: Mapping[str, model.Exposure]) -> dict[str, str]:
        """By service, of those whose signed exposure has the hash of what the folder holds now."""
        found: dict[str, str] = {}
        self.trouble = []
        for name, exposure in sorted(signed.items()):
            if exposure.override_hash is None:
                continue
            secret = self._read(name)
            if why := _unfit(secret, exposure.override_hash):
                self.trouble.append(
                    f"{name}: its tester's override is off: {self._folder / name} {why}; put the secret of the approved"
                    " override_hash into the Secret ferry-overrides, or shift the service to another override_hash"
                )
            else:
                found[name] = secret
        return found

    def _read(self, name: str) -> str:
        """Empty where there is no such file, or none that can be read."""
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(LONGEST_FILE).decode("ascii", "replace").strip()
        except OSError:
            return ""


def _unfit(secret: str, signed: str) -> str:
    """Empty: it is the one that was approved."""
    if not secret:
        return "is missing, empty or cannot be read"
    if not model.OVERRIDE_SECRET.fullmatch(secret):
        return "is not 32 to 128 of 0-9 a-f (make one with: openssl rand -hex 32)"
    if not hmac.compare_digest(hashlib.sha256(secret.encode()).hexdigest(), signed):
        return "is not the secret whose hash was approved"
    return ""
