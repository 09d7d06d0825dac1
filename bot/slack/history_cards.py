"""What was changed for a service, newest first, and who tried what. Pure."""

from collections.abc import Sequence
from datetime import datetime

from bot.slack import card_parts
from bot.slack.words import Live, Words, code, foreign, joined
from handlers import answers
from handlers.rules import effects

LINES_BUDGET = 8_500  # characters; the rest of block_limits.TEXT_IN_MESSAGE is for what stands around it


def history_card(service: str, past: Sequence[answers.Past], words: Words) -> card_parts.Shown:
    """Changes that were made, newest first (the order of `past`)."""
    title = words.plain("history.title", service=service)
    text = words.live("history.text", service=service, count=len(past))
    if not past:
        return card_parts.Shown(
            text, [card_parts.header(title), card_parts.section(words.live("history.empty", service=service))]
        )
    blocks, shown = card_parts.packed([_past(one, words) for one in past], LINES_BUDGET)
    if shown < len(past):
        blocks.append(card_parts.context(words.live("history.more", count=len(past) - shown)))
    return card_parts.Shown(text, [card_parts.header(title), *blocks])


def _past(one: answers.Past, words: Words) -> Live:
    at = card_parts.date(one.at) if one.at else words.live("history.unknown_time")
    first = [words.live("history.line", at=at, change=_weights(one, words), who=card_parts.person(one.who, one.who))]
    if one.approved_by:
        first.append(words.live("history.approved", who=foreign(", ".join(one.approved_by))))
    lines = [joined(first, " ")]
    if one.reason:
        lines.append(words.live("history.reason", reason=foreign(one.reason, 200)))
    elif one.sentence:
        lines.append(words.live("history.said", sentence=foreign(one.sentence, 200)))
    # The plan is what the card showed and people approved; what Ferry settled by itself has only its record.
    proof = {
        "generation": one.generation,
        "hash": code((one.plan or one.hash)[:8] or "-"),
        "operation": code(one.operation or "-"),
    }
    named = words.live("history.approved_plan", **proof) if one.plan else words.live("history.proof", **proof)
    return joined([*lines, named])


def _weights(one: answers.Past, words: Words) -> Live:
    before = 0 if one.before is None and one.generation <= 1 else one.before  # before the first record everything goes to old
    if before is None:
        return words.live("history.change_from_unknown", after=one.weight)
    return words.live("history.change", before=before, after=one.weight)


def audit_card(service: str, events: Sequence[tuple[datetime, effects.AuditEvent]], words: Words) -> card_parts.Shown:
    """Who asked, decided and tried what, newest first; refusals too. `service` empty: of all."""
    title = words.plain("audit.title", service=service) if service else words.plain("audit.title_all")
    lines = event_lines(events, words, named=not service)
    blocks = card_parts.listed(lines, LINES_BUDGET, words) if lines else [card_parts.section(words.live("audit.empty"))]
    foot = card_parts.context(words.live("audit.foot"))
    return card_parts.Shown(foreign(title), [card_parts.header(title), *blocks, foot])


def event_lines(events: Sequence[tuple[datetime, effects.AuditEvent]], words: Words, *, named: bool = True) -> list[Live]:
    """A line each. `named`: with the service."""
    return [_event(at, one, words, named=named) for at, one in events]


def _event(at: datetime, one: effects.AuditEvent, words: Words, *, named: bool) -> Live:
    refused = one.kind is effects.EventKind.REFUSED
    facts = {"at": card_parts.date(at), "who": card_parts.person(one.who, one.who), "source": str(one.source)}
    sentence = card_parts.readable(foreign(one.sentence, 200))
    about = words.live("audit.about", service=one.service) if named and one.service else Live("")
    return words.live("audit.refused" if refused else "audit.line", sentence=sentence, about=about, **facts)
