"""Alertmanager's alerts as typed messages, the webhook that takes them, and the polls that find what it lost."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from bot import alertmanager_payload, alerts, metrics
from deploy.playground.world import alertmanager
from handlers import answers, errors, messages

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
READING = alertmanager_payload.Reading(
    watchdog="FerryWatchdog",
    matched=(alertmanager_payload.Matched({"job": "shop", "team": "web"}, "shop-web"),),
)


def one(**changes: Any) -> dict[str, Any]:
    """An alert as Alertmanager 0.25 sends it."""
    return {
        "status": "firing",
        "labels": {"alertname": "FerryNewClusterErrors", "severity": "critical", "migration_service": "api"},
        "annotations": {"summary": "too many errors"},
        "startsAt": "2026-05-04T11:59:58.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": "01a05544725aab1a",
        **changes,
    }


def labelled(**labels: Any) -> dict[str, Any]:
    return one(labels={"alertname": "A", "severity": "critical", **labels})


def read(*listed: Any, **rest: Any) -> alertmanager_payload.Notice:
    return alertmanager_payload.from_webhook({"version": "4", "alerts": list(listed), **rest}, READING, now=NOW)


def test_an_alert_becomes_a_message_with_everything_that_counts() -> None:
    (alert,) = read(one()).alerts
    assert alert == messages.Alert(
        id="alert-01a05544725aab1a-20260504T115958.123Z-firing",
        at=NOW,
        service="api",
        name="FerryNewClusterErrors",
        cause="01a05544725aab1a-20260504T115958.123Z",
        severity=messages.Severity.CRITICAL,
        firing=True,
        started=datetime(2026, 5, 4, 11, 59, 58, 123456, tzinfo=UTC),
        summary="too many errors",
        about_new=True,
    )


def test_the_end_of_an_alert_has_the_same_cause_and_another_id() -> None:
    (firing, ended) = read(one(), one(status="resolved")).alerts
    assert (ended.firing, ended.cause) == (False, firing.cause)
    assert ended.id != firing.id


@pytest.mark.parametrize(
    ("labels", "service"),
    [
        ({"migration_service": "api"}, "api"),
        ({"migration_service": "api", "job": "shop", "team": "web"}, "api"),
        ({"job": "shop", "team": "web", "zone": "b"}, "shop-web"),
        ({"job": "shop"}, ""),
        ({"migration_service": "api\n<!channel>"}, ""),
        ({"migration_service": "../secrets"}, ""),
        ({"migration_service": "x" * 64}, ""),
        ({"migration_service": 7}, ""),
        ({}, ""),
    ],
)
def test_a_service_is_found_by_its_label_or_by_the_settings_and_only_as_a_name(labels: dict[str, Any], service: str) -> None:
    (alert,) = read(labelled(**labels)).alerts
    assert (alert.service, alert.severity) == (service, messages.Severity.CRITICAL)


@pytest.mark.parametrize(
    ("labels", "about_new"),
    [
        ({"alertname": "FerryNewClusterDown"}, True),
        ({"alertname": "FerryResponseTimeStaysUp"}, True),
        ({"alertname": "FerryNotConverged"}, False),
        ({"alertname": "Mine", "about": "new-cluster"}, True),
        ({"alertname": "Mine", "about": "anything"}, False),
    ],
)
def test_alerts_about_the_new_cluster_are_known(labels: dict[str, str], about_new: bool) -> None:
    assert read(labelled(**labels)).alerts[0].about_new is about_new


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ("critical", "critical"),
        ("Critical ", "critical"),
        ("warning", "warning"),
        ("page", "other"),
        (None, "other"),
        (3, "other"),
    ],
)
def test_severity_is_critical_warning_or_other(said: Any, severity: str) -> None:
    assert read(labelled(severity=said)).alerts[0].severity == severity


def test_the_watchdog_opens_the_eyes_and_is_not_told_to_people() -> None:
    watchdog = labelled(alertname="FerryWatchdog", severity="none")
    notice = read(watchdog, one())
    assert notice.watchdog
    assert [alert.name for alert in notice.alerts] == ["FerryNewClusterErrors"]
    assert not read({**watchdog, "status": "resolved"}).watchdog


@pytest.mark.parametrize(
    "strange",
    [
        None,
        7,
        "text",
        [],
        {},
        {"labels": [], "annotations": "no", "startsAt": 5, "fingerprint": {}},
        one(startsAt="yesterday"),
        one(startsAt="9999-12-31T23:59:59-23:00"),
        one(fingerprint="../../x"),
        one(labels={"alertname": "x" * 100_000, "severity": "critical"}),
        one(annotations={"summary": "\x00\x1b[31m" + "y" * 1_000_000}),
    ],
)
def test_one_strange_alert_does_not_lose_the_others(strange: Any) -> None:
    notice = read(strange, one(fingerprint="abc"))
    assert notice.alerts[-1].cause.startswith("abc-")
    for alert in notice.alerts:
        assert set(alert.cause) <= set("0123456789abcdefTtZ.-")
        assert len(alert.name) <= 100
        assert len(alert.summary) <= 400
        assert alert.name.isprintable()
        assert alert.summary.isprintable()


def test_an_unreadable_start_counts_as_now_and_keeps_one_cause() -> None:
    first, second = read(one(startsAt="soon")), read(one(startsAt="soon"))
    assert first.alerts[0].started == NOW
    assert first.alerts[0].cause == second.alerts[0].cause
    assert "start cannot be read" in first.trouble[0]


def test_without_a_fingerprint_the_labels_are_the_identity() -> None:
    causes = [
        read(one(fingerprint=None, labels=labels)).alerts[0].cause for labels in ({"a": "1"}, {"a": "2"}, {"a": "1", "b": "3"})
    ]
    assert len(set(causes)) == 3


def test_what_alertmanager_left_out_is_counted() -> None:
    assert read(one(), truncatedAlerts=12).truncated == 12
    assert read(one(), truncatedAlerts="many").truncated == 0


def test_an_object_that_is_no_webhook_says_so() -> None:
    notice = alertmanager_payload.from_webhook({"hello": "world"}, READING, now=NOW)
    assert notice.alerts == ()
    assert "no list `alerts`" in notice.trouble[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("status", "labels", "annotations", "startsAt", "endsAt", "fingerprint")


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6) | JSON, max_size=5))
def test_whatever_json_says_the_good_alert_is_read(listed: list[Any]) -> None:
    notice = alertmanager_payload.from_api([*listed, one()], READING, now=NOW)
    assert notice.alerts[-1].cause == "01a05544725aab1a-20260504T115958.123Z"


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Ears:
    """In the place of Front.alerts: remembers, and loses what it is told to lose."""

    def __init__(self) -> None:
        self.calls: list[tuple[messages.Alert, ...]] = []
        self.lose = False
        self.news = asyncio.Event()

    async def __call__(self, heard: Sequence[messages.Alert]) -> answers.Heard:
        self.calls.append(tuple(heard))
        self.news.set()
        return answers.Heard(0, 0, tuple(alert.cause for alert in heard)) if self.lose else answers.Heard(len(heard), 0)

    async def called(self, times: int) -> None:
        async with asyncio.timeout(20):
            while len(self.calls) < times:
                self.news.clear()
                await self.news.wait()


class ScriptedAlertmanager:
    """Answers `/api/v2/alerts` with `body`, over real HTTP; `asked` grows with every question."""

    def __init__(self) -> None:
        self.body: Any = []
        self.status = 200
        self.queries: list[str] = []
        self.asked = asyncio.Event()
        self.url = ""

    async def serve(self, request: web.Request) -> web.Response:
        self.queries.append(request.query_string)
        self.asked.set()
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return web.Response(status=self.status, text=text, content_type="application/json")

    async def next_question(self) -> None:
        self.asked.clear()
        async with asyncio.timeout(20):
            await self.asked.wait()


@asynccontextmanager
async def scripted() -> AsyncIterator[ScriptedAlertmanager]:
    source = ScriptedAlertmanager()
    application = web.Application()
    application.router.add_get("/api/v2/alerts", source.serve)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    source.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield source
    finally:
        await runner.cleanup()


def api_alert(**changes: Any) -> dict[str, Any]:
    """As `GET /api/v2/alerts` shows what `one` is in a webhook."""
    return one(**{"status": {"state": "active", "silencedBy": [], "inhibitedBy": []}, "startsAt": "2026-05-04T11:59:58.123Z"}
               | changes)  # fmt: skip


WATCHDOG = api_alert(labels={"alertname": "FerryWatchdog", "severity": "none"}, fingerprint="ff")


def eyes_for(
    url: str, clock: Clock, *, watchdog: str = "FerryWatchdog", hold_all: bool = False, counts: metrics.Metrics | None = None
) -> alerts.AlertEyes:
    return alerts.AlertEyes(
        url=url,
        reading=alertmanager_payload.Reading(watchdog=watchdog),
        clock=clock,
        counts=counts or metrics.Metrics(),
        poll=0.05,
        hold_all=hold_all,
    )


@asynccontextmanager
async def looking(
    eyes: alerts.AlertEyes, hear: Callable[[Sequence[messages.Alert]], Awaitable[answers.Heard]]
) -> AsyncIterator[None]:
    eyes.start(hear)
    try:
        yield
    finally:
        await eyes.stop()


async def test_polls_hand_over_what_is_critical_with_the_cause_of_the_webhook() -> None:
    ears, clock, counts = Ears(), Clock(), metrics.Metrics()
    unmapped = api_alert(labels={"alertname": "U", "severity": "critical"}, fingerprint="bb")
    async with scripted() as source:
        source.body = [api_alert(), unmapped, WATCHDOG, api_alert(labels={"alertname": "W"}, fingerprint="aa")]
        eyes = eyes_for(source.url, clock, counts=counts)
        async with looking(eyes, ears):
            await ears.called(3)
            assert [[alert.name for alert in call] for call in ears.calls[:3]] == [
                ["FerryNewClusterErrors", "U"],
                ["FerryNewClusterErrors"],
                ["FerryNewClusterErrors"],
            ]
            assert {alert.cause for call in ears.calls for alert in call if alert.service} == {read(one()).alerts[0].cause}
            assert [alert.name for alert in await eyes.firing("api")] == ["FerryNewClusterErrors"]
            assert await eyes.firing("other") == ()
            assert await eyes.blind() == ""
    assert "silenced=true" in source.queries[0]
    assert b'ferry_bot_alerts_total{severity="critical",way="poll"} 2.0' in counts.text()


async def test_what_was_lost_is_handed_over_again() -> None:
    ears = Ears()
    ears.lose = True
    async with scripted() as source:
        source.body = [api_alert(labels={"alertname": "U", "severity": "critical"})]
        async with looking(eyes_for(source.url, Clock()), ears):
            await ears.called(2)
    assert ears.calls[0][0].cause == ears.calls[1][0].cause


async def test_an_error_of_the_use_case_does_not_end_the_questions() -> None:
    async def broken(_: Sequence[messages.Alert]) -> answers.Heard:
        raise RuntimeError("a bug")

    async with scripted() as source:
        source.body = [api_alert(), WATCHDOG]
        eyes = eyes_for(source.url, Clock())
        async with looking(eyes, broken):
            await source.next_question()
            await source.next_question()
            await source.next_question()
            assert len(await eyes.firing("api")) == 1


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [(500, [], "answers 500"), (200, "no json", "no JSON list"), (200, {"a": 1}, "no JSON list"), (302, [], "answers 302")],
)
async def test_an_answer_that_is_none_leaves_the_bot_blind(status: int, body: Any, why: str) -> None:
    ears = Ears()
    async with scripted() as source:
        source.status, source.body = status, body
        eyes = eyes_for(source.url, Clock())
        async with looking(eyes, ears):
            await source.next_question()
            await source.next_question()
            assert why in await eyes.blind()
            with pytest.raises(errors.Away, match=why):
                await eyes.firing("api")
    assert ears.calls == []


async def test_nobody_there_is_no_quiet() -> None:
    eyes = eyes_for("http://user:pass@127.0.0.1:9/am", Clock())
    assert "has not answered yet" in await eyes.blind()
    with pytest.raises(errors.Away, match=r"http://127\.0\.0\.1:9/am"):
        await eyes.firing("api")


async def test_an_answer_is_believed_for_three_polls() -> None:
    clock = Clock()
    async with scripted() as source:
        source.body = [WATCHDOG]
        eyes = eyes_for(source.url, clock)
        async with looking(eyes, Ears()):
            await source.next_question()
            await source.next_question()
        assert await eyes.blind() == ""
        clock.seconds += 60
        assert "cannot be asked" in await eyes.blind()
        assert eyes.trouble()


async def test_without_the_watchdog_nobody_watches() -> None:
    async with scripted() as source:
        eyes, undemanding = eyes_for(source.url, Clock()), eyes_for(source.url, Clock(), watchdog="")
        async with looking(eyes, Ears()), looking(undemanding, Ears()):
            for _ in range(4):
                await source.next_question()
            assert "FerryWatchdog does not fire" in await eyes.blind()
            assert await undemanding.blind() == ""


async def test_a_no_is_asked_for_once_more_before_it_is_given() -> None:
    async with scripted() as source:
        reading = alertmanager_payload.Reading(watchdog="FerryWatchdog")
        eyes = alerts.AlertEyes(url=source.url, reading=reading, clock=Clock(), counts=metrics.Metrics(), poll=600)
        async with looking(eyes, Ears()):
            await source.next_question()  # the first poll sees no watchdog, and the next would come in ten minutes
            assert "does not fire" in await eyes.blind()
            source.body = [WATCHDOG, api_alert()]
            assert await eyes.blind() == ""
            (fires,) = await eyes.firing("api")
            source.body = [WATCHDOG]
            assert (fires.firing, await eyes.firing("api")) == (True, ())


async def test_what_the_webhook_said_since_the_last_poll_counts() -> None:
    async with scripted() as source:
        source.body = [WATCHDOG]
        eyes = eyes_for(source.url, clock := Clock())
        async with looking(eyes, Ears()):
            await source.next_question()
            await source.next_question()
        clock.seconds += 1
        eyes.noticed(read(one()))
        assert len(await eyes.firing("api")) == 1
        eyes.noticed(read(one(status="resolved")))
        assert await eyes.firing("api") == ()


async def test_without_an_address_the_webhook_alone_tells_what_fires() -> None:
    clock = Clock()
    eyes = eyes_for("", clock)
    eyes.start(Ears())
    assert "has not arrived" in await eyes.blind()
    eyes.noticed(read(labelled(alertname="FerryWatchdog"), one()))
    assert await eyes.blind() == ""
    assert len(await eyes.firing("api")) == 1
    clock.seconds += 119
    assert await eyes.blind() == ""
    clock.seconds += 2
    assert "has not arrived for 120 s" in await eyes.blind()
    assert await eyes_for("", clock, watchdog="").blind() == ""
    await eyes.stop()


async def test_a_critical_alert_without_a_service_counts_for_all_only_where_the_settings_say_so() -> None:
    for hold_all, count in ((True, 1), (False, 0)):
        eyes = eyes_for("", Clock(), hold_all=hold_all)
        eyes.noticed(read(labelled(zone="b")))
        assert len(await eyes.firing("api")) == count


async def test_the_real_alertmanager_gives_one_alert_one_cause_in_webhook_and_api(tmp_path: Path) -> None:
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def hook(request: web.Request) -> web.Response:
        told.put_nowait(await request.json())
        return web.Response()

    application = web.Application()
    application.router.add_post("/hook", hook)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = {
        "route": {"receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"},
        "receivers": [{"name": "hook", "webhook_configs": [{"url": f"http://127.0.0.1:{runner.addresses[0][1]}/hook"}]}],
    }
    real = alertmanager.Alertmanager(tmp_path, config=config)
    await real.start()
    ears = Ears()
    try:
        labels = {"alertname": "FerryNewClusterDown", "severity": "critical", "migration_service": "api"}
        async with httpx.AsyncClient(trust_env=False) as http:
            for start in ("2026-01-02T03:04:05.987654321+02:00", "2026-01-02T03:04:05Z"):
                labels = {**labels, "zone": start[-1]}
                posted = await http.post(f"{real.url}/api/v2/alerts", json=[{"labels": labels, "startsAt": start}])
                assert posted.status_code == 200
        payloads = [await asyncio.wait_for(told.get(), 20) for _ in range(2)]
        by_webhook = {
            alert.cause for one in payloads for alert in alertmanager_payload.from_webhook(one, READING, now=NOW).alerts
        }
        async with looking(eyes_for(real.url, Clock()), ears):
            await ears.called(1)
        assert {alert.cause for call in ears.calls for alert in call} == by_webhook
        assert len(by_webhook) == 2
    finally:
        await real.stop()
        await runner.cleanup()
