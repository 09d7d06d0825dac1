"""Waiting until every proxy serves what was written: asked again and again, k of n on the card, a limit, an outcome."""

from collections.abc import Awaitable, Callable

from handlers import fleets, messages, outside
from handlers.rules import effects, migration, planning
from k8s import convergence, views

_SHOWN_EVERY = 2.0  # seconds between two sentences of progress
_SUPPRESSED_LOOKS = 4  # as many in a row, and as long, until a raise that every proxy's breaker cuts is given up:
_SUPPRESSED_FOR = 10.0  # seconds; a probe has found a new cluster well by then, or it is not well
Progress = Callable[[str], Awaitable[None]]


class Converging:
    def __init__(self, world: outside.Outside, limits: outside.Limits, asked: fleets.Fleets) -> None:
        self._world = world
        self._limits = limits
        self._fleets = asked

    async def served(
        self, effect: effects.WatchConvergence, operation: migration.Operation, progress: Progress
    ) -> messages.Converged | messages.NotConverged:
        clock = self._world.clock
        until = clock.monotonic() + self._limits.converge
        shown, said = clock.monotonic(), ""
        patience = _Patience(min(_SUPPRESSED_FOR, self._limits.converge / 3))
        facts = {"id": f"{effect.id}/served/{effect.generation}", "service": effect.service, "operation": effect.id}
        while True:
            verdict = self._verdict(effect, operation, await self._fleets.ask())
            now = clock.monotonic()
            if isinstance(verdict, convergence.Converged):
                return messages.Converged(at=clock.now(), because=verdict.sentence, **facts)
            if isinstance(verdict, convergence.Waiting) and patience.ended(verdict, now):
                return messages.NotConverged(at=clock.now(), why=verdict.sentence, **facts)
            if now >= until:
                why = f"not every proxy served it within {self._limits.converge:g} s: {verdict.sentence}"
                return messages.NotConverged(at=clock.now(), why=why, **facts)
            if now - shown >= _SHOWN_EVERY and verdict.sentence != said:
                shown, said = now, verdict.sentence
                await progress(said)
            await clock.sleep(self._limits.ask)

    def _verdict(
        self, effect: effects.WatchConvergence, operation: migration.Operation, fleet: views.Fleet
    ) -> convergence.Verdict:
        plan, service, generation = operation.plan, effect.service, effect.generation
        if effect.id != operation.id:
            return convergence.of_lowering(fleet, service, generation=generation, weight=self._lowered_to(effect, plan))
        if plan.kind is migration.Kind.FINISH:
            return convergence.of_finish(fleet, service, generation=generation)
        if plan.kind is migration.Kind.RAISE:
            return convergence.of_raise(fleet, service, generation=generation, weight=plan.after.weight)
        verdict = convergence.of_lowering(fleet, service, generation=generation, weight=plan.after.weight)
        if plan.kind is migration.Kind.RELEASE and isinstance(verdict, convergence.Converged):
            return self._released(fleet, plan, verdict)
        return verdict

    def _lowered_to(self, effect: effects.WatchConvergence, plan: migration.Plan) -> int:
        record = self._world.cluster.service(effect.service).record
        if record is not None and record.generation == effect.generation:
            return record.exposure.weight
        return planning.lower_side(plan).weight

    def _released(self, fleet: views.Fleet, plan: migration.Plan, verdict: convergence.Converged) -> convergence.Verdict:
        """Ended only when no live proxy holds by these ids any more: nobody is left to bring them back."""
        lagging = []
        for report in fleet.reports:
            one = report.services.get(plan.service)
            still = sorted(set(one.holds) & set(plan.clears)) if one else []
            if still:
                lagging.append((report.pod, f"still holds by {', '.join(still)}"))
        if not lagging:
            count = len(plan.clears)
            return convergence.Converged(verdict.count, f"{verdict.sentence}; {count} hold{'s' if count != 1 else ''} ended")
        total = len(fleet.reports)
        who = "; ".join(f"{pod} {why}" for pod, why in lagging)
        done = total - len(lagging)
        return convergence.Waiting(done, total, tuple(lagging), f"{done} of {total} proxies ended the holds: {who}")


class _Patience:
    """With a raise that has reached every proxy and that every proxy's breaker cuts: waiting on helps nobody."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._looks = 0
        self._since = 0.0

    def ended(self, verdict: convergence.Waiting, now: float) -> bool:
        """Asked at every look."""
        if not verdict.all_suppressed:
            self._looks = 0
            return False
        self._looks += 1
        if self._looks == 1:
            self._since = now
        return self._looks >= _SUPPRESSED_LOOKS and now - self._since >= self._seconds
