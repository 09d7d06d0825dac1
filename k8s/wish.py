"""The wish in the cluster: `migration.yaml` in `migration-config`, read as text and edited by compare-and-set."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from k8s import client, errors, views

CONFIG_MAP = "migration-config"
LAST_WHOLE = "migration-config-last-whole"
DOCUMENT = "migration.yaml"
PUT_BACK = "ferry/put-back"  # annotation: when the bot put the document back last
MANAGER = "ferry-bot"
_CONTROLLERS = re.compile(r"argo-?cd|flux|kustomize-controller|helm", re.IGNORECASE)
_TRIES = 6

# text, service, expected weight, new weight -> new text; raises ValueError when the text does not say `expected`
Edit = Callable[[str, str, int, int], str]


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
    return next((name for name in names if _CONTROLLERS.search(name)), "")


@dataclass(frozen=True, slots=True)
class WishText:
    """`text` of the document as of `version` (resourceVersion)."""

    text: str
    version: str


class WishBook:
    def __init__(self, api: client.ClusterClient, namespace: str, edit: Edit) -> None:
        self._api = api
        self._namespace = namespace
        self._edit = edit

    async def read(self) -> WishText:
        """Raises errors.Missing without the ConfigMap or its key."""
        found = await self._api.get(client.CONFIG_MAPS, self._namespace, CONFIG_MAP)
        text = (found.get("data") or {}).get(DOCUMENT)
        if not isinstance(text, str):
            raise errors.Missing(f"{CONFIG_MAP} has no key {DOCUMENT}; put the document back with kubectl apply")
        return WishText(text, str(found["metadata"]["resourceVersion"]))

    async def set_weight(self, service: str, *, expected: int, weight: int) -> None:
        """Only over `expected`; a document that says `weight` already is left alone (a retry after a lost answer).

        Raises errors.Conflict when a person changed the service's weight in between; edits elsewhere do not matter.
        """
        for _ in range(_TRIES):
            seen = await self.read()
            if self._says(seen.text, service, weight):
                return
            try:
                edited = self._edit(seen.text, service, expected, weight)
            except ValueError as error:
                raise errors.Conflict(
                    f"{DOCUMENT} was changed in between and is left as it is ({error}); plan the change again"
                ) from None
            change = {"metadata": {"resourceVersion": seen.version}, "data": {DOCUMENT: edited}}
            try:
                await self._api.patch(client.CONFIG_MAPS, self._namespace, CONFIG_MAP, change)
            except errors.Conflict:
                continue
            return
        raise errors.Conflict(f"{DOCUMENT} changed {_TRIES} times while it was written; try again when it is quiet")

    def _says(self, text: str, service: str, weight: int) -> bool:
        try:
            return self._edit(text, service, weight, weight) == text
        except ValueError:
            return False
