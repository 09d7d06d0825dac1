"""Sends payloads to the app: the deadline, the log, and for events the retries."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from deploy.playground.slack import call_log, clock, couriers, faults, payloads

Json = dict[str, Any]
# After a failed event: at once, a minute later, five minutes later; then Slack gives up.
RETRY_WAITS = (0.0, 60.0, 300.0)
# How long something that is late already may still be on its way, in seconds.
LATE_ARRIVAL = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """How a delivery ended. `error` is empty when the app acknowledged in time; `payload` is what it sent along."""

    error: str
    payload: Json | None
    milliseconds: float
    no_retry: bool = False


class Deliveries:
    def __init__(
        self,
        *,
        courier: couriers.Courier,
        time: clock.Clock,
        log: call_log.CallLog,
        knobs: faults.SlackFaults,
        deadline: float,
    ) -> None:
        self._courier = courier
        self._clock = time
        self._log = log
        self._faults = knobs
        self._deadline = deadline
        self._background: set[asyncio.Task[Any]] = set()

    async def deliver(self, kind: str, payload: Json, *, attempt: int = 0, reason: str = "") -> Ack:
        """One payload, one deadline. Never raises for what the app does."""
        entry = self._log.sending(
            call_log.Delivery(
                at=self._clock.now(),
                kind=kind,
                summary=payloads.summary(kind, payload),
                payload=payload,
                attempt=attempt,
            ),
        )
        started = time.perf_counter()
        ack = await self._within_deadline(
            couriers.Envelope(
                id=str(uuid.uuid4()),
                kind=kind,
                payload=payload,
                attempt=attempt,
                reason=reason,
            ),
            entry,
            started,
        )
        self._log.settled(entry, milliseconds=ack.milliseconds, ack=ack.payload, error=ack.error)
        return ack

    async def _within_deadline(self, envelope: couriers.Envelope, entry: call_log.Delivery, started: float) -> Ack:
        delay = self._faults.delivery_delay()
        sending = asyncio.create_task(self._send(envelope, entry, delay))
        too_late = asyncio.create_task(self._clock.sleep(self._deadline))
        try:
            await asyncio.wait({sending, too_late}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                if delay:
                    # Held up on the way: it reaches the app all the same, after the person has given up on it.
                    self.in_background(_arrive_late(sending))
                else:
                    sending.cancel()
                return Ack(error="operation_timeout", payload=None, milliseconds=_since(started))
            answer = sending.result()
            return Ack(error="", payload=answer.payload, milliseconds=_since(started), no_retry=answer.no_retry)
        except couriers.NotDelivered as failed:
            return Ack(error=failed.reason, payload=None, milliseconds=_since(started), no_retry=failed.no_retry)
        except asyncio.CancelledError:
            sending.cancel()
            raise
        finally:
            too_late.cancel()

    async def _send(self, envelope: couriers.Envelope, entry: call_log.Delivery, delay: float) -> couriers.Answer:
        await self._clock.sleep(delay)
        entry.connection, answer = await self._courier.deliver(envelope)
        return answer

    def publish(self, content: Json, *, shared: bool = False) -> None:
        """An event, with its retries, in the background: whoever caused it does not wait for the app.

        `shared`: it happened in a channel that another company sees too.
        """
        event = payloads.event(content, event_id=f"Ev{uuid.uuid4().hex[:10].upper()}", at=self._clock.now(), shared=shared)
        self.in_background(self._publish(event))

    async def _publish(self, event: Json) -> None:
        twice = self._faults.duplicates_event()
        ack = await self.deliver("events_api", event)
        if twice:
            await self.deliver("events_api", event, attempt=1, reason="http_timeout")
        for attempt, wait in enumerate(RETRY_WAITS, start=1):
            if not ack.error or ack.no_retry:
                return
            await self._clock.sleep(wait)
            reason = "http_timeout" if ack.error == "operation_timeout" else ack.error
            ack = await self.deliver("events_api", event, attempt=attempt, reason=reason)

    def in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way and no retry is waiting."""
        return not self._background

    async def close(self) -> None:
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._courier.close()


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


async def _arrive_late(sending: asyncio.Task[couriers.Answer]) -> None:
    with contextlib.suppress(couriers.NotDelivered, TimeoutError):
        async with asyncio.timeout(LATE_ARRIVAL):
            await sending
