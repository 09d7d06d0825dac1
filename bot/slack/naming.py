"""Which service somebody means, and the answers for when there is none or nothing may be told. Attempts are kept."""

from bot.slack import answer_cards, card_parts, use_cases
from bot.slack.asking import Asking
from handlers import messages
from handlers.rules import effects
from k8s import model

Shown = card_parts.Shown


class Naming:
    def __init__(self, behind: use_cases.Behind) -> None:
        self._behind = behind
        self._front = behind.front

    async def named(self, asked: str, by: Asking) -> str | Shown:
        """The service, or the answer that says why there is none."""
        service = self._front.find(asked)
        if service is not None:
            return service
        await self.tried(by, asked, f"asked for a change of {asked}, which is {self.not_found()}")
        return self.no_service(asked, by)

    def to_hold(self, asked: str) -> str | None:
        if asked == model.ALL_SERVICES:
            return asked
        found = self._front.find(asked)
        # While the cluster cannot be read, a name is taken at its word: an order for a service that is none does no harm.
        if found is None and self._behind.unread() and model.SERVICE_NAME.fullmatch(asked):
            return asked
        return found

    def not_found(self) -> str:
        return "not known while the cluster cannot be read" if self._behind.unread() else "no service"

    def no_service(self, asked: str, by: Asking) -> Shown:
        if why := self._behind.unread():
            return answer_cards.unread_card(asked, why, by.words)
        return answer_cards.unknown_service_card(asked, self._front.names(), by.words)

    async def turned_away(self, service: str, by: Asking) -> Shown:
        """Nobody from outside asks for, decides or takes back anything; that they tried is kept."""
        refusal = by.turned_away(service)
        await self.tried(by, service, refusal.sentence)
        return answer_cards.refusal_card(refusal, by.words)

    async def tried(self, by: Asking, service: str, sentence: str) -> None:
        kind = effects.EventKind.REFUSED
        event = effects.AuditEvent(kind, by.person.id, service, "", sentence, messages.Source.SLACK)
        await self._behind.audit.record(event)
