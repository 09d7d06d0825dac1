"""A real Bolt app, unmodified, in conversation with people: commands, cards, clicks, modals, mentions, Home."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from deploy.playground.slack import people, records
from deploy.playground.slack.server import SlackStandIn

Json = dict[str, Any]
PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]


def client_of(slack: SlackStandIn, *, token: str | None = None) -> AsyncWebClient:
    return AsyncWebClient(token=token or slack.bot_token, base_url=slack.api_url)


def card(text: str, *, buttons: bool = True) -> list[Json]:
    approve: Json = {
        "type": "button",
        "action_id": "approve",
        "text": {"type": "plain_text", "text": "Approve"},
        "style": "primary",
        "value": "request-1",
        "confirm": {
            "title": {"type": "plain_text", "text": "Approve?"},
            "text": {"type": "plain_text", "text": "It moves 5%."},
            "confirm": {"type": "plain_text", "text": "Yes"},
            "deny": {"type": "plain_text", "text": "No"},
        },
    }
    reject: Json = {
        "type": "button",
        "action_id": "reject",
        "text": {"type": "plain_text", "text": "Reject"},
        "value": "request-1",
    }
    section = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    return [section, *([{"type": "actions", "elements": [approve, reject]}] if buttons else [])]


def reason_modal(note: str) -> Json:
    return {
        "type": "modal",
        "callback_id": "reason",
        "private_metadata": note,
        "title": {"type": "plain_text", "text": "Why?"},
        "submit": {"type": "plain_text", "text": "Reject"},
        "blocks": [
            {
                "type": "input",
                "block_id": "why",
                "label": {"type": "plain_text", "text": "Reason"},
                "element": {"type": "plain_text_input", "action_id": "text", "min_length": 3},
            },
            {
                "type": "input",
                "block_id": "tell",
                "optional": True,
                "label": {"type": "plain_text", "text": "Tell whom"},
                "element": {"type": "users_select", "action_id": "who"},
            },
        ],
    }


class TinyBot:
    """Everything it heard is in `heard`, in order, as (what, detail)."""

    def __init__(self, slack: SlackStandIn) -> None:
        self.slack = slack
        self.heard: list[tuple[str, Any]] = []
        self.retries: list[str | None] = []
        self.app = AsyncApp(client=client_of(slack), signing_secret=slack.signing_secret)
        self.handlers: list[AsyncSocketModeHandler] = []
        self._listen()

    def _listen(self) -> None:
        app = self.app
        app.command("/migrate")(self._command)
        app.action("approve")(self._approve)
        app.action("reject")(self._reject)
        app.view("reason")(self._reason)
        app.event("app_mention")(self._mentioned)
        app.event("app_home_opened")(self._home)
        app.event("message")(self._direct)
        app.shortcut("shift")(self._shortcut)

    async def _command(self, ack: Any, command: Json, client: AsyncWebClient, respond: Any) -> None:
        self.heard.append(("command", command["text"]))
        match command["text"].split(" ")[0]:
            case "help":
                await ack("Try: shift, status")
            case "silent":
                return
            case "broken":
                await ack(blocks=[{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}], text="too long")
            case "six":
                await ack()
                for number in range(6):
                    reply = await respond(text=f"answer {number}")
                    self.heard.append(("respond", reply.status_code))
            case _:
                await ack()
                text = f"Approval needed: {command['text']} by <@{command['user_id']}>"
                await client.chat_postMessage(
                    channel=command["channel_id"],
                    text=text,
                    blocks=card(text),
                    metadata={"event_type": "ferry_request", "event_payload": {"id": "request-1"}},
                )

    async def _approve(self, ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        self.heard.append(("approve", (body["user"]["id"], body["message"]["text"], body["actions"][0]["value"])))
        place, ts = body["channel"]["id"], body["message"]["ts"]
        if "Approval needed" not in body["message"]["text"] or self._approved(ts):
            await client.chat_postEphemeral(channel=place, user=body["user"]["id"], text="Already approved.")
            return
        await client.chat_update(channel=place, ts=ts, text="Approved", blocks=card("Approved", buttons=False))
        await client.chat_postMessage(channel=place, thread_ts=ts, text="Approved by Bob", reply_broadcast=True)

    def _approved(self, ts: str) -> bool:
        message = self.slack.driver.find(people.C_MIGRATION, ts)
        return message is not None and message.text == "Approved"

    async def _reject(self, ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=reason_modal(body["message"]["ts"]))

    async def _reason(self, ack: Any, view: Json, body: Json) -> None:
        values = view["state"]["values"]
        self.heard.append(("reason", (view["private_metadata"], values)))
        text = values["why"]["text"]["value"]
        if text == "because":
            await ack(response_action="errors", errors={"why": "Say more than that."})
        elif text == "more":
            await ack(response_action="update", view=reason_modal("second"))
        else:
            await ack()

    async def _mentioned(self, event: Json, say: Any, request: Any, body: Json) -> None:
        self.heard.append(("mention", event["text"]))
        self.retries.append((request.headers.get("x-slack-retry-num") or [None])[0])
        await say(text=f"Heard {body['event_id']}", thread_ts=event.get("thread_ts") or event["ts"])

    async def _home(self, event: Json, client: AsyncWebClient) -> None:
        blocks = [{"type": "header", "text": {"type": "plain_text", "text": "Migrations"}}]
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    async def _direct(self, event: Json, say: Any) -> None:
        self.heard.append(("direct", event["text"]))
        await say(text="Hello to you")

    async def _shortcut(self, ack: Any, shortcut: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=shortcut["trigger_id"], view=reason_modal("from a shortcut"))

    async def connect(self) -> AsyncSocketModeHandler:
        handler = AsyncSocketModeHandler(self.app, self.slack.app_token, ping_interval=1)
        self.handlers.append(handler)
        await handler.connect_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped
        await self.slack.connected(len(self.handlers))
        return handler

    async def close(self) -> None:
        for handler in self.handlers:
            await handler.close_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
async def bot(slack: SlackStandIn) -> AsyncIterator[TinyBot]:
    bot = TinyBot(slack)
    await bot.connect()
    yield bot
    await bot.close()


async def a_card(slack: SlackStandIn) -> records.Message:
    outcome = await slack.driver.command(people.U_ANN, "/migrate shift api-name01 5% try it")
    assert outcome.acknowledged
    return await slack.driver.wait_for(lambda: next((m for m in slack.driver.messages() if "Approval needed" in m.words), None))


async def test_a_command_becomes_a_card_and_a_click_updates_it(slack: SlackStandIn, bot: TinyBot) -> None:
    card = await a_card(slack)
    assert card.action_ids == ["approve", "reject"]
    assert card.metadata == {"event_type": "ferry_request", "event_payload": {"id": "request-1"}}
    outcome = await slack.driver.click(people.U_BOB, card, "approve")
    assert outcome.acknowledged
    assert outcome.dialog is not None
    assert outcome.dialog["title"]["text"] == "Approve?"
    await slack.driver.wait_for(lambda: slack.driver.thread(card.channel, card.ts))
    now = slack.driver.find(card.channel, card.ts)
    assert now is not None
    assert (now.text, now.action_ids, now.revision) == ("Approved", [], 1)
    assert [m.text for m in slack.driver.messages()] == ["Approved", "Approved by Bob"]
    assert ("approve", (people.U_BOB, card.text, "request-1")) in bot.heard


async def test_a_denied_confirm_dialog_reaches_nobody(slack: SlackStandIn, bot: TinyBot) -> None:
    card = await a_card(slack)
    outcome = await slack.driver.click(people.U_BOB, card, "approve", confirm=False)
    assert not outcome.delivered
    assert [what for what, _ in bot.heard] == ["command"]


async def test_a_stale_click_carries_the_old_message_and_only_the_clicker_hears_of_it(slack: SlackStandIn, bot: TinyBot) -> None:
    card = await a_card(slack)
    await slack.driver.click(people.U_BOB, card, "approve")
    await slack.driver.wait_for(lambda: slack.driver.thread(card.channel, card.ts))
    assert [m.text for m in slack.driver.history(card.channel, card.ts)] == [card.text, "Approved"]
    await slack.driver.click(people.U_CAROL, card, "approve")
    told = await slack.driver.wait_for(lambda: slack.driver.ephemerals(people.U_CAROL))
    assert [m.text for m in told] == ["Already approved."]
    assert slack.driver.ephemerals(people.U_BOB) == []
    assert bot.heard[-1] == ("approve", (people.U_CAROL, card.text, "request-1"))


async def test_a_modal_complains_like_the_client_then_like_the_app_then_closes(slack: SlackStandIn, bot: TinyBot) -> None:
    card = await a_card(slack)
    await slack.driver.click(people.U_BOB, card, "reject")
    view = await slack.driver.wait_for(lambda: slack.driver.open_view(people.U_BOB))
    empty = await slack.driver.submit(people.U_BOB, view, {})
    assert empty.errors == {"why": "Please complete this required field."}
    refused = await slack.driver.submit(people.U_BOB, view, {"why": "because"})
    assert refused.errors == {"why": "Say more than that."}
    assert slack.driver.open_view(people.U_BOB) is not None
    updated = await slack.driver.submit(people.U_BOB, view, {"text": "more"})
    assert not updated.closed
    renewed = slack.driver.open_view(people.U_BOB)
    assert renewed is not None
    assert renewed.body["private_metadata"] == "second"
    accepted = await slack.driver.submit(people.U_BOB, view.id, {"why": "wait for the fix", "who": people.U_CAROL})
    assert accepted.closed
    assert slack.driver.open_view(people.U_BOB) is None
    assert bot.heard[1] == (
        "reason",
        (card.ts, {"why": {"text": {"type": "plain_text_input", "value": "because"}},
                   "tell": {"who": {"type": "users_select", "selected_user": None}}}),
    )  # fmt: skip


async def test_text_in_the_acknowledgement_is_shown_to_the_person_alone(slack: SlackStandIn, bot: TinyBot) -> None:
    outcome = await slack.driver.command(people.U_ANN, "/migrate help")
    assert outcome.text == "Try: shift, status"
    assert [m.text for m in slack.driver.ephemerals(people.U_ANN)] == ["Try: shift, status"]
    assert slack.driver.messages() == []


async def test_an_acknowledgement_that_breaks_block_kit_is_not_shown(slack: SlackStandIn, bot: TinyBot) -> None:
    outcome = await slack.driver.command(people.U_ANN, "/migrate broken")
    assert outcome.error == "invalid_blocks"


async def test_a_command_that_is_not_in_the_manifest_never_reaches_the_app(slack: SlackStandIn, bot: TinyBot) -> None:
    outcome = await slack.driver.command(people.U_ANN, "/deploy now")
    assert outcome.error == "unknown_command"
    assert bot.heard == []


async def test_a_response_url_works_five_times(slack: SlackStandIn, bot: TinyBot) -> None:
    await slack.driver.command(people.U_ANN, "/migrate six")
    await slack.driver.wait_for(lambda: len(bot.heard) == 7)
    assert [status for what, status in bot.heard if what == "respond"] == [200] * 5 + [404]
    assert len(slack.driver.ephemerals(people.U_ANN)) == 5


async def test_a_mention_reaches_the_app_with_entities_and_it_answers_in_the_thread(slack: SlackStandIn, bot: TinyBot) -> None:
    ts = await slack.driver.mention(people.U_LI, "status of a&b for @bob in #general")
    replies = await slack.driver.wait_for(lambda: slack.driver.thread(people.C_MIGRATION, ts))
    assert bot.heard == [
        ("mention", f"<@{people.BOT_USER}> status of a&amp;b for <@{people.U_BOB}> in <#{people.C_GENERAL}|>"),
    ]
    again = await slack.driver.mention(people.U_LI, "and now?", thread_ts=ts)
    await slack.driver.wait_for(lambda: len(slack.driver.thread(people.C_MIGRATION, ts)) == 3)
    assert again not in [m.ts for m in slack.driver.messages()]
    assert replies[0].thread_ts == ts


async def test_an_ordinary_message_reaches_the_app_only_when_addressed_to_it(slack: SlackStandIn, bot: TinyBot) -> None:
    await slack.driver.say(people.U_ANN, "lunch?")
    await slack.driver.say(people.U_ANN, "hello ferry", channel=people.im_id(people.U_ANN))
    await slack.driver.wait_for(lambda: len(slack.driver.messages(people.im_id(people.U_ANN))) == 2)
    assert bot.heard == [("direct", "hello ferry")]


async def test_an_opened_home_tab_is_published_for_that_person(slack: SlackStandIn, bot: TinyBot) -> None:
    await slack.driver.open_home(people.U_ANN)
    home = await slack.driver.wait_for(lambda: slack.driver.home(people.U_ANN))
    assert "Migrations" in home.words
    assert slack.driver.home(people.U_BOB) is None


async def test_a_shortcut_opens_a_modal(slack: SlackStandIn, bot: TinyBot) -> None:
    assert (await slack.driver.shortcut(people.U_ANN, "shift")).acknowledged
    view = await slack.driver.wait_for(lambda: slack.driver.open_view(people.U_ANN))
    assert view.body["private_metadata"] == "from a shortcut"


async def test_waiting_in_vain_shows_what_slack_showed_instead(slack: SlackStandIn) -> None:
    await slack.driver.say(people.U_ANN, "nobody answers")
    with pytest.raises(TimeoutError, match="nobody answers"):
        await slack.driver.wait_for(lambda: slack.driver.home(people.U_ANN), within=0.05)
