"""The node itself: follows the API, runs pods, workloads, endpoints and Services, and leaves nothing behind."""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from deploy.playground.nodes import (
    cluster_objects,
    endpoints,
    loops,
    node_client,
    pod_status,
    pods,
    programs,
    rollout,
    services,
    workloads,
)
from deploy.playground.world import addresses, cluster_mirror, names, processes
from k8s import client, credentials, errors

Json = dict[str, Any]
log = logging.getLogger("playground.nodes")
_NAMESPACES = "/api/v1/namespaces"
_WORLD = (endpoints.PODS, endpoints.SERVICES, endpoints.SLICES, workloads.DEPLOYMENTS, workloads.STATEFUL_SETS, _NAMESPACES)
_ROOT_CA = "kube-root-ca.crt"
_FAREWELL = 2.0  # seconds for the API to hear, at `stop`, that the pods are gone


class NotRolledOut(RuntimeError):
    """The pods of a workload did not become ready in time; the sentence has what each of them waits for."""


@dataclass(frozen=True, slots=True)
class Running:
    """A pod on this node. `processes`: what runs of it now, by container."""

    namespace: str
    name: str
    address: str
    ready: bool
    leaving: bool
    processes: dict[str, processes.Child]


class Kubelet:
    """The only node of a cluster. Its `access` must be that of an administrator.

    network: started by the caller, and stopped after the node. folder: made when missing; `logs` and `claims` in it stay.
    memory: a folder on tmpfs for volumes of medium Memory; none: `folder`. dns: gets the names of Services. api_ca: PEM text for
    the ConfigMap kube-root-ca.crt, which every namespace gets.
    """

    def __init__(
        self,
        access: credentials.Credentials,
        *,
        network: addresses.PodNetwork,
        folder: Path,
        memory: Path | None = None,
        images: Iterable[programs.Program],
        dns: names.NameServer,
        node: str = "playground",
        api_ca: str = "",
        limits: pods.Limits | None = None,
    ) -> None:
        self.node = node
        self._access = access
        self._network = network
        self._folder = folder
        self._memory = memory or folder
        self._images = tuple(images)
        self._api_ca = api_ca
        self._limits = limits or pods.Limits()
        self._runs: dict[str, pods.PodRun] = {}
        self._ends: dict[str, asyncio.Task[None]] = {}
        self._files = cluster_objects.Ticker()
        self._ticker = cluster_objects.Ticker()
        self._mirror = self._mirrored(_WORLD, self._poke)
        self._contents = self._mirrored((cluster_objects.CONFIG_MAPS, cluster_objects.SECRETS), self._files.tick)
        self._api = node_client.NodeClient(access, agent="playground-node")
        self._endpoints = endpoints.Endpoints(self._api, self._mirror)
        self._proxy = services.ServiceProxy(self._mirror, network, dns)
        self._workloads = workloads.Workloads(self._api, self._mirror, node=node)
        self._loops = (
            loops.Loop("pods", self._follow_pods),
            loops.Loop("workloads", self._workloads.step),
            loops.Loop("endpoints", self._endpoints.step),
            loops.Loop("services", self._follow_services),
            loops.Loop("root ca", self._publish_ca),
        )
        self._session: aiohttp.ClientSession | None = None
        self._machine: pods.Machine | None = None

    @property
    def api(self) -> node_client.NodeClient:
        """The node's own client, good until `stop`; `manifests.apply` takes it."""
        return self._api

    @property
    def trouble(self) -> tuple[str, ...]:
        """What does not work on this machine, one sentence each."""
        return tuple(self._proxy.trouble.values())

    def running(self) -> tuple[Running, ...]:
        """Every pod of this node, oldest first."""
        known = {pod["metadata"]["uid"]: pod for pod in self._mirror.of(endpoints.PODS)}
        return tuple(
            Running(
                run.namespace,
                run.name,
                run.ip,
                ready=run.uid in known and pod_status.is_ready(known[run.uid]),
                leaving=run.leaving,
                processes={name: one.child for name, one in run.containers.items() if one.child and one.child.running},
            )
            for run in self._runs.values()
        )

    def service_address(self, namespace: str, name: str) -> str:
        """Where a Service with a clusterIP answers on this machine; empty while it does not."""
        return self._proxy.address(namespace, name)

    async def start(self) -> None:
        """Waits for the API, removes what an earlier run left, then begins. Await `rolled_out` for a workload.

        Raises errors.ClusterError when the API refuses; put a limit around it for an API that never answers.
        """
        self._remove_folders()
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=0))
        self._machine = pods.Machine(
            api=self._api,
            api_url=self._access.url,
            objects=cluster_objects.ClusterObjects(self._contents, self._files),
            network=self._network,
            shelf=programs.Shelf(self._images, self._folder / "images"),
            folder=self._folder,
            memory=self._memory,
            session=self._session,
            limits=self._limits,
        )
        try:
            await self._remove_pods()
            await self._mirror.start()
            await self._contents.start()
            await asyncio.gather(self._mirror.listed.wait(), self._contents.listed.wait())
        except BaseException:
            await self.stop()
            raise
        for loop in self._loops:
            loop.start()

    async def stop(self) -> None:
        """Ends every process at once, and tells the API while it answers: pods and slices are removed, workloads stay."""
        for loop in self._loops:
            await loop.stop()
        await self._proxy.stop()
        for task in self._ends.values():
            task.cancel()
        await asyncio.gather(*self._ends.values(), return_exceptions=True)
        await asyncio.gather(*(run.kill() for run in self._runs.values()))
        self._runs.clear()
        self._ends.clear()
        await self._mirror.stop()
        await self._contents.stop()
        if self._machine is not None:
            with contextlib.suppress(errors.ClusterError, TimeoutError):
                async with asyncio.timeout(_FAREWELL):
                    await self._remove_pods()
                    await asyncio.gather(
                        *(
                            self._endpoints.remove(item["metadata"]["namespace"], item["metadata"]["name"])
                            for item in self._mirror.of(endpoints.SLICES)
                            if endpoints.ours(item)
                        )
                    )
        self._machine = None
        self._remove_folders()
        await self._api.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def rolled_out(self, namespace: str, name: str, *, within: float = 60.0) -> None:
        """Waits until a Deployment or StatefulSet has its newest pods ready, and no others. Raises NotRolledOut."""
        generation = await self._generation(namespace, name)
        try:
            async with asyncio.timeout(within):
                while True:
                    ticket = self._ticker.ticket()
                    found = [*self._mirror.of(workloads.DEPLOYMENTS), *self._mirror.of(workloads.STATEFUL_SETS)]
                    here = [one for one in found if (one["metadata"]["namespace"], one["metadata"]["name"]) == (namespace, name)]
                    current = here and all(one["metadata"]["generation"] >= generation for one in here)
                    if current and all(rollout.rolled_out(one) for one in here):
                        return
                    await ticket.wait()
        except TimeoutError:
            unready = [pod_status.complaint(pod) for pod in self._mirror.of(endpoints.PODS) if not pod_status.is_ready(pod)]
            why = "; ".join(unready) or "no workload of this name has made pods"
            logs = self._folder / "logs"
            raise NotRolledOut(f"{namespace}/{name} is not rolled out after {within:g} s ({why}); look into {logs}") from None

    async def _generation(self, namespace: str, name: str) -> int:
        """Of the workload as the API has it now: the local copy may not have heard of the latest change yet."""
        found = 0
        for resource in (client.DEPLOYMENTS, node_client.STATEFUL_SETS):
            with contextlib.suppress(errors.Missing):
                found = int((await self._api.get(resource, namespace, name))["metadata"]["generation"])
        return found

    async def until(self, holds: Callable[[tuple[Running, ...]], bool]) -> tuple[Running, ...]:
        """Waits until the pods are as wanted; looks after every change of the API, and when Services have followed it.

        Give it a limit with `asyncio.timeout`.
        """
        while True:
            ticket = self._ticker.ticket()
            found = self.running()
            if holds(found):
                return found
            await ticket.wait()

    def _mirrored(self, collections: tuple[str, ...], changed: Callable[[], None]) -> cluster_mirror.ClusterMirror:
        token = self._access.headers().get("Authorization", "").removeprefix("Bearer ")
        url, tls = self._access.url, self._access.tls()
        return cluster_mirror.ClusterMirror(url=url, token=token, tls=tls, collections=collections, changed=changed)

    def _poke(self) -> None:
        for loop in self._loops:
            loop.poke()
        self._ticker.tick()

    async def _follow_pods(self) -> None:
        """Starts, ends and forgets pods as the API says. Never waits for one of them."""
        machine = self._machine
        if machine is None:
            return
        ours = {
            pod["metadata"]["uid"]: pod for pod in self._mirror.of(endpoints.PODS) if pod["spec"].get("nodeName") == self.node
        }
        for uid, pod in ours.items():
            leaving = pod_status.is_leaving(pod)
            if uid not in self._runs and not leaving:
                self._runs[uid] = run = pods.PodRun(pod, machine)
                run.start()
            elif uid in self._runs and leaving and uid not in self._ends:
                grace = float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
                self._ends[uid] = asyncio.create_task(self._end(self._runs[uid], grace))
            elif uid not in self._runs and leaving:
                await self._remove(pod)
        for uid in self._runs.keys() - ours.keys():
            if uid not in self._ends:
                self._ends[uid] = asyncio.create_task(self._end(self._runs[uid], None))

    async def _follow_services(self) -> None:
        await self._proxy.step()
        self._ticker.tick()  # `service_address` may answer now

    async def _end(self, run: pods.PodRun, grace: float | None) -> None:
        """`grace` None: the API does not have it any more."""
        if grace is None:
            await run.kill()
        else:
            await run.terminate(grace)
            with contextlib.suppress(errors.ClusterError):  # the API is away: a later look finds it leaving, and removes it
                await self._remove({"metadata": {"namespace": run.namespace, "name": run.name, "uid": run.uid}})
        self._runs.pop(run.uid, None)
        self._ends.pop(run.uid, None)
        self._poke()

    def _remove_folders(self) -> None:
        for folder in (self._folder / "pods", self._memory / "pods", self._folder / "images"):
            shutil.rmtree(folder, ignore_errors=True)

    async def _remove_pods(self) -> None:
        listed = await self._api.list(client.PODS, "")
        for pod in listed["items"]:
            if pod["spec"].get("nodeName") == self.node:
                await self._remove(pod)

    async def _remove(self, pod: Json) -> None:
        metadata = pod["metadata"]
        with contextlib.suppress(errors.Missing, errors.Conflict):
            await self._api.remove(client.PODS, metadata["namespace"], metadata["name"], uid=metadata["uid"])

    async def _publish_ca(self) -> None:
        for namespace in self._mirror.of(_NAMESPACES):
            name = namespace["metadata"]["name"]
            objects = cluster_objects.ClusterObjects(self._contents, self._files)
            with contextlib.suppress(errors.Conflict, errors.Missing, errors.Forbidden):
                try:
                    objects.config_map(name, _ROOT_CA)
                except cluster_objects.NotYet:
                    body = {"metadata": {"name": _ROOT_CA}, "data": {"ca.crt": self._api_ca}}
                    await self._api.create(client.CONFIG_MAPS, name, body)
