"""The public keys whose signatures count: this bot's own, and those in the ConfigMap `ferry-public-keys` that agents mount.

The set is read from the cluster while the bot runs, so that a key added by a rotation counts without a restart. Agents
follow no record whose key they do not have: a bot whose own key is not there is not ready.
"""

import asyncio
from collections.abc import Callable

import structlog

from bot import background
from k8s import client, errors, signing

CONFIG_MAP = "ferry-public-keys"
_UNTIL_READ, _AFTERWARDS = 2.0, 60.0  # seconds between questions

_LOG = structlog.get_logger(__name__)


class TrustedKeys(signing.Verifier):
    """A verifier whose set changes while it is in use."""

    def __init__(self, api: client.ClusterClient, namespace: str, own: signing.Signer) -> None:
        super().__init__([])
        self._api = api
        self._namespace = namespace
        self._own = own
        self._current = signing.Verifier.from_pems([own.public_pem()])
        self._trouble = f"The ConfigMap {CONFIG_MAP} has not been read yet; it is asked for again"
        self._task: asyncio.Task[None] | None = None

    @property
    def key_ids(self) -> tuple[str, ...]:
        return self._current.key_ids

    def verify(self, key: str, message: bytes, signature: str) -> bool:
        return self._current.verify(key, message, signature)

    def start(self, changed: Callable[[], None]) -> None:
        """Reads again and again from now on; `changed` is called after each change of the set."""
        self._task = asyncio.create_task(self._follow(changed), name="public keys")

    async def stop(self) -> None:
        task, self._task = self._task, None
        await background.end(task)

    def trouble(self) -> str:
        """Why agents would not follow what this bot signs, as a sentence; empty: they would."""
        return self._trouble

    async def read(self) -> bool:
        """Reads the ConfigMap once. True: the set is another one now. Never raises for what the cluster says."""
        before = self.key_ids
        try:
            found = await self._api.get(client.CONFIG_MAPS, self._namespace, CONFIG_MAP)
        except errors.Missing:
            self._say(f"The ConfigMap {CONFIG_MAP} is missing, so no agent follows this bot; create the one `ferry keys` printed")
            return False
        except errors.ClusterError as error:
            self._say(f"The ConfigMap {CONFIG_MAP} cannot be read ({error}); it is asked for again")
            return False
        data = found.get("data") or {}
        pems, unread = _readable(data if isinstance(data, dict) else {})
        listed = signing.Verifier.from_pems(pems)
        if self._own.key_id in listed.key_ids:
            self._say(
                f"{CONFIG_MAP} has keys that cannot be read: {', '.join(unread)}; replace them" if unread else "", noted=True
            )
        else:
            self._say(
                f"The public key {self._own.key_id} of this bot is not in the ConfigMap {CONFIG_MAP}, so no agent follows it; "
                "add it there with kubectl patch, and take no other away (docs/OPERATIONS.md, key rotation)"
            )
        self._current = signing.Verifier.from_pems([self._own.public_pem(), *pems])
        return self.key_ids != before

    def _say(self, sentence: str, *, noted: bool = False) -> None:
        if sentence and sentence != self._trouble:
            _LOG.warning("public keys", trouble=sentence)
        self._trouble = "" if noted else sentence

    async def _follow(self, changed: Callable[[], None]) -> None:
        while True:
            if await self.read():
                changed()
            await asyncio.sleep(_UNTIL_READ if self._trouble else _AFTERWARDS)


async def listed(api: client.ClusterClient, namespace: str) -> signing.Verifier:
    """What the ConfigMap lists now; nothing where there is none. Raises errors.ClusterError."""
    try:
        found = await api.get(client.CONFIG_MAPS, namespace, CONFIG_MAP)
    except errors.Missing:
        return signing.Verifier([])
    data = found.get("data") or {}
    return signing.Verifier.from_pems(_readable(data if isinstance(data, dict) else {})[0])


def _readable(data: dict[str, object]) -> tuple[list[bytes], list[str]]:
    """PEM texts that are public keys, and the names of entries that are none."""
    pems, unread = [], []
    for name, text in sorted(data.items()):
        pem = text.encode() if isinstance(text, str) else b""
        try:
            signing.Verifier.from_pems([pem])
        except ValueError:
            unread.append(name)
        else:
            pems.append(pem)
    return pems, unread
