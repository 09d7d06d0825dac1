"""The two ways in: what is checked before Socket Mode starts, what HTTP mode refuses, and what survives a bad day of Slack's."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from bot.slack import http_mode, socket_mode, web_client
from deploy.playground.slack import manifest, people
from deploy.playground.slack.server import SlackStandIn
from tests.integration import slack_house
from tests.integration.slack_house import House

PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
async def http() -> AsyncIterator[House]:
    async with slack_house.house(mode="http") as made:
        yield made


async def usable(slack: SlackStandIn, *, token: str, app_token: str, team: str) -> None:
    client = web_client.open_client(slack.api_url, token)
    await web_client.who_we_are(client, team=team)
    await web_client.can_open_sockets(client, app_token)


async def refusal(slack: SlackStandIn, **different: str) -> str:
    asked = {"token": slack.bot_token, "app_token": slack.app_token, "team": people.TEAM_ID} | different
    with pytest.raises(web_client.NotUsable) as refused:
        await usable(slack, **asked)
    return str(refused.value)


async def test_each_way_of_being_unusable_is_one_sentence_with_the_fix(slack: SlackStandIn) -> None:
    assert "SLACK_BOT_TOKEN" in await refusal(slack, token="xoxb-wrong")
    assert "another kind of token" in await refusal(slack, token=slack.app_token)
    assert "slack.team says T0OTHER" in await refusal(slack, team="T0OTHER")
    assert "SLACK_APP_TOKEN" in await refusal(slack, app_token="xapp-wrong")
    slack.faults.refuse()
    assert "it answered service_unavailable; try again" in await refusal(slack)


async def test_no_refusal_repeats_a_token(slack: SlackStandIn) -> None:
    assert "very-secret" not in await refusal(slack, token="xoxb-very-secret")
    assert "very-secret" not in await refusal(slack, app_token="xapp-very-secret")


async def test_an_address_where_nobody_answers_is_named() -> None:
    with pytest.raises(web_client.NotUsable, match=r"127\.0\.0\.1:9/api/ is not reachable"):
        await web_client.who_we_are(web_client.open_client("http://127.0.0.1:9/api/", "xoxb-playground"))


async def test_an_app_without_socket_mode_says_so_before_anything_starts() -> None:
    off = {**manifest.DEFAULT_MANIFEST, "settings": {**manifest.DEFAULT_MANIFEST["settings"], "socket_mode_enabled": False}}
    async with SlackStandIn(manifest=off) as slack:
        assert "Socket Mode is off" in await refusal(slack)


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_proxies_and_tokens_of_the_environment_are_not_used_on_loopback(
    mode: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-of-somebody-else")
    async with slack_house.house(mode=mode) as house:
        await house.slack.driver.command(people.U_ANN, "/migrate shift shop 25% because")
        await house.slack.driver.wait_for(house.slack.driver.messages)
        await house.slack.driver.command(people.U_ANN, "/migrate whoami")
        await house.slack.driver.wait_for(lambda: len(house.slack.driver.ephemerals(people.U_ANN)) == 2)
        assert not [call for call in house.slack.calls if call.error]
    assert "will be unused" not in caplog.text, "it is not news: every start would warn"


async def test_the_first_request_asks_slack_nothing_about_ourselves() -> None:
    async with slack_house.house(mode="socket") as house:
        before = [call.method for call in house.slack.calls].count("auth.test")
        await house.slack.driver.command(people.U_ANN, "/migrate help")
        assert [call.method for call in house.slack.calls].count("auth.test") == before == 1


async def test_a_broken_wire_is_trouble_until_it_is_mended() -> None:
    async with slack_house.house(mode="socket") as house:
        assert house.socket is not None
        socket = house.socket
        assert await socket.trouble() == ""
        house.slack.faults.refuse()
        await house.slack.driver.wait_for(lambda: house.slack.connections == 0)
        async with asyncio.timeout(10):
            while "being opened again" not in await socket.trouble():  # noqa: ASYNC110 - it is only known by asking
                await asyncio.sleep(0)
        house.slack.faults.clear()
        await house.slack.connected(1, within=20)
        assert (await house.slack.driver.command(people.U_ANN, "/migrate help")).acknowledged
        assert await socket.trouble() == ""


async def test_before_the_start_and_after_the_stop_there_is_no_connection() -> None:
    async with slack_house.house(mode="http") as house:
        socket = socket_mode.SocketMode(house.app, house.slack.app_token)
        assert "was not started" in await socket.trouble()
        await socket.stop()


def signed(body: bytes, *, secret: str = slack_house.SECRET, at: float | None = None) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    kind = "application/json" if body.startswith(b"{") else "application/x-www-form-urlencoded"
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}", "Content-Type": kind}


BODY = b"command=%2Fmigrate&text=rollback+shop&user_id=U0ANN00001&team_id=T0FERRY001&channel_id=C0MIGRATE1&trigger_id=1.2.3"


def door(house: House) -> http_mode.HttpMode:
    assert house.http is not None
    return house.http


async def test_a_signed_request_is_obeyed(http: House) -> None:
    status, _, _ = await door(http).answer("POST", signed(BODY), BODY)
    assert status == 200
    await http.slack.driver.wait_for(lambda: http.front.held)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"X-Slack-Signature": "v0=" + "0" * 64}, 401),
        ({"X-Slack-Signature": ""}, 401),
        ({"X-Slack-Request-Timestamp": ""}, 401),
        ({"X-Slack-Request-Timestamp": "yesterday"}, 401),
        ({"X-Slack-Request-Timestamp": "-5"}, 401),
        ({"X-Slack-Request-Timestamp": "٣"}, 401),
        ({"X-Slack-Request-Timestamp": "9" * 400}, 401),
        (signed(BODY, secret="another secret"), 401),
        (signed(BODY, at=time.time() - 40000), 401),
        (signed(BODY, at=time.time() + 40000), 401),
    ],
)
async def test_what_is_not_signed_here_and_now_is_refused(http: House, changed: dict[str, str], status: int) -> None:
    answered, _, _ = await door(http).answer("POST", signed(BODY) | changed, BODY)
    assert answered == status
    assert http.front.held == []


async def test_other_methods_large_bodies_and_no_text_are_refused(http: House) -> None:
    large, odd = b"x" * (http_mode.MOST_BYTES + 1), b"\xff\xfe"
    assert (await door(http).answer("GET", {}, b""))[0] == 405
    assert (await door(http).answer("POST", signed(large), large))[0] == 413
    assert (await door(http).answer("POST", signed(odd), odd))[0] == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"{}", b"payload=%7B", b"payload=7", b"payload={}", b"ssl_check=1"])
async def test_a_signed_body_that_means_nothing_does_nothing(http: House, body: bytes) -> None:
    status, _, _ = await door(http).answer("POST", signed(body), body)
    assert status in (200, 400, 404, 500)
    assert (http.front.heard, http.front.held) == ([], [])


async def test_slacks_look_at_the_certificate_is_answered_and_does_nothing(http: House) -> None:
    body = b"ssl_check=1&" + BODY
    assert (await door(http).answer("POST", {}, body))[0] == 200
    assert (await door(http).answer("POST", signed(body), body))[0] == 200
    assert (http.front.heard, http.front.held) == ([], [])


async def test_slacks_question_whether_the_address_is_ours_is_answered(http: House) -> None:
    asked = json.dumps({"type": "url_verification", "challenge": "c-123", "token": "t"}).encode()
    status, _, body = await door(http).answer("POST", signed(asked), asked)
    assert (status, "c-123" in body) == (200, True)


async def _opened_and_closed() -> None:
    async with slack_house.house(mode="http", signing_secret=SecretStr("")):
        pass


async def test_http_mode_without_a_signing_secret_does_not_start() -> None:
    with pytest.raises(web_client.NotUsable, match="SLACK_SIGNING_SECRET"):
        await _opened_and_closed()


async def test_in_socket_mode_no_secret_lets_signed_requests_in() -> None:
    async with slack_house.house(mode="socket", signing_secret=SecretStr("")) as house:
        for guess in ("", " ", "not used"):
            status, _, _ = await http_mode.HttpMode(house.app.app).answer("POST", signed(BODY, secret=guess), BODY)
            assert status == 401
        assert house.front.held == []
