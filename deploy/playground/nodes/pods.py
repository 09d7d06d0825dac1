"""One pod's life on this node: volumes, containers, status, refreshed files, and an orderly end."""

import asyncio
import contextlib
import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from deploy.playground.nodes import containers, environment, in_pod, node_client, pod_status, probes, programs, volumes
from deploy.playground.nodes.cluster_objects import ClusterObjects, NotYet
from deploy.playground.world import addresses
from k8s import client, errors

Json = dict[str, Any]
log = logging.getLogger("playground.nodes")
_AGAIN = 0.2  # seconds after the API refused or was away


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. `grace`: the longest a pod may take to end, its preStop sleeps shrink with it; `probe_every`: at most between
    two readiness questions."""

    grace: float = 3.0
    probe_every: float = 0.25


@dataclass(frozen=True, slots=True)
class Machine:
    """What the pods of a node share."""

    api: node_client.NodeClient
    api_url: str
    objects: ClusterObjects
    network: addresses.PodNetwork
    shelf: programs.Shelf
    folder: Path
    memory: Path
    session: aiohttp.ClientSession
    limits: Limits


class PodRun:
    """A pod as it runs. `start`, then once `terminate` (with grace) or `kill`; after either nothing of it is left."""

    def __init__(self, pod: Json, machine: Machine) -> None:
        self.uid = str(pod["metadata"]["uid"])
        self.namespace = str(pod["metadata"]["namespace"])
        self.name = str(pod["metadata"]["name"])
        self.ip = machine.network.next_pod_ip()
        self.leaving = False
        self.containers: dict[str, containers.Container] = {}
        self._machine = machine
        place = f"{self.namespace}_{self.name}_{self.uid[:8]}"
        self._folder, self._memory = machine.folder / "pods" / place, machine.memory / "pods" / place
        # Containers and volumes need the address before the API has heard of it.
        self._pod: Json = {**pod, "status": {**(pod.get("status") or {}), "podIP": self.ip, "hostIP": "127.0.0.1"}}
        self._volumes = volumes.Volumes(
            self._pod,
            folder=self._folder / "volumes",
            memory=self._memory / "volumes",
            claims=machine.folder / "claims",
            objects=machine.objects,
            api=machine.api,
        )
        self._free_port = addresses.free_port()
        self._trouble = ""
        self._dirty = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins; returns at once."""
        self._dirty.set()
        self._tasks = [asyncio.create_task(self._tell()), asyncio.create_task(self._live())]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def terminate(self, grace: float) -> None:
        """All containers end side by side, within `grace` seconds or the node's limit; then the API lets go of the pod."""
        self.leaving = True
        limit = min(grace, self._machine.limits.grace)
        share = limit / grace if grace else 0.0
        self._dirty.set()
        await asyncio.gather(*(one.end(share=share, limit=limit) for one in self.containers.values()))
        await self.kill()

    async def kill(self) -> None:
        """Ends every process, gives the address back and removes the folder. The pod's object is left to the caller."""
        self.leaving = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(one.kill() for one in self.containers.values()))
        self._machine.network.give_back(self.ip)
        for folder in {self._folder, self._memory}:
            shutil.rmtree(folder, ignore_errors=True)

    async def _live(self) -> None:
        """Until cancelled: waits for what the pod needs, runs its containers, keeps its files fresh."""
        renew = await self._ready_volumes()
        specs = self._pod["spec"]["containers"]
        prober = probes.Prober(self._machine.session, self.ip, probes.named_ports(specs))
        self.containers = {spec["name"]: self._container(spec, prober) for spec in specs}
        async with asyncio.TaskGroup() as running:
            for one in self.containers.values():
                running.create_task(one.run())
            while True:
                ticket = self._machine.objects.ticker.ticket()
                with contextlib.suppress(NotYet, errors.ClusterError):  # a volume in use keeps its last content
                    renew = await self._volumes.write()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(_AGAIN, min(renew - time.monotonic(), 3600.0))):
                        await ticket.wait()

    async def _ready_volumes(self) -> float:
        while True:
            ticket = self._machine.objects.ticker.ticket()
            try:
                renew = await self._volumes.write()
            except NotYet as why:
                self._say(str(why))
            except errors.ClusterError as why:
                self._say(str(why))
                await asyncio.sleep(_AGAIN)
                continue
            else:
                self._say("")
                return renew
            # A ServiceAccount is not among the objects watched: look again now and then.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await ticket.wait()

    def _container(self, spec: Json, prober: probes.Prober) -> containers.Container:
        async def compose() -> containers.Launch:
            return self._launch(spec)

        return containers.Container(
            spec,
            compose=compose,
            logs=self._machine.folder / "logs",
            log_name=f"{self.namespace}_{self.name}_{spec['name']}",
            prober=prober,
            objects=self._machine.objects.ticker,
            changed=self._dirty.set,
            probe_every=self._machine.limits.probe_every,
        )

    def _launch(self, spec: Json) -> containers.Launch:
        """Raises NotYet."""
        program = self._machine.shelf.program(spec["image"])
        if program is None:
            raise NotYet(f"no program stands for the image {spec['image']}; give the node one, or use another image")
        mounts = self._volumes.mounts(spec)
        translation = in_pod.InPod(mounts, self.ip)
        api = urlsplit(self._machine.api_url)
        variables = {
            "PATH": self._machine.shelf.path(program),
            "HOME": str(self._folder),
            "TMPDIR": str(mounts.get("/tmp", self._folder)),  # noqa: S108 the pod's, not this machine's
            "HOSTNAME": self.name,
            "KUBERNETES_SERVICE_HOST": api.hostname or "",
            "KUBERNETES_SERVICE_PORT": str(api.port or (443 if api.scheme == "https" else 80)),
        }
        variables |= {name: self._filled(translation.text(value)) for name, value in program.environment.items()}
        variables |= program.machine
        variables |= environment.resolve(spec, self._pod, self._machine.objects, translation)
        given = [*(spec.get("command") or program.entrypoint), *(spec.get("args") or ())]
        argv = [translation.text(in_pod.expanded(part, variables)) for part in given]
        argv += [self._filled(translation.text(part)) for part in program.arguments]
        return containers.Launch(argv, variables, program.stop_signal)

    def _filled(self, text: str) -> str:
        return text.replace("{pod_ip}", self.ip).replace("{free_port}", str(self._free_port))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("pod %s/%s is not looked after any more", self.namespace, self.name, exc_info=task.exception())

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._dirty.set()

    async def _tell(self) -> None:
        """Writes the status whenever something changed, until the pod is gone from the API."""
        told: Json = {}
        complaint = ""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            seen = {name: one.seen for name, one in self.containers.items()}
            status = pod_status.document(self._pod, seen, pod_ip=self.ip, trouble=self._trouble, at=containers.now())
            if status == told:
                continue
            try:
                # With the uid, so that a pod of the same name that came after is never told of this one.
                body = {"metadata": {"uid": self.uid}, "status": status}
                await self._machine.api.patch(client.PODS, self.namespace, self.name, body, subresource="status")
            except (errors.Missing, errors.Conflict):
                return
            except errors.ClusterError as why:
                if not complaint:
                    log.warning("the status of pod %s/%s is not written for now: %s", self.namespace, self.name, why)
                complaint = str(why)
                self._dirty.set()
                await asyncio.sleep(_AGAIN)
            else:
                self._pod["status"] = told = status
                complaint = ""
