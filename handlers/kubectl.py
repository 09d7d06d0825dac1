"""The line that takes traffic back without Ferry: one merge patch of `migration-holds`, typed by anybody on call. Pure."""

import json
import shlex

from k8s import holds


def hold_line(namespace: str, service: str, hold_id: str = "by-hand") -> str:
    """A shell command that holds `service` (or `all`) at 100% old; agents obey it whatever else is broken."""
    patch = json.dumps({"data": {f"hold.{service}.{hold_id}": "by hand"}}, separators=(",", ":"))
    words = ["kubectl", "-n", namespace, "patch", "configmap", holds.CONFIG_MAP, "--type", "merge", "-p", patch]
    return shlex.join(words)
