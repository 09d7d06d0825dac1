"""What is told of a ladder: that its next step is due, or why it must pause. The same again only after a pause that grows."""

from collections.abc import Callable
from dataclasses import dataclass

from handlers import hold, judged, loading, outside, remembered, tasks
from handlers.journey_messages import RunInterrupted, StepDue
from handlers.rules import journeys, migration, soaking
from handlers.rules import laddering as rules

_LONGEST_PAUSE = 60.0  # seconds until the same step is said to be due again


@dataclass(frozen=True, slots=True)
class _Told:
    what: tuple[object, ...]
    again: float
    pause: float


class Climbing:
    """`feed`: hands a message to the dispatcher and returns at once; `busy`: whether it works on a service in this replica."""

    def __init__(
        self,
        world: outside.Outside,
        limits: outside.Limits,
        *,
        loader: loading.Loader,
        memory: remembered.Remembered,
        work: tasks.Tasks,
        feed: hold.Feed,
        busy: Callable[[str], bool],
    ) -> None:
        self._world = world
        self._limits = limits
        self._loader = loader
        self._memory = memory
        self._tasks = work
        self._feed = feed
        self._busy = busy
        self._doubts: dict[str, str] = {}  # why a run must pause, as of the last look
        self._told: dict[str, _Told] = {}

    def interrupted(self, of: migration.Migration, kept: journeys.Journey, sight: soaking.Sight, firing: judged.Loud) -> bool:
        """The run pauses, and people are told why; what is not a run's is only counted."""
        before = self._doubts.pop(of.service, "")
        if kept.run is None or kept.run.paused:
            return False
        why = sight.missing if sight.alert_or_drift else rules.interrupts(of, self._memory.saw(self._world.clock.now()))
        if not why:
            return False
        self._doubts[of.service] = why
        if sight.alert_or_drift or (why == before and of.operation is None):
            message = RunInterrupted(
                id=f"ladder/{of.service}/interrupted/{kept.revision}",
                at=self._world.clock.now(),
                service=of.service,
                why=why,
                resets=sight.alert_or_drift,
                of_all=",".join(firing.of_all),
            )
            if self._anew(of.service, (RunInterrupted, kept.revision, why)):
                self._tasks.start(self._interrupt(message), name=f"interrupt {of.service}")
        return True

    async def _interrupt(self, message: RunInterrupted) -> None:
        """A step that is being taken, perhaps by another replica, is used already and not in force yet."""
        if message.resets or await self._loader.operation(message.service) is None:
            self._feed(message)

    def step(self, of: migration.Migration, kept: journeys.Journey) -> None:
        """Only what is kept counts: what a crash could take back takes no step."""
        if kept.run is None or self._busy(of.service):
            return
        weight = rules.due(of, self._memory.saw(self._world.clock.now()))
        if not isinstance(weight, int) or not self._anew(of.service, (StepDue, kept.run.id, of.generation, weight)):
            return
        name = f"ladder/{of.service}/{of.generation}/{weight}"
        self._feed(StepDue(id=name, at=self._world.clock.now(), service=of.service, weight=weight))

    def _anew(self, service: str, what: tuple[object, ...]) -> bool:
        """What does not succeed is not hammered."""
        now, told, pause = self._world.clock.monotonic(), self._told.get(service), self._limits.ladder
        if told is not None and told.what == what:
            if now < told.again:
                return False
            pause = min(told.pause * 2, _LONGEST_PAUSE)
        self._told[service] = _Told(what, now + pause, pause)
        return True
