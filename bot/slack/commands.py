"""What was typed, carried out: a command becomes typed messages for the use cases, and their answer becomes a card.

Whatever moves traffic to old is ordered first; Slack hears of it afterwards.
"""

from bot.slack import answer_cards, card_parts, parsing, service_cards, use_cases
from bot.slack.asking import Asking
from handlers import answers, kubectl, messages
from handlers.rules import effects, migration, refusals
from k8s import model

Shown = card_parts.Shown
READS = parsing.ListServices | parsing.Status | parsing.History


def lowers(asked: parsing.Asked) -> bool:
    """It only takes traffic back, so that hardly anything may stand in its way."""
    return (isinstance(asked, parsing.Rollback) and asked.to is None) or (isinstance(asked, parsing.SafeMode) and asked.on)


class Commands:
    """`channels`: ids of those where changes are heard."""

    def __init__(self, behind: use_cases.Behind, *, channels: tuple[str, ...]) -> None:
        self._behind = behind
        self._front = behind.front
        self._channels = channels

    async def run(self, asked: parsing.Asked, by: Asking) -> Shown:
        """The answer, for the asker's eyes. Errors of the store and of the cluster come through."""
        match asked:
            case parsing.Help():
                return answer_cards.help_card(by.words)
            case parsing.WhoAmI():
                return answer_cards.whoami_card(by.person, by.words, channel_ok=by.known.heard_here, channels=self._channels)
            case _ if not by.known.member:
                return await self.turned_away(_about(asked), by)
            case parsing.ListServices() | parsing.Status() | parsing.History():
                return await self._read(asked, by)
            case parsing.Rollback(service=service, to=None, reason=reason):
                return await self.hold(service, by, reason=reason)
            case parsing.SafeMode(on=True, service=service, reason=reason):
                return await self.hold(service, by, reason=reason)
            case parsing.SafeMode(service=service, reason=reason):
                return await self.release(service, by, reason=reason)
            case parsing.ConfirmAsked() | parsing.ApproveAsked():
                return await self._decide(asked, by)
            case _:
                return await self._move(asked, by)

    async def _read(self, asked: READS, by: Asking) -> Shown:
        if isinstance(asked, parsing.ListServices) or not asked.service:
            return service_cards.overview_card(await self._front.overview(), by.words)
        if (service := self._front.find(asked.service)) is None:
            return self._no_service(asked.service, by)
        if isinstance(asked, parsing.History):
            return service_cards.history_card(service, await self._front.history(service), by.words)
        return await self.status(service, by)

    async def status(self, service: str, by: Asking) -> Shown:
        found = await self._front.status(service)
        if found is None:
            return self._no_service(service, by)
        return service_cards.status_card(found, by.words, take_back=self._take_back(service))

    async def hold(self, asked: str, by: Asking, *, reason: str = "") -> Shown:
        """100% old, now. Any full member of the team may; whoever typed the name or pressed the button has confirmed it."""
        if not by.known.member:
            return await self.turned_away(asked, by)
        service = self._to_hold(asked)
        if service is None:
            await self._tried(by, asked, f"tried to hold {asked}, which is {self._not_found()}")
            return self._no_service(asked, by)
        placed = await self._front.hold(messages.PlaceHold(**by.command(service), reason=reason))
        return answer_cards.placed_card(
            placed, by.words, actor=by.person, take_back="" if placed.safe else self._take_back(service)
        )

    def _to_hold(self, asked: str) -> str | None:
        if asked == model.ALL_SERVICES:
            return asked
        found = self._front.find(asked)
        # While the cluster cannot be read, a name is taken at its word: an order for a service that is none does no harm.
        if found is None and self._behind.unread() and model.SERVICE_NAME.fullmatch(asked):
            return asked
        return found

    async def release(self, asked: str, by: Asking, *, reason: str = "") -> Shown:
        """Each service that is held gets a request of its own: a release is a raise in kind."""
        if not by.known.member:
            return await self.turned_away(asked, by)
        if asked != model.ALL_SERVICES:
            service = await self._named(asked, by)
            if not isinstance(service, str):
                return service
            answer = await self._front.handle(messages.ProposeRelease(**by.command(service), reason=reason))
            return answer_cards.answer_card(answer, by.words)
        held = [line.name for line in (await self._front.overview()).services if line.holds]
        if not held and self._behind.unread():
            return answer_cards.unread_card(asked, self._behind.unread(), by.words)
        if not held:
            return answer_cards.refusal_card(refusals.refuse(refusals.Reason.NOTHING_TO_RELEASE, service="any service"), by.words)
        told = []
        for service in held:
            answer = await self._front.handle(messages.ProposeRelease(**by.command(service, part=service), reason=reason))
            told.append(f"{service}: {answer.sentence}")
        return answer_cards.sentence_card(" ".join(told), by.words)

    async def _move(self, asked: parsing.Shift | parsing.Rollback, by: Asking) -> Shown:
        service = await self._named(asked.service, by)
        if not isinstance(service, str):
            return service
        target = self._target(service, asked)
        if isinstance(target, refusals.Refusal):
            await self._tried(by, service, target.sentence)
            return answer_cards.refusal_card(target, by.words)
        if isinstance(asked, parsing.Rollback):
            return await self._lower(service, target, by, reason=asked.reason)
        if asked.only_plan:
            preview = await self._front.preview(service, target, by.person)
            if isinstance(preview, refusals.Refusal):
                return answer_cards.refusal_card(preview, by.words)
            return service_cards.preview_card(preview, by.words, take_back=self._take_back(service))
        return answer_cards.answer_card(await self._propose(service, target, by, reason=asked.reason), by.words)

    async def _lower(self, service: str, target: model.Exposure, by: Asking, *, reason: str) -> Shown:
        """`rollback … to N`: typing it is the confirmation, so it is confirmed at once, and only if it is no raise."""
        preview = await self._front.preview(service, target, by.person)
        if isinstance(preview, answers.Preview) and preview.refusal is None and preview.plan.kind is not migration.Kind.LOWER:
            why = f"A rollback only lowers, and {service} gets {preview.plan.from_weight}% at new now."
            again = f"To raise it, ask with /migrate shift {service} {target.weight}% reason."
            return answer_cards.sentence_card(f"Nothing was changed. {why} {again}", by.words)
        answer = await self._propose(service, target, by, reason=reason)
        operation = answer.operation
        if answer.refusal is None and operation is not None and operation.plan.kind is migration.Kind.LOWER:
            confirmed = messages.Confirm(**by.command(service, part="confirm"), operation=operation.id)
            answer = await self._front.handle(confirmed)
        return answer_cards.answer_card(answer, by.words)

    async def _propose(self, service: str, target: model.Exposure, by: Asking, *, reason: str) -> answers.Answer:
        return await self._front.handle(messages.ProposeShift(**by.command(service), target=target, reason=reason))

    def _target(self, service: str, asked: parsing.Shift | parsing.Rollback) -> model.Exposure | refusals.Refusal:
        if isinstance(asked, parsing.Rollback):
            return self._front.target(service, asked.to or 0)
        if (typed := asked.strategy) is None:
            return self._front.target(service, asked.weight)
        rules = {"header": typed.header, "cidrs": typed.cidrs, "user": typed.user}
        return self._front.target(service, asked.weight, strategy=typed.kind, **rules)  # type: ignore[arg-type]  # each by its own name

    async def _decide(self, asked: parsing.ConfirmAsked | parsing.ApproveAsked, by: Asking) -> Shown:
        if asked.service and self._front.find(asked.service) is None:
            return self._no_service(asked.service, by)
        operation, where = await self._meant(asked.service, by)
        if operation is None:
            verb = "approve" if isinstance(asked, parsing.ApproveAsked) else "confirm"
            said = f"Nothing waits {where}, so there is nothing to {verb}. `/migrate list` shows what waits."
            return answer_cards.sentence_card(said, by.words)
        said_of = by.command(operation.plan.service)
        message: messages.Command = messages.Confirm(**said_of, operation=operation.id)
        if isinstance(asked, parsing.ApproveAsked):
            message = messages.Approve(**said_of, operation=operation.id, revision=operation.revision)
        return answer_cards.answer_card(await self._front.handle(message), by.words)

    async def _meant(self, asked: str, by: Asking) -> tuple[migration.Operation | None, str]:
        """The operation under way of the service, or of the card in whose thread it was typed."""
        if asked:
            service = self._front.find(asked)
            return (await self._front.waiting(service) if service else None), f"for {asked}"
        found = await self._behind.cards.operation_at(by.origin.channel, by.origin.thread) if by.origin.thread else None
        return (await self._front.operation(found) if found else None), "here (name a service, or say it in the thread of a card)"

    async def _named(self, asked: str, by: Asking) -> str | Shown:
        """The service, or the answer that says why there is none."""
        service = self._front.find(asked)
        if service is not None:
            return service
        await self._tried(by, asked, f"asked for a change of {asked}, which is {self._not_found()}")
        return self._no_service(asked, by)

    def _not_found(self) -> str:
        return "not known while the cluster cannot be read" if self._behind.unread() else "no service"

    def _no_service(self, asked: str, by: Asking) -> Shown:
        if why := self._behind.unread():
            return answer_cards.unread_card(asked, why, by.words)
        return answer_cards.unknown_service_card(asked, self._front.names(), by.words)

    async def turned_away(self, service: str, by: Asking) -> Shown:
        """Nobody from outside asks for, decides or takes back anything; that they tried is kept."""
        refusal = by.turned_away(service)
        await self._tried(by, service, refusal.sentence)
        return answer_cards.refusal_card(refusal, by.words)

    async def _tried(self, by: Asking, service: str, sentence: str) -> None:
        kind = effects.EventKind.REFUSED
        await self._behind.audit.record(
            effects.AuditEvent(kind, by.person.id, service, "", sentence, messages.Source.SLACK),
        )

    def _take_back(self, service: str) -> str:
        return kubectl.hold_line(self._behind.namespace, service)


def _about(asked: parsing.Asked) -> str:
    """The service that was named, if one was."""
    return str(getattr(asked, "service", ""))
