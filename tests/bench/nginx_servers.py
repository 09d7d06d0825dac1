"""The benches' own nginx processes: the proxy without an agent, the clusters behind it, an ingress before it.

Backends in Python answer a few thousand requests a second: too slow to measure an nginx in front of them.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.playground.world import addresses, certificates
from k8s import model, nginx
from k8s.agent import links

OLD_HOST, NEW_HOST = "api.old.example", "api.new.example"
PROXY_CORE, OTHER_CORE = 0, 1
WORKER_USER = "root" if os.geteuid() == 0 else None  # workers must be able to read a folder of ours


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for one bench, on tmpfs where there is one, as in a pod; gone afterwards."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="ferry-bench-", dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


def pinned(core: int) -> tuple[str, ...]:
    """The command that keeps what follows on one core: the proxy has one for itself, everything else shares another."""
    if (os.cpu_count() or 1) < 2 or shutil.which("taskset") is None:
        return ()
    return ("taskset", "-c", str(core))


class NginxServer:
    """One nginx in the foreground from a whole configuration text. `port` is where it answers once it is up."""

    def __init__(self, folder: Path, text: str, *, port: int, address: str = "127.0.0.1", before: tuple[str, ...] = ()) -> None:
        self.folder, self.text, self.port, self.address = folder, text, port, address
        self._before = before
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Raises RuntimeError when it does not come up."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "bench.conf"
        config.write_text(self.text)
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self._process = await asyncio.create_subprocess_exec(
            *self._before, program, "-p", str(self.folder), "-c", str(config), "-e", str(self.folder / "start.log"),
            "-g", "daemon off;",
        )  # fmt: skip
        async with asyncio.timeout(30):
            while not await self._answers():
                if self._process.returncode is not None:
                    raise RuntimeError(f"nginx did not start: {(self.folder / 'start.log').read_text()[-500:]}")
                await asyncio.sleep(0.02)

    async def _answers(self) -> bool:
        if self._before and "netns" in self._before:  # asked from outside the namespace it answers all the same, but slowly
            return (self.folder / "nginx.pid").exists()
        try:
            _, writer = await asyncio.open_connection(self.address, self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def stop(self) -> None:
        """Gone at once, its workers too."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 15)

    def signal(self, number: signal.Signals) -> None:
        """To the master."""
        os.kill(self.pid, number)

    @property
    def pid(self) -> int:
        """Of the master."""
        if self._process is None:
            raise RuntimeError("this nginx does not run")
        return int((self.folder / "nginx.pid").read_text())

    def workers(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]


def cpu_seconds(pid: int) -> float:
    """What a process has used of a processor, in seconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def server_text(folder: Path, servers: str, *, workers: int = 1) -> str:
    """A small nginx: `servers` is the inside of its http block."""
    user = f"user {WORKER_USER};\n" if WORKER_USER else ""
    temp = "".join(f"{kind}_temp_path {folder}/temp-{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return (
        f"worker_processes {workers};\n{user}pid {folder}/nginx.pid;\nerror_log {folder}/error.log crit;\n"
        "events { worker_connections 8192; }\n"
        f"http {{ {temp} access_log off; keepalive_timeout 75s; keepalive_requests 1000000;\n{servers}\n}}\n"
    )


@dataclass(frozen=True, slots=True)
class Clusters:
    """The old and the new cluster as one nginx: plain HTTP, and HTTPS with a certificate for NEW_HOST."""

    server: NginxServer
    authority: certificates.Authority
    old_port: int
    new_port: int

    @property
    def site(self) -> nginx.Site:
        return site("api", OLD_HOST, old_port=self.old_port, new_port=self.new_port)


def clusters(folder: Path, *, workers: int = 1, core: int | None = OTHER_CORE) -> Clusters:
    """Both answer 200 with one word, `old` or `new`: the cost of an application is not what is measured."""
    authority = certificates.Authority(folder / "ca")
    leaf = authority.server("new-cluster", [NEW_HOST])
    old_port, new_port = addresses.free_port(), addresses.free_port()
    text = server_text(
        folder / "clusters",
        f"""
        server {{ listen 127.0.0.1:{old_port}; location / {{ return 200 "old"; }} }}
        server {{ listen 127.0.0.1:{new_port} ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:new:1m;
          ssl_certificate {leaf.certificate}; ssl_certificate_key {leaf.key}; location / {{ return 200 "new"; }} }}""",
        workers=workers,
    )
    before = pinned(core) if core is not None else ()
    return Clusters(NginxServer(folder / "clusters", text, port=old_port, before=before), authority, old_port, new_port)


def site(name: str, old_host: str, *, old_port: int, new_port: int, sticky: model.Sticky | None = None) -> nginx.Site:
    """A service with every default, both clusters on loopback."""
    exposure = model.Exposure(weight=0, old_host=old_host, new_host=NEW_HOST, new_port=new_port, sticky=sticky or model.Sticky())
    service = model.Service(name=name, exposure=exposure, old_backend=model.Backend("app.team.svc.cluster.local", old_port))
    return nginx.Site(service, exposure, (f"127.0.0.1:{old_port}",), (f"127.0.0.1:{new_port}",))


class Proxy(NginxServer):
    """The rendered configuration in an nginx without an agent: `links` moves its weights. `more` goes into its http block."""

    def __init__(
        self,
        folder: Path,
        sites: list[nginx.Site],
        *,
        authority: certificates.Authority,
        workers: int = 1,
        core: int | None = PROXY_CORE,
        more: str = "",
    ) -> None:
        run = folder / "run"
        port, status = addresses.free_port(), addresses.free_port()
        self.config = nginx.ProxyConfig(
            run=str(run),
            scratch=str(folder / "scratch"),
            listen=f"127.0.0.1:{port}",
            status_listen=f"127.0.0.1:{status}",
            nginx_version=(1, 22, 0),
            ca_folder=str(authority.certificate.parent),
            default_ca=str(authority.certificate),
            worker_processes=str(workers),
            worker_user=WORKER_USER,
        )
        (folder / "scratch").mkdir(parents=True, exist_ok=True)
        self.links = links.Links(run)
        self.links.prepare()
        for one in sites:
            self.links.serve(one.service.name, 0)
        text = nginx.render(self.config, sites).text
        end = text.rindex("}")
        super().__init__(run, f"{text[:end]}{more}\n}}\n", port=port, before=pinned(core) if core is not None else ())
        self.url = f"http://127.0.0.1:{port}/x"
