"""One request with everything that an answer to it needs: who, from where, when, in which language."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.slack import origins, people
from bot.slack.words import Words
from handlers import messages
from handlers.rules import refusals


@dataclass(frozen=True, slots=True)
class Asking:
    origin: origins.Origin
    known: people.Known
    at: datetime
    words: Words

    @property
    def person(self) -> messages.Person:
        return self.known.person

    def command(self, service: str, *, part: str = "") -> dict[str, Any]:
        """What every command is made of. `part`: tells several messages of one request apart."""
        return {
            "id": f"{self.origin.id}:{part}" if part else self.origin.id,
            "at": self.at,
            "service": service,
            "actor": self.person,
            "place": self.origin.place,
        }

    def turned_away(self, service: str) -> refusals.Refusal:
        """For somebody who is no full member of the team."""
        why = self.known.why or self.person.refused
        return refusals.refuse(refusals.Reason.OUTSIDER, service=service or "any service", who=self.person.shown, why=why)
