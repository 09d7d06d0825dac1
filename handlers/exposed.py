"""Since when a service may send anything to the new cluster: an alert that is older cannot be the new cluster's doing."""

import asyncio
from datetime import datetime

from handlers import audit_entry, ports
from k8s import errors, views

_AT_ONCE = 8  # histories that are read side by side: many services begin together in a wave, and after a restart


class FirstExposures:
    def __init__(self, records: ports.Records) -> None:
        self._records = records
        self._since: dict[str, datetime] = {}
        self._learned: dict[str, int] = {}  # generation by service
        self._few = asyncio.Semaphore(_AT_ONCE)

    def since(self, service: str) -> datetime | None:
        """None: never, or nobody knows; then every alert counts."""
        return self._since.get(service)

    def wants(self, view: views.ServiceView) -> bool:
        """Something is exposed, and it is not known since when."""
        exposed = view.record is not None and view.record.exposure.weight > 0
        return exposed and view.name not in self._since and self._learned.get(view.name) != view.generation

    async def learn(self, view: views.ServiceView) -> None:
        """From the revisions; where the oldest ones are gone, the first exposure is not known."""
        try:
            async with self._few:
                history = await self._records.history(view.name)
        except errors.ClusterError:
            return
        self._learned[view.name] = view.generation
        if not history or history[-1].previous:
            return
        times = [audit_entry.past(one).at for one in history if one.record.exposure.weight > 0]
        known = [at for at in times if at is not None]
        if known and len(known) == len(times):
            self._since[view.name] = min(known)
