"""Bringing a record down: reverts, holds that are settled, hand edits that are followed. Never a raise, whatever was asked."""

from dataclasses import replace

from handlers import audit_entry, fleets, messages, operation_document, outside, writing
from handlers.rules import effects, migration
from k8s import errors, exposure, model, protocol, views

_TRIES = 4
_PATIENCE = 3.0  # seconds for one try; what takes longer is held instead


class Settling:
    def __init__(self, world: outside.Outside, write: writing.Writing, asked: fleets.Fleets) -> None:
        self._world = world
        self._writing = write
        self._fleets = asked

    async def lower(self, effect: effects.RevertRecord) -> tuple[messages.Message, ...]:
        """Answered with the effect's own id. The wish follows down; where it cannot, the record alone decides."""
        at = self._world.clock.now()
        try:
            record = await self._lowered(effect)
        except errors.ClusterError as error:
            return (
                messages.RecordNotWritten(
                    id=f"{effect.id}/lower",
                    at=at,
                    service=effect.service,
                    operation=effect.id,
                    why=str(error),
                    unknown=isinstance(error, errors.Unreachable),
                ),
            )
        told = await self._writing.wish_down(effect.service, record.exposure, plan=_running(effect.operation))
        return (
            messages.RecordWritten(
                id=f"{effect.id}/lower",
                at=at,
                service=effect.service,
                operation=effect.id,
                generation=record.generation,
                told=told,
            ),
        )

    async def _lowered(self, effect: effects.RevertRecord) -> protocol.Record:
        least = max(effect.least, fleets.highest_generation(await self._fleets.ask(), effect.service))
        lost = errors.Conflict("nobody tried")
        for _ in range(_TRIES):
            view = self._world.cluster.service(effect.service)
            if effect.over not in (None, view.generation):
                raise errors.Conflict(f"another record of {effect.service} stands by now (generation {view.generation})")
            if least > view.generation:
                view = replace(view, highest=least)  # restored by hand: agents have seen a later one
            if view.record is not None and view.record.finished and not (effect.over_end and not _ended(view)):
                raise errors.Invalid(f"{effect.service} is finished: there is no old cluster to go to")
            try:
                return await self._writing.record(self._change(effect, view, least), patience=_PATIENCE)
            except errors.Conflict as error:
                lost = error
                await self._writing.changed()
        raise lost

    def _change(self, effect: effects.RevertRecord, view: views.ServiceView, least: int) -> views.RecordChange:
        before = view.in_force
        after = provably_lower(before, effect.exposure)
        operation = effect.operation
        reverts = operation is not None and effect.id == effects.revert_id(operation.id)
        return views.RecordChange(
            service=effect.service,
            exposure=after,
            expected_generation=view.generation,
            operation_id=effect.id,
            operation=operation_document.to_document(operation) if operation else {},
            audit=audit_entry.entry(
                at=self._world.clock.now(),
                who=effect.who,
                source=messages.Source.FERRY,
                kind=effects.EventKind.REVERTING if reverts else effects.EventKind.SETTLED,
                sentence=effect.because,
                before=before,
                after=after,
                operation=operation,
            ),
            least_generation=least if least > view.generation else 0,
        )


def _ended(view: views.ServiceView) -> bool:
    """The end was reached: the journey says so, or there is none that could say that it was not."""
    return view.journey is None or view.journey.get("finished") is not None


def _running(operation: migration.Operation | None) -> migration.Plan | None:
    """What may have been written into the document; a request that waits has written nothing."""
    if operation is None or not (operation.phase in migration.RUNNING or operation.generation):
        return None
    return operation.plan


def provably_lower(live: model.Exposure | None, wanted: model.Exposure) -> model.Exposure:
    """`wanted`, if it is at most what is in force; the live one, if that is lower; 100% old where neither can be proven."""
    if live is None:
        return wanted.at(0)
    if exposure.at_most(wanted, live):
        return wanted if wanted.weight else replace(live, weight=0)
    if exposure.at_most(live, wanted):
        return live
    return live.at(0)
