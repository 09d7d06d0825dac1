"""The line that takes traffic back without Ferry: one merge patch of `migration-holds`, typed by anybody on call. Pure."""

import shlex

from k8s import holds


def hold_line(namespace: str, service: str) -> str:
    """A shell command that holds `service` (or `all`) at 100% old; agents obey it whatever else is broken.

    The shell makes a fresh id each time: an id that was cleared once is never used again.
    """
    start = shlex.join(["kubectl", "-n", namespace, "patch", "configmap", holds.CONFIG_MAP, "--type", "merge", "-p"])
    key = f"hold.{service}.by-hand-"
    return f"""{start} '{{"data":{{"{key}'"$(date +%s)"'":"by hand"}}}}'"""
