"""What the agent answers over HTTP: `/status`, `/metrics`, `/livez`, `/readyz`; `POST /hold`, which can only lower; `POST
/preflight`, which only looks.

`POST /hold` takes `{"service": NAME or "all", "id": ID, "reason", "by", "since", "cause"}` (the last four may be missing) with
the bearer token, and answers 200 only when the links are at 0 and the hold is on disk. 401: wrong token. 400: no such JSON.
409: a record has ended that hold. 507: something could not be moved or written down; the sentence says what and of which service.
`POST /preflight`: with the same token, `{"targets": [...]}` in, `{"pod", "seen": [...]}` out, as `k8s.preflight.seen` has them.
"""

import hmac
import json
import re
from collections.abc import Callable
from typing import Any

import orjson
import prometheus_client
from aiohttp import web

from k8s import errors, hold_document, model
from k8s.agent import exposition, preflight, serving
from k8s.preflight import seen

HOLD_ID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,126}[A-Za-z0-9])?")
LARGEST_BODY = 16 * 1024


class Endpoints:
    """`status` is what `/status` says; `unready` what `/readyz` says (a sentence when not)."""

    def __init__(
        self,
        *,
        served: serving.Serving,
        token: str,
        pod: str,
        status: Callable[[], dict[str, Any]],
        unready: Callable[[], str],
        registry: prometheus_client.CollectorRegistry,
        ahead: preflight.Preflight | None = None,
    ) -> None:
        self._ahead = ahead
        self._serving = served
        self._token = token.encode()
        self._pod = pod
        self._status = status
        self._unready = unready
        self._metrics = exposition.Exposition(registry)
        self._pushed = prometheus_client.Counter("ferry_agent_holds_pushed", "Holds pushed to this agent", registry=registry)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=LARGEST_BODY)
        app.add_routes(
            [
                web.get("/status", self.status),
                web.get("/metrics", self.metrics),
                web.get("/livez", self.livez),
                web.get("/readyz", self.readyz),
                web.post("/hold", self.hold),
                *([web.post("/preflight", self.preflight)] if self._ahead is not None else []),
            ]
        )
        return app

    async def status(self, _: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(self._status()), content_type="application/json")

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=await self._metrics.text(), headers={"Content-Type": exposition.CONTENT_TYPE})

    async def livez(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(self, _: web.Request) -> web.Response:
        sentence = self._unready()
        return web.Response(text=(sentence or "ok") + "\n", status=503 if sentence else 200)

    async def hold(self, request: web.Request) -> web.Response:
        if not self._may_push(request.headers.get("Authorization", "")):
            return _answer(401, "the token is wrong or missing; use the one in the Secret ferry-agent-token")
        try:
            order = hold_document.hold_from_document(json.loads(await request.text()))
        except (ValueError, AttributeError, RecursionError, errors.BadReply):
            return _answer(400, 'send {"service": NAME or "all", "id": ID} as JSON')
        if not model.SERVICE_NAME.fullmatch(order.service) or not HOLD_ID.fullmatch(order.id):
            return _answer(400, "the service or the id has letters that are not allowed; ids use A-Z a-z 0-9 _ . -")
        self._pushed.inc()
        try:
            held = self._serving.hold(order)
        except OSError as error:
            return _answer(507, f"the hold {order.id} is not complete: {error}")
        if order.service != model.ALL_SERVICES and not held:
            return _answer(409, f"a later record has ended the hold {order.id}; place a new one with an id of its own")
        return web.json_response({"pod": self._pod, "held": True, "services": list(held), "id": order.id})

    async def preflight(self, request: web.Request) -> web.Response:
        if not self._may_push(request.headers.get("Authorization", "")):
            return _answer(401, "the token is wrong or missing; use the one in the Secret ferry-agent-token")
        try:
            targets = seen.targets_from(json.loads(await request.text()))
        except (ValueError, RecursionError) as error:
            return _answer(400, f"send targets as JSON, each with service, host, port, tls and path ({error})")
        found = await self._ahead.look(targets) if self._ahead is not None else ()
        return web.json_response({"pod": self._pod, "seen": [seen.seen_document(one) for one in found]})

    def _may_push(self, header: str) -> bool:
        scheme, _, token = header.partition(" ")
        return bool(self._token) and scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), self._token)


def _answer(status: int, sentence: str) -> web.Response:
    return web.json_response({"held": False, "trouble": sentence}, status=status)
