"""The HTTP side over a real socket: who may call the webhook, what each caller is answered, metrics and health."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette import requests, responses

from bot import alert_webhook, alertmanager_payload, clock, metrics, readiness, web
from handlers import answers, messages
from handlers.rules import effects, migration
from k8s import model

TOKEN = "a-webhook-token"
ALERT = {
    "status": "firing",
    "labels": {"alertname": "FerryNewClusterErrors", "severity": "critical", "migration_service": "api"},
    "startsAt": "2026-05-04T11:59:58Z",
    "fingerprint": "0f",
}
PAYLOAD: dict[str, Any] = {"version": "4", "alerts": [ALERT]}


class Front:
    """In the place of Front.alerts."""

    def __init__(self, order: list[str]) -> None:
        self.order = order
        self.heard: list[messages.Alert] = []
        self.answer = answers.Heard(1, 0)
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()

    async def alerts(self, heard: Sequence[messages.Alert]) -> answers.Heard:
        self.order.append("front")
        self.reached.set()
        await self.gate.wait()
        self.heard += heard
        if self.error is not None:
            raise self.error
        return self.answer


class Eyes:
    def __init__(self, order: list[str]) -> None:
        self.order = order
        self.notices: list[alertmanager_payload.Notice] = []
        self.nudges = 0

    def noticed(self, notice: alertmanager_payload.Notice) -> None:
        self.notices.append(notice)

    def nudge(self) -> None:
        self.order.append("nudge")
        self.nudges += 1


class Audit:
    def __init__(self) -> None:
        self.events: list[effects.AuditEvent] = []

    async def record(self, event: effects.AuditEvent) -> None:
        self.events.append(event)


class Served:
    """The web server with everything behind it."""

    def __init__(self, *, token: str = TOKEN, limits: alert_webhook.Limits | None = None) -> None:
        self.order: list[str] = []
        self.front = Front(self.order)
        self.eyes = Eyes(self.order)
        self.audit = Audit()
        self.alarms: list[str] = []
        self.counts = metrics.Metrics()
        self.missing = {"cluster": "The cluster cannot be read completely.", "slack": "Slack is not connected."}
        self.noted = {"redis": ""}
        self.ready = readiness.Readiness(demanded=self._asks(self.missing), noted=self._asks(self.noted))
        self.webhook = alert_webhook.AlertWebhook(
            token=token,
            reading=alertmanager_payload.Reading(watchdog="FerryWatchdog"),
            clock=clock.SystemClock(),
            hear=self.front.alerts,
            eyes=self.eyes,
            audit=self.audit,
            alarm=self._alarm,
            counts=self.counts,
            limits=limits,
        )
        app = web.application(alerts=self.webhook.handle, counts=self.counts, ready=self.ready, slack_events=self._slack_events)
        self.server = web.WebServer(app, address="127.0.0.1", port=0, grace=1.0)

    @staticmethod
    def _asks(sentences: dict[str, str]) -> dict[str, Callable[[], str]]:
        return {name: functools.partial(sentences.__getitem__, name) for name in sentences}

    async def _alarm(self, sentence: str) -> None:
        self.order.append("alarm")
        self.alarms.append(sentence)

    async def _slack_events(self, request: requests.Request) -> responses.Response:
        return responses.PlainTextResponse(f"slack heard {len(await request.body())} bytes")

    async def __aenter__(self) -> "Served":
        await self.server.start()
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.server.port}", trust_env=False, timeout=20)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        await self.server.stop()
        await self.webhook.stop()

    async def post(self, body: Any, *, token: str = f"Bearer {TOKEN}") -> httpx.Response:
        headers = {"Authorization": token} if token else {}
        if isinstance(body, bytes):
            return await self.http.post("/alerts/alertmanager", content=body, headers=headers)
        return await self.http.post("/alerts/alertmanager", json=body, headers=headers)

    async def count(self, line: str) -> float:
        text = (await self.http.get("/metrics")).text
        return next(float(found.rpartition(" ")[2]) for found in text.splitlines() if found.startswith(line + " "))


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with Served() as one:
        yield one


async def test_an_alert_reaches_the_use_case_and_the_caller_hears_what_became_of_it(served: Served) -> None:
    answer = await served.post(PAYLOAD)
    assert (answer.status_code, answer.json()) == (200, {"acted": 1, "told": 0})
    assert [alert.service for alert in served.front.heard] == ["api"]
    assert served.eyes.notices[0].alerts[0].name == "FerryNewClusterErrors"
    assert await served.count('ferry_bot_webhook_calls_total{answer="accepted"}') == 1
    assert await served.count('ferry_bot_alerts_total{severity="critical",way="webhook"}') == 1
    assert served.audit.events == []


@pytest.mark.parametrize(
    "token",
    [
        "",
        "Bearer",
        "Bearer wrong",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer \u00e9",
    ],
)
async def test_a_wrong_or_missing_token_is_refused_recorded_and_changes_nothing(served: Served, token: str) -> None:
    headers = [(b"Authorization", token.encode("latin-1"))] if token else []
    answer = await served.http.post("/alerts/alertmanager", json=PAYLOAD, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {
        "error": "The bearer token is missing or wrong, so nothing was done; send the token that ALERTMANAGER_TOKEN holds."
    }
    assert served.front.heard == []
    assert served.eyes.notices == []
    (event,) = served.audit.events
    assert (event.kind, event.who, event.source) == (effects.EventKind.REFUSED, "address:127.0.0.1", messages.Source.ALERTMANAGER)
    assert TOKEN not in event.sentence


async def test_a_flood_of_refusals_is_counted_and_does_not_fill_the_audit(served: Served) -> None:
    for _ in range(15):
        assert (await served.post(PAYLOAD, token="Bearer no")).status_code == 401
    assert len(served.audit.events) == 10
    assert await served.count('ferry_bot_webhook_calls_total{answer="unauthorised"}') == 15


async def test_without_a_token_of_its_own_the_bot_accepts_none() -> None:
    async with Served(token="") as served:
        for token in ("Bearer", "Bearer x", ""):
            answer = await served.http.post("/alerts/alertmanager", json=PAYLOAD, headers={"Authorization": token})
            assert answer.status_code == 401
            assert "No ALERTMANAGER_TOKEN is set" in answer.json()["error"]
        assert served.front.heard == []


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'"text"', b"null", b"7", b"{", b"\xff\xfe", b"[" * 100_000])
async def test_what_is_no_json_object_is_answered_with_one_sentence(served: Served, body: bytes) -> None:
    answer = await served.post(body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("The payload is no JSON object, so nothing was done;")
    assert served.front.heard == []
    assert len(served.audit.events) == 1


@pytest.mark.parametrize(
    "body", [{}, {"alerts": None}, {"alerts": [None, 3, "x"]}, {"alerts": [{}]}, {"alerts": [{"labels": 3}]}]
)
async def test_what_is_authenticated_and_readable_is_never_the_callers_fault(served: Served, body: Any) -> None:
    assert (await served.post(body)).status_code == 200


async def test_lost_alerts_are_asked_for_again_by_name(served: Served) -> None:
    served.front.answer = answers.Heard(0, 0, ("0f-cause",))
    answer = await served.post(PAYLOAD)
    assert answer.status_code == 503
    assert answer.json()["lost"] == ["0f-cause"]
    assert await served.count('ferry_bot_webhook_calls_total{answer="lost"}') == 1


async def test_a_failure_of_the_use_case_is_answered_with_try_again(served: Served) -> None:
    served.front.error = RuntimeError("secret detail")
    answer = await served.post(PAYLOAD)
    assert answer.status_code == 503
    assert "RuntimeError" in answer.json()["error"]
    assert "secret detail" not in answer.text


async def test_a_slow_use_case_does_not_keep_alertmanager_waiting_and_is_not_cut_off() -> None:
    async with Served(limits=alert_webhook.Limits(answer=0.05)) as served:
        served.front.gate.clear()
        assert (await served.post(PAYLOAD)).status_code == 503
        assert served.front.heard == []
        served.front.gate.set()
        await served.webhook.stop()
        assert len(served.front.heard) == 1


async def test_traffic_comes_before_everything_else(served: Served) -> None:
    answer = await served.post({**PAYLOAD, "truncatedAlerts": 3})
    assert answer.status_code == 200
    assert served.order == ["front", "nudge", "alarm"]
    assert "left out 3 alerts" in served.alarms[0]


async def test_a_payload_that_is_too_large_is_not_read_and_alertmanager_is_asked_instead() -> None:
    async with Served(limits=alert_webhook.Limits(body=1000)) as served:

        async def chunks() -> AsyncIterator[bytes]:
            with contextlib.suppress(httpx.WriteError):
                for _ in range(3):
                    yield b"x" * 500

        announced = await served.post(b"x" * 1001)
        streamed = await served.http.post("/alerts/alertmanager", content=chunks(), headers={"Authorization": f"Bearer {TOKEN}"})
        assert [announced.status_code, streamed.status_code] == [413, 413]
        assert served.eyes.nudges == 2
        assert len(served.alarms) == 2
        assert served.front.heard == []


async def test_a_body_that_does_not_arrive_is_given_up() -> None:
    async with Served(limits=alert_webhook.Limits(read=0.05)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
        writer.write(
            b"POST /alerts/alertmanager HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"
            b'Content-Length: 100\r\n\r\n{"alerts"'
        )
        assert b" 503 " in await asyncio.wait_for(reader.readline(), 20)
        writer.close()


async def test_many_at_once_are_all_heard(served: Served) -> None:
    found = await asyncio.gather(*(served.post({"alerts": [{**ALERT, "fingerprint": f"{n:x}"}]}) for n in range(50)))
    assert {answer.status_code for answer in found} == {200}
    assert len({alert.cause for alert in served.front.heard}) == 50


async def test_readiness_says_in_words_what_is_missing_and_afterwards_only_notes_it(served: Served) -> None:
    def body(answer: httpx.Response) -> tuple[int, list[str], list[str]]:
        found = answer.json()
        return answer.status_code, found["missing"], found["notes"]

    cluster, slack = served.missing.values()
    assert body(await served.http.get("/readyz")) == (503, [cluster, slack], [])
    served.missing["cluster"] = ""
    assert body(await served.http.get("/readyz")) == (503, [slack], [])
    served.missing["slack"] = ""
    assert body(await served.http.get("/readyz")) == (200, [], [])
    served.missing["slack"], served.noted["redis"] = slack, "Redis is away."
    assert body(await served.http.get("/readyz")) == (200, [], [slack, "Redis is away."])
    served.ready.stopping = True
    status, missing, _ = body(await served.http.get("/readyz"))
    assert status == 503
    assert "stopping" in missing[0]
    assert (await served.http.get("/livez")).status_code == 200


async def test_slack_events_are_handed_over(served: Served) -> None:
    assert (await served.http.post("/slack/events", content=b"12345")).text == "slack heard 5 bytes"


async def test_answers_leave_at_once(served: Served) -> None:
    """Nagle's algorithm would hold the body of an answer back until the caller's delayed acknowledgement."""
    await served.http.get("/livez")
    (connection,) = served.server._server.server_state.connections
    assert connection.transport is not None
    used = connection.transport.get_extra_info("socket")
    assert used.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_nothing_else_is_served(served: Served) -> None:
    for path in ("/", "/docs", "/redoc", "/openapi.json", "/alerts"):
        assert (await served.http.get(path)).status_code == 404
    assert (await served.http.get("/alerts/alertmanager")).status_code == 405


async def test_holds_and_operations_are_counted(served: Served) -> None:
    served.counts.hold_placed(0.004, written=True)
    served.counts.hold_placed(2.5, written=False)
    exposure = model.Exposure(weight=5, old_host="a.example", new_host="b.example")
    plan = migration.Plan("api", migration.Kind.RAISE, None, exposure, 0, 0)
    moment = datetime(2026, 5, 4, tzinfo=UTC)
    done = migration.Operation(
        "op-1", plan, "ann", "Ann", "", moment, moment, migration.Phase.VERIFYING, outcome=migration.Outcome.DONE
    )
    served.counts.operation_decided(done)
    served.counts.operation_decided(done)
    served.counts.watch("slack_connected", "1 while Slack is connected", lambda: 1.0)
    assert await served.count('ferry_bot_holds_total{written="yes"}') == 1
    assert await served.count('ferry_bot_holds_total{written="no"}') == 1
    assert await served.count('ferry_bot_hold_seconds_bucket{le="0.005"}') == 1
    assert await served.count('ferry_bot_operations_total{outcome="done"}') == 1
    assert await served.count('ferry_bot_operations_total{outcome="void"}') == 0
    assert await served.count("ferry_bot_slack_connected") == 1


async def test_a_port_that_is_taken_is_said_in_one_sentence(served: Served) -> None:
    second = web.WebServer(
        web.application(alerts=served.webhook.handle, counts=served.counts, ready=served.ready),
        address="127.0.0.1",
        port=served.server.port,
    )
    with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1 port {served.server.port} .*set web\.port"):
        await second.start()
    await second.stop()


async def test_a_request_under_way_is_answered_while_the_server_stops() -> None:
    async with Served() as served:
        served.front.gate.clear()
        calling = asyncio.create_task(served.post(PAYLOAD))
        await asyncio.wait_for(served.front.reached.wait(), 20)
        stopping = asyncio.create_task(served.server.stop())
        served.front.gate.set()
        assert (await calling).status_code == 200
        await stopping
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", served.server.port), timeout=5)
