"""Who asks, of which service, and what the use cases answered: what everything that is asked over HTTP has in common."""

import uuid
from dataclasses import dataclass, replace
from typing import Any

from bot.api import behind, errors_told, shown, shown_operation
from handlers import messages
from handlers.rules import effects, migration, refusals
from k8s import model

Reason = refusals.Reason


@dataclass(frozen=True, slots=True)
class Calling:
    """`user`: whose token it was. `source`: the command line, or another program. `key`: the same when sent twice."""

    user: str
    source: messages.Source = messages.Source.API
    key: str = ""


class Asking:
    """Every method raises errors_told.NotDone for what was not done; errors of the store and of the cluster come through."""

    def __init__(self, to: behind.Behind) -> None:
        self._behind = to
        self._front = to.front

    async def person(self, calling: Calling, *, fresh: bool = False) -> messages.Person:
        """With the rights they have where changes are heard. Whoever may not is refused by the rules, in their words."""
        known = await self._behind.persons.person_of(calling.user, self._behind.team, self._behind.channel, fresh=fresh)
        return replace(known.person, source=calling.source)

    async def member(self, calling: Calling, service: str) -> messages.Person:
        """For reading and for whatever leads to old."""
        known = await self._behind.persons.person_lowering(calling.user, self._behind.team)
        actor = replace(known.person, source=calling.source)
        if not known.member:
            why = known.why or actor.refused
            refusal = refusals.refuse(Reason.OUTSIDER, service=service or "any service", who=actor.shown, why=why)
            await self.tried(actor, service, refusal.sentence)
            raise errors_told.of_refusal(refusal)
        return actor

    def said(self, calling: Calling, actor: messages.Person, service: str, verb: str) -> dict[str, Any]:
        """What every command is made of."""
        return {
            "id": f"{calling.source}:{calling.user}:{verb}:{service}:{calling.key or uuid.uuid4().hex}",
            "at": self._behind.clock.now(),
            "service": service,
            "actor": actor,
            "place": messages.Place(self._behind.channel),
        }

    async def handled(self, message: messages.Command) -> shown.Answer:
        answer = await self._front.handle(message)
        if answer.refusal is not None:
            raise errors_told.of_refusal(answer.refusal)
        return shown.Answer(
            said=answer.sentence, operation=shown_operation.operation(answer.operation) if answer.operation else None
        )

    async def operation(self, operation_id: str) -> migration.Operation:
        found = await self._front.operation(operation_id)
        if found is None:
            raise errors_told.unknown_operation(operation_id)
        return found

    def named(self, name: str) -> str:
        """The service of this name or old host."""
        service = self._front.find(name.lower())
        if service is not None:
            return service
        if why := self._behind.unread():
            raise errors_told.of_refusal(refusals.refuse(Reason.UNREAD, service=name[:80], why=why.rstrip(".")))
        raise errors_told.unknown_service(name, self._front.names())

    async def to_change(self, actor: messages.Person, name: str) -> str:
        """As `named`; an attempt at what is not there is kept."""
        try:
            return self.named(name)
        except errors_told.NotDone as error:
            await self.tried(actor, name[:80], error.sentence)
            raise

    async def to_old(self, actor: messages.Person, name: str, verb: str) -> str:
        """As `to_change`. While the cluster cannot be read, a name is taken at its word: an order that leads to old does no harm
        to a service that is none.
        """
        every = name == model.ALL_SERVICES
        if every and verb == "hold":  # nothing else has a meaning for all of them
            return name
        found = self._front.find(name.lower())
        if found is None and not every and self._behind.unread() and model.SERVICE_NAME.fullmatch(name):
            return name
        if found is None:
            await self.tried(actor, name[:80], f"tried to {verb} {name[:80]}, which is no service")
            raise errors_told.unknown_service(name, self._front.names())
        return found

    async def tried(self, actor: messages.Person, service: str, sentence: str) -> None:
        event = effects.AuditEvent(effects.EventKind.REFUSED, actor.id, service, "", sentence, actor.source)
        await self._behind.audit.record(event)
