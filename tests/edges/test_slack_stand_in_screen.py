"""How the page holds itself on a screen: where a conversation stands, what a narrow window shows, how the panel reads."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, async_playwright, expect
from playwright.async_api import Page as Browser
from slack_sdk.web.async_client import AsyncWebClient

from deploy.playground.slack import people, side_panel
from deploy.playground.slack.server import SlackStandIn

Json = dict[str, Any]
pytestmark = pytest.mark.browser
PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
NOTE = "No answer from <b>proxy-1</b>."


class Troubled:
    """A side panel with a note, and with requests that wait."""

    def snapshot(self) -> Json:
        now = {"share_new": 5.0, "old": 57, "new": 3, "errors": 0, "fallback": 0, "waiting": 41}
        series = [{"t": second, "old": 57, "new": 3, "errors": 0, "fallback": 0} for second in range(120)]
        return {"series": series, "now": now, "services": [], "notes": [NOTE, "A second note."]}

    def knobs(self) -> list[side_panel.Knob]:
        return [side_panel.Knob(id="slow", label="New cluster slow", kind="toggle", value="off")]

    async def turn(self, knob: str, value: str) -> str:
        return f"{knob}: {value}"


@pytest.fixture
async def slack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SlackStandIn]:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    async with SlackStandIn(side=Troubled()) as stand_in:
        yield stand_in


@pytest.fixture
def app(slack: SlackStandIn) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)


@pytest.fixture
async def browser(slack: SlackStandIn) -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("no Chromium on this machine; deploy/bootstrap.sh installs it")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        page = await chromium.new_page(viewport={"width": 1440, "height": 900})
        problems: list[str] = []
        page.on("console", lambda line: problems.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(slack.url)
        yield page
        await chromium.close()
        assert problems == []


async def long_conversation(slack: SlackStandIn) -> None:
    for number in range(60):
        await slack.driver.say(people.U_ANN, f"line {number}")


async def from_the_end(stream: Locator) -> float:
    """Pixels below what is shown."""
    return float(await stream.evaluate("node => node.scrollHeight - node.scrollTop - node.clientHeight"))


async def test_notes_and_waiting_requests_are_words_on_the_panel(browser: Browser) -> None:
    traffic = browser.get_by_role("region", name="Traffic")
    await expect(traffic.locator(".note")).to_have_text([NOTE, "A second note."])
    await expect(traffic.get_by_text("requests that wait for their answer 41")).to_be_visible()
    assert "[object" not in await traffic.inner_text()


async def test_another_person_begins_at_the_newest_message(browser: Browser, slack: SlackStandIn) -> None:
    await long_conversation(slack)
    stream = browser.get_by_role("log", name="Messages")
    await expect(stream.get_by_text("line 59")).to_be_in_viewport()
    await stream.evaluate("node => { node.scrollTop = 0; }")
    await expect(stream.get_by_text("line 0")).to_be_in_viewport()
    await browser.get_by_role("button", name="Switch to Carol").click()
    await expect(stream.get_by_text("line 59")).to_be_in_viewport()
    assert await from_the_end(stream) < 2


async def test_who_reads_further_up_is_told_of_new_messages_and_taken_to_an_answer(
    browser: Browser, slack: SlackStandIn, app: AsyncWebClient
) -> None:
    await long_conversation(slack)
    stream = browser.get_by_role("log", name="Messages")
    await expect(stream.get_by_text("line 59")).to_be_in_viewport()
    await stream.evaluate("node => { node.scrollTop = 0; }")
    await app.chat_postMessage(channel=people.C_MIGRATION, text="100% old")
    await app.chat_postMessage(channel=people.C_MIGRATION, text="everywhere")
    await browser.get_by_role("button", name="↓ 2 new messages").click()
    await expect(stream.get_by_text("everywhere")).to_be_in_viewport()
    await expect(browser.get_by_role("button", name="new message")).to_have_count(0)
    await stream.evaluate("node => { node.scrollTop = 0; }")
    await app.chat_postEphemeral(channel=people.C_MIGRATION, user=people.U_ANN, text="That is not for you.")
    await expect(stream.get_by_text("That is not for you.")).to_be_in_viewport()


@pytest.mark.parametrize("width", [390, 768, 1024])
async def test_a_narrow_window_shows_the_conversation_and_everything_else_behind_a_button(
    browser: Browser, slack: SlackStandIn, width: int
) -> None:
    await long_conversation(slack)
    await browser.set_viewport_size({"width": width, "height": 800})
    assert await browser.evaluate("document.documentElement.scrollWidth") <= width
    parts = [await part.bounding_box() for part in await browser.locator("header.top > *:visible").all()]
    edges = [(box["x"], box["x"] + box["width"]) for box in parts if box]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(edges)), f"the header overlaps: {edges}"
    assert edges[-1][1] <= width
    stream = await browser.get_by_role("log", name="Messages").bounding_box()
    assert stream is not None
    assert stream["height"] > 500
    assert stream["width"] > 370

    share = browser.get_by_role("status", name="Share of the new cluster")
    await expect(share).to_be_hidden()
    await browser.get_by_role("button", name="Show tour, traffic and knobs").click()
    await expect(share).to_be_in_viewport()
    await browser.get_by_role("button", name="Put it in the composer").click()
    await expect(share).to_be_hidden()
    await expect(browser.get_by_role("textbox", name="Message")).not_to_have_value("")
    if width < 760:
        await browser.get_by_role("button", name="Show channels").click()
    await browser.get_by_role("link", name="general").click()
    await expect(browser.get_by_role("heading", name="general", exact=True)).to_be_in_viewport()
