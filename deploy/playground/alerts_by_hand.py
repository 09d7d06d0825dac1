"""An alert as Alertmanager sends it (webhook, version 4), posted by somebody else than Alertmanager."""

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Posted:
    """`sent` and `answered`: monotonic seconds; `status` 0: no answer. `fingerprint`, `started`: which alert it was."""

    sent: float
    answered: float
    status: int
    service: str
    fingerprint: str
    started: str

    @property
    def accepted(self) -> bool:
        """The bot says that it is taken care of."""
        return 200 <= self.status < 300


def payload(service: str, fingerprint: str, started: str, *, resolved: bool = False) -> Json:
    """One critical alert about `service`. Times as Alertmanager writes them."""
    labels = {"alertname": "FerryNewClusterErrors", "severity": "critical", "migration_service": service, "service": service}
    notes = {"summary": f"{service}: 12% of the attempts at the new cluster failed (posted by hand)"}
    alert = {
        "status": "resolved" if resolved else "firing",
        "labels": labels,
        "annotations": notes,
        "startsAt": started,
        "endsAt": now() if resolved else "0001-01-01T00:00:00Z",
        "generatorURL": "http://127.0.0.1/graph",
        "fingerprint": fingerprint,
    }
    return {
        "version": "4",
        "groupKey": f'{{}}/{{alertname=~"Ferry.+"}}:{{fingerprint="{fingerprint}"}}',
        "truncatedAlerts": 0,
        "status": alert["status"],
        "receiver": "ferry",
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": notes,
        "externalURL": "http://127.0.0.1",
        "alerts": [alert],
    }


def now() -> str:
    """As Alertmanager writes times."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


class Sender:
    """Posts to the bot's webhook with the bearer token, over one connection that it keeps, as Alertmanager does."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"}, timeout=aiohttp.ClientTimeout(total=10)
        )

    async def fire(self, service: str) -> Posted:
        """A new critical alert about the service."""
        return await self._post(service, uuid.uuid4().hex[:16], now())

    async def resolve(self, posted: Posted) -> Posted:
        """The same alert, over."""
        return await self._post(posted.service, posted.fingerprint, posted.started, resolved=True)

    async def close(self) -> None:
        """Ends the connection."""
        await self._session.close()

    async def _post(self, service: str, fingerprint: str, started: str, *, resolved: bool = False) -> Posted:
        body = payload(service, fingerprint, started, resolved=resolved)
        sent = time.monotonic()
        try:
            async with self._session.post(self._url, json=body) as answer:
                await answer.read()
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            status = 0
        return Posted(sent, time.monotonic(), status, service, fingerprint, started)
