"""What nginx's text is made from: where things are on this proxy, and each service with its names resolved. Plain values."""

import ipaddress
import re
from dataclasses import dataclass, field

from k8s import model, nginx_values

_FOLDER = re.compile(r"/[A-Za-z0-9._/-]{1,200}")
_WORKER_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_WORKER_COUNT = re.compile(r"auto|[1-9][0-9]{0,2}")


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """Where things are on this proxy, and what this nginx can do.

    `run` holds `weights/`, `allow/`, the logs and the pid. `scratch` takes the bodies of requests: large, on disk, and
    never in `run`, whose memory must have room for a hold. `status_listen` is for the agent alone: loopback.
    `worker_user` is needed only where nginx starts as root; the workers must be able to read `run`.
    """

    run: str
    listen: str
    status_listen: str
    nginx_version: tuple[int, int, int]
    ca_folder: str
    default_ca: str
    scratch: str = "/var/cache/nginx"
    worker_processes: str = "auto"
    worker_user: str | None = None
    worker_connections: int = 8192
    new_max_conns: int = 100
    upstream_keepalive: int = 64

    def __post_init__(self) -> None:
        for name in ("run", "ca_folder", "default_ca", "scratch"):
            if not _FOLDER.fullmatch(getattr(self, name)):
                raise model.ModelError(
                    name, f"{getattr(self, name)!r} is not a plain absolute path; use letters, digits and . _ - /"
                )
        for name in ("listen", "status_listen"):
            written = nginx_values.address(getattr(self, name), name)
            if written != getattr(self, name):
                raise model.ModelError(name, f"write {getattr(self, name)!r} as {written}")
        if not ipaddress.ip_address(self.status_listen.rpartition(":")[0].strip("[]")).is_loopback:
            raise model.ModelError("status_listen", "must be a loopback address: it is for the agent in the same pod only")
        if not _WORKER_COUNT.fullmatch(self.worker_processes):
            raise model.ModelError("worker_processes", f"{self.worker_processes!r} is not auto or 1 to 999")
        if self.worker_user is not None and not _WORKER_USER.fullmatch(self.worker_user):
            raise model.ModelError("worker_user", f"{self.worker_user!r} is not a plain user name")
        for name in ("worker_connections", "new_max_conns", "upstream_keepalive"):
            nginx_values.whole(getattr(self, name), name, least=1, most=1_000_000)


@dataclass(frozen=True, slots=True)
class Site:
    """One service to render, its names resolved by the agent to `IP:port`.

    `service` gives the old side and the times; `exposure` the hosts, the rules and the new side (of the signed record if
    there is one). Without `new_addresses`, whatever is meant for new is answered by old. `path_addresses` stand beside
    `service.paths`, in the same order. `finished`: by its signed record there is no old any more; all of it goes to new, and
    nothing back. `override_secret`: the tester's, of which `exposure` has the hash; with another one there is no override.
    `ca_file`: the path of what `exposure.tls.ca` names; None: it is that file of the configuration's `ca_folder`.
    """

    service: model.Service
    exposure: model.Exposure
    old_addresses: tuple[str, ...]
    new_addresses: tuple[str, ...]
    path_addresses: tuple[tuple[str, ...], ...] = ()
    finished: bool = False
    override_secret: str | None = field(default=None, repr=False)
    ca_file: str | None = None
