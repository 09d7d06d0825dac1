"""A thin client of the Kubernetes API: plain JSON in, plain JSON out, every call with a time limit, one family of errors.

No models of the objects: an old cluster sends what no generated model accepts (null lists, missing required fields).
"""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any
from urllib.parse import quote

import aiohttp

from k8s import credentials, errors

Json = dict[str, Any]
_LONGEST_SENTENCE = 500
_LONGEST_LINE = 8 << 20  # bytes; an object is at most 1.5 MiB in etcd


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as paths spell it."""

    plural: str
    group_version: str = "v1"

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        root = "/apis/" if "/" in self.group_version else "/api/"
        parts = [part for part in (("namespaces", namespace) if namespace else ()) + (self.plural, name, subresource) if part]
        return root + self.group_version + "/" + "/".join(quote(part, safe="") for part in parts)


CONFIG_MAPS = Resource("configmaps")
PODS = Resource("pods")
DEPLOYMENTS = Resource("deployments", "apps/v1")
CONTROLLER_REVISIONS = Resource("controllerrevisions", "apps/v1")


class PatchKind(Enum):
    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"
    APPLY = "application/apply-patch+yaml"


class ClusterClient:
    """One API server. `limit`: seconds a whole call may take, the second try after a 401 included.

    Use it as an async context manager, or call `close`. Every method raises errors.ClusterError and nothing else.
    """

    def __init__(self, access: credentials.Credentials, *, limit: float = 5.0, agent: str = "ferry") -> None:
        self._access = access
        self._limit = limit
        self._agent = agent
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "ClusterClient":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get(self, resource: Resource, namespace: str, name: str, *, limit: float | None = None) -> Json:
        return await self._call("GET", resource.path(namespace, name), limit=limit)

    async def list(
        self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "", limit: float | None = None
    ) -> Json:
        """The whole list, as the most recent version has it. `items` is always a list."""
        answer = await self._call(
            "GET", resource.path(namespace), _query(labelSelector=labels, fieldSelector=fields), limit=limit
        )
        items = answer.get("items") or []
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise errors.BadReply(f"the list of {resource.plural} has no list of objects; is {self._access.url} an API server?")
        return {**answer, "items": items}

    async def create(
        self,
        resource: Resource,
        namespace: str,
        body: Mapping[str, Any],
        *,
        field_manager: str = "",
        dry_run: bool = False,
        limit: float | None = None,
    ) -> Json:
        query = _query(fieldManager=field_manager, dryRun="All" if dry_run else "")
        return await self._call("POST", resource.path(namespace), query, body, limit=limit)

    async def replace(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Mapping[str, Any],
        *,
        subresource: str = "",
        field_manager: str = "",
        dry_run: bool = False,
        limit: float | None = None,
    ) -> Json:
        """With `metadata.resourceVersion` in the body it is a compare-and-set. After a lost connection it may be sent twice."""
        query = _query(fieldManager=field_manager, dryRun="All" if dry_run else "")
        return await self._call("PUT", resource.path(namespace, name, subresource), query, body, limit=limit)

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: object,
        *,
        kind: PatchKind = PatchKind.MERGE,
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
        dry_run: bool = False,
        limit: float | None = None,
    ) -> Json:
        """`kind` APPLY needs a `field_manager`; only there `force` takes fields from other managers."""
        query = _query(fieldManager=field_manager, force="true" if force else "", dryRun="All" if dry_run else "")
        path = resource.path(namespace, name, subresource)
        return await self._call("PATCH", path, query, body, media=kind.value, limit=limit)

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", version: str = "", limit: float | None = None
    ) -> Json:
        """Only if it still has this `uid` and this resourceVersion (`version`), where they are given."""
        preconditions = _query(uid=uid, resourceVersion=version)
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions} if preconditions else None
        return await self._call("DELETE", resource.path(namespace, name), {}, body, limit=limit)

    async def watch(
        self,
        resource: Resource,
        namespace: str,
        *,
        version: str,
        labels: str = "",
        fields: str = "",
        silence: float = 90.0,
        lasts: int = 300,
    ) -> AsyncGenerator[Json, None]:
        """Events from `version` on, bookmarks too, until the server ends it after `lasts` seconds (a normal return).

        An ERROR event is raised as the error it carries; no byte for `silence` seconds, or a cut, as Unreachable.
        """
        query = _query(
            watch="true",
            allowWatchBookmarks="true",
            resourceVersion=version,
            timeoutSeconds=str(lasts),
            labelSelector=labels,
            fieldSelector=fields,
        )
        path = resource.path(namespace)
        what = f"watch {path}"
        try:
            async with asyncio.timeout(self._limit):
                response = await self._send("GET", path, query, None, "")
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            raise _unreachable(what, error, self._limit) from None
        async with response:
            if response.status >= 400:
                raise await _refusal(what, response)
            pending = bytearray()
            while True:
                try:
                    async with asyncio.timeout(silence):
                        chunk = await response.content.readany()
                except (aiohttp.ClientError, OSError) as error:
                    raise _unreachable(what, error, silence) from None
                if not chunk:
                    return
                pending += chunk
                *lines, rest = pending.split(b"\n")
                pending = bytearray(rest)
                if len(pending) > _LONGEST_LINE:
                    raise errors.BadReply(f"{what}: one event is longer than {_LONGEST_LINE} bytes; list again")
                for line in filter(None, lines):
                    yield _event(what, bytes(line))

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        *,
        media: str = "application/json",
        limit: float | None = None,
    ) -> Json:
        limit = self._limit if limit is None else limit
        what = f"{method} {path}"
        try:
            async with asyncio.timeout(limit):
                response = await self._send(method, path, query or {}, body, media)
                async with response:
                    if response.status >= 400:
                        raise await _refusal(what, response)
                    raw = await response.read()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _unreachable(what, error, limit) from None
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise errors.BadReply(f"{what}: the answer is no JSON object; is {self._access.url} an API server?")
        return answer

    async def _send(self, method: str, path: str, query: Mapping[str, str], body: object, media: str) -> aiohttp.ClientResponse:
        """One request; after a 401 one more, if the credentials have something newer."""
        response = await self._request(method, path, query, body, media)
        if response.status == 401 and self._access.read_again():
            response.release()
            response = await self._request(method, path, query, body, media)
        return response

    async def _request(
        self, method: str, path: str, query: Mapping[str, str], body: object, media: str
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "User-Agent": self._agent, **self._access.headers()}
        raw = None if body is None else json.dumps(body).encode()
        if raw is not None:
            headers["Content-Type"] = media
        tls = self._access.tls()
        if self._session is None:
            # Time limits are ours alone: aiohttp's own total would cut long watches.
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout())
        return await self._session.request(
            method,
            self._access.url + path,
            params=query,
            data=raw,
            headers=headers,
            ssl=True if tls is None else tls,
            allow_redirects=False,  # a redirect would carry the token elsewhere
        )


def _query(**given: str) -> dict[str, str]:
    return {name: value for name, value in given.items() if value}


def _unreachable(what: str, error: Exception, limit: float) -> errors.Unreachable:
    why = f"no answer within {limit:g} s" if isinstance(error, TimeoutError) else _told(error)
    reads = what.startswith(("GET ", "watch "))
    unsure = "" if reads else "; what was sent may or may not have happened, read before writing again"
    return errors.Unreachable(f"{what}: {_short(why)}{unsure}")


def _told(error: Exception) -> str:
    """aiohttp's own words for a connection that cannot be made show the address of an object in memory."""
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.os_error
        number = cause.errno if isinstance(cause, ConnectionError) else None
        why = os.strerror(number).lower() if number else cause.strerror or str(cause)
        return f"no connection to {error.host}:{error.port} ({why})"
    return f"{type(error).__name__}: {error}"


async def _refusal(what: str, response: aiohttp.ClientResponse) -> errors.ClusterError:
    raw = await response.read()
    try:
        message = json.loads(raw)["message"]
    except (ValueError, KeyError, TypeError):
        message = raw.decode(errors="replace").strip()
    after = response.headers.get("Retry-After", "")
    sentence = _short(f"{what}: {message or response.reason or 'refused'} ({response.status})")
    return errors.from_status(response.status, sentence, retry_after=float(after) if after.isdecimal() else None)


def _event(what: str, line: bytes) -> Json:
    try:
        event = json.loads(line)
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            raise errors.from_status(int(item.get("code") or 500), _short(f"{what}: {item.get('message')}"))
        item["metadata"].get("resourceVersion")  # an object without metadata is no object
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.BadReply(f"{what}: an event cannot be read ({type(error).__name__}); list again") from None
    return {"type": kind, "object": item}


def _short(text: str) -> str:
    """Foreign text on one line, of bounded length, without control characters."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if len(plain) <= _LONGEST_SENTENCE else plain[: _LONGEST_SENTENCE - 1] + "…"
