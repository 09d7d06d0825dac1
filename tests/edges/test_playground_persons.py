"""Persons of a story who get no answer: one sentence says so, and what Slack showed stands apart from it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from deploy.playground import laptop
from deploy.playground.slack import people as directory
from deploy.playground.slack.server import SlackStandIn
from deploy.playground.stories import invariants, people, running

WORDS = "Nothing to see here.\nPlease go on."
BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": WORDS}}]


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn() as stand_in:
        app = AsyncApp(client=AsyncWebClient(token=stand_in.bot_token, base_url=stand_in.api_url))

        async def command(ack: Any, respond: Any) -> None:
            await ack()
            await respond(text=WORDS, blocks=BLOCKS)

        app.command("/migrate")(command)
        handler = AsyncSocketModeHandler(app, stand_in.app_token)
        await handler.connect_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped
        await stand_in.connected()
        yield stand_in
        await handler.close_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped


async def test_a_command_without_its_card_is_told_in_one_sentence_beside_what_slack_showed(
    slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "_ANSWER", 0.5)
    await slack.driver.say(directory.U_BOB, "a long story\nof many lines")
    with pytest.raises(people.Stuck) as stuck:
        await people.Persons(laptop.Playground(), slack).ask(people.ANN, "/migrate shift api-name01 5%")
    expected = "'/migrate shift api-name01 5%' brought no card; it was answered with: Nothing to see here. Please go on."
    assert str(stuck.value) == expected
    assert "bob (rev 0): a long story\n      of many lines" in stuck.value.screens
    assert stuck.value.screens.count("Please go on.") == 1
    assert "\\n" not in stuck.value.screens


def test_what_slack_showed_is_no_part_of_the_json() -> None:
    told = running.Told("alert", {}, invariants.Verdict({}, ()), ("the story got stuck: nothing came",), "#migration …")
    assert told.as_document() == {
        "story": "alert",
        "held": False,
        "measured": {"why_not": ["the story got stuck: nothing came"]},
        "invariants": {"checked": {}, "broken": []},
    }
