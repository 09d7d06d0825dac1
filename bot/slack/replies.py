"""Answers for one person's eyes, where they asked. Convenient: a failure is logged and nothing else happens."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot import loopback
from bot.slack import block_limits, card_parts, origins, web_client

_log = structlog.get_logger("ferry.slack")
FAILURES = (SlackApiError, aiohttp.ClientError, OSError, asyncio.TimeoutError)
REFUSED_FORMS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})


class Replies:
    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

    async def answer(self, origin: origins.Origin, shown: card_parts.Shown) -> None:
        """To whoever asked. By the response URL where there is one: it works even where Ferry is no member."""
        for form in (shown, _plain(shown)):
            if origin.response_url and await self._respond(origin.response_url, form):
                return
        await self.whisper(origin.user, origin.channel, origin.thread, shown)

    async def whisper(self, user: str, channel: str, thread: str, shown: card_parts.Shown) -> None:
        """Only this person sees it; with no channel, or in their own conversation with Ferry, it is an ordinary message."""
        why = ""
        for form in (shown, _plain(shown)):
            try:
                await self._whisper(user, channel, thread, form)
            except FAILURES as error:
                why = _why(error)
            else:
                return
            if why not in REFUSED_FORMS:
                break
        _log.warning("an answer did not reach the person", user=user, channel=channel, why=why)

    async def _whisper(self, user: str, channel: str, thread: str, shown: card_parts.Shown) -> None:
        said: dict[str, Any] = {"text": shown.text, "blocks": shown.blocks} | ({"thread_ts": thread} if thread else {})
        if channel and not channel.startswith("D"):
            await self._client.api_call("chat.postEphemeral", json=said | {"channel": channel, "user": user})
            return
        if not channel:
            opened = await self._client.conversations_open(users=user)
            channel = (opened.get("channel") or {}).get("id", "")
        await self._client.api_call("chat.postMessage", json=said | {"channel": channel})

    async def open_view(self, origin: origins.Origin, view: block_limits.Block) -> str:
        """Within three seconds of the click. Slack's word for why not; empty: it is open."""
        method = "views.push" if origin.in_modal else "views.open"
        try:
            await self._client.api_call(method, json={"trigger_id": origin.trigger, "view": view})
        except FAILURES as error:
            _log.warning("a view could not be opened", user=origin.user, why=_why(error))
            return _why(error)
        return ""

    async def update_view(self, view: Mapping[str, Any], body: block_limits.Block) -> None:
        """Over exactly the form that was seen: where the person has gone on meanwhile, their newer choice draws it."""
        asked = {"view_id": view.get("id"), "hash": view.get("hash"), "view": body}
        try:
            await self._client.api_call("views.update", json=asked)
        except FAILURES as error:
            _log.info("a view was not updated", why=_why(error))

    async def publish_home(self, user: str, view: block_limits.Block) -> None:
        try:
            await self._client.api_call("views.publish", json={"user_id": user, "view": view})
        except FAILURES as error:
            _log.warning("the Home tab could not be published", user=user, why=_why(error))

    async def _respond(self, url: str, shown: card_parts.Shown) -> bool:
        webhook = AsyncWebhookClient(url, timeout=web_client.SECONDS)
        webhook.proxy = None if loopback.leads(url) else self._client.proxy
        try:
            answer = await webhook.send(text=shown.text, blocks=shown.blocks, response_type="ephemeral", replace_original=False)
        except FAILURES as error:
            _log.info("the response URL does not work", why=type(error).__name__)
            return False
        return answer.status_code == 200


def _plain(shown: card_parts.Shown) -> card_parts.Shown:
    """For when Slack refuses the card: its sentence."""
    return card_parts.Shown(shown.text, [])


def _why(error: BaseException) -> str:
    if isinstance(error, SlackApiError):
        data = getattr(error.response, "data", None)
        word = data.get("error") if isinstance(data, dict) else ""
        return str(word or f"HTTP status {getattr(error.response, 'status_code', '?')}")
    return str(error) or type(error).__name__
