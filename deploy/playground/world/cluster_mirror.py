"""A local copy of some kinds of objects, kept by list and watch, as a controller keeps one."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import aiohttp
import orjson

Json = dict[str, Any]
_RETRY_AFTER = 0.1
_WATCH_SECONDS = 300


class _Relist(Exception):
    """The watch cannot go on: list again."""


class ClusterMirror:
    """Objects by collection path (`/api/v1/services`). When the API is away the last copy stays.

    `changed` is called whenever the copy changes.
    """

    def __init__(
        self, *, url: str, token: str, tls: ssl.SSLContext | None, collections: Iterable[str], changed: Callable[[], None]
    ) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}  # none: a client certificate in `tls`
        self._tls = tls
        self._objects: dict[str, dict[tuple[str, str], Json]] = {path: {} for path in collections}
        self._unlisted = set(self._objects)
        self._changed = changed
        self._session: aiohttp.ClientSession | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.listed = asyncio.Event()  # every collection has been read once

    def of(self, path: str) -> list[Json]:
        """The objects of a collection. Not to be changed."""
        return list(self._objects[path].values())

    async def start(self) -> None:
        """Begins; returns at once. Await `listed` for the first full copy."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        connector = aiohttp.TCPConnector(ssl=self._tls) if self._tls else aiohttp.TCPConnector()
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout, connector=connector)
        self._tasks = [asyncio.create_task(self._follow(self._session, path)) for path in self._objects]

    async def stop(self) -> None:
        """Ends every watch."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _follow(self, session: aiohttp.ClientSession, path: str) -> None:
        version = ""
        while True:
            try:
                if not version:
                    version = await self._list(session, path)
                version = await self._watch(session, path, version)
            except (aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError, KeyError, _Relist):
                version = ""
                await asyncio.sleep(_RETRY_AFTER)

    async def _list(self, session: aiohttp.ClientSession, path: str) -> str:
        async with session.get(self._url + path) as response:
            response.raise_for_status()
            body = orjson.loads(await response.read())
        self._objects[path] = {_key(item): item for item in body.get("items") or ()}
        self._unlisted.discard(path)
        if not self._unlisted:
            self.listed.set()
        self._changed()
        return str(body["metadata"]["resourceVersion"])

    async def _watch(self, session: aiohttp.ClientSession, path: str, version: str) -> str:
        """Until the server ends it in order: the version to go on from."""
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": str(_WATCH_SECONDS)}
        async with session.get(self._url + path, params=query) as response:
            response.raise_for_status()
            async for line in _lines(response.content):
                event = orjson.loads(line)
                item = event["object"]
                if event["type"] == "ERROR":
                    raise _Relist
                version = item["metadata"]["resourceVersion"]
                if event["type"] == "BOOKMARK":
                    continue
                if event["type"] == "DELETED":
                    self._objects[path].pop(_key(item), None)
                else:
                    self._objects[path][_key(item)] = item
                self._changed()
        return version


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    # The reader's own readline() refuses long lines, and one object may take megabytes.
    rest = b""
    async for piece in content.iter_any():
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line.strip():
                yield line


def _key(item: Json) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
