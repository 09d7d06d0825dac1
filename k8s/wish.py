"""The wish in the cluster: `migration.yaml` in `migration-config`, read as text and edited by compare-and-set."""

import asyncio
import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from k8s import client, errors, protocol, views, wish_append, wish_change, wish_writing

CONFIG_MAP = "migration-config"
LAST_WHOLE = "migration-config-last-whole"
DOCUMENT = "migration.yaml"
REFUSED = "refused.yaml"  # in LAST_WHOLE: the text that was put back last, for whoever wrote it
PUT_BACK = "ferry.migration/put-back"  # annotation: when the bot put the document back last, and for which services
_OF_VERSION = "ferry.migration/of-version"
_MOST_BYTES = 1_000_000  # of a ConfigMap
_CONTROLLERS = re.compile(r"argo-?cd|flux|kustomize-controller|helm", re.IGNORECASE)
_TRIES = 6


def document_from(item: Mapping[str, Any] | None, *, before: views.Document) -> views.Document:
    """The document in its ConfigMap (None: it is gone); of one that is gone, who kept it is known from `before`."""
    metadata = (item or {}).get("metadata") or {}
    text = ((item or {}).get("data") or {}).get(DOCUMENT)
    if not isinstance(text, str):
        controller = _controller(metadata) if item is not None else before.controller
        return views.Document(controller=controller, put_back=before.put_back)
    return views.Document(
        text,
        version=str(metadata.get("resourceVersion") or ""),
        writer=_writer(metadata),
        controller=_controller(metadata),
        put_back=str((metadata.get("annotations") or {}).get(PUT_BACK) or ""),
    )


def _managers(metadata: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in metadata.get("managedFields") or () if isinstance(one, dict)]


def _writer(metadata: Mapping[str, Any]) -> str:
    """The field manager that wrote the document last; empty where the server does not say."""
    fields = [
        (str(one.get("time") or ""), str(one.get("manager") or ""))
        for one in _managers(metadata)
        if f"f:{DOCUMENT}" in ((one.get("fieldsV1") or {}).get("f:data") or {})
    ]
    return max(fields, default=("", ""))[1]


def _controller(metadata: Mapping[str, Any]) -> str:
    """A controller that keeps the ConfigMap as something outside the cluster says; a person's kubectl is none."""
    names = sorted(str(one.get("manager") or "") for one in _managers(metadata))
    return next((name for name in names if _CONTROLLERS.match(name)), "")


@dataclass(frozen=True, slots=True)
class WishText:
    """`text` of the document as of `version` (resourceVersion)."""

    text: str
    version: str


@dataclass(slots=True)
class _Waiting:
    """A change until it is decided: `outcome`, or the `error` of the API server."""

    change: wish_change.WishChange
    outcome: wish_writing.Outcome | None = None
    error: errors.ClusterError | None = None

    @property
    def decided(self) -> bool:
        return self.outcome is not None or self.error is not None


class WishBook:
    """All services share one document: what is asked while a write is under way is written together by the next one."""

    def __init__(self, api: client.ClusterClient, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._turn = asyncio.Lock()
        self._waiting: list[_Waiting] = []

    async def read(self) -> WishText:
        """Raises errors.Missing without the ConfigMap or its key."""
        found = await self._api.get(client.CONFIG_MAPS, self._namespace, CONFIG_MAP)
        text = (found.get("data") or {}).get(DOCUMENT)
        if not isinstance(text, str):
            raise errors.Missing(f"{CONFIG_MAP} has no key {DOCUMENT}; put the document back with kubectl apply")
        return WishText(text, str(found["metadata"]["resourceVersion"]))

    async def write(self, change: wish_change.WishChange) -> str:
        """Only over what `change` expects; a document that says it already is left alone (a retry after a lost answer).

        Answers why strategy and rules could not be written, in one sentence; empty: they were. Raises errors.Conflict when a
        person changed the service's weight, strategy or rules in between; edits elsewhere do not matter.
        """
        mine = _Waiting(change)
        self._waiting.append(mine)
        try:
            async with self._turn:
                while not mine.decided:
                    await self._write_together()
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)
        if mine.error is not None:
            raise mine.error
        if mine.outcome is None or not mine.outcome.refused:
            return mine.outcome.told if mine.outcome else ""
        raise errors.Conflict(
            f"{DOCUMENT} was changed in between and is left as it is ({mine.outcome.refused}); plan the change again"
        )

    async def append(self, pieces: Sequence[str]) -> wish_append.Appended:
        """All of `pieces` (see `wish_append`) in one write. Raises ValueError when anything of it is refused, and nothing is
        written then; errors.ClusterError.
        """
        async with self._turn:
            for _ in range(_TRIES):
                seen = await self.read()
                after = await asyncio.to_thread(wish_append.appended, seen.text, pieces)
                if after.text == seen.text:
                    return after
                change = {"metadata": {"resourceVersion": seen.version}, "data": {DOCUMENT: after.text}}
                try:
                    await self._api.patch(client.CONFIG_MAPS, self._namespace, CONFIG_MAP, change)
                except errors.Conflict:
                    continue
                return after
        raise errors.Conflict(f"{DOCUMENT} changed {_TRIES} times while it was written; try again when it is quiet")

    async def _write_together(self) -> None:
        """The oldest change of each service that waits, in one write."""
        together = list({one.change.service: one for one in reversed(self._waiting) if not one.decided}.values())
        try:
            outcomes = await self._written([one.change for one in together])
        except errors.ClusterError as error:
            for one in together:
                one.error = error
            return
        for one, outcome in zip(together, outcomes, strict=True):
            one.outcome = outcome

    async def _written(self, changes: list[wish_change.WishChange]) -> tuple[wish_writing.Outcome, ...]:
        for _ in range(_TRIES):
            seen = await self.read()
            try:
                after = wish_writing.written(seen.text, changes)
            except ValueError as error:
                return tuple(wish_writing.Outcome(refused=str(error)) for _ in changes)
            if after.text == seen.text:
                return after.outcomes
            change = {"metadata": {"resourceVersion": seen.version}, "data": {DOCUMENT: after.text}}
            try:
                await self._api.patch(client.CONFIG_MAPS, self._namespace, CONFIG_MAP, change)
            except errors.Conflict:
                continue
            return after.outcomes
        raise errors.Conflict(f"{DOCUMENT} changed {_TRIES} times while it was written; try again when it is quiet")


class DocumentBook:
    """The whole document: put back over a broken one by compare-and-set, and its last whole text kept beside it."""

    def __init__(self, api: client.ClusterClient, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def put(self, text: str, *, over: str, told: str, refused: str = "") -> None:
        """In place of the document of version `over` (empty: of one that is missing). `told`: for the annotation. `refused`: the
        text it replaces, which is kept. Raises errors.Conflict when somebody was there first.
        """
        if refused:
            await self._keep_refused(refused)
        metadata: dict[str, Any] = {"annotations": {PUT_BACK: told}}
        if over:
            change = {"metadata": {"resourceVersion": over, **metadata}, "data": {DOCUMENT: text}}
            await self._api.patch(client.CONFIG_MAPS, self._namespace, CONFIG_MAP, change)
            return
        try:
            found = await self._api.get(client.CONFIG_MAPS, self._namespace, CONFIG_MAP)
        except errors.Missing:
            await self._make(CONFIG_MAP, {DOCUMENT: text}, metadata)
            return
        if isinstance((found.get("data") or {}).get(DOCUMENT), str):
            raise errors.Conflict(f"{DOCUMENT} was written in between and is left as it is")
        metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
        await self._api.patch(client.CONFIG_MAPS, self._namespace, CONFIG_MAP, {"metadata": metadata, "data": {DOCUMENT: text}})

    async def last_whole(self) -> views.Document:
        """The last whole text that was kept and its version; empty where there is none. Raises errors.ClusterError."""
        try:
            found = await self._api.get(client.CONFIG_MAPS, self._namespace, LAST_WHOLE)
        except errors.Missing:
            return views.Document()
        text = (found.get("data") or {}).get(DOCUMENT)
        return views.Document(text if isinstance(text, str) else "", version=_of_version(found))

    async def keep(self, document: views.Document) -> None:
        """A whole document, unless a later one is kept. Raises errors.ClusterError; Conflict: another replica was first."""
        metadata: dict[str, Any] = {"annotations": {_OF_VERSION: document.version}}
        data: dict[str, Any] = {DOCUMENT: document.text}
        try:
            found = await self._api.get(client.CONFIG_MAPS, self._namespace, LAST_WHOLE)
        except errors.Missing:
            await self._make(LAST_WHOLE, data, metadata)
            return
        kept = found.get("data") or {}
        known, mine = protocol.version_number(_of_version(found)), protocol.version_number(document.version)
        if kept.get(DOCUMENT) == document.text or (known is not None and mine is not None and known > mine):
            return
        if _size(document.text) + _size(str(kept.get(REFUSED) or "")) > _MOST_BYTES:
            data[REFUSED] = None
        metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
        await self._api.patch(client.CONFIG_MAPS, self._namespace, LAST_WHOLE, {"metadata": metadata, "data": data})

    async def _keep_refused(self, text: str) -> None:
        """Where there is room: it is a courtesy, and the broken document is put back without it too."""
        with contextlib.suppress(errors.ClusterError):
            last = await self.last_whole()
            if last.text and _size(last.text) + _size(text) <= _MOST_BYTES:
                await self._api.patch(client.CONFIG_MAPS, self._namespace, LAST_WHOLE, {"data": {REFUSED: text}})

    async def _make(self, name: str, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        whole = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data}
        await self._api.create(client.CONFIG_MAPS, self._namespace, whole)


def _of_version(item: Mapping[str, Any]) -> str:
    return str(((item.get("metadata") or {}).get("annotations") or {}).get(_OF_VERSION) or "")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
