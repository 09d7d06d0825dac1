"""The page: its headers and its websocket, and what a person in a real browser sees and presses."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page as Browser
from playwright.async_api import async_playwright, expect
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from deploy.playground.slack import people, side_panel
from deploy.playground.slack.server import SlackStandIn

Json = dict[str, Any]
PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
HOSTILE = "<img src=x onerror=alert(1)> & <!channel>"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt; &amp; &lt;!channel&gt;"


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def card(title: str, *, decided: bool) -> list[Json]:
    """Once decided it waits for a confirmation, as the newcomer's tour expects of a card."""
    confirm = {"title": plain("Approve?"), "text": plain("It moves 5%."), "confirm": plain("Yes, approve"), "deny": plain("No")}
    approve = {"type": "button", "action_id": "approve", "style": "primary", "text": plain("Approve"), "confirm": confirm}
    reject = {"type": "button", "action_id": "reject", "text": plain("Reject")}
    words = {"type": "section", "text": {"type": "mrkdwn", "text": f"*why* {ESCAPED}"}}
    header = {"type": "header", "text": plain(title)}
    start = {"type": "button", "action_id": "confirm", "text": plain("Confirm")}
    return [header, words, {"type": "actions", "elements": [start] if decided else [approve, reject]}]


MODAL: Json = {
    "type": "modal",
    "callback_id": "reason",
    "title": plain("Why not?"),
    "submit": plain("Reject it"),
    "blocks": [
        {
            "type": "input",
            "block_id": "why",
            "label": plain("Reason"),
            "element": {"type": "plain_text_input", "action_id": "text"},
        },
    ],
}


class Traffic:
    """A side panel whose new cluster takes 24.9%."""

    def __init__(self) -> None:
        self.turned: list[tuple[str, str]] = []

    def snapshot(self) -> Json:
        series = [{"t": second, "old": 75, "new": 25, "errors": 1, "fallback": 1} for second in range(120)]
        services = [{"name": "api-name01", "weight": 25, "held": False}]
        return {
            "series": series,
            "now": {"share_new": 24.9, "old": 75, "new": 25, "errors": 1},
            "services": services,
            "notes": [],
        }

    def knobs(self) -> list[side_panel.Knob]:
        value = "on" if ("slow", "on") in self.turned else "off"
        return [side_panel.Knob(id="slow", label="New cluster slow", kind="toggle", value=value)]

    async def turn(self, knob: str, value: str) -> str:
        self.turned.append((knob, value))
        return f"The new cluster is slow: {value}."


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture
async def slack(traffic: Traffic) -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn(side=traffic) as stand_in:
        yield stand_in


@pytest.fixture
async def bot(slack: SlackStandIn) -> AsyncIterator[AsyncApp]:
    app = AsyncApp(client=AsyncWebClient(token=slack.bot_token, base_url=slack.api_url))

    async def command(ack: Any, command: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.chat_postMessage(
            channel=command["channel_id"], text="needed", blocks=card("🟡 Approval needed", decided=False)
        )

    async def approve(ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        place, ts, who = body["channel"]["id"], body["message"]["ts"], body["user"]["id"]
        known = slack.driver.find(place, ts)
        if who == people.U_ANN or known is None or known.text == "approved":
            await client.chat_postEphemeral(channel=place, user=who, text="You cannot approve this.")
            return
        await client.chat_update(channel=place, ts=ts, text="approved", blocks=card("🟡 Approved", decided=True))
        await client.chat_postMessage(channel=place, thread_ts=ts, text=f"approved by <@{who}>")

    async def reject(ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    async def reason(ack: Any, view: Json) -> None:
        said = view["state"]["values"]["why"]["text"]["value"]
        await (ack() if len(said) > 9 else ack(response_action="errors", errors={"why": "Say more than that."}))

    app.command("/migrate")(command)
    app.action("approve")(approve)
    app.action("reject")(reject)
    app.view("reason")(reason)
    handler = AsyncSocketModeHandler(app, slack.app_token)
    await handler.connect_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped
    await slack.connected()
    yield app
    await handler.close_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped


@pytest.fixture
async def browser(slack: SlackStandIn, bot: AsyncApp) -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("no Chromium on this machine; deploy/bootstrap.sh installs it")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        page = await chromium.new_page(viewport={"width": 1440, "height": 900})
        problems: list[str] = []
        page.on("console", lambda line: problems.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda _dialog: problems.append("somebody's text ran as a script"))
        await page.goto(slack.url)
        yield page
        await chromium.close()
        assert problems == []


async def test_the_page_and_every_file_it_names_come_with_a_strict_policy(slack: SlackStandIn) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(slack.url) as answer:
            html = await answer.text()
        names = [part.split('"')[0] for part in html.split('="/assets/')[1:]]
        assert len(names) >= 5
        for name in names:
            async with session.get(f"{slack.url}assets/{name}") as answer:
                assert answer.status == 200
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert "unsafe" not in answer.headers["Content-Security-Policy"]
        for name in ("server.py", "..%2Findex.html", "nothing.js"):
            async with session.get(f"{slack.url}assets/{name}") as answer:
                assert answer.status == 404


@pytest.mark.parametrize("origin", ["http://evil.example", "", "null"])
async def test_another_sites_script_gets_no_websocket(slack: SlackStandIn, origin: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{slack.url}page", headers={"Origin": origin})
        assert refused.value.status == 403
        port = slack.url.rsplit(":", 1)[1].rstrip("/")
        rebound = {"Origin": f"http://evil.example:{port}", "Host": f"evil.example:{port}"}
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"{slack.url}page", headers=rebound)


async def test_a_tab_sees_only_its_own_persons_whispers_and_channels(slack: SlackStandIn) -> None:
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
    await client.chat_postEphemeral(channel=people.C_MIGRATION, user=people.U_BOB, text="for Bob")
    seen: dict[str, Json] = {}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{slack.url}page", headers={"Origin": slack.url.rstrip("/")}) as page,
    ):
        for viewer in (people.U_BOB, people.U_CAROL, people.U_GUEST):
            await page.send_str(json.dumps({"kind": "look", "viewer": viewer, "channel": people.C_GENERAL, "id": 1}))
            await page.send_str(json.dumps({"kind": "look", "viewer": viewer, "channel": people.C_MIGRATION, "id": 2}))
            async for frame in page:
                told = json.loads(frame.data)
                if told["kind"] == "state" and told["viewer"] == viewer and told["channel"] == people.C_MIGRATION:
                    seen[viewer] = told
                if told["kind"] == "reply" and told["to"] == 2:
                    break
    assert [m["text"] for m in seen[people.U_BOB]["ephemerals"]] == ["for Bob"]
    assert seen[people.U_CAROL]["ephemerals"] == []
    assert [c["id"] for c in seen[people.U_GUEST]["channels"]] == [people.C_MIGRATION, people.im_id(people.U_GUEST)]


@pytest.mark.browser
async def test_a_newcomer_asks_is_refused_approves_as_bob_and_presses_an_old_button(
    browser: Browser, slack: SlackStandIn
) -> None:
    await browser.get_by_role("button", name="Put it in the composer").click()
    await browser.get_by_role("textbox", name="Message").press("Enter")
    await browser.get_by_role("button", name="Approve").click()
    await browser.get_by_role("dialog", name="Approve?").get_by_role("button", name="Yes, approve").click()
    await expect(browser.get_by_text("Only visible to you")).to_be_visible()
    ticked = browser.get_by_label("Tour").get_by_role("img", name="done")
    await expect(ticked).to_have_count(2)  # asked, and requests reach the new cluster; nobody approved
    await browser.get_by_role("button", name="Dismiss", exact=True).click()
    await expect(browser.get_by_text("Only visible to you")).to_have_count(0)

    await browser.get_by_role("combobox", name="You are").select_option(label="Bob (approver)")
    await browser.get_by_role("button", name="Approve").click()
    await browser.get_by_role("dialog", name="Approve?").get_by_role("button", name="No").click()
    await expect(browser.get_by_text("Approval needed")).to_be_visible()
    await browser.get_by_role("button", name="Approve").click()
    await browser.get_by_role("dialog", name="Approve?").get_by_role("button", name="Yes, approve").click()
    await expect(browser.get_by_role("heading", name="Approved")).to_be_visible()
    await browser.get_by_role("button", name="1 reply").click()
    await expect(browser.get_by_role("log", name="Replies").get_by_text("approved by @Bob")).to_be_visible()
    await expect(ticked).to_have_count(3)

    await browser.get_by_role("button", name="Switch to Carol").click()
    await browser.get_by_role("button", name="Stale click").click()
    await browser.get_by_role("dialog").get_by_role("button", name="Approve").click()
    await browser.get_by_role("dialog", name="Approve?").get_by_role("button", name="Yes, approve").click()
    await expect(browser.get_by_text("You cannot approve this.")).to_be_visible()
    assert [m.text for m in slack.driver.ephemerals(people.U_CAROL)] == ["You cannot approve this."]


@pytest.mark.browser
async def test_foreign_text_stays_text(browser: Browser, slack: SlackStandIn) -> None:
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
    await client.chat_postMessage(channel=people.C_MIGRATION, text=f"escaped {ESCAPED}", blocks=card(HOSTILE, decided=True))
    await slack.driver.say(people.U_STRANGER, HOSTILE)
    await client.chat_postMessage(
        channel=people.C_MIGRATION, text="live <!channel> <javascript:alert(1)|press me> <https://a.example|b>"
    )
    messages = browser.get_by_role("log", name="Messages")
    await expect(messages.get_by_text(HOSTILE)).to_have_count(3)
    await expect(messages.locator("img[src=x]")).to_have_count(0)
    await expect(messages.locator(".mention")).to_have_text(["@channel"])
    await expect(messages.get_by_role("link")).to_have_text(["b"])


@pytest.mark.browser
async def test_a_modal_shows_the_apps_complaint_beside_the_field_and_then_closes(browser: Browser, slack: SlackStandIn) -> None:
    box = browser.get_by_role("textbox", name="Message")
    await box.fill("/migrate shift")
    await box.press("Enter")
    await browser.get_by_role("button", name="Reject").click()
    modal = browser.get_by_role("dialog", name="Why not?")
    await modal.get_by_role("button", name="Reject it").click()
    await expect(modal.get_by_text("Please complete this required field.")).to_be_visible()
    await modal.get_by_label("Reason").fill("no")
    await modal.get_by_role("button", name="Reject it").click()
    await expect(modal.get_by_text("Say more than that.")).to_be_visible()
    await expect(modal.get_by_label("Reason")).to_have_value("no")
    await modal.get_by_label("Reason").fill("wait for the fix")
    await modal.get_by_role("button", name="Reject it").click()
    await expect(modal).to_have_count(0)
    assert slack.driver.open_view(people.U_ANN) is None


@pytest.mark.browser
async def test_the_panel_shows_the_share_turns_knobs_and_inspects(
    browser: Browser, traffic: Traffic, slack: SlackStandIn
) -> None:
    await expect(browser.get_by_role("status", name="Share of the new cluster")).to_have_text("24.9%")
    await browser.get_by_role("switch", name="New cluster slow").click()
    await expect(browser.get_by_role("switch", name="New cluster slow", checked=True)).to_be_visible()
    assert traffic.turned == [("slow", "on")]
    box = browser.get_by_role("textbox", name="Message")
    await box.fill("/mig")
    await box.press("Tab")
    await expect(box).to_have_value("/migrate ")
    await box.fill("/migrate status")
    await box.press("Enter")
    inspector = browser.get_by_role("region", name="Inspector")
    await inspector.get_by_text("/migrate status").click()
    await expect(inspector.get_by_text('"user_name": "ann"')).to_be_visible()
    await box.press("ArrowUp")
    await expect(box).to_have_value("/migrate status")
    await browser.get_by_role("button", name="Slack down").click()
    await expect(browser.get_by_role("status", name="Connection of the app")).to_have_text("0 connections")
    assert slack.faults.active == ["Slack is down"]
