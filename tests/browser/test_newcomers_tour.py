"""The newcomer's tour on the page, by clicking and typing, with the whole playground behind it; counted at the backends.

With FERRY_SCREENSHOT set, the picture of README.md is made anew, with some quiet time at each weight for its chart.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page as Browser
from playwright.async_api import async_playwright, expect

from deploy.playground import laptop, objects, panel
from deploy.playground.stories import counting

pytestmark = [
    pytest.mark.stories, pytest.mark.browser, pytest.mark.xdist_group("playground-browser"), pytest.mark.timeout(240),
]  # fmt: skip
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
PICTURE = Path(__file__).parents[2] / "docs" / "playground.png"
RPS = 300.0  # more than the page's own, so that a share can be counted within seconds
ASKED = 1_500
QUIET_SECONDS = 28  # at each weight, on the picture
PATIENCE = 60_000  # milliseconds: a shift is watched for some seconds before it is done
SERVICE = objects.FIRST


@pytest_asyncio.fixture
async def playground() -> AsyncIterator[laptop.Playground]:
    async with laptop.Playground(panel=panel.Panel, limits={"verify": "2s"}) as running:
        running.traffic.rps = RPS
        await running.watched_within()
        yield running


@pytest_asyncio.fixture
async def browser(playground: laptop.Playground) -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("no Chromium on this machine; deploy/bootstrap.sh installs it")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        page = await chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(PATIENCE)
        problems: list[str] = []
        page.on("console", lambda line: problems.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(playground.slack.url)
        yield page
        await chromium.close()
        assert problems == []


async def shifted(browser: Browser, weight: int, title: str) -> None:
    """Asked by Ann, approved by Bob, confirmed by Ann; until the card says that it is done."""
    box = browser.get_by_role("textbox", name="Message")
    await box.fill(f"/migrate shift {SERVICE.name} {weight}% {'first' if weight == 5 else 'second'} step")
    await box.press("Enter")
    await browser.get_by_role("combobox", name="You are").select_option(label="Bob (approver)")
    await browser.get_by_role("button", name="Approve").click()
    await browser.get_by_role("combobox", name="You are").select_option(label="Ann (requester)")
    await browser.get_by_role("button", name="Confirm", exact=True).click()
    await browser.get_by_role("dialog").get_by_role("button", name="Yes, start").click()
    await expect(browser.get_by_role("heading", name=title)).to_be_visible(timeout=PATIENCE)


async def at_new(playground: laptop.Playground) -> int:
    """Of the next `ASKED` requests that the two clusters count for the service, how many new has."""
    old, new = playground.old[SERVICE.name].counts, playground.new.counts
    before = old.total, new.per_host[SERVICE.new_host]
    while True:
        counted_old, counted_new = old.total - before[0], new.per_host[SERVICE.new_host] - before[1]
        if counted_old + counted_new >= ASKED:
            return round(counted_new * ASKED / (counted_old + counted_new))
        await asyncio.sleep(0.05)


async def pictured(playground: laptop.Playground, weight: int) -> None:
    """For the picture alone: until the chart has shown about this share for a while."""
    if not os.environ.get("FERRY_SCREENSHOT"):
        return
    side = panel.Panel(playground)
    while True:
        shown = side.snapshot()["series"][-QUIET_SECONDS:]
        if all(point["old"] + point["new"] > RPS / 2 for point in shown):
            near = [abs(100 * point["new"] / (point["old"] + point["new"]) - weight) < 10 for point in shown]
            if all(near) and all(bool(point["new"]) == bool(weight) for point in shown):
                return
        await asyncio.sleep(0.5)


async def test_a_newcomer_moves_traffic_breaks_the_new_cluster_and_watches_it_come_back(
    browser: Browser, playground: laptop.Playground
) -> None:
    share = browser.get_by_role("status", name="Share of the new cluster")
    await expect(share).to_have_text("0%")
    assert await at_new(playground) == 0
    await pictured(playground, 0)

    await shifted(browser, 5, f"Done — shift {SERVICE.name} 0% → 5%")
    assert counting.within(ASKED, await at_new(playground), 5)
    await expect(share).not_to_have_text("0%")
    await expect(browser.get_by_label("Tour").get_by_role("img", name="done")).to_have_count(4)
    await pictured(playground, 5)

    await shifted(browser, 25, f"Done — shift {SERVICE.name} 5% → 25%")
    assert counting.within(ASKED, await at_new(playground), 25)
    await expect(share).to_have_text(re.compile(r"(1[5-9]|2\d|3[0-5])\.\d%"))
    if os.environ.get("FERRY_SCREENSHOT"):
        await pictured(playground, 25)
        await expect(share).to_have_text(re.compile(r"2[45]\.\d%"))
        await browser.mouse.move(0, 0)
        await browser.screenshot(path=PICTURE)

    await browser.get_by_role("switch", name="New cluster answers 500").click()
    await expect(browser.get_by_text("HELD", exact=True)).to_be_visible()
    await expect(share).to_have_text("0%")
    await expect(browser.get_by_role("log", name="Messages").get_by_text("FerryNewClusterErrors").first).to_be_visible()
    await expect(browser.get_by_label("Tour").get_by_role("img", name="done")).to_have_count(5)
    assert await at_new(playground) == 0
