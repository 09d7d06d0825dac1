"""What was asked over HTTP, carried out: typed messages for the same use cases that Slack's commands and buttons call.

Only taking traffic back is done for somebody whom Slack cannot be asked about; everything else waits for who they are.
"""

from bot.api import asked, asking, behind, errors_told, journey_desk, looks, shown
from handlers import answers, messages
from handlers.rules import effects, migration, refusals
from k8s import model

Reason = refusals.Reason
Behind = behind.Behind
Calling = asking.Calling
MOST_REFUSALS = 10  # of calls without a known token, that a minute of the audit keeps


class Desk:
    """Every method raises errors_told.NotDone for what was not done; errors of the store and of the cluster come through.

    `looks`: what may be known. `journey`: a service's whole way.
    """

    def __init__(self, to: Behind) -> None:
        self.looks = looks.Looks(to)
        self.journey = journey_desk.JourneyDesk(to)
        self._behind = to
        self._front = to.front
        self._asking = asking.Asking(to)
        self._refusals: list[float] = []

    async def shift(self, calling: Calling, name: str, body: asked.Shift) -> shown.Answer:
        actor = await self._asking.person(calling)
        service, target = await self._target(actor, name, body)
        said = self._asking.said(calling, actor, service, "shift")
        return await self._asking.handled(messages.ProposeShift(**said, target=target, reason=body.reason))

    async def plan(self, calling: Calling, name: str, body: asked.Plan) -> shown.Preview:
        """Nothing is asked for."""
        actor = await self._asking.person(calling)
        service, target = await self._target(actor, name, body)
        preview = await self._front.preview(service, target, actor)
        if isinstance(preview, refusals.Refusal):
            raise errors_told.of_refusal(preview)
        return shown.preview(preview)

    async def approve(self, calling: Calling, operation_id: str, body: asked.Approval) -> shown.Answer:
        actor = await self._asking.person(calling, fresh=True)
        operation = await self._asking.operation(operation_id)
        said = self._asking.said(calling, actor, operation.plan.service, f"approve:{operation.id}")
        revision = body.revision or operation.revision
        return await self._asking.handled(messages.Approve(**said, operation=operation.id, revision=revision))

    async def reject(self, calling: Calling, operation_id: str, body: asked.Reasoned) -> shown.Answer:
        actor = await self._asking.person(calling, fresh=True)
        operation = await self._asking.operation(operation_id)
        said = self._asking.said(calling, actor, operation.plan.service, f"reject:{operation.id}")
        return await self._asking.handled(messages.Reject(**said, operation=operation.id, reason=body.reason))

    async def confirm(self, calling: Calling, operation_id: str) -> shown.Answer:
        """What leads to old is confirmed by any member, also while Slack cannot be asked who may raise."""
        operation = await self._front.operation(operation_id)
        if operation is not None and operation.plan.kind in migration.UNAPPROVED:
            actor = await self._asking.member(calling, operation.plan.service)
        else:
            actor = await self._asking.person(calling)
        operation = await self._asking.operation(operation_id)
        said = self._asking.said(calling, actor, operation.plan.service, f"confirm:{operation.id}")
        return await self._asking.handled(messages.Confirm(**said, operation=operation.id))

    async def hold(self, calling: Calling, name: str, reason: str) -> shown.Placed:
        """100% old, now. The one who calls has confirmed it by calling."""
        actor = await self._asking.member(calling, name)
        service = await self._asking.to_old(actor, name, "hold")
        said = self._asking.said(calling, actor, service, "hold")
        placed = await self._front.hold(messages.PlaceHold(**said, reason=reason))
        if not placed.safe:
            why = placed.trouble or "no proxy answered and the cluster did not take it"
            what = f"Nobody confirmed the order to hold {service}."
            remedy = "Send it again, or place a hold with kubectl."
            raise errors_told.NotDone(503, "not_confirmed", what, why=errors_told.whole(why), remedy=remedy)
        return shown.placed(placed)

    async def roll_back(self, calling: Calling, name: str, body: asked.Rollback) -> shown.Answer | shown.Placed:
        """All the way, by a hold; or to a percentage, or to what was in force: that is confirmed at once where it lowers."""
        if body.percent is None and body.generation is None:
            return await self.hold(calling, name, body.reason)
        actor = await self._asking.person(calling)
        service = await self._asking.to_change(actor, name)
        target: model.Exposure | refusals.Refusal
        if body.generation is not None:
            target = await self._front.past_exposure(service, body.generation)
        else:
            target = self._front.target(service, body.percent or 0)
        target = await self._possible(actor, service, target)
        if body.percent is not None:
            await self._demand_lower(actor, service, target)
        said = self._asking.said(calling, actor, service, "rollback")
        answer = await self._asking.handled(messages.ProposeShift(**said, target=target, reason=body.reason))
        operation = answer.operation
        if operation is None or operation.kind != migration.Kind.LOWER:
            return answer
        confirmed = self._asking.said(calling, actor, service, f"confirm:{operation.id}")
        return await self._asking.handled(messages.Confirm(**confirmed, operation=operation.id))

    async def release(self, calling: Calling, name: str, reason: str) -> shown.Releases:
        """A raise in kind: each service that is held gets a request of its own."""
        actor = await self._asking.person(calling)
        if name != model.ALL_SERVICES:
            held = [await self._asking.to_change(actor, name)]
        else:
            held = [line.name for line in (await self._front.overview()).services if line.holds]
        if not held and (why := self._behind.unread()):
            raise errors_told.of_refusal(refusals.refuse(Reason.UNREAD, service="any service", why=why.rstrip(".")))
        if not held:
            raise errors_told.of_refusal(refusals.refuse(Reason.NOTHING_TO_RELEASE, service="any service"))
        given: list[shown.Answer] = []
        refused: list[errors_told.NotDone] = []
        for service in held:
            message = messages.ProposeRelease(**self._asking.said(calling, actor, service, "release"), reason=reason)
            try:
                given.append(await self._asking.handled(message))
            except errors_told.NotDone as error:
                refused.append(error)
        if not given:
            raise refused[0]
        return shown.Releases(requests=[*given, *(shown.Answer(said=one.sentence, operation=None) for one in refused)])

    async def turned_away(self, address: str, sentence: str) -> None:
        """A call without a token that is somebody's; a flood of them must not push everything else out of the audit."""
        now = self._behind.clock.monotonic()
        self._refusals = [at for at in self._refusals if now - at < 60.0]
        if len(self._refusals) >= MOST_REFUSALS:
            return
        self._refusals.append(now)
        said = f"A call of the API was refused. {sentence}"
        event = effects.AuditEvent(effects.EventKind.REFUSED, f"address:{address}", "", "", said, messages.Source.API)
        await self._behind.audit.record(event)

    async def _target(self, actor: messages.Person, name: str, body: asked.Plan) -> tuple[str, model.Exposure]:
        service = await self._asking.to_change(actor, name)
        try:
            header, cidrs, user = body.rules()
        except model.ModelError as error:
            what, why = f"Nothing was planned for {service}.", f"{str(error).rstrip('.')}."
            raise errors_told.NotDone(422, str(Reason.INVALID), what, why=why, remedy=errors_told.SEE) from None
        target = self._front.target(service, body.weight, strategy=body.strategy, header=header, cidrs=cidrs, user=user)
        return service, await self._possible(actor, service, target)

    async def _possible(self, actor: messages.Person, service: str, target: model.Exposure | refusals.Refusal) -> model.Exposure:
        if isinstance(target, refusals.Refusal):
            await self._asking.tried(actor, service, target.sentence)
            raise errors_told.of_refusal(target)
        return target

    async def _demand_lower(self, actor: messages.Person, service: str, target: model.Exposure) -> None:
        """A percentage that is no step down is most likely a slip."""
        preview = await self._front.preview(service, target, actor)
        if not isinstance(preview, answers.Preview) or preview.refusal is not None:
            return  # the rules say why, in their words
        if preview.plan.kind is not migration.Kind.LOWER:
            why = f"A rollback only lowers, and {service} gets {preview.plan.from_weight}% at new now."
            remedy = f"To raise it: ferry shift {service} {target.weight}% --reason why."
            raise errors_told.NotDone(409, "not_lower", "Nothing was changed.", why=why, remedy=remedy)
