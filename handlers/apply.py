"""The approved (or lowering) change itself: record, then wish, then the keys of the holds that it ends."""

from handlers import audit_entry, fleets, messages, operation_document, outside, releasing, writing
from handlers.rules import effects, migration
from k8s import errors, views

_PATIENCE = 10.0  # seconds; a lowering that takes longer than its own becomes a hold instead
_PATIENCE_LOWERING = 3.0


class Applying:
    def __init__(
        self, world: outside.Outside, write: writing.Writing, release: releasing.Releasing, asked: fleets.Fleets
    ) -> None:
        self._world = world
        self._writing = write
        self._releasing = release
        self._fleets = asked

    async def apply(self, effect: effects.WriteRecord) -> tuple[messages.Message, ...]:
        """Safe to repeat: a change that was written is found by its operation id, and completed."""
        operation = effect.operation
        service, lowers = operation.plan.service, operation.plan.kind is migration.Kind.LOWER
        at = self._world.clock.now()
        view = self._world.cluster.service(service)
        change = views.RecordChange(
            service=service,
            exposure=effect.exposure,
            expected_generation=effect.expected_generation,
            operation_id=operation.id,
            operation=operation_document.to_document(operation),
            audit=audit_entry.entry(
                at=at,
                who=operation.requester,
                source=operation.source,
                kind=effects.EventKind.APPLIED,
                sentence=operation.because,
                before=operation.plan.before,
                after=effect.exposure,
                operation=operation,
            ),
            approvals=effect.approvals,
            plan_hash=operation.plan.hash,
            clears=effect.clears,
            finished=effect.finished,
            least_generation=await self._reported(view),
        )
        try:
            record = await self._writing.record(change, patience=_PATIENCE_LOWERING if lowers else _PATIENCE)
        except errors.ClusterError as error:
            lost = isinstance(error, errors.Unreachable)
            failed = messages.RecordNotWritten(
                id=_id(effect), at=at, service=service, operation=operation.id, why=str(error), unknown=lost
            )
            return (failed,)
        trouble, told = await self._follow(effect)
        written = messages.RecordWritten(
            id=_id(effect), at=at, service=service, operation=operation.id, generation=record.generation, told=told
        )
        if not trouble:
            return (written,)
        late = messages.NotConverged(id=f"{_id(effect)}/wish", at=at, service=service, operation=operation.id, why=trouble)
        return written, late

    async def _reported(self, view: views.ServiceView) -> int:
        """What agents report above the record: it was restored by hand, and the new one must be above theirs."""
        highest = fleets.highest_generation(await self._fleets.ask(), view.name)
        return highest if highest > view.generation else 0

    async def _follow(self, effect: effects.WriteRecord) -> tuple[str, str]:
        """What follows the record. Answers why a raise must be taken back (empty: it is complete), and what is told besides."""
        plan = effect.operation.plan
        match plan.kind:
            case migration.Kind.RAISE:
                try:
                    return "", await self._writing.wish_up(plan)
                except errors.ClusterError as error:
                    return f"the record is written, but migration.yaml is not: {error}", ""
            case migration.Kind.LOWER:
                return "", await self._writing.wish_down(plan.service, plan.after, plan=plan)
            case migration.Kind.RELEASE:
                await self._writing.wish_down(plan.service, plan.after)
                return await self._releasing.end(plan.service, effect.clears), ""
            case _:  # the weight stays as it is, and so does the document
                return "", ""


def _id(effect: effects.WriteRecord) -> str:
    return f"{effect.operation.id}/write"
