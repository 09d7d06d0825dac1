"""The door of the Web API: reads a call in any of the forms SDKs use, checks token, scope and rate, then asks the method."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from deploy.playground.slack import call_log, clock, faults, manifest, rate_limits
from deploy.playground.slack.api_errors import ApiError

Json = dict[str, Any]
Method = Callable[[Json], Awaitable[Json]]

JSON_FIELDS = {"blocks": "invalid_blocks_format", "view": "invalid_arguments", "metadata": "invalid_metadata_format"}
JSON_FIELDS |= {"attachments": "invalid_attachments", "files": "invalid_arguments"}

# Any one of the scopes listed will do; methods that are not listed need none.
SCOPES: Mapping[str, tuple[str, ...]] = {
    "chat.postMessage": ("chat:write",),
    "chat.update": ("chat:write",),
    "chat.delete": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "conversations.history": ("channels:history", "groups:history", "im:history"),
    "conversations.replies": ("channels:history", "groups:history", "im:history"),
    "conversations.info": ("channels:read", "groups:read", "im:read"),
    "conversations.members": ("channels:read", "groups:read", "im:read"),
    "conversations.open": ("im:write", "mpim:write"),
    "files.getUploadURLExternal": ("files:write",),
    "files.completeUploadExternal": ("files:write",),
    "reactions.add": ("reactions:write",),
    "usergroups.list": ("usergroups:read",),
    "usergroups.users.list": ("usergroups:read",),
    "users.info": ("users:read",),
    "users.list": ("users:read",),
}
WITH_APP_TOKEN = ("apps.connections.open",)


class WebApi:
    def __init__(
        self,
        *,
        methods: Mapping[str, Method],
        app: manifest.AppManifest,
        bot_token: str,
        app_token: str,
        log: call_log.CallLog,
        knobs: faults.SlackFaults,
        time: clock.Clock,
    ) -> None:
        self._methods = methods
        self._app = app
        self._bot_token = bot_token
        self._app_token = app_token
        self._log = log
        self._faults = knobs
        self._clock = time
        self._limits = rate_limits.RateLimits(time)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        started, at = time.perf_counter(), self._clock.now()
        method = request.match_info["method"]
        asked: Json = {}
        status, headers = 200, dict[str, str]()
        body: Json = {"ok": True}
        try:
            if self._faults.refusing:
                status, body = 503, {"ok": False, "error": "service_unavailable"}
            else:
                asked, token = await _read(request)
                self._authenticate(method, token)
                wait = self._faults.retry_after(method)
                if wait is None:
                    wait = self._limits.take(method, str(asked.get("channel", ""))) or None
                if wait is not None:
                    status, body, headers = 429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(wait)}
                else:
                    await self._clock.sleep(self._faults.call_delay(method))
                    body |= await self._methods[method](asked)
        except ApiError as refused:
            body = _refusal(refused)
        error = str(body.get("error", ""))
        spent = (time.perf_counter() - started) * 1000
        self._log.called(call_log.ApiCall(at=at, method=method, arguments=asked, status=status, error=error, milliseconds=spent))
        if not error and self._faults.loses_reply(method):
            # The call has taken effect; the caller sees only a broken connection.
            if request.transport is not None:
                request.transport.abort()
            await asyncio.sleep(0)
        return web.json_response(body, status=status, headers=headers | {"X-OAuth-Scopes": ",".join(sorted(self._app.scopes))})

    def _authenticate(self, method: str, token: str) -> None:
        if method not in self._methods:
            raise ApiError("unknown_method", req_method=method)
        if not token:
            raise ApiError("not_authed")
        if token not in (self._bot_token, self._app_token):
            raise ApiError("invalid_auth")
        if (token == self._app_token) != (method in WITH_APP_TOKEN):
            raise ApiError("not_allowed_token_type")
        needed = SCOPES.get(method, ())
        if needed and not self._app.scopes.intersection(needed):
            raise ApiError("missing_scope", needed=",".join(needed), provided=",".join(sorted(self._app.scopes)))


async def _read(request: web.Request) -> tuple[Json, str]:
    """(arguments, token): query, form, multipart or JSON; JSON inside strings is opened; the token is taken out."""
    asked: Json = dict(request.query)
    if request.content_type == "application/json":
        text = await request.text()
        try:
            decoded = json.loads(text) if text else {}
        except ValueError:
            raise ApiError("invalid_json") from None
        if not isinstance(decoded, dict):
            raise ApiError("json_not_object")
        asked |= decoded
    elif request.can_read_body:
        asked |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    for name, error in JSON_FIELDS.items():
        if isinstance(asked.get(name), str):
            try:
                asked[name] = json.loads(asked[name])
            except ValueError:
                raise ApiError(error) from None
    in_body = str(asked.pop("token", "") or "")
    header = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    return asked, header or in_body


def _refusal(refused: ApiError) -> Json:
    body: Json = {"ok": False, "error": refused.error, **refused.more}
    if refused.messages:
        body |= {"errors": refused.messages, "response_metadata": {"messages": refused.messages}}
    return body
