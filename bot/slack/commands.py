"""What was typed, carried out: a command becomes typed messages for the use cases, and their answer becomes a card.

Whatever moves traffic to old is ordered first; Slack hears of it afterwards.
"""

from bot.slack import (
    answer_cards,
    card_parts,
    history_cards,
    holding,
    journey_commands,
    list_cards,
    naming,
    parsing,
    service_cards,
    use_cases,
    wanted,
)
from bot.slack.asking import Asking
from handlers import answers, kubectl, messages
from handlers.rules import migration, refusals
from k8s import model

Shown = card_parts.Shown
READS = wanted.ListServices | wanted.Status | wanted.History


def lowers(asked: parsing.Asked) -> bool:
    """It only takes traffic back, so that hardly anything may stand in its way."""
    held = isinstance(asked, parsing.Rollback) and asked.to is None and asked.generation is None
    return held or (isinstance(asked, parsing.SafeMode) and asked.on) or journey_commands.lowers(asked)


class Commands:
    """`channels`: ids of those where changes are heard."""

    def __init__(self, behind: use_cases.Behind, *, channels: tuple[str, ...]) -> None:
        self._behind = behind
        self._front = behind.front
        self._channels = channels
        self.names = naming.Naming(behind)
        self.holding = holding.Holding(behind, self.names)
        self.journey = journey_commands.JourneyCommands(behind, self.names)

    async def run(self, asked: parsing.Asked, by: Asking) -> Shown:
        """The answer, for the asker's eyes. Errors of the store and of the cluster come through."""
        match asked:
            case wanted.Help(verb=verb):
                return answer_cards.help_card(by.words, verb)
            case wanted.WhoAmI():
                return answer_cards.whoami_card(by.person, by.words, channel_ok=by.known.heard_here, channels=self._channels)
            case _ if not by.known.member:
                return await self.names.turned_away(_about(asked), by)
            case wanted.ListServices() | wanted.Status() | wanted.History():
                return await self._read(asked, by)
            case wanted.Preflight() | wanted.Discover() | wanted.Audit() | wanted.Drift():
                return await self.journey.look(asked, by)
            case wanted.SafeMode() | wanted.Rollback(to=None, generation=None):
                return await self._hold(asked, by)
            case wanted.ConfirmAsked() | wanted.ApproveAsked():
                return await self._decide(asked, by)
            case wanted.Shift() | wanted.Rollback():
                return await self._move(asked, by)
            case _:
                return await self.journey.ask(asked, by)

    async def _hold(self, asked: wanted.SafeMode | wanted.Rollback, by: Asking) -> Shown:
        if isinstance(asked, wanted.Rollback) or asked.on:
            return await self.holding.hold(asked.service, by, reason=asked.reason)
        return await self.holding.release(asked.service, by, reason=asked.reason)

    async def _read(self, asked: READS, by: Asking) -> Shown:
        if isinstance(asked, parsing.ListServices) or not asked.service:
            return await self.list(by)
        if (service := self._front.find(asked.service)) is None:
            return self.names.no_service(asked.service, by)
        if isinstance(asked, parsing.History):
            return history_cards.history_card(service, await self._front.history(service), by.words)
        return await self.status(service, by)

    async def list(self, by: Asking, *, page: int = 1) -> Shown:
        return list_cards.overview_card(await self._front.overview(), by.words, page=page)

    async def status(self, service: str, by: Asking) -> Shown:
        found = await self._front.status(service)
        if found is None:
            return self.names.no_service(service, by)
        return service_cards.status_card(found, by.words, take_back=self._take_back(service), at=by.at)

    async def _move(self, asked: parsing.Shift | parsing.Rollback, by: Asking) -> Shown:
        service = await self.names.named(asked.service, by)
        if not isinstance(service, str):
            return service
        target = await self._target(service, asked)
        if isinstance(target, refusals.Refusal):
            await self.names.tried(by, service, target.sentence)
            return answer_cards.refusal_card(target, by.words)
        if isinstance(asked, parsing.Rollback):
            return await self._lower(service, target, by, reason=asked.reason, may_raise=asked.generation is not None)
        if asked.only_plan:
            preview = await self._front.preview(service, target, by.person)
            if isinstance(preview, refusals.Refusal):
                return answer_cards.refusal_card(preview, by.words)
            return service_cards.preview_card(preview, by.words, take_back=self._take_back(service))
        return answer_cards.answer_card(await self._propose(service, target, by, reason=asked.reason), by.words)

    async def _lower(self, service: str, target: model.Exposure, by: Asking, *, reason: str, may_raise: bool) -> Shown:
        """`rollback … to N`: typing it is the confirmation, so what lowers is confirmed at once.

        `may_raise`: what was in force once may be more than now; then it is asked for like any other raise.
        """
        preview = None if may_raise else await self._front.preview(service, target, by.person)
        if isinstance(preview, answers.Preview) and preview.refusal is None and preview.plan.kind is not migration.Kind.LOWER:
            facts = {"service": service, "before": preview.plan.from_weight, "weight": target.weight}
            return answer_cards.told_card(by.words.live("said.only_lowers", **facts))
        answer = await self._propose(service, target, by, reason=reason)
        operation = answer.operation
        if answer.refusal is None and operation is not None and operation.plan.kind is migration.Kind.LOWER:
            confirmed = messages.Confirm(**by.command(service, part="confirm"), operation=operation.id)
            answer = await self._front.handle(confirmed)
        return answer_cards.answer_card(answer, by.words)

    async def _propose(self, service: str, target: model.Exposure, by: Asking, *, reason: str) -> answers.Answer:
        return await self._front.handle(messages.ProposeShift(**by.command(service), target=target, reason=reason))

    async def _target(self, service: str, asked: parsing.Shift | parsing.Rollback) -> model.Exposure | refusals.Refusal:
        if isinstance(asked, parsing.Rollback):
            if asked.generation is not None:
                return await self._front.past_exposure(service, asked.generation)
            return self._front.target(service, asked.to or 0)
        if (typed := asked.strategy) is None:
            return self._front.target(service, asked.weight)
        rules = {"header": typed.header, "cidrs": typed.cidrs, "user": typed.user}
        return self._front.target(service, asked.weight, strategy=typed.kind, **rules)  # type: ignore[arg-type]  # each by its own name

    async def _decide(self, asked: parsing.ConfirmAsked | parsing.ApproveAsked, by: Asking) -> Shown:
        if asked.service and self._front.find(asked.service) is None:
            return self.names.no_service(asked.service, by)
        operation = await self._meant(asked.service, by)
        if operation is None and asked.service:
            return answer_cards.told_card(by.words.live("said.nothing_waits", asked=asked.service))
        if operation is None:
            return answer_cards.told_card(by.words.live("said.nothing_waits_here"))
        said_of = by.command(operation.plan.service)
        message: messages.Command = messages.Confirm(**said_of, operation=operation.id)
        if isinstance(asked, parsing.ApproveAsked):
            message = messages.Approve(**said_of, operation=operation.id, revision=operation.revision)
        return answer_cards.answer_card(await self._front.handle(message), by.words)

    async def _meant(self, asked: str, by: Asking) -> migration.Operation | None:
        """The operation under way of the service, or of the card in whose thread it was typed."""
        if asked:
            service = self._front.find(asked)
            return await self._front.waiting(service) if service else None
        found = await self._behind.cards.operation_at(by.origin.channel, by.origin.thread) if by.origin.thread else None
        return await self._front.operation(found) if found else None

    def _take_back(self, service: str) -> str:
        return kubectl.hold_line(self._behind.namespace, service)


def _about(asked: parsing.Asked) -> str:
    """The service that was named, if one was."""
    return str(getattr(asked, "service", ""))
