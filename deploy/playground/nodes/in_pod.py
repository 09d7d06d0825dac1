"""From the words of a pod to those of this machine: paths of mounts become folders, `0.0.0.0` the pod's address."""

import re
from collections.abc import Mapping
from pathlib import Path

_EVERYWHERE = r"(?<![\d.])0\.0\.0\.0(?![\d./])"  # not 0.0.0.0/0, which is a network
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


class InPod:
    """The translation for one container. `mounts`: folder (or file) of this machine by path in the container."""

    def __init__(self, mounts: Mapping[str, Path], pod_ip: str) -> None:
        self._folders = {path.rstrip("/"): str(folder) for path, folder in mounts.items()}
        self._address = pod_ip
        # The longest first, and in one pass: a folder of this machine is never translated again.
        paths = [re.escape(path) for path in sorted(self._folders, key=len, reverse=True)]
        known = rf"(?<![\w./-])(?P<path>{'|'.join(paths)})(?![\w.-])|" if paths else ""
        self._pattern = re.compile(known + _EVERYWHERE)

    def text(self, text: str) -> str:
        """A text of the manifest as it must read here."""
        return self._pattern.sub(self._machine, text)

    def _machine(self, found: re.Match[str]) -> str:
        return self._folders.get(found[0], self._address)


def address(content: bytes, pod_ip: str) -> bytes:
    """A mounted file with the pod's address where it says that it listens everywhere."""
    return re.sub(_EVERYWHERE.encode(), pod_ip.encode(), content)


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """`$(NAME)` as Kubernetes expands it: an unknown name stays, `$$` is one dollar sign."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[1] is None else environment.get(found[1], found[0])

    return _REFERENCE.sub(value, text)
