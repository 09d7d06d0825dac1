"""What a kubeconfig says of its current cluster: the address, and the authority that it is trusted by."""

import base64
import binascii
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]


class Unusable(ValueError):
    """No kubeconfig, or none with a current cluster; the text says why."""


def server(path: Path) -> str:
    """The API server's address. Raises Unusable."""
    return str(_current(path)["server"])


def authority(path: Path) -> str:
    """PEM text; empty when the system's authorities are trusted. Raises Unusable."""
    cluster = _current(path)
    try:
        if "certificate-authority-data" in cluster:
            return base64.b64decode(cluster["certificate-authority-data"]).decode()
        if "certificate-authority" in cluster:
            return (path.parent / str(cluster["certificate-authority"])).read_text(encoding="utf-8")
    except (OSError, ValueError, binascii.Error) as error:
        raise Unusable(f"its certificate authority cannot be read: {type(error).__name__}") from None
    return ""


def _current(path: Path) -> Json:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        contexts = {one["name"]: one["context"] for one in document["contexts"]}
        clusters = {one["name"]: one["cluster"] for one in document["clusters"]}
        found: Json = clusters[contexts[document["current-context"]]["cluster"]]
        if not found["server"]:
            raise Unusable("its current cluster has no server")
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise Unusable(f"it is no kubeconfig with a current cluster: {type(error).__name__}") from None
    return found
