"""What a browser may ask for, each with a small answer: the acts of a person, and the simulated mishaps."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from deploy.playground.slack import call_log, faults, interactions, page_state, records, workspace

Json = dict[str, Any]


class PageActs:
    def __init__(
        self,
        space: workspace.Workspace,
        acts: interactions.Interactions,
        knobs: faults.SlackFaults,
        log: call_log.CallLog,
    ) -> None:
        self._log = log
        self._space = space
        self._acts = acts
        self._faults = knobs
        self._table: Mapping[str, Callable[[str, Json], Awaitable[Json]]] = {
            "send": self._send,
            "click": self._click,
            "submit": self._submit,
            "close": self._close,
            "home": self._home,
            "shortcut": self._shortcut,
            "dismiss": self._dismiss,
            "older": self._older,
            "simulate": self._simulate,
            "detail": self._detail,
        }

    async def perform(self, viewer: str, asked: Json) -> Json:
        """One act of `viewer`. LookupError and KeyError (a screen that is gone, a malformed request) become a sentence."""
        act = self._table.get(str(asked.get("kind")))
        if act is None:
            return {"error": "unknown_act"}
        try:
            return await act(viewer, asked)
        except (LookupError, TypeError, ValueError) as wrong:
            return {"error": f"That is no longer on the screen ({wrong})."}

    async def _send(self, viewer: str, asked: Json) -> Json:
        text, channel = str(asked["text"]).strip(), str(asked["channel"])
        if not self._space.sees(viewer, channel):
            return {"error": "You are not in this channel."}
        if text.startswith("/"):
            if asked.get("thread_ts"):
                return {"error": "Slack has no slash commands in threads. Mention the app instead: @ferry …"}
            return _told(await self._acts.command(viewer, text, channel=channel))
        if text:
            self._acts.say(viewer, text, channel=channel, thread_ts=asked.get("thread_ts") or None)
        return {}

    async def _click(self, viewer: str, asked: Json) -> Json:
        screen = self._screen(viewer, asked)
        block, element = _element(screen, asked)
        filled = {(entry["block_id"], entry["action_id"]): entry["value"] for entry in asked.get("filled", ())}
        return _told(await self._acts.click(viewer, screen, block, element, value=asked.get("value"), filled=filled))

    async def _submit(self, viewer: str, asked: Json) -> Json:
        view = self._view(viewer, asked)
        filled = {(entry["block_id"], entry["action_id"]): entry["value"] for entry in asked.get("filled", ())}
        outcome = await self._acts.submit(viewer, view, filled)
        if outcome.errors:
            return {"errors": dict(outcome.errors)}
        return {"error": f"We had some trouble connecting. Try again? ({outcome.error})"} if outcome.error else {}

    async def _close(self, viewer: str, asked: Json) -> Json:
        self._acts.close(viewer, self._view(viewer, asked), everything=bool(asked.get("everything")))
        return {}

    async def _home(self, viewer: str, asked: Json) -> Json:
        self._acts.open_home(viewer, tab=str(asked.get("tab", "home")))
        return {}

    async def _shortcut(self, viewer: str, asked: Json) -> Json:
        return _told(await self._acts.shortcut(viewer, str(asked["callback_id"]), channel=str(asked["channel"])))

    async def _dismiss(self, viewer: str, asked: Json) -> Json:
        message = self._space.ephemeral(viewer, str(asked["ts"]))
        if message is not None:
            self._acts.dismiss(message)
        return {}

    async def _older(self, viewer: str, asked: Json) -> Json:
        """The newest earlier revision that still had buttons: what a slower screen would show."""
        if not self._space.sees(viewer, str(asked["channel"])):
            return {"error": "You are not in this channel."}
        earlier = self._space.revisions(str(asked["channel"]), str(asked["ts"]))[:-1]
        older = next((message for message in reversed(earlier) if message.action_ids), None)
        if older is None:
            return {"error": "This message has no older version with buttons."}
        return {"message": page_state.message_as_seen(self._space, older)}

    async def _detail(self, _viewer: str, asked: Json) -> Json:
        return {"detail": page_state.detail(self._log, int(asked["number"]))}

    async def _simulate(self, _viewer: str, asked: Json) -> Json:
        what = str(asked["what"])
        if what == "rate_limit":
            self._faults.rate_limit(times=3, retry_after=2)
            return {"said": "The next 3 API calls get 429 with Retry-After: 2."}
        if what == "slow_ack":
            self._faults.slow_delivery(4.0)
            return {"said": "The next command or click reaches the app 4 s late: watch for operation_timeout."}
        if what == "disconnect":
            return {"said": f"Slack asked {self._faults.disconnect()} connection(s) to refresh."}
        if what == "duplicate":
            self._faults.duplicate_events()
            return {"said": "The next event (a mention, an opened Home tab) arrives twice."}
        if what == "down":
            self._faults.refuse()
            return {"said": "Slack is down for the app, until you press Back to normal."}
        self._faults.clear()
        return {"said": "Slack is back to normal."}

    def _screen(self, viewer: str, asked: Json) -> records.Message | records.View:
        if asked.get("view_id"):
            return self._view(viewer, asked)
        channel, ts = str(asked["channel"]), str(asked["ts"])
        mine = self._space.ephemeral(viewer, ts)
        if not self._space.sees(viewer, channel) or (mine is None and self._space.find(channel, ts) is None):
            raise LookupError("the message is gone")
        return next(known for known in self._space.revisions(channel, ts) if known.revision == asked["revision"])

    def _view(self, viewer: str, asked: Json) -> records.View:
        view = self._space.screens.find(view_id=str(asked["view_id"]))
        if view is None or view.user != viewer:
            raise LookupError("the view is closed")
        return view


def _element(screen: records.Message | records.View, asked: Json) -> tuple[Json, Json]:
    for block, element in records.elements_of(screen.blocks):
        if (block["block_id"], element["action_id"]) == (asked["block_id"], asked["action_id"]):
            return block, element
    raise LookupError("the button is gone")


def _told(outcome: interactions.Outcome) -> Json:
    """Errors of commands and clicks already stand in the channel as Slack's own words."""
    return {"acknowledged": outcome.acknowledged, "ms": outcome.milliseconds}
