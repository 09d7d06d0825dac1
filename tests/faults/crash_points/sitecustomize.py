"""Python imports this by itself when it starts, where this folder is in its PYTHONPATH: the agent then kills itself, as SIGKILL
would, at the moment that FERRY_TEST_DIES names. Nothing of it is in the agent.
"""

import functools
import os
import signal
from collections.abc import Callable
from typing import Any

from k8s.agent import last_good, nginx_process


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying(method: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    @functools.wraps(method)
    def dies(*arguments: Any, **more: Any) -> None:
        if not before:
            method(*arguments, **more)
        _die()

    return dies


POINTS: dict[str, tuple[type, str, bool]] = {
    "candidate written, before its test": (nginx_process.NginxProcess, "_test", True),
    "swapped in, before the reload": (nginx_process.NginxProcess, "reload", True),
    "reloaded, before it is verified": (nginx_process.NginxProcess, "reload", False),
    "verified, before it is remembered": (last_good.LastGood, "write", True),
    "remembered": (last_good.LastGood, "write", False),
}

if point := os.environ.get("FERRY_TEST_DIES"):
    owner, name, before = POINTS[point]
    setattr(owner, name, _dying(getattr(owner, name), before=before))
