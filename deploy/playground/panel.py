"""Beside the conversation: figures counted outside Ferry, the services as the proxies serve them, and the knobs."""

import time
from typing import Any

from deploy.playground import figures, knobs, laptop, objects
from deploy.playground.slack import side_panel

Json = dict[str, Any]
_STARTING = "The playground is starting; requests flow in a few seconds."
_BLIND = "Prometheus and Alertmanager are starting; until their watchdog is heard, nothing can be raised."


class Panel:
    """What `deploy.playground.slack.page` asks. Good before the playground has started: then it says so."""

    def __init__(self, playground: laptop.Playground) -> None:
        self._playground = playground
        self._knobs: knobs.Knobs | None = None

    def snapshot(self) -> Json:
        """See side_panel.SidePanel."""
        playground = self._playground
        if not playground.flowing:
            return {
                "series": [],
                "now": {"share_new": 0.0, "old": 0, "new": 0, "errors": 0, "waiting": 0},
                "services": [],
                "notes": [_STARTING],
            }
        points = figures.series(
            [backend.counts for backend in playground.old.values()],
            playground.new.counts,
            playground.traffic.seconds,
            figures.saved_by_second(playground.fleet.recent()),
            now=time.monotonic(),
        )
        fleet = playground.fleet
        services = [{"name": app.name, "weight": fleet.weight(app.name), "held": fleet.held(app.name)} for app in objects.APPS]
        served = any(service["weight"] for service in services)
        now = figures.latest(points, steady=fleet.steady(time.monotonic()), served=served)
        now["waiting"] = playground.traffic.waiting
        return {"series": points, "now": now, "services": services, "notes": self._notes()}

    def knobs(self) -> list[side_panel.Knob]:
        """None before requests flow."""
        if self._knobs is None and self._playground.flowing:
            self._knobs = knobs.Knobs(self._playground)
        return self._knobs.listed() if self._knobs else []

    async def turn(self, knob: str, value: str) -> str:
        """Turns it."""
        return await self._knobs.turn(knob, value) if self._knobs else _STARTING

    def _notes(self) -> list[str]:
        silent = self._playground.fleet.latest.silent
        found = [] if self._playground.watched.is_set() else [_BLIND]
        return found + ([f"No answer from {', '.join(silent)}."] if silent else [])
