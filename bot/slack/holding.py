"""The order that everything goes to the old cluster, and the request that ends it: for one service, or for all."""

from collections.abc import Sequence

import structlog

from bot.slack import answer_cards, card_parts, list_cards, naming, use_cases
from bot.slack.asking import Asking
from bot.slack.words import Live
from handlers import errors, kubectl, messages
from handlers.rules import refusals
from k8s import errors as cluster_errors
from k8s import model

Shown = card_parts.Shown
_log = structlog.get_logger("ferry.slack")


class Holding:
    def __init__(self, behind: use_cases.Behind, names: naming.Naming) -> None:
        self._behind = behind
        self._front = behind.front
        self._names = names

    async def hold(self, asked: str, by: Asking, *, reason: str = "") -> Shown:
        """100% old, now. Any full member of the team may; whoever typed the name or pressed the button has confirmed it."""
        if not by.known.member:
            return await self._names.turned_away(asked, by)
        service = self._names.to_hold(asked)
        if service is None:
            await self._names.tried(by, asked, f"tried to hold {asked}, which is {self._names.not_found()}")
            return self._names.no_service(asked, by)
        placed = await self._front.hold(messages.PlaceHold(**by.command(service), reason=reason))
        take_back = "" if placed.safe else kubectl.hold_line(self._behind.namespace, service)
        each = await self._each(by) if service == model.ALL_SERVICES and placed.safe else ()
        return answer_cards.placed_card(placed, by.words, actor=by.person, take_back=take_back, each=each)

    async def _each(self, by: Asking) -> Sequence[Live]:
        """What became of every service; an order that was carried out is not told as failed because nobody can look."""
        try:
            return list_cards.held_lines(await self._front.overview(), by.words)
        except (errors.Away, cluster_errors.ClusterError) as error:
            _log.info("the result for each service is not known", why=str(error))
            return ()

    async def release(self, asked: str, by: Asking, *, reason: str = "") -> Shown:
        """Each service that is held gets a request of its own: a release is a raise in kind."""
        if not by.known.member:
            return await self._names.turned_away(asked, by)
        if asked != model.ALL_SERVICES:
            service = await self._names.named(asked, by)
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
