"""The way to Slack's Web API: clients that leave loopback alone, and the questions asked before anything starts."""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler, AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot import loopback

SECONDS = 10  # of one call
_WHY: Mapping[str, str] = {
    "invalid_auth": "Slack does not know the {token}; copy it again from the app's page and set {variable}",
    "not_authed": "there is no {token}; set {variable}",
    "not_allowed_token_type": "{variable} holds another kind of token; it must be the {token}",
    "account_inactive": "the {token} belongs to a workspace or a person that is gone; install the app again and set {variable}",
    "token_revoked": "the {token} was revoked; install the app again and set {variable}",
    "token_expired": "the {token} has expired; switch token rotation off in the app's manifest, or set a new {variable}",
    "missing_scope": "the {token} lacks the scope {needed}; install the app again with the manifest in deploy/slack",
    "socket_mode_disabled": "Socket Mode is off for this app; use deploy/slack/manifest-socket.yaml or set slack.mode to http",
    "forbidden_team": "the {token} is of another workspace than this app's; install the app again and set {variable}",
}


class NotUsable(Exception):
    """Slack cannot be used as it is configured. One sentence: what, why, what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot token is."""

    team: str
    user: str
    bot: str


def open_client(api_url: str, token: str) -> AsyncWebClient:
    """For calls that may be made twice: waits when Slack says 429, tries a broken connection again."""
    retries = [AsyncConnectionErrorRetryHandler(), AsyncRateLimitErrorRetryHandler(max_retry_count=2)]
    return _direct(AsyncWebClient(token=token, base_url=api_url, timeout=SECONDS, retry_handlers=list(retries)))


def open_patient_client(api_url: str, token: str) -> AsyncWebClient:
    """For the poster, which does its own waiting: a message that was sent must not be sent again by the library."""
    return _direct(AsyncWebClient(token=token, base_url=api_url, timeout=SECONDS, retry_handlers=[]))


async def who_we_are(client: AsyncWebClient, *, team: str = "") -> Identity:
    """One auth.test. Raises NotUsable, also when the token is of another workspace than `team` (empty: any)."""
    found = await _ask(client, "auth.test", token="bot token (xoxb-…)", variable="SLACK_BOT_TOKEN")  # noqa: S106 - its name
    identity = Identity(str(found.get("team_id", "")), str(found.get("user_id", "")), str(found.get("bot_id", "")))
    if team and identity.team != team:
        raise NotUsable(
            f"Slack cannot be used: the bot token belongs to workspace {identity.team}, and slack.team says {team}; "
            "correct the one that is wrong."
        )
    return identity


async def can_open_sockets(client: AsyncWebClient, app_token: str) -> None:
    """One apps.connections.open, whose ticket is thrown away. Raises NotUsable."""
    name = "app-level token (xapp-…, scope connections:write)"
    asking = AsyncWebClient(token=app_token, base_url=client.base_url, timeout=SECONDS, retry_handlers=client.retry_handlers)
    asking.proxy = client.proxy
    await _ask(asking, "apps.connections.open", token=name, variable="SLACK_APP_TOKEN")


async def _ask(client: AsyncWebClient, method: str, *, token: str, variable: str) -> Mapping[str, object]:
    try:
        answer = await client.api_call(method)
    except SlackApiError as error:
        raise NotUsable(f"Slack cannot be used: {_why(error, token, variable)}.") from None
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        why = str(error) or type(error).__name__
        raise NotUsable(
            f"Slack cannot be used: {client.base_url} is not reachable ({why}); see that this machine may call it, "
            "and that SLACK_API_URL and HTTPS_PROXY are right."
        ) from None
    return answer.data if isinstance(answer.data, dict) else {}


def _why(error: SlackApiError, token: str, variable: str) -> str:
    data = getattr(error.response, "data", None)
    told: Mapping[str, object] = data if isinstance(data, dict) else {}
    word = str(told.get("error", ""))
    if word in _WHY:
        return _WHY[word].format(token=token, variable=variable, needed=told.get("needed", "it needs"))
    status = getattr(error.response, "status_code", 0)
    said = f"it answered {word}" if word else f"it answered with HTTP status {status}"
    return f"{said}; try again in a minute, and see https://status.slack.com if it stays"


def _direct(client: AsyncWebClient) -> AsyncWebClient:
    """The library takes a proxy from the environment whatever it is told; what is on loopback is no proxy's business."""
    if loopback.leads(client.base_url):
        client.proxy = None
    return client
