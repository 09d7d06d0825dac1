"""What runs on this machine when a container asks for an image: executables by name, environment, how it is told to stop."""

import fnmatch
import os
import shlex
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

_NOTHING: Mapping[str, str] = MappingProxyType({})
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Program:
    """One image. In `environment` and `arguments` paths are those of the pod, and `{pod_ip}` and `{free_port}` are filled in
    (one free port of 127.0.0.1 a pod); `machine` is environment that is used as it stands.

    image: a pattern (`nginx:*`); with a registry in front it matches too.
    executables: what a name on the container's PATH runs here. entrypoint: for containers without a command.
    """

    image: str
    executables: Mapping[str, Sequence[str]] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM

    def matches(self, image: str) -> bool:
        """Whether this is the program of an image such as `registry.example/nginx:1.28`."""
        short = image.rpartition("/")[2]
        return fnmatch.fnmatchcase(short, self.image) or fnmatch.fnmatchcase(image, self.image)


class Shelf:
    """The programs of one node, with a folder of small scripts for their executables: what an image's own files would be."""

    def __init__(self, programs: Iterable[Program], folder: Path) -> None:
        self._programs = tuple(programs)
        self._folder = folder

    def program(self, image: str) -> Program | None:
        """The first that matches."""
        return next((one for one in self._programs if one.matches(image)), None)

    def path(self, program: Program) -> str:
        """The PATH of its containers; writes the scripts when they are not there yet."""
        folder = self._folder / f"image-{self._programs.index(program)}"
        for name, argv in program.executables.items():
            script = folder / name
            if not script.exists():
                folder.mkdir(parents=True, exist_ok=True)
                script.write_text(f'#!/bin/sh\nexec {shlex.join(argv)} "$@"\n')
                script.chmod(0o755)
        return f"{folder}:{_SYSTEM_PATH}"


def shipped(
    *,
    api_scheme: str,
    resolver: str,
    default_ca: Path,
    ca_folder: Path,
    nginx: str = "nginx",
    agent: Mapping[str, str] = _NOTHING,
    bot: Mapping[str, str] = _NOTHING,
) -> tuple[Program, ...]:
    """The images of `deploy/kubernetes/base`: nginx and redis-server of this machine, agent and bot of this Python.

    resolver: ADDRESS:PORT of the name server. `agent` and `bot`: more environment, used as it stands.
    """
    scripts = Path(sys.executable).parent
    python = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    mine = {"FERRY_API_SCHEME": api_scheme, "FERRY_SERVICE_ACCOUNT": "/var/run/secrets/kubernetes.io/serviceaccount"}
    # nginx opens its compiled-in error log before it reads a config; on a laptop that file belongs to somebody else.
    quiet_nginx = (_found(nginx), "-e", "stderr")
    return (
        Program(
            "nginx:*", executables={"nginx": quiet_nginx}, entrypoint=("nginx", "-g", "daemon off;"), stop_signal=signal.SIGQUIT
        ),
        Program(
            "ferry-agent:*",
            executables={"ferry-agent": (str(scripts / "ferry-agent"),)},
            entrypoint=("ferry-agent",),
            environment={**mine, "FERRY_STATE_FOLDER": "/run/ferry/memory", "FERRY_NGINX_STATUS_PORT": "{free_port}"},
            machine={
                **python,
                "FERRY_RESOLVER": resolver,
                "FERRY_CA_FOLDER": str(ca_folder),
                "FERRY_DEFAULT_CA": str(default_ca),
                "FERRY_NGINX_PROGRAM": _found(nginx),
                "FERRY_RELOAD_SPACING": "0.2",
                # Workers of a master that runs as root would become nobody, who may not read the pod's folder.
                "FERRY_NGINX_USER": "root" if os.geteuid() == 0 else "",
                **agent,
            },
        ),
        Program(
            "ferry-bot:*",
            executables={"ferry": (str(scripts / "ferry"),)},
            entrypoint=("ferry", "run"),
            environment=mine,
            machine={**python, **bot},
        ),
        Program("redis:*", entrypoint=("redis-server",), arguments=("--bind", "{pod_ip}")),
    )


def _found(program: str) -> str:
    folders = _SYSTEM_PATH.split(":")
    return next((str(path) for folder in folders if (path := Path(folder) / program).exists()), program)
