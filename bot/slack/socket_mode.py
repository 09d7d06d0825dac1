"""Socket Mode: Ferry calls out, Slack answers over a websocket. Checked before it starts: the library would only ever retry."""

import structlog
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler

from bot.slack import web_client
from bot.slack.app import SlackApp

PING_SECONDS = 5.0
_log = structlog.get_logger("ferry.slack")


class SocketMode:
    def __init__(self, slack: SlackApp, app_token: str, *, ping: float = PING_SECONDS) -> None:
        self._slack = slack
        self._token = app_token
        self._ping = ping
        self._handler: AsyncSocketModeHandler | None = None

    async def start(self) -> None:
        """Connected when it returns. Raises web_client.NotUsable with one sentence about what is wrong."""
        await web_client.can_open_sockets(self._slack.client, self._token)
        handler = AsyncSocketModeHandler(self._slack.app, self._token, web_client=self._slack.client, ping_interval=self._ping)
        handler.client.proxy = self._slack.client.proxy
        self._handler = handler
        await handler.connect_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped
        _log.info("connected to Slack", mode="socket", team=self._slack.identity.team)

    async def stop(self) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            await handler.close_async()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped

    async def trouble(self) -> str:
        """Why nothing can be heard from Slack now, as one sentence; empty: all is well."""
        if self._handler is None:
            return "Slack is not connected: Socket Mode was not started; restart the bot"
        if not await self._handler.client.is_connected():
            return (
                "Slack is not connected: the websocket is down and being opened again; "
                "alerts still hold, and `kubectl patch` of migration-holds takes traffic back meanwhile"
            )
        return ""
