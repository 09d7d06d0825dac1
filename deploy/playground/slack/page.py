"""Serves the page and its websocket: one connection a browser tab, each looking as the person chosen there.

Selectors for browser tests: combobox "You are"; textbox "Message" (and "Reply" in an open thread); buttons by their
text (Send, Approve, Confirm, …); messages are `article`s named "Message from NAME"; "Only visible to you" with a button
"Dismiss"; modals and confirm dialogs are `dialog`s named by their title; the app's tabs are `tab`s Home and Messages;
channels are links in the navigation "Channels"; panels are the regions "Traffic", "Break things", "Simulate Slack",
"Inspector"; the share of the new cluster is the `status` "Share of the new cluster"; knobs are `switch`es, comboboxes and
buttons named by their label; the tour is the region "Tour" with the buttons "Put it in the composer", "Switch to Bob",
"Switch to Ann", "Show the chart", "Show the knobs".
"""

import asyncio
import contextlib
import dataclasses
import json
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from aiohttp import WSMsgType, web

from deploy.playground.slack import call_log, faults, manifest, page_acts, page_state, people, side_panel, sockets, workspace

Json = dict[str, Any]
ASSETS = resources.files("templates") / "playground"
KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# Changes come in bursts (a click: delivery, ack, update); one picture of the burst is enough.
BETWEEN_PICTURES = 0.04
BETWEEN_FIGURES = 1.0
LARGEST_REQUEST = 100_000
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Page:
    def __init__(
        self,
        *,
        address: str,
        space: workspace.Workspace,
        app: manifest.AppManifest,
        acts: page_acts.PageActs,
        log: call_log.CallLog,
        knobs: faults.SlackFaults,
        side: side_panel.SidePanel | None,
        socket_courier: sockets.SocketCourier | None,
    ) -> None:
        self._address = address
        self._space = space
        self._app = app
        self._acts = acts
        self._log = log
        self._faults = knobs
        self._side = side
        self._sockets = socket_courier
        self._open: set[web.WebSocketResponse] = set()

    async def index(self, _request: web.Request) -> web.Response:
        return _asset("index.html")

    async def asset(self, request: web.Request) -> web.Response:
        return _asset(request.match_info["name"])

    async def permalink(self, request: web.Request) -> web.Response:
        raise web.HTTPFound(f"/#{request.match_info['channel']}/{request.match_info['message']}")

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """The page's websocket. Another site's script must not press buttons here, so the origin has to be our own."""
        origin = urlsplit(request.headers.get("Origin", ""))
        if origin.netloc != request.host or not self._is_our_name(origin.hostname or ""):
            raise web.HTTPForbidden(text="This websocket serves only the page that this server sent.")
        channel = web.WebSocketResponse(max_msg_size=LARGEST_REQUEST)
        await channel.prepare(request)
        self._open.add(channel)
        tab = _Tab(channel, viewer=next(iter(self._space.people)), place=people.C_MIGRATION)
        if tab.place not in self._space.channels:
            tab.place = next(iter(self._space.channels))
        painters = [asyncio.create_task(self._paint(tab)), asyncio.create_task(self._figures(tab))]
        running: set[asyncio.Task[None]] = set()
        try:
            await channel.send_json(page_state.introduction(self._space, self._app))
            async for frame in channel:
                if frame.type is WSMsgType.TEXT:
                    # A click may take its full 3 seconds; the person goes on working meanwhile.
                    task = asyncio.create_task(self._answer(tab, json.loads(frame.data)))
                    running.add(task)
                    task.add_done_callback(running.discard)
        finally:
            self._open.discard(channel)
            for task in [*painters, *running]:
                task.cancel()
            await asyncio.gather(*painters, *running, return_exceptions=True)
        return channel

    def _is_our_name(self, name: str) -> bool:
        """On loopback only loopback's names: a foreign name that was made to point here is a foreign site all the same."""
        return name in LOOPBACK or self._address not in LOOPBACK

    async def close(self) -> None:
        await asyncio.gather(*(channel.close() for channel in list(self._open)), return_exceptions=True)

    async def _paint(self, tab: "_Tab") -> None:
        while True:
            version = self._space.changes.version
            await tab.send(page_state.as_seen(self._space, viewer=tab.viewer, channel=tab.place))
            connections = self._sockets.connections if self._sockets else 0
            socket_mode = self._sockets is not None
            await tab.send(page_state.wire(self._log, self._faults, connections=connections, socket_mode=socket_mode))
            await asyncio.sleep(BETWEEN_PICTURES)
            await self._space.changes.after(version)

    async def _figures(self, tab: "_Tab") -> None:
        while self._side is not None:
            knobs = [dataclasses.asdict(knob) for knob in self._side.knobs()]
            await tab.send({"kind": "side", "snapshot": self._side.snapshot(), "knobs": knobs})
            await asyncio.sleep(BETWEEN_FIGURES)

    async def _answer(self, tab: "_Tab", asked: Json) -> None:
        kind = asked.get("kind")
        if kind == "look":
            tab.viewer = asked["viewer"] if asked.get("viewer") in self._space.people else tab.viewer
            tab.place = asked["channel"] if self._space.sees(tab.viewer, str(asked.get("channel"))) else tab.place
            if not self._space.sees(tab.viewer, tab.place):
                tab.place = next(place.id for place in self._space.channels.values() if tab.viewer in place.members)
            await tab.send(page_state.as_seen(self._space, viewer=tab.viewer, channel=tab.place))
            answer: Json = {}
        elif kind == "turn" and self._side is not None:
            answer = {"said": await self._side.turn(str(asked["knob"]), str(asked["value"]))}
        else:
            answer = await self._acts.perform(tab.viewer, asked)
        await tab.send({"kind": "reply", "to": asked.get("id"), **answer})


class _Tab:
    def __init__(self, channel: web.WebSocketResponse, *, viewer: str, place: str) -> None:
        self._channel = channel
        self.viewer = viewer
        self.place = place

    async def send(self, content: Json) -> None:
        # A tab may close while we write; that ends its loops a moment later.
        with contextlib.suppress(ConnectionError):
            await self._channel.send_json(content)


def _asset(name: str) -> web.Response:
    kind = KINDS.get(name.rpartition(".")[2])
    if kind is None or "/" in name or not (ASSETS / name).is_file():
        raise web.HTTPNotFound(text="There is no such file here.")
    return web.Response(body=(ASSETS / name).read_bytes(), content_type=kind, charset="utf-8", headers=HEADERS)
