"""Everything that speaks to the old cluster, put together from the settings."""

import asyncio
import contextlib
from collections.abc import Callable

from bot import background, cluster_access, cluster_port, metrics, settings, trusted_keys
from handlers import ports
from k8s import client, cluster_watch, errors, holds, proxies, records, signing, wish, wish_document

_ACQUAINTED_SECONDS = 3.0


class CannotStart(Exception):
    """The bot cannot start as it is configured; the sentence says what to change."""


class ClusterSide:
    """The cluster's ports, started and stopped together. Raises CannotStart for a key or a kubeconfig that is no use.

    `head`: where the audit chain stands, for the revisions.
    """

    def __init__(self, told: settings.Settings, *, clock: ports.Clock, counts: metrics.Metrics, head: Callable[[], str]) -> None:
        signer = _signer(told)
        try:
            access = cluster_access.credentials_from(
                told.kubeconfig,
                service_account=told.service_account,
                host=told.api_host,
                port=told.api_port,
                scheme=told.api_scheme,
            )
        except cluster_access.NoAccess as error:
            raise CannotStart(str(error)) from None
        self.api = client.ClusterClient(access, agent="ferry-bot")
        self.keys = trusted_keys.TrustedKeys(self.api, told.namespace, signer)
        self.port = cluster_port.ClusterPort(
            cluster_watch.ClusterWatch(
                self.api, told.namespace, self.keys, wish_document.read_entries, weights=wish_document.weights, journeys=True
            )
        )
        book = records.RecordBook(self.api, told.namespace, signer, self.keys)
        self.records = cluster_port.Records(book, head=head)
        self.journeys = cluster_port.Journeys(book)
        self.book = wish.WishBook(self.api, told.namespace)
        self.wishes = cluster_port.Wishes(self.book)
        self.documents = wish.DocumentBook(self.api, told.namespace)
        self.holds = cluster_port.Holds(holds.HoldBook(self.api, told.namespace), clock=clock, counts=counts)
        token = told.agent_token.get_secret_value()
        self.agents = proxies.Proxies(self.api, told.namespace, token, port=told.agent_port)
        self._acquaintance: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns at once; an API server that is away is tried until it answers."""
        self.port.start()
        self.keys.start(lambda: self.port.trust(self.keys))
        self._acquaintance = asyncio.create_task(self._stay_acquainted(), name="proxies are listed")

    async def stop(self) -> None:
        await background.end(self._acquaintance)
        await self.keys.stop()
        await self.port.stop()
        await self.agents.close()
        await self.api.close()

    async def _stay_acquainted(self) -> None:
        """A hold is pushed to proxies that are known; whoever asks for them only then finds none when the API is away."""
        while True:
            with contextlib.suppress(errors.ClusterError):
                await self.agents.pods()
            await asyncio.sleep(_ACQUAINTED_SECONDS)


def _signer(told: settings.Settings) -> signing.Signer:
    try:
        return signing.Signer.from_pem(told.signing_key.read_bytes())
    except OSError as error:
        raise CannotStart(
            f"The signing key {told.signing_key} (FERRY_SIGNING_KEY) cannot be read ({error.strerror or error}); mount the "
            "Secret that `ferry keys` made, readable for this user."
        ) from None
    except ValueError as error:
        raise CannotStart(f"{told.signing_key} (FERRY_SIGNING_KEY): {error}.") from None
