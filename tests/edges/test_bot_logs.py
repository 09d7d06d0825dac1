"""Logs: one JSON object a line for everybody, and no secret in it, however deep it sits."""

import asyncio
import io
import json
import logging
import string
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydantic
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot import clock, logs

WEBHOOK = "n0-shape-webhook/secret+1"
TOKEN_MARKS = string.ascii_letters + string.digits
BODIES = st.text(TOKEN_MARKS, min_size=12, max_size=24).map(lambda text: f"Zq{text}")  # long: found by chance in nothing else
SECRETS = BODIES.flatmap(
    lambda body: st.sampled_from([
        f"xoxb-{body}",
        f"xoxp-1-{body}",
        f"xoxe.xoxb-1-{body}",
        f"xapp-1-A0-{body}",
        f"Bearer {body}",
        f"bearer  {body}==",
        f"Authorization: Basic {body}=",
        f"redis://ferry:{body}@redis:6379/0",
        f"rediss://:p@ss/{body}'!@redis:6379/0",
        f"https://{body}@git.example.com/x",
        f"https://hooks.slack.com/commands/T0/1/{body}",
        f"response_url=http://127.0.0.1:8080/answers/{body}",
        f'{{"password": "a {body} b", "user": "ferry"}}',
        f"{{'trigger_id': '{body}'}}",
        f'{{\\"token\\":\\"{body}\\"}}',
        f"wss://slack.example/link/?ticket={body}&app_id=A0",
        f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----",
        f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4{body}.{body}",
    ]).map(lambda secret: (body, secret))
)  # fmt: skip
WORDS = st.text(st.sampled_from(" abcXYZ01.,;:!?<>|&=/_-\n\t\"'\\{}[]()äß迁移🚢"), max_size=12)
SECRET_NAMES = st.sampled_from(["token", "bot_token", "Authorization", "password", "response_url", "trigger_id", "client-secret"])


def nested(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    plain = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
    return st.recursive(
        leaf,
        lambda inner: (
            st.lists(inner | plain, min_size=1, max_size=3)
            | st.tuples(plain, inner)
            | st.dictionaries(WORDS, inner | plain, min_size=1, max_size=3)
            | st.builds(lambda value: {str(value): 1}, inner)
            | st.builds(lambda value: ValueError("failed", value), inner)
            | st.builds(lambda value: str(value).encode(), inner)
        ),
        max_leaves=4,
    )


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = list(root.handlers), root.level
    stream = io.StringIO()
    logs.configure(stream, secrets=[WEBHOOK, "short"])
    yield stream
    logs.configure(stream)
    structlog.reset_defaults()
    root.handlers[:], root.level = before


async def refused(why: str) -> None:
    raise ConnectionError(why)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@given(st.data())
def test_a_secret_is_in_no_text_whatever_it_is_nested_in(data: st.DataObject) -> None:
    body, secret = data.draw(SECRETS)
    value = data.draw(nested(st.tuples(WORDS, WORDS).map(lambda around: f"{around[0]} {secret} {around[1]}")))
    assert body not in json.dumps(logs.redacted(value), ensure_ascii=False)
    assert body not in logs.redact(str(value))
    assert body not in logs.redact(json.dumps({"payload": secret}))
    assert body not in logs.redact(json.dumps({"payload": json.dumps({"inner": secret})}))


@given(SECRET_NAMES, nested(BODIES))
def test_what_stands_under_a_secret_name_is_not_shown(name: str, value: Any) -> None:
    assert logs.redacted({"outer": [{name: value}]}) == {"outer": [{name: "[redacted]"}]}


@given(st.lists(WORDS | SECRETS.map(lambda pair: pair[1]), max_size=4).map("".join) | st.text(max_size=40))
def test_hiding_twice_is_hiding_once(text: str) -> None:
    once = logs.redact(text)
    assert logs.redact(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "the bearer token is wrong or missing",
        "SLACK_BOT_TOKEN is missing: use the app's bot token",
        "ferry-redis.migration-system.svc:6379 does not answer",
        "http://10.0.0.1:9093/api/v2/alerts, told ann@example.com",
        "Ann asks for 0% → 25% on shop; it needs 1 approval by others",
        "wss://slack.com/link is closed",
        "迁移 25%",
    ],
)
def test_ordinary_sentences_stay_as_they_are(text: str) -> None:
    assert logs.redact(text) == text


def test_every_library_and_structlog_write_the_same_lines(stream: io.StringIO) -> None:
    structlog.get_logger("ferry.front").info(
        "shift asked for", service="api-name01", weight=25, at=datetime(2026, 1, 2, tzinfo=UTC)
    )
    for name in ("aiohttp.access", "uvicorn.error", "slack_bolt.AsyncApp", "redis"):
        logging.getLogger(name).warning("%s says %d", name, 5, extra={"request": "r1"})
    found = lines(stream)
    assert [line["logger"] for line in found] == [
        "ferry.front",
        "aiohttp.access",
        "uvicorn.error",
        "slack_bolt.AsyncApp",
        "redis",
    ]
    assert found[0] == {
        "time": found[0]["time"],
        "level": "info",
        "event": "shift asked for",
        "logger": "ferry.front",
        "service": "api-name01",
        "weight": 25,
        "at": "2026-01-02T00:00:00+00:00",
    }
    assert found[1]["event"] == "aiohttp.access says 5"
    assert {line["level"] for line in found[1:]} == {"warning"}
    assert {line["request"] for line in found[1:]} == {"r1"}
    assert all(datetime.fromisoformat(line["time"]).tzinfo for line in found)


def test_secrets_stay_out_of_messages_arguments_extras_and_tracebacks(stream: io.StringIO) -> None:
    log, library = structlog.get_logger("ferry.x"), logging.getLogger("slack_bolt.x")
    try:
        asyncio.run(refused(f"redis://ferry:hunter2@host refused {WEBHOOK}"))
    except ConnectionError as error:
        log.exception("failed", error=error, token="Zq-token", seen=[{"payload": {"trigger_id": "Zq-trigger"}}])
        library.exception("call with %s failed", {"Authorization": "Bearer Zq-bearer"}, extra={"response_url": "http://Zq-url"})
        library.error(error)
    log.bind(bot_token=pydantic.SecretStr("Zq-secret"), quoted="n0-shape-webhook%2Fsecret%2B1").info("bound %s", "xoxb-Zq-1")
    text = stream.getvalue()
    assert len(lines(stream)) == 4
    assert "ConnectionError" in text
    for secret in ("hunter2", "webhook", "Zq-"):
        assert secret not in text


def test_values_that_json_does_not_know_lose_no_line(stream: io.StringIO) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    endless: list[Any] = []
    endless.append(endless)
    structlog.get_logger("ferry.x").info(
        "odd",
        broken=Broken(),
        nan=float("nan"),
        endless=endless,
        raw=b"\xff",
        half="\ud800",
        path=Path("/run/ferry"),
        many={1, 2},
    )
    [line] = lines(stream)
    assert line["broken"] == "(a Broken that cannot be shown)"
    assert (line["nan"], line["path"], line["half"]) == ("nan", "/run/ferry", "?")


def test_slacks_library_never_writes_its_debug_lines(stream: io.StringIO) -> None:
    for name in ("slack_sdk.web.async_client", "slack_bolt.AsyncApp", "slack_sdk"):
        logger = logging.getLogger(name)
        before = logger.level
        logger.setLevel(logging.DEBUG)  # as a library does that was told so
        logger.debug("Sending a request with token Zq")
        logger.info("connected")
        logger.setLevel(before)
    assert [line["event"] for line in lines(stream)] == ["connected"] * 3


def test_configuring_again_replaces_what_was(stream: io.StringIO) -> None:
    other = io.StringIO()
    logs.configure(other)
    structlog.get_logger("ferry.x").info("here")
    logging.getLogger("redis").info("and here")
    assert stream.getvalue() == ""
    assert len(lines(other)) == 2


async def test_the_clock_knows_its_zone_and_never_goes_back() -> None:
    real = clock.SystemClock()
    before = real.monotonic()
    await real.sleep(0)
    assert real.now().tzinfo is UTC
    assert real.monotonic() >= before
