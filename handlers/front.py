"""The one entrance for Slack, the web and the command line. Nothing else of `handlers` is called from outside."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from handlers import (
    alerts,
    answers,
    apply,
    arranging,
    blockers,
    bypassing,
    converge,
    discovering,
    dispatch,
    drifting,
    exposed,
    fleets,
    guard,
    hearing,
    hold,
    journey_keeping,
    journey_queries,
    laddering,
    listening,
    messages,
    outside,
    perform,
    preflighting,
    queries,
    releasing,
    remembered,
    settle,
    tasks,
    verify,
    wave_keeping,
    wave_loading,
    waving,
    writing,
)
from handlers.rules import decide, gates, key_outlook, migration, refusals, waves
from k8s import discovery, entry_change, model, preflight

_HEARD = 2000  # messages whose answer is kept for another delivery


@dataclass(frozen=True, slots=True)
class Looking:
    """Use cases that look at both clusters and need nothing else of the front."""

    discovering: discovering.Discovering
    preflighting: preflighting.Preflighting


class Front:
    """`start` resumes what runs and begins to watch; `stop` ends everything that was started here."""

    def __init__(
        self,
        world: outside.Outside,
        *,
        trust: migration.Trust,
        limits: outside.Limits,
        unmapped_holds_all: bool = False,
        looking: Looking | None = None,
    ) -> None:
        self._world = world
        self._looking = looking
        self._memory = memory = remembered.Remembered()
        self._tasks = work = tasks.Tasks()
        self._fleets = asked = fleets.Fleets(world.agents)
        self._heard: OrderedDict[str, asyncio.Task[answers.Answer]] = OrderedDict()
        ways = journey_keeping.Journeys(world)
        self._arranging = arranging.Arranging(world, limits)
        gather = blockers.Blockers(world, asked)
        keeps = wave_keeping.Waves(world, limits, memory=memory, ways=ways, trust=trust)
        self._loader = wave_loading.Loader(
            world, memory, gather=gather, trust=trust, ways=ways, arranges=self._arranging, keeps=keeps
        )
        self._lane = hold.HoldLane(world, limits, memory=memory, running=work, asked=asked, feed=self._feed)
        self._dispatcher = self._dispatching(world, limits, ways)
        exposures = exposed.FirstExposures(world.records)
        self._alarms = alerts.Alarms(
            world,
            memory=memory,
            lane=self._lane,
            exposures=exposures,
            asked=asked,
            work=work,
            feed=self._feed,
            unmapped_holds_all=unmapped_holds_all,
        )
        self._drifting = self._drift_watched(world, limits, ways)
        self._guard = self._guarding(world, limits, exposures)
        self._ladder = self._climbing(world, limits, trust, ways, keeps)
        self._waves = waving.Waving(
            world, limits, memory=memory, loader=self._loader, dispatcher=self._dispatcher, keeps=keeps, work=work
        )
        self._hearing = hearing.Hearing(world, loader=self._loader, dispatcher=self._dispatcher, ways=ways)
        self._ways = journey_queries.JourneyQueries(world, ways=ways, ladder=self._ladder, arranges=self._arranging)

    def _climbing(
        self,
        world: outside.Outside,
        limits: outside.Limits,
        trust: migration.Trust,
        ways: journey_keeping.Journeys,
        keeps: wave_keeping.Waves,
    ) -> laddering.Laddering:
        return laddering.Laddering(
            world,
            limits,
            trust=trust,
            loader=self._loader,
            memory=self._memory,
            asked=self._fleets,
            ways=ways,
            arranges=self._arranging,
            keeps=keeps,
            work=self._tasks,
            feed=self._feed,
            busy=self._dispatcher.works_on,
        )

    def _drift_watched(self, world: outside.Outside, limits: outside.Limits, ways: journey_keeping.Journeys) -> drifting.Drifting:
        return drifting.Drifting(
            world,
            limits,
            memory=self._memory,
            loader=self._loader,
            ways=ways,
            arranges=self._arranging,
            work=self._tasks,
            feed=self._feed,
            busy=self._dispatcher.works_on,
        )

    def _guarding(self, world: outside.Outside, limits: outside.Limits, exposures: exposed.FirstExposures) -> guard.Guard:
        asked, work, lane = self._fleets, self._tasks, self._lane
        return guard.Guard(
            world,
            limits,
            memory=self._memory,
            loader=self._loader,
            dispatcher=self._dispatcher,
            exposures=exposures,
            ears=listening.Listening(world, memory=self._memory, asked=asked, feed=self._feed),
            lane=lane,
            bypass=bypassing.Bypassing(world, limits, asked=asked, arranges=self._arranging, lane=lane, work=work),
            drift=self._drifting,
            work=work,
        )

    def _dispatching(self, world: outside.Outside, limits: outside.Limits, ways: journey_keeping.Journeys) -> dispatch.Dispatcher:
        write = writing.Writing(world, limits)
        converging = converge.Converging(world, limits, self._fleets)
        return dispatch.Dispatcher(
            world,
            memory=self._memory,
            loader=self._loader,
            performer=perform.Performer(
                world,
                self._memory,
                lane=self._lane,
                applying=apply.Applying(world, write, releasing.Releasing(world, self._memory), self._fleets),
                settling=settle.Settling(world, write, self._fleets),
                ways=ways,
            ),
            converging=converging,
            verifying=verify.Verifying(world, limits, self._fleets, converging),
            arranges=self._arranging,
            work=self._tasks,
            pause=limits.tick,
        )

    async def start(self) -> None:
        await asyncio.gather(self._guard.begin(), self._fleets.ask())  # the first alert must not meet a bot that knows nothing
        self._tasks.start(self._guard.run(), key="guard")
        self._tasks.start(self._ladder.run(), key="ladder")
        self._tasks.start(self._waves.run(), key="waves")

    async def stop(self) -> None:
        await self._tasks.stop()
        await self._fleets.stop()

    def names(self) -> tuple[str, ...]:
        return queries.names(self._world.cluster.view())

    def find(self, name_or_host: str) -> str | None:
        """A service's name from its name or its old host."""
        return queries.find(self._world.cluster.view(), name_or_host)

    def target(
        self,
        service: str,
        weight: int,
        *,
        strategy: model.Strategy | None = None,
        header: model.HeaderRule | None = None,
        cidrs: tuple[str, ...] = (),
        user: model.UserRule | None = None,
    ) -> model.Exposure | refusals.Refusal:
        """The whole exposure of a shift to `weight` percent, or why there is none."""
        view = self._world.cluster.view()
        return queries.target(view, service, weight, strategy=strategy, header=header, cidrs=cidrs, user=user)

    async def handle(self, message: messages.Message) -> answers.Answer:
        """Everything but holds and alerts. The same message id again answers the same and does nothing more."""
        heard = self._heard.get(message.id)
        if heard is None:
            heard = self._tasks.start(self._hearing.tell(message), name=f"{type(message).__name__} {message.id}")
            self._heard[message.id] = heard
            heard.add_done_callback(lambda task: self._forget_failed(message.id, task))
            while len(self._heard) > _HEARD:
                self._heard.popitem(last=False)
        return await asyncio.shield(heard)  # who asked may hang up; what was begun is finished

    def _forget_failed(self, message_id: str, task: asyncio.Task[answers.Answer]) -> None:
        """It failed: another delivery may try again."""
        if (task.cancelled() or task.exception() is not None) and self._heard.get(message_id) is task:
            del self._heard[message_id]

    async def hold(self, message: messages.PlaceHold) -> answers.Placed:
        """100% old, now, for one service or for all: written and pushed at once, whatever else is broken."""
        view, why = self._world.cluster.view(), ""
        if not message.actor.member:
            why = f"{message.actor.shown} is no full member of the workspace that Ferry serves; ask one of its members"
        elif view.synced and message.service not in (model.ALL_SERVICES, *view.services):
            why = f"no service is called {message.service}; `/migrate list` names them, `all` means every one"
        if why:
            nobody = model.Hold(message.service, "none", reason=message.reason, by=message.actor.id)
            return answers.Placed(nobody, written=False, pushes=(), seconds=0.0, trouble=why)
        return await asyncio.shield(self._tasks.start(self._lane.order(message), name=f"hold {message.service}"))

    async def alerts(self, alerts: Sequence[messages.Alert]) -> answers.Heard:
        """After every hold is written, or pushed to every agent."""
        return await asyncio.shield(self._tasks.start(self._alarms.hear(alerts), name="alerts"))

    async def preview(self, service: str, target: model.Exposure, actor: messages.Person) -> answers.Preview | refusals.Refusal:
        """The plan that a request would freeze, and whether it would be accepted now. Nothing is kept."""
        now = self._world.clock.now()
        asked = messages.ProposeShift(id="preview", at=now, service=service, actor=actor, target=target)
        of = (await self._loader.load(service, asked)).of
        decided = decide.decide(of, asked, now)
        if of.plan_now is None:
            return decided.refusal or queries.unknown(self._world.cluster.view(), service)
        return answers.Preview(of.plan_now, decided.refusal, self.keys(of.plan_now))

    def keys(self, plan: migration.Plan) -> key_outlook.Outlook | key_outlook.Unseen | None:
        """What the plan's weight means for the keys that the proxies see, by what they said last: nobody waits for them."""
        if plan.kind not in (migration.Kind.RAISE, migration.Kind.LOWER):
            return None
        return key_outlook.outlook(self._fleets.newest, plan.service, plan.after)

    async def status(self, service: str) -> answers.ServiceStatus | None:
        if service not in self.names() and self._world.cluster.view().synced:
            return None
        of = (await self._loader.load(service)).of
        return await queries.status(self._world, of, await self._ways.status(of))

    async def journey(self, service: str) -> answers.JourneyStatus | None:
        """How far the service is on its whole way, and what it waits for. None: there is no such service."""
        if service not in self.names() and self._world.cluster.view().synced:
            return None
        return await self._ways.status((await self._loader.load(service)).of)

    async def wave(self, name: str) -> waves.Wave | None:
        """How far it is, by its name or its operation's id; also one that waits or is over. None: nobody knows it."""
        return await self._waves.status(name)

    def waves(self) -> tuple[waves.Wave, ...]:
        """All that wait or are under way, the newest first."""
        return self._waves.open()

    async def arrangement(self, service: str, stage: entry_change.Stage) -> entry_change.Arrangement:
        """What the stage would change now, by a dry run; nothing is kept. Raises k8s.errors.ClusterError."""
        return await self._arranging.preview(service, stage)

    async def judgement(self, service: str) -> gates.Judgement:
        """The gates as of the last look at the numbers, with the alerts of now."""
        return await self._ways.judgement(service)

    async def past_exposure(self, service: str, generation: int) -> model.Exposure | refusals.Refusal:
        """What the record of that generation said, to be asked for again; may be a raise. Raises k8s.errors.ClusterError."""
        return await self._ways.past_exposure(service, generation)

    async def discover(self) -> discovery.Found:
        """What could be added to `migration.yaml`. Raises k8s.errors.ClusterError."""
        return await self._looks().discovering.discover()

    async def accept(self, asked: discovering.Accept) -> discovering.Accepted:
        """Adds what was discovered at weight 0. The same again changes nothing."""
        return await asyncio.shield(self._tasks.start(self._looks().discovering.accept(asked), name=f"accept {asked.id}"))

    async def preflight(self, service: str) -> preflight.Report:
        """Whether everything is there before its traffic moves; at most some ten seconds."""
        return await self._looks().preflighting.preflight(service)

    def _looks(self) -> Looking:
        if self._looking is None:
            raise LookupError("this Ferry was put together without a way to look at the clusters")
        return self._looking

    def drift(self, service: str | None = None) -> answers.Drift:
        """What differs from what was approved, and what was put back or accepted lately; of one service, or of all."""
        return self._drifting.drift(service)

    async def overview(self) -> answers.Overview:
        operations, fleet = await asyncio.gather(self._loader.all_open(), self._fleets.ask())
        return queries.overview(self._world.cluster.view(), operations, fleet)

    async def history(self, service: str) -> tuple[answers.Past, ...]:
        """Newest first. Raises k8s.errors.ClusterError."""
        return await queries.history(self._world, service)

    async def operation(self, operation_id: str) -> migration.Operation | None:
        """Open or decided."""
        return await self._loader.known(operation_id)

    async def waiting(self, service: str) -> migration.Operation | None:
        """The service's open operation."""
        return await self._loader.operation(service)

    def _feed(self, message: messages.Message) -> None:
        self._dispatcher.feed(message)
