"""Signed HTTP mode: payloads are POSTed to the app's request URL with Slack's v0 signature."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp

from deploy.playground.slack import couriers, faults

Json = dict[str, Any]


def signature(secret: str, *, timestamp: str, body: bytes) -> str:
    return "v0=" + hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()


class HttpCourier:
    def __init__(self, *, request_url: str, secret: str, knobs: faults.SlackFaults) -> None:
        self._request_url = request_url
        self._secret = secret
        self._faults = knobs
        self._session: aiohttp.ClientSession | None = None

    @property
    def connections(self) -> int:
        """Requests are not connections; kept so that the page can ask either courier."""
        return 0

    async def deliver(self, envelope: couriers.Envelope) -> tuple[str, couriers.Answer]:
        if self._session is None:
            # Proxies from the environment are for the outside world; the app is on loopback.
            self._session = aiohttp.ClientSession(trust_env=False, timeout=aiohttp.ClientTimeout(total=None))
        content_type, body = _encoded(envelope)
        headers = {"Content-Type": content_type, **self._signed(body)}
        if envelope.attempt:
            headers |= {"X-Slack-Retry-Num": str(envelope.attempt), "X-Slack-Retry-Reason": envelope.reason}
        try:
            async with self._session.post(self._request_url, data=body, headers=headers, allow_redirects=False) as response:
                no_retry = response.headers.get("X-Slack-No-Retry") == "1"
                if not 200 <= response.status < 300:
                    raise couriers.NotDelivered("http_error", no_retry=no_retry)
                return "http", couriers.Answer(_decoded(response.content_type, await response.text()), no_retry)
        except (aiohttp.ClientError, OSError) as broken:
            raise couriers.NotDelivered("connection_failed") from broken

    def _signed(self, body: bytes) -> Mapping[str, str]:
        """The receiver compares with its own clock, so this is real time even when the stand-in's clock is stepped."""
        age = self._faults.signature_age()
        timestamp = str(int(time.time() - (age or 0)))
        secret = "not the signing secret" if age == 0 else self._secret
        return {
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(secret, timestamp=timestamp, body=body),
        }

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)


def _encoded(envelope: couriers.Envelope) -> tuple[str, bytes]:
    if envelope.kind == "events_api":
        return "application/json", json.dumps(envelope.payload).encode()
    form = envelope.payload if envelope.kind == "slash_commands" else {"payload": json.dumps(envelope.payload)}
    return "application/x-www-form-urlencoded", urlencode(form).encode()


def _decoded(content_type: str, text: str) -> Json | None:
    if not text.strip():
        return None
    if content_type == "application/json":
        decoded = json.loads(text)
        return decoded if isinstance(decoded, dict) and decoded else None
    return {"text": text}
