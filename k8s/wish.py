"""The wish in the cluster: `migration.yaml` in `migration-config`, read as text and edited by compare-and-set."""

from collections.abc import Callable
from dataclasses import dataclass

from k8s import client, errors

CONFIG_MAP = "migration-config"
DOCUMENT = "migration.yaml"
_TRIES = 6

# text, service, expected weight, new weight -> new text; raises ValueError when the text does not say `expected`
Edit = Callable[[str, str, int, int], str]


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
