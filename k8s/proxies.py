"""Asking and ordering every proxy agent directly, in parallel. Pods seen once are remembered: a hold needs no API server."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import aiohttp

from k8s import client, errors, hold_document, model, proxy_report, report_document, views
from k8s.preflight import seen

SELECTOR = "app.kubernetes.io/name=migration-proxy"
DEPLOYMENT = "migration-proxy"
_PREFLIGHT_LIMIT = 8.0  # seconds: an agent looks for 4, more when many ask


class Proxies:
    """`token`: the bearer token of the agents. `limit`: seconds for one agent's answer.

    Use it as an async context manager, or call `close`.
    """

    def __init__(self, api: client.ClusterClient, namespace: str, token: str, *, port: int = 9080, limit: float = 1.0) -> None:
        self._api = api
        self._namespace = namespace
        self._token = token
        self._port = port
        self._limit = limit
        self._known: dict[str, str] = {}  # address by pod, as last listed
        self._unready: frozenset[str] = frozenset()  # of these
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Proxies":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def pods(self) -> Mapping[str, str]:
        """Address by name of every live proxy pod, terminating ones too. Raises errors.ClusterError."""
        answer = await self._api.list(client.PODS, self._namespace, labels=SELECTOR, limit=self._limit)
        live = [pod for pod in answer["items"] if _lives(pod)]
        self._known = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in live}
        self._unready = frozenset(pod["metadata"]["name"] for pod in live if _unready(pod))
        return dict(self._known)

    async def push(self, hold: model.Hold) -> tuple[views.PushAnswer, ...]:
        """One answer for every agent; never raises. Known pods are told at once, while the API is asked for newer ones."""
        listing = asyncio.create_task(self.pods())
        told = {pod: asyncio.create_task(self._push(pod, address, hold)) for pod, address in self._known.items()}
        addresses = dict(self._known)
        try:
            listed = await listing
            for pod, address in listed.items():
                if addresses.get(pod) != address:
                    told[pod] = asyncio.create_task(self._push(pod, address, hold))
            for pod in told.keys() - listed.keys():
                told.pop(pod).cancel()  # it has ended: nothing is there that could serve
        except errors.ClusterError as error:
            if not told:
                return (views.PushAnswer("", held=False, trouble=f"no proxy is known: {error}"),)
        return tuple(await asyncio.gather(*told.values()))

    async def fleet(self) -> views.Fleet:
        """Every agent's report. What cannot be known stands in `silent`, the list of pods itself included."""
        pods, expected = await asyncio.gather(self.pods(), self._expected(), return_exceptions=True)
        silent: list[str] = []
        for answer in (pods, expected):
            if isinstance(answer, errors.ClusterError):
                silent.append(f"(not all proxies are known: {answer})")
            elif isinstance(answer, BaseException):
                raise answer
        addresses = dict(self._known)
        reports = await asyncio.gather(*(self._status(address) for address in addresses.values()))
        silent += [pod for pod, report in zip(addresses, reports, strict=True) if report is None]
        return views.Fleet(
            expected=expected if isinstance(expected, int) else len(addresses),
            reports=tuple(report for report in reports if report is not None),
            silent=tuple(silent),
            unready=tuple(pod for pod in silent if pod in self._unready),
        )

    async def preflight(self, targets: Sequence[seen.Target]) -> Mapping[str, tuple[seen.Seen, ...] | str]:
        """By pod: what each agent sees of these new hosts from where it is, or why it does not say. Raises errors.ClusterError
        when nobody knows the pods.
        """
        pods = await self.pods()
        body = {"targets": [seen.target_document(one) for one in targets]}
        answers = await asyncio.gather(*(self._looked(address, body) for address in pods.values()))
        return dict(zip(pods, answers, strict=True))

    async def _looked(self, address: str, body: object) -> tuple[seen.Seen, ...] | str:
        try:
            return seen.seen_from(await self._ask("POST", address, "/preflight", body, limit=_PREFLIGHT_LIMIT))
        except errors.Missing:
            return f"the agent at {address} is of a version that cannot look ahead; update the proxies"
        except errors.ClusterError as error:
            return str(error)

    async def _expected(self) -> int:
        found = await self._api.get(client.DEPLOYMENTS, self._namespace, DEPLOYMENT, limit=self._limit)
        wanted = (found.get("spec") or {}).get("replicas")
        return wanted if isinstance(wanted, int) else 1  # the API's own default

    async def _push(self, pod: str, address: str, hold: model.Hold) -> views.PushAnswer:
        try:
            answer = await self._ask("POST", address, "/hold", hold_document.as_document(hold))
        except errors.ClusterError as error:
            return views.PushAnswer(pod, held=False, trouble=str(error))
        return views.PushAnswer(pod, held=answer.get("held") is True, trouble=str(answer.get("trouble") or ""))

    async def _status(self, address: str) -> proxy_report.ProxyReport | None:
        try:
            return report_document.report_from(await self._ask("GET", address, "/status"))
        except errors.ClusterError:
            return None

    async def _ask(
        self, method: str, address: str, path: str, body: object = None, *, limit: float | None = None
    ) -> dict[str, Any]:
        limit = self._limit if limit is None else limit
        if self._session is None:
            # Plenty of connections: a push must never wait for another agent's silence.
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout())
        url = f"http://{f'[{address}]' if ':' in address else address}:{self._port}{path}"
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with (
                asyncio.timeout(limit),
                self._session.request(method, url, json=body, headers=headers, allow_redirects=False) as response,
            ):
                raw = await response.read()
                status = response.status
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = f"no answer within {limit:g} s" if isinstance(error, TimeoutError) else type(error).__name__
            raise errors.Unreachable(f"the agent at {address}: {why}; look at its pod") from None
        if status != 200:
            raise errors.from_status(status, f"the agent at {address} answers {status} to {method} {path}; look at its log")
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise errors.BadReply(f"the agent at {address} answers {method} {path} with no JSON object; look at its log")
        return answer


def _lives(pod: Mapping[str, Any]) -> bool:
    """It has an address, has not ended, and at least one of its containers runs (or nothing is said of them)."""
    status = pod.get("status") or {}
    if not status.get("podIP") or status.get("phase") in {"Succeeded", "Failed"}:
        return False
    containers = status.get("containerStatuses") or []
    return not containers or any("running" in (one.get("state") or {}) for one in containers)


def _unready(pod: Mapping[str, Any]) -> bool:
    """The cluster says so: what it does not say is no proof."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "False" for one in conditions)
