"""Alerts: a critical one that fires is a hold, at once, unless it is proven that nothing reaches the new cluster.

A critical one that moves nothing calls people. A warning, and the end of either, is a line in the thread of what is under
way, or a card of its own. Each is said once over all replicas. Nothing here waits for the store, a lock or Slack before
traffic is safe. Nothing that is resolved moves anything forward.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from enum import Enum

from handlers import answers, errors, exposed, fleets, hold, messages, outside, remembered, speaking, tasks
from handlers.rules import effects, migration
from k8s import model, views

_REMEMBERED = 20_000  # alerts that were told; the poll repeats them every few seconds


class _Fate(Enum):
    ACTED = "acted"
    TOLD = "told"
    LOST = "lost"


class Alarms:
    def __init__(
        self,
        world: outside.Outside,
        *,
        memory: remembered.Remembered,
        lane: hold.HoldLane,
        exposures: exposed.FirstExposures,
        asked: fleets.Fleets,
        work: tasks.Tasks,
        feed: hold.Feed,
        unmapped_holds_all: bool,
    ) -> None:
        self._world = world
        self._memory = memory
        self._lane = lane
        self._exposures = exposures
        self._fleets = asked
        self._tasks = work
        self._feed = feed
        self._unmapped_holds_all = unmapped_holds_all
        self._told: OrderedDict[tuple[str, str, bool], None] = OrderedDict()
        self._placing: dict[str, asyncio.Task[answers.Placed]] = {}

    async def hear(self, alerts: Sequence[messages.Alert]) -> answers.Heard:
        """After every hold is written or pushed. The same alert again does and says nothing new."""
        fates = await asyncio.gather(*(self._one(alert) for alert in alerts))
        lost = tuple(alert.cause for alert, fate in zip(alerts, fates, strict=True) if fate is _Fate.LOST)
        return answers.Heard(fates.count(_Fate.ACTED), fates.count(_Fate.TOLD), tuple(dict.fromkeys(lost)))

    async def _one(self, alert: messages.Alert) -> _Fate:
        if alert.firing and alert.severity is messages.Severity.CRITICAL:
            if alert.service and alert.service != model.ALL_SERVICES:
                return await self._critical(alert)
            if alert.service or self._unmapped_holds_all:
                return await self._hold_all(alert)
            self._page(alert, "it is mapped to no service, so nothing was moved; what it says decides what to do")
            return _Fate.TOLD
        self._tell(alert)
        return _Fate.TOLD

    async def _critical(self, alert: messages.Alert) -> _Fate:
        view = self._world.cluster.service(alert.service)
        named = view.wished is not None or view.record is not None or bool(view.record_trouble)
        known = named or fleets.serves(self._fleets.newest, alert.service)
        if not known and self._world.cluster.view().synced:
            self._page(alert, f"migration.yaml names no service {alert.service}, so nothing was moved")
            return _Fate.TOLD
        if self._held(alert.service, view):
            self._tell(alert)
            return _Fate.ACTED
        if not self._endangered(view):
            self._page(alert, f"{alert.service} sends nothing to the new cluster, so nothing was moved")
            return _Fate.TOLD
        since = self._exposures.since(alert.service)
        if since is not None and alert.started < since and not alert.about_new:
            self._page(alert, f"it fires since before {alert.service} was first sent to the new cluster, so nothing was moved")
            return _Fate.TOLD
        if await self._only_new_is_left(alert.service):
            self._page(
                alert,
                f"the old cluster answers no proxy for {alert.service} and the new one is well, so nothing was moved: mend the"
                " old cluster first. A hold would leave users with nobody; `/migrate rollback` orders one all the same",
            )
            return _Fate.TOLD
        return await self._act(alert, alert.service)

    async def _only_new_is_left(self, service: str) -> bool:
        """Known already, and still so when all are asked anew: without that suspicion a hold waits for nobody."""
        return fleets.only_new_is_left(self._fleets.newest, service) and fleets.only_new_is_left(
            await self._fleets.ask(), service
        )

    async def _hold_all(self, alert: messages.Alert) -> _Fate:
        """Once for each cause; it may have been released for some services meanwhile."""
        view = self._world.cluster.view()
        known = [hold for one in view.services.values() for hold in one.holds] if view.synced else []
        if any(hold.cause == alert.cause for hold in (*known, *self._memory.ordered(model.ALL_SERVICES, landed=True))):
            return _Fate.ACTED
        return await self._act(alert, model.ALL_SERVICES)

    def _held(self, service: str, view: views.ServiceView) -> bool:
        """A hold is in force already: one more would add nothing but a key.

        A view that is not kept current may show one that was released meanwhile; it does not count.
        """
        if self._memory.ordered(service, landed=True):
            return True
        return self._world.cluster.view().synced and bool(view.holds)

    def _endangered(self, view: views.ServiceView) -> bool:
        """Something reaches new, or is about to, or nobody can say. Only what is proven to be at 0 is not."""
        if not self._world.cluster.view().synced or view.record_trouble or view.stale:
            return True
        operation = self._memory.open(view.name)
        raises = operation is not None and operation.plan.kind in migration.MOVES_UP
        recorded = view.record is not None and view.record.exposure.weight > 0
        return raises or recorded or fleets.may_serve(self._fleets.newest, view.name)

    async def _act(self, alert: messages.Alert, service: str) -> _Fate:
        """Alerts of one service that arrive together are one hold."""
        ongoing = self._placing.get(service)
        if ongoing is None or ongoing.done():
            ongoing = self._placing[service] = self._tasks.start(self._place(alert, service), name=f"alert {alert.name}")
        placed = await asyncio.shield(ongoing)
        self._tell(alert)
        return _Fate.ACTED if placed.safe else _Fate.LOST

    async def _place(self, alert: messages.Alert, service: str) -> answers.Placed:
        view = self._world.cluster.service(service)
        used = set(view.record.clears) if view.record else set()
        if not self._world.cluster.view().synced:
            used |= {one.id for one in view.holds}  # released meanwhile, for all we know
        hold_id = f"alert-{effects.digest('alert', alert.cause)}"
        if hold_id in used:  # ids are never used again: it fires once more after people had released it
            hold_id = f"alert-{effects.digest('alert', alert.cause, str(view.generation))}"
        ordered = model.Hold(
            service,
            hold_id,
            reason=f"alert {alert.name} fires" + (f": {alert.summary}" if alert.summary else ""),
            by="alertmanager",
            since=alert.at.isoformat(timespec="seconds"),
            cause=alert.cause,
        )
        what = "All services are" if service == model.ALL_SERVICES else f"{service} is"
        page = f"{what} held at 100% old: {ordered.reason}. Nothing goes forward by itself; see `/migrate status`."
        # Two alerts of one incident may reach two replicas at once: two holds, one call for people.
        return await self._lane.place(ordered, page=page, once=f"held/{service}/{view.generation}", early=True)

    def _tell(self, alert: messages.Alert) -> None:
        """A line in the thread of what is under way, or a card of its own."""
        if self._first_time(alert):
            self._tasks.start(self._told_once(alert), name=f"tell {alert.name}")

    async def _told_once(self, alert: messages.Alert) -> None:
        key = f"{alert.cause}/fires"
        if not alert.firing:
            if not await self._is_over(alert):
                return
            key = f"{alert.name}/{self._world.cluster.service(alert.service).generation}/resolved"
        if not await speaking.first(self._world, f"alert/{alert.service}/{key}"):
            return
        if alert.service not in ("", model.ALL_SERVICES):
            self._feed(alert)
        elif alert.worth_a_card:
            await speaking.spoken(self._world.chat.alert(alert))

    async def _is_over(self, alert: messages.Alert) -> bool:
        """The incident, not only this alert: rules of one name watch several windows, and the longer ones go on firing."""
        if alert.service in ("", model.ALL_SERVICES):
            return True
        view = self._world.cluster.service(alert.service)
        if not view.holds and not self._endangered(view):
            return False  # it was about nothing that carries traffic, so nobody heard of its beginning
        try:
            others = await self._world.alerts.firing(alert.service)
        except errors.Away:
            return True
        return not any(one.firing and one.name == alert.name and one.cause != alert.cause for one in others)

    def _page(self, alert: messages.Alert, because: str) -> None:
        if self._first_time(alert):
            summary = f": {alert.summary}" if alert.summary else ""
            sentence = f"Alert {alert.name} (critical) fires{summary}; {because}."
            service, once = alert.service or model.ALL_SERVICES, f"alert/{alert.service}/{alert.cause}"
            self._tasks.start(speaking.page(self._world, service, sentence, once=once), name=f"page {alert.name}")

    def _first_time(self, alert: messages.Alert) -> bool:
        key = (alert.service, alert.cause, alert.firing)
        if key in self._told:
            return False
        self._told[key] = None
        self._told.pop((alert.service, alert.cause, not alert.firing), None)
        while len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        return True
