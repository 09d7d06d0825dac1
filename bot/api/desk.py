"""What was asked over HTTP, carried out: typed messages for the same use cases that Slack's commands and buttons call.

Only taking traffic back is done for somebody whom Slack cannot be asked about; everything else waits for who they are.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bot.api import asked, errors_told, shown
from bot.slack import people, use_cases
from handlers import messages, ports
from handlers.rules import effects, migration, refusals
from k8s import model

Reason = refusals.Reason
MOST_REFUSALS = 10  # of calls without a known token, that a minute of the audit keeps


class Persons(Protocol):
    """Who somebody of Slack is, and what they may do."""

    async def person_of(
        self, user: str, team: str, channel: str, *, fresh: bool = False, shared: bool = False
    ) -> people.Known: ...

    async def person_lowering(self, user: str, team: str) -> people.Known: ...


@dataclass(frozen=True, slots=True)
class Calling:
    """`user`: whose token it was. `source`: the command line, or another program. `key`: the same when sent twice."""

    user: str
    source: messages.Source = messages.Source.API
    key: str = ""


@dataclass(frozen=True, slots=True)
class Behind:
    """`team`, `channel`: where a person's rights are those that they have here. `unread`: as in `bot.slack.use_cases.Behind`."""

    front: use_cases.Front
    persons: Persons
    audit: ports.AuditLog
    clock: ports.Clock
    team: str
    channel: str
    unread: Callable[[], str]


class Desk:
    """Every method raises errors_told.NotDone for what was not done; errors of the store and of the cluster come through."""

    def __init__(self, behind: Behind) -> None:
        self._behind = behind
        self._front = behind.front
        self._refusals: list[float] = []

    async def services(self, calling: Calling) -> shown.Overview:
        await self._member(calling, "")
        return shown.overview(await self._front.overview())

    async def service(self, calling: Calling, name: str) -> shown.Service:
        await self._member(calling, name)
        service = self._named(name)
        found = await self._front.status(service)
        if found is None:
            raise errors_told.unknown_service(name, self._front.names())
        return shown.service(found)

    async def operation(self, calling: Calling, operation_id: str) -> shown.Operation:
        await self._member(calling, "")
        return shown.operation(await self._known(operation_id))

    async def shift(self, calling: Calling, name: str, body: asked.Shift) -> shown.Answer:
        actor = await self._person(calling)
        service = await self._to_change(actor, name)
        try:
            header, cidrs, user = body.rules()
        except model.ModelError as error:
            raise errors_told.NotDone(422, str(Reason.INVALID), f"Nothing was planned for {service}: {error}.") from None
        target = self._front.target(service, body.weight, strategy=body.strategy, header=header, cidrs=cidrs, user=user)
        if isinstance(target, refusals.Refusal):
            await self._tried(actor, service, target.sentence)
            raise errors_told.of_refusal(target)
        said = self._said(calling, actor, service, "shift")
        return await self._handled(messages.ProposeShift(**said, target=target, reason=body.reason))

    async def approve(self, calling: Calling, operation_id: str, body: asked.Approval) -> shown.Answer:
        actor = await self._person(calling, fresh=True)
        operation = await self._known(operation_id)
        said = self._said(calling, actor, operation.plan.service, f"approve:{operation.id}")
        revision = body.revision or operation.revision
        return await self._handled(messages.Approve(**said, operation=operation.id, revision=revision))

    async def reject(self, calling: Calling, operation_id: str, body: asked.Reasoned) -> shown.Answer:
        actor = await self._person(calling, fresh=True)
        operation = await self._known(operation_id)
        said = self._said(calling, actor, operation.plan.service, f"reject:{operation.id}")
        return await self._handled(messages.Reject(**said, operation=operation.id, reason=body.reason))

    async def confirm(self, calling: Calling, operation_id: str) -> shown.Answer:
        actor = await self._person(calling)
        operation = await self._known(operation_id)
        said = self._said(calling, actor, operation.plan.service, f"confirm:{operation.id}")
        return await self._handled(messages.Confirm(**said, operation=operation.id))

    async def hold(self, calling: Calling, name: str, reason: str) -> shown.Placed:
        """100% old, now. The one who calls has confirmed it by calling."""
        actor = await self._member(calling, name)
        service = self._to_hold(name)
        if service is None:
            await self._tried(actor, name, f"tried to hold {name}, which is no service")
            raise errors_told.unknown_service(name, self._front.names())
        placed = await self._front.hold(messages.PlaceHold(**self._said(calling, actor, service, "hold"), reason=reason))
        if not placed.safe:
            why = placed.trouble or "no proxy answered and the cluster did not take it"
            sentence = f"Nobody confirmed the order to hold {service}: {why}; send it again, or place a hold with kubectl."
            raise errors_told.NotDone(503, "not_confirmed", sentence)
        return shown.placed(placed)

    async def release(self, calling: Calling, name: str, reason: str) -> shown.Releases:
        """A raise in kind: each service that is held gets a request of its own."""
        actor = await self._person(calling)
        if name != model.ALL_SERVICES:
            held = [await self._to_change(actor, name)]
        else:
            held = [line.name for line in (await self._front.overview()).services if line.holds]
        if not held and (why := self._behind.unread()):
            raise errors_told.of_refusal(refusals.refuse(Reason.UNREAD, service="any service", why=why.rstrip(".")))
        if not held:
            raise errors_told.of_refusal(refusals.refuse(Reason.NOTHING_TO_RELEASE, service="any service"))
        given: list[shown.Answer] = []
        refused: list[errors_told.NotDone] = []
        for service in held:
            message = messages.ProposeRelease(**self._said(calling, actor, service, "release"), reason=reason)
            try:
                given.append(await self._handled(message))
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

    async def _handled(self, message: messages.Command) -> shown.Answer:
        answer = await self._front.handle(message)
        if answer.refusal is not None:
            raise errors_told.of_refusal(answer.refusal)
        return shown.Answer(said=answer.sentence, operation=shown.operation(answer.operation) if answer.operation else None)

    async def _person(self, calling: Calling, *, fresh: bool = False) -> messages.Person:
        """With the rights they have where changes are heard. Whoever may not is refused by the rules, in their words."""
        known = await self._behind.persons.person_of(calling.user, self._behind.team, self._behind.channel, fresh=fresh)
        return replace(known.person, source=calling.source)

    async def _member(self, calling: Calling, service: str) -> messages.Person:
        """For reading and for taking traffic back."""
        known = await self._behind.persons.person_lowering(calling.user, self._behind.team)
        actor = replace(known.person, source=calling.source)
        if not known.member:
            why = known.why or actor.refused
            refusal = refusals.refuse(Reason.OUTSIDER, service=service or "any service", who=actor.shown, why=why)
            await self._tried(actor, service, refusal.sentence)
            raise errors_told.of_refusal(refusal)
        return actor

    def _said(self, calling: Calling, actor: messages.Person, service: str, verb: str) -> dict[str, Any]:
        """What every command is made of."""
        return {
            "id": f"{calling.source}:{calling.user}:{verb}:{service}:{calling.key or uuid.uuid4().hex}",
            "at": self._behind.clock.now(),
            "service": service,
            "actor": actor,
            "place": messages.Place(self._behind.channel),
        }

    async def _known(self, operation_id: str) -> migration.Operation:
        found = await self._front.operation(operation_id)
        if found is None:
            shown_id = operation_id[:80]
            why = "it is too old, or the store that kept it came back empty"
            sentence = f"No operation is called {shown_id!r}: {why}; ferry status shows what waits."
            raise errors_told.NotDone(404, str(Reason.UNKNOWN_OPERATION), sentence)
        return found

    def _named(self, name: str) -> str:
        service = self._front.find(name.lower())
        if service is not None:
            return service
        if why := self._behind.unread():
            raise errors_told.of_refusal(refusals.refuse(Reason.UNREAD, service=name[:80], why=why.rstrip(".")))
        raise errors_told.unknown_service(name, self._front.names())

    async def _to_change(self, actor: messages.Person, name: str) -> str:
        try:
            return self._named(name)
        except errors_told.NotDone as error:
            await self._tried(actor, name[:80], error.sentence)
            raise

    def _to_hold(self, name: str) -> str | None:
        if name == model.ALL_SERVICES:
            return name
        found = self._front.find(name.lower())
        # While the cluster cannot be read, a name is taken at its word: an order for a service that is none does no harm.
        if found is None and self._behind.unread() and model.SERVICE_NAME.fullmatch(name):
            return name
        return found

    async def _tried(self, actor: messages.Person, service: str, sentence: str) -> None:
        event = effects.AuditEvent(effects.EventKind.REFUSED, actor.id, service, "", sentence, actor.source)
        await self._behind.audit.record(event)
