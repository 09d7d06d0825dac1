"""The verbs of a service's whole way, carried out: look, prepare, climb, pause, finish, and the way around the proxies."""

from typing import Any

from bot.slack import (
    answer_cards,
    card_parts,
    discover_cards,
    drift_cards,
    history_cards,
    naming,
    parsing,
    preflight_cards,
    use_cases,
    wanted,
)
from bot.slack.asking import Asking
from handlers import discovering, journey_messages, messages
from handlers.rules import waves

Shown = card_parts.Shown
MOST_EVENTS = 60
Looking = wanted.Preflight | wanted.Discover | wanted.Audit | wanted.Drift
Moving = wanted.Objects | wanted.Finish | wanted.Run | wanted.Skip | wanted.Pause | wanted.Resume


class JourneyCommands:
    def __init__(self, behind: use_cases.Behind, names: naming.Naming) -> None:
        self._behind = behind
        self._front = behind.front
        self._names = names

    async def look(self, asked: Looking, by: Asking) -> Shown:
        """Changes nothing. Errors of the store and of the cluster come through."""
        if isinstance(asked, wanted.Discover):
            return await self.discovered(by, part=asked.part)
        service = self._front.find(asked.service) if asked.service else ""
        if service is None:
            return self._names.no_service(asked.service, by)
        match asked:
            case wanted.Preflight():
                return await self._preflight(service, by)
            case wanted.Audit():
                return await self._audit(service, by)
            case wanted.Drift():
                return drift_cards.drift_card(self._front.drift(service or None), by.words, service)

    async def discovered(self, by: Asking, *, part: str = "", page: int = 1) -> Shown:
        if self._behind.discovers is None:
            return _cannot_look(by)
        return discover_cards.discover_card(await self._behind.discovers.discover(), by.words, part=part, page=page)

    async def proposal(self, name: str, by: Asking) -> card_parts.Block | Shown:
        """The form of this proposal; or, where it is none any more, what there is now."""
        if self._behind.discovers is None:
            return _cannot_look(by)
        found = await self._behind.discovers.discover()
        one = next((one for one in found.proposals if one.name == name), None)
        return discover_cards.discover_card(found, by.words) if one is None else discover_cards.proposal_view(one, by.words)

    async def ask(self, asked: Moving | wanted.Wave, by: Asking) -> Shown:
        """The answer of the rules; what is asked for has a card of its own."""
        if isinstance(asked, wanted.Wave):
            return await self._wave(asked, by)
        service = await self._names.named(asked.service, by)
        if not isinstance(service, str):
            return service
        return answer_cards.answer_card(await self._front.handle(_message(asked, service, by)), by.words)

    async def _wave(self, asked: wanted.Wave, by: Asking) -> Shown:
        """Each may be given by its old host; the first that nobody knows is told."""
        services = []
        for one in asked.services:
            service = await self._names.named(one, by)
            if not isinstance(service, str):
                return service
            services.append(service)
        said = by.command("")
        said["service"] = waves.name(said["id"])
        message = journey_messages.ProposeWave(**said, services=tuple(services), weight=asked.weight, reason=asked.reason)
        return answer_cards.answer_card(await self._front.handle(message), by.words)

    async def accept(self, by: Asking, *, seen: str, part: str = "", name: str = "") -> Shown:
        """One proposal, or (with no name) all of those with `part` that nothing stops, exactly as they were shown."""
        if self._behind.discovers is None:
            return _cannot_look(by)
        names: tuple[str, ...] = (name,)
        if not name:
            found = await self._behind.discovers.discover()
            names = tuple(one.name for one in discover_cards.accepted_at_once(found, part))
            if not names:
                return discover_cards.discover_card(found, by.words, part=part)
        return await self._accepted(self._behind.discovers, by, names=names, seen=seen)

    async def accept_adjusted(self, name: str, text: str, by: Asking) -> Shown:
        if not by.known.member:
            return await self._names.turned_away("", by)
        if self._behind.discovers is None:
            return _cannot_look(by)
        return await self._accepted(self._behind.discovers, by, texts={name: text})

    async def _accepted(self, discovers: use_cases.Discovers, by: Asking, **what: Any) -> Shown:
        done = await discovers.accept(discovering.Accept(by.origin.id, by.at, by.person, **what))
        if done.refusal is not None:
            await self._names.tried(by, "", done.refusal.sentence)
            return answer_cards.refusal_card(done.refusal, by.words)
        return answer_cards.sentence_card(done.sentence, by.words)

    async def _preflight(self, service: str, by: Asking) -> Shown:
        if self._behind.preflights is None:
            return _cannot_look(by)
        return preflight_cards.preflight_card(await self._behind.preflights.preflight(service), by.words)

    async def _audit(self, service: str, by: Asking) -> Shown:
        if self._behind.events is None:
            return _cannot_look(by)
        return history_cards.audit_card(service, await self._behind.events(service, MOST_EVENTS), by.words)


def _cannot_look(by: Asking) -> Shown:
    return answer_cards.sentence_card(by.words.plain("cannot_look"), by.words)


def lowers(asked: parsing.Asked) -> bool:
    """It leads to old, or stops what would lead to new."""
    return (isinstance(asked, wanted.Objects) and asked.stage is wanted.Stage.BYPASS) or isinstance(asked, wanted.Pause)


def _message(asked: Moving, service: str, by: Asking) -> messages.Command:
    said = by.command(service)
    match asked:
        case wanted.Objects(stage=stage, reason=reason):
            return journey_messages.ProposeObjects(**said, stage=stage, reason=reason)
        case wanted.Finish(reason=reason):
            return journey_messages.ProposeFinish(**said, reason=reason)
        case wanted.Run(mode=mode, until=until, lasts=lasts, reason=reason):
            end = until if lasts is None else by.at + lasts
            return journey_messages.ProposeRun(**said, mode=mode, until=end, reason=reason)
        case wanted.Skip(reason=reason):
            return journey_messages.SkipSoak(**said, reason=reason)
        case wanted.Pause(reason=reason):
            return journey_messages.PauseRun(**said, reason=reason)
        case wanted.Resume(reason=reason):
            return journey_messages.ResumeRun(**said, reason=reason)
