"""The form for a shift on the page of the Slack stand-in, filled in by clicking and typing; Ferry's real Slack side behind it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page as Browser
from playwright.async_api import async_playwright, expect

from handlers import messages
from k8s import model
from tests.integration import slack_house

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("playground-browser")]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"


@pytest_asyncio.fixture
async def house() -> AsyncIterator[slack_house.House]:
    async with slack_house.house(mode="socket") as made:
        yield made


@pytest_asyncio.fixture
async def browser(house: slack_house.House) -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("no Chromium on this machine; deploy/bootstrap.sh installs it")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        page = await chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(30_000)
        problems: list[str] = []
        page.on("console", lambda line: problems.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(house.slack.url)
        yield page
        await chromium.close()
        assert problems == []


async def test_a_person_chooses_networks_mends_a_mistake_and_asks(house: slack_house.House, browser: Browser) -> None:
    await browser.get_by_role("combobox", name="You are").select_option(label="Ann (requester)")
    await browser.get_by_role("button", name="⚡").click()
    form = browser.get_by_role("dialog")
    await form.get_by_role("combobox", name="Service").select_option("shop")
    await expect(form.get_by_role("combobox", name="Which requests")).to_have_value("weight")
    await form.get_by_role("textbox", name="Share of the new cluster").fill("10%")
    await form.get_by_role("combobox", name="Which requests").select_option("ip")
    networks = form.get_by_role("textbox", name="Networks")
    await networks.fill("10.2.0.1/16")
    await expect(form.get_by_role("textbox", name="Share of the new cluster")).to_have_value("10%")
    await form.get_by_role("textbox", name="Why").fill("the office first")
    await form.get_by_role("button", name="Ask").click()
    await expect(form.get_by_text("the network itself is 10.2.0.0/16")).to_be_visible()
    await networks.fill("10.2.0.0/16, 10.3.0.0/16")
    await form.get_by_role("button", name="Ask").click()
    await expect(form).to_be_hidden()

    shift = await slack_house.heard(house, messages.ProposeShift)
    assert isinstance(shift, messages.ProposeShift)
    assert (shift.target.weight, shift.target.strategy, shift.reason) == (10, model.Strategy.IP, "the office first")
    assert shift.target.cidrs == ("10.2.0.0/16", "10.3.0.0/16")
    await expect(browser.get_by_role("heading", name="5% (weight) → 10% (ip)")).to_be_visible()
