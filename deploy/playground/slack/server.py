"""The stand-in as one thing to start and stop.

async with SlackStandIn() as slack:
    app = AsyncApp(client=AsyncWebClient(token=slack.bot_token, base_url=slack.api_url))
    handler = AsyncSocketModeHandler(app, slack.app_token)
    await handler.connect_async()
    await slack.driver.command(people.U_ANN, "/migrate status")
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from aiohttp import web

from deploy.playground.slack import (
    call_log,
    chat_methods,
    clock,
    couriers,
    deliveries,
    directory_methods,
    file_methods,
    grants,
    interactions,
    page,
    page_acts,
    posting,
    signed_http,
    sockets,
    view_methods,
    web_api,
    workspace,
)
from deploy.playground.slack import manifest as manifests
from deploy.playground.slack import people as directory
from deploy.playground.slack.driver import Driver
from deploy.playground.slack.faults import SlackFaults
from deploy.playground.slack.side_panel import SidePanel

ACK_DEADLINE = 3.0
LARGEST_BODY = 25_000_000


class SlackStandIn:
    """`request_url` given: signed HTTP mode, otherwise Socket Mode. `deadline` (seconds) and `time` are for tests.

    Addresses are known once `start` has returned. Everything that it started has ended when `stop` has returned.
    """

    # Made up, and recognisably so: whoever refuses real-looking tokens in a playground can let these in.
    bot_token = "xoxb-playground"
    app_token = "xapp-playground"
    signing_secret = "playground-signing-secret"
    team_id = directory.TEAM_ID
    bot_user_id = directory.BOT_USER
    app_id = directory.APP_ID

    def __init__(
        self,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        manifest: Mapping[str, Any] | None = None,
        people: Sequence[directory.Person] = directory.DEFAULT_PEOPLE,
        channels: Sequence[directory.Channel] = directory.DEFAULT_CHANNELS,
        groups: Sequence[directory.UserGroup] = directory.DEFAULT_GROUPS,
        side: SidePanel | None = None,
        request_url: str | None = None,
        deadline: float = ACK_DEADLINE,
        time: clock.Clock | None = None,
    ) -> None:
        self._address, self._port = address, port
        self._runner: web.AppRunner | None = None
        self._now = time or clock.SystemClock()
        app = manifests.read(manifest or manifests.DEFAULT_MANIFEST)
        self.space = workspace.Workspace(
            persons=people,
            channels=channels,
            groups=groups,
            bot_name=app.bot_name,
            time=self._now,
        )
        notify = self.space.changes.notify
        self.faults = SlackFaults(notify)
        self.log = call_log.CallLog(notify)
        self._tickets = grants.Tickets()
        self._response_urls = grants.ResponseUrls(self._now)
        self._sockets = sockets.SocketCourier(notify)
        self.faults.bind_sockets(hang_up=self._sockets.hang_up, drop=self._sockets.drop)
        self._deliveries = deliveries.Deliveries(
            courier=self._courier(request_url),
            time=self._now,
            log=self.log,
            knobs=self.faults,
            deadline=deadline,
        )
        self._triggers = grants.Triggers(self._now)
        self._files = file_methods.FileMethods(self.space, lambda: self.url)
        self._api = self._web_api(app, socket_mode=request_url is None)
        acts = self._interactions(app)
        self.driver = Driver(self.space, acts, bot_name=app.bot_name)
        self._page = page.Page(
            address=address,
            space=self.space,
            app=app,
            acts=page_acts.PageActs(self.space, acts, self.faults, self.log),
            log=self.log,
            knobs=self.faults,
            side=side,
            socket_courier=self._sockets if request_url is None else None,
        )

    def _courier(self, request_url: str | None) -> couriers.Courier:
        if request_url is None:
            return self._sockets
        return signed_http.HttpCourier(request_url=request_url, secret=self.signing_secret, knobs=self.faults)

    def _interactions(self, app: manifests.AppManifest) -> interactions.Interactions:
        return interactions.Interactions(
            space=self.space,
            sender=self._deliveries,
            app=app,
            triggers=self._triggers,
            response_urls=self._response_urls,
            response_address=lambda secret: f"{self.url}response/{secret}",
        )

    def _web_api(self, app: manifests.AppManifest, *, socket_mode: bool) -> web_api.WebApi:
        def address() -> str:
            return self.url

        about = directory_methods.DirectoryMethods(
            self.space,
            app=app,
            tickets=self._tickets,
            address=address,
            socket_mode=socket_mode,
        )
        chat = chat_methods.ChatMethods(self.space, address)
        views = view_methods.ViewMethods(self.space, self._triggers, has_home=app.has_home)
        return web_api.WebApi(
            methods={**about.table, **chat.table, **views.table, **self._files.table},
            app=app,
            bot_token=self.bot_token,
            app_token=self.app_token,
            log=self.log,
            knobs=self.faults,
            time=self._now,
        )

    @property
    def url(self) -> str:
        """The page."""
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("the address is known after start()")
        return f"http://{self._address}:{self._runner.addresses[0][1]}/"

    @property
    def api_url(self) -> str:
        return f"{self.url}api/"

    @property
    def connections(self) -> int:
        """Websockets of the app that are open now (Socket Mode)."""
        return self._sockets.connections

    @property
    def calls(self) -> list[call_log.ApiCall]:
        return list(self.log.calls)

    @property
    def deliveries(self) -> list[call_log.Delivery]:
        return list(self.log.deliveries)

    async def start(self) -> None:
        served = web.Application(client_max_size=LARGEST_BODY)
        served.add_routes(
            [
                web.route("*", "/api/{method}", self._api.serve),
                web.get("/link/", self._link),
                web.post("/response/{secret}", self._respond),
                web.post("/upload/{file_id}", self._files.receive),
                web.get("/", self._page.index),
                web.get("/page", self._page.serve),
                web.get("/assets/{name}", self._page.asset),
                web.get("/archives/{channel}/{message}", self._page.permalink),
            ],
        )
        self._runner = web.AppRunner(served, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._address, self._port).start()

    async def stop(self) -> None:
        """May be called twice, and before `start`."""
        await self._deliveries.close()
        await self._sockets.close()
        await self._page.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def connected(self, count: int = 1, *, within: float = 10.0) -> None:
        """Waits until the app holds `count` websockets. TimeoutError after `within` seconds."""
        await self.driver.wait_for(lambda: self.connections == count or None, within=within)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _link(self, request: web.Request) -> web.StreamResponse:
        if self.faults.refusing:
            return web.Response(status=503, text="service unavailable")
        if not self._tickets.redeem(request.query.get("ticket", "")):
            return web.Response(status=403, text="This ticket is unknown or was used already: call apps.connections.open again.")
        return await self._sockets.serve(request)

    async def _respond(self, request: web.Request) -> web.Response:
        if self.faults.refusing:
            return web.Response(status=503, text="service unavailable")
        granted = self._response_urls.redeem(request.match_info["secret"])
        if isinstance(granted, str):
            return web.json_response({"ok": False, "error": granted}, status=404)
        await self._now.sleep(self.faults.call_delay("response_url"))
        try:
            body = await request.json()
        except ValueError:
            return web.Response(status=400, text="invalid_payload")
        error = posting.post(self.space, granted, body)
        return web.Response(status=400, text=error) if error else web.Response(text="ok")
