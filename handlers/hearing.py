"""A command is heard once over all replicas: whoever hears it again sees by its marks whether it was done."""

from handlers import (
    answers,
    dispatch,
    errors,
    journey_keeping,
    journey_messages,
    loading,
    messages,
    outside,
    queries,
    speaking,
)
from handlers.rules import effects, journeys, migration, waves
from k8s import entry_change

_PROPOSALS = (
    messages.ProposeShift,
    messages.ProposeRelease,
    journey_messages.ProposeObjects,
    journey_messages.ProposeFinish,
    journey_messages.ProposeRun,
    journey_messages.ProposeWave,
    journey_messages.SkipSoak,
)
_RAISES_UNSEEN = (
    messages.ProposeRelease,
    journey_messages.ProposeFinish,
    journey_messages.ProposeRun,
    journey_messages.ResumeRun,
    journey_messages.SkipSoak,
)


class Hearing:
    def __init__(
        self,
        world: outside.Outside,
        *,
        loader: loading.Loader,
        dispatcher: dispatch.Dispatcher,
        ways: journey_keeping.Journeys,
    ) -> None:
        self._world = world
        self._loader = loader
        self._dispatcher = dispatcher
        self._journeys = ways

    async def tell(self, message: messages.Message) -> answers.Answer:
        known = waves.is_wave(message.service) or message.service in queries.names(self._world.cluster.view())
        if not known and not self._lowers_unseen(message):
            return await self._refused_unknown(message)
        if not isinstance(message, messages.Command) or await self._first_time(message.id):
            return await self._dispatcher.tell(message)
        # Heard before, perhaps by a replica that failed over it: only what has left its mark is not done again.
        if await self._has_worked(message):
            return await self._heard_before(message)
        answer = await self._dispatcher.tell(message)
        if answer.refusal is not None and await self._has_worked(message):
            return await self._heard_before(message)  # the other replica was at it in this very moment
        return answer

    def _lowers_unseen(self, message: messages.Message) -> bool:
        """While nobody can look, what cannot be a raise needs no name that is known, and the store knows what waits."""
        if self._world.cluster.view().synced:
            return False
        match message:
            case messages.ProposeShift():
                return message.target.weight == 0
            case journey_messages.ProposeObjects():
                return message.stage is entry_change.Stage.BYPASS
            case _:
                return not isinstance(message, _RAISES_UNSEEN)

    async def _has_worked(self, message: messages.Command) -> bool:
        """Ids are derived and every step is kept in the operation or the journey: whoever looks sees what it did."""
        match message:
            case journey_messages.PauseRun():
                run = self._run(message.service)
                return run is None or bool(run.paused)
            case journey_messages.ProposeRun() | journey_messages.ResumeRun() if self._begun(message):
                return True
            case journey_messages.ResumeRun():
                return False
            case _ if isinstance(message, _PROPOSALS):
                return await self._loader.known(effects.operation_id(message.id)) is not None
            case messages.Approve() | messages.Reject() | messages.Confirm():
                known = await self._loader.known(message.operation)
            case _:
                return True
        if known is None or known.outcome is not migration.Outcome.OPEN:
            return known is not None
        if isinstance(message, messages.Approve):
            return any(approval.by == message.actor.id for approval in known.approvals)
        return known.confirmed_at is not None

    def _begun(self, message: messages.Command) -> bool:
        """The ladder that climbs is of this very message."""
        run = self._run(message.service)
        return run is not None and run.id == message.id

    def _run(self, service: str) -> journeys.Run | None:
        journey = self._journeys.newest(self._world.cluster.service(service))
        return journey.run if journey is not None else None

    async def _heard_before(self, message: messages.Command) -> answers.Answer:
        waiting = await self._loader.operation(message.service)
        said = "This was heard before and is not done twice; its card says what came of it."
        return answers.Answer(said, None, waiting)

    async def _first_time(self, message_id: str) -> bool:
        """Over all replicas; while the store is away, this one's memory (`_heard`) must do."""
        try:
            return await self._world.seen.first_time(message_id)
        except errors.Away:
            return True

    async def _refused_unknown(self, message: messages.Message) -> answers.Answer:
        refusal = queries.unknown(self._world.cluster.view(), message.service)
        if isinstance(message, messages.Command):
            event = effects.AuditEvent(
                kind=effects.EventKind.REFUSED,
                who=message.actor.id,
                service=message.service,
                operation="",
                sentence=refusal.sentence,
                source=message.actor.source,
            )
            await speaking.spoken(self._world.audit.record(event))
        return answers.Answer(refusal.sentence, refusal)
