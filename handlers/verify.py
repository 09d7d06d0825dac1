"""The verify window after a raise: share, errors and latency from the proxies' own counts, and no critical alert."""

from handlers import converge, errors, fleets, messages, outside
from handlers.rules import effects, health, migration
from k8s import model, views

_ASK_EVERY = 4  # times the spacing of convergence questions
_COUNTED = 0.5  # seconds until what proxies served before the change is in their counts: nginx writes its log in portions


class Verifying:
    def __init__(
        self, world: outside.Outside, limits: outside.Limits, asked: fleets.Fleets, converging: converge.Converging
    ) -> None:
        self._world = world
        self._limits = limits
        self._fleets = asked
        self._converging = converging

    async def watched(
        self, operation: migration.Operation, progress: converge.Progress
    ) -> messages.Verified | messages.NotVerified | messages.NotConverged:
        """Fails as soon as it is clear; unknown at the end is not well. Too quiet to judge ends well, and says so."""
        clock = self._world.clock
        until = clock.monotonic() + self._limits.verify
        await clock.sleep(min(_COUNTED, self._limits.verify / 2))
        start = await self._fleets.ask()
        while True:
            await clock.sleep(min(self._limits.ask * _ASK_EVERY, max(until - clock.monotonic(), self._limits.ask)))
            verdict = self._verdict(operation, start, await self._fleets.ask())
            if isinstance(verdict, health.Unhealthy):
                return self._failed(operation, verdict.sentence)
            if fires := await self._fires(operation.plan.service):
                return self._failed(operation, fires)
            if clock.monotonic() >= until:
                break
        if isinstance(verdict, health.Unknown):
            return self._failed(operation, verdict.sentence)
        if blind := await self._world.alerts.blind():
            return self._failed(operation, f"nobody watches any more: {blind}")
        again = effects.WatchConvergence(operation.id, operation.plan.service, operation.generation)
        served = await self._converging.served(again, operation, progress)
        if isinstance(served, messages.NotConverged):
            return served
        return messages.Verified(
            id=f"{operation.id}/verified",
            at=clock.now(),
            service=operation.plan.service,
            operation=operation.id,
            because=f"{served.because}; {verdict.sentence}",
        )

    def _verdict(self, operation: migration.Operation, start: views.Fleet, now: views.Fleet) -> health.Verdict:
        after = operation.plan.after
        wished = self._world.cluster.service(operation.plan.service).wished
        plain = after.strategy is model.Strategy.WEIGHT and after.sticky.kind is model.StickyKind.NONE
        return health.verdict(
            start,
            now,
            service=operation.plan.service,
            weight=after.weight,
            gates=wished.gates if wished else model.Gates(),
            judge_share=plain,
            keyed=after,
        )

    async def _fires(self, service: str) -> str:
        try:
            alerts = await self._world.alerts.firing(service)
        except errors.Away:
            return ""  # asked again; who is blind at the end has not verified anything
        critical = [one for one in alerts if one.firing and one.severity is messages.Severity.CRITICAL]
        return f"the alert {critical[0].name} fires" if critical else ""

    def _failed(self, operation: migration.Operation, why: str) -> messages.NotVerified:
        return messages.NotVerified(
            id=f"{operation.id}/verified",
            at=self._world.clock.now(),
            service=operation.plan.service,
            operation=operation.id,
            why=why,
        )
