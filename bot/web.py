"""The HTTP side: Alertmanager's webhook, the API, Slack's events in HTTP mode, metrics and health, inside the bot's own loop."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Generator, Mapping

import fastapi
import prometheus_client
import structlog
import uvicorn
from starlette import requests, responses
from starlette.types import ASGIApp

from bot import metrics, readiness

_LOG = structlog.get_logger(__name__)

_BACKLOG = 512

Handle = Callable[[requests.Request], Awaitable[responses.Response]]


def application(
    *,
    alerts: Handle,
    counts: metrics.Metrics,
    ready: readiness.Readiness,
    slack_events: Handle | None = None,
    api: ASGIApp | None = None,
) -> fastapi.FastAPI:
    """`slack_events`: only in HTTP mode. `api`: has a document of its own; no other address is for people, or documented."""
    app = fastapi.FastAPI(title="Ferry", docs_url=None, redoc_url=None, openapi_url=None)

    async def metrics_text(_: requests.Request) -> responses.Response:
        return responses.Response(counts.text(), media_type=prometheus_client.CONTENT_TYPE_LATEST)

    async def alive(_: requests.Request) -> responses.Response:
        return _said(200, {"alive": True})

    async def is_ready(_: requests.Request) -> responses.Response:
        answer = ready.answer()
        body = {"ready": answer.ready, "missing": list(answer.missing), "notes": list(answer.notes)}
        return _said(200 if answer.ready else 503, body)

    app.add_route("/alerts/alertmanager", alerts, methods=["POST"])
    app.add_route("/metrics", metrics_text, methods=["GET"])
    app.add_route("/livez", alive, methods=["GET"])
    app.add_route("/readyz", is_ready, methods=["GET"])
    if slack_events is not None:
        app.add_route("/slack/events", slack_events, methods=["POST"])
    if api is not None:
        app.mount("/api/v1", api)
    return app


def _said(status: int, body: Mapping[str, object]) -> responses.Response:
    return responses.JSONResponse(dict(body), status_code=status, headers={"Cache-Control": "no-store"})


class _Uvicorn(uvicorn.Server):
    """Signals are the process's business (`ferry run`), not the web server's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class WebServer:
    """Serves `app` at `address` and `port`; 0 picks a free one, known after `start`.

    `grace`: seconds that requests under way may take after `stop`.
    """

    def __init__(self, app: fastapi.FastAPI, *, address: str, port: int, grace: float = 5.0) -> None:
        self._address = address
        self._port = port
        # No access log: the webhook is counted in the metrics, and a line for every scrape hides what matters.
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,  # whoever calls is who they are: nothing here trusts a header about it
            timeout_graceful_shutdown=max(1, round(grace)),
        )
        self._server = _Uvicorn(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        return self._port

    async def start(self) -> None:
        """Listens when it returns. Raises OSError with a sentence when the address cannot be had."""
        try:
            listening = _listening(self._address, self._port)
        except OSError as error:
            raise OSError(
                f"the web server cannot listen on {self._address} port {self._port} ({error.strerror or error}); "
                "free the port or set web.port in the settings"
            ) from None
        self._port = listening.getsockname()[1]
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]), name="web server")
        self._task.add_done_callback(_report)

    async def ended(self) -> None:
        """Returns when the server has ended, however it did."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def stop(self) -> None:
        """No new connection, then requests under way are finished within the grace. May be called twice, and before `start`."""
        task, self._task = self._task, None
        if task is not None:
            self._server.should_exit = True
            await asyncio.gather(task, return_exceptions=True)


def _listening(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # The protocol is named because asyncio looks at it: otherwise connections keep Nagle's delay, 40 ms on an answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.error("the web server ended; alerts no longer arrive at this replica: restart it", error=repr(error))
