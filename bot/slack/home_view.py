"""The Home tab of one person: what waits for them, what runs, every service, the last events. Pure."""

from collections.abc import Callable, Sequence
from datetime import datetime

from bot.slack import block_limits, buttons, card_parts, history_cards, list_cards, operation_cards
from bot.slack.words import Live, Words, joined
from handlers import answers, messages
from handlers.rules import effects, migration

Phase = migration.Phase
MOST_EVENTS = 10
EVENTS_BUDGET = 4_000
MOST_OPERATIONS = 10  # of each list: four blocks at most for one, and a view has a hundred


def home(
    overview: answers.Overview,
    person: messages.Person,
    words: Words,
    *,
    at: datetime,
    events: Sequence[tuple[datetime, effects.AuditEvent]] = (),
) -> block_limits.Block:
    """`at`: when the overview was read. `events`: the newest of the audit, newest first."""
    operations = [line.operation for line in overview.services if line.operation and operation_cards.is_open(line.operation)]
    waiting = [one for one in operations if needs(one, person)]
    running = [one for one in operations if one.phase in migration.RUNNING]
    blocks = [card_parts.header(words.plain("home.title")), *list_cards.overview_trouble(overview, words)]
    blocks += _operations("needs_you", waiting, words, show=_to_decide)
    blocks += _operations("running", running, words, show=_to_look_at)
    blocks += [card_parts.header(words.plain("overview.title", count=len(overview.services)))]
    blocks += list_cards.service_lines(overview, words)
    if events:
        lines = history_cards.event_lines(events[:MOST_EVENTS], words)
        blocks += [card_parts.header(words.plain("home.heading_events")), *card_parts.listed(lines, EVENTS_BUDGET, words)]
    shift = card_parts.service_button(words.plain("button.new_shift"), buttons.Action.SHIFT, buttons.ALL)
    again = card_parts.service_button(words.plain("button.refresh"), buttons.Action.REFRESH, buttons.ALL)
    blocks += card_parts.actions([*shift, *again, *card_parts.hold_button(buttons.ALL, words, safe_mode=True)])
    blocks.append(card_parts.context(words.live("home.updated", at=card_parts.date(at))))
    return {"type": "home", "blocks": blocks}


def needs(operation: migration.Operation, person: messages.Person) -> bool:
    """It waits for this person: their approval (once, and not of their own request), or their confirmation."""
    if operation.phase is Phase.APPROVED:
        return operation.requester == person.id
    if operation.phase is not Phase.PROPOSED or person.refused or not person.approver:
        return False
    return person.id not in (operation.requester, *(one.by for one in operation_cards.approved_by(operation)))


def _operations(
    key: str,
    operations: Sequence[migration.Operation],
    words: Words,
    *,
    show: Callable[[migration.Operation, Words], list[card_parts.Block]],
) -> list[card_parts.Block]:
    """Under its heading; when there are none, a sentence says so."""
    blocks = [card_parts.header(words.plain(f"home.heading_{key}"))]
    if not operations:
        return [*blocks, card_parts.plain_section(words.plain(f"home.empty_{key}"))]
    for one in operations[:MOST_OPERATIONS]:
        blocks += show(one, words)
    if len(operations) > MOST_OPERATIONS:
        blocks.append(card_parts.context(words.live("more", count=len(operations) - MOST_OPERATIONS)))
    return blocks


def _to_decide(operation: migration.Operation, words: Words) -> list[card_parts.Block]:
    """With the buttons of its card, and what whoever decides must know: the effect and the reason."""
    blocks = [_line(operation, words), card_parts.section(operation_cards.asked_for(operation.plan, words))]
    blocks.append(operation_cards.reason(operation, words))
    return [*blocks, *card_parts.actions(operation_cards.offered(operation, words))]


def _to_look_at(operation: migration.Operation, words: Words) -> list[card_parts.Block]:
    return [{**_line(operation, words), "accessory": operation_cards.details_button(operation, words)}]


def _line(operation: migration.Operation, words: Words) -> card_parts.Block:
    who = card_parts.person(operation.requester, operation.requester_shown)
    title = operation_cards.title(operation, words)
    told = words.live("home.operation", title=title, who=who, because=operation.because)
    return card_parts.section(joined([told, *_where(operation, words)]))


def _where(operation: migration.Operation, words: Words) -> list[Live]:
    """The channel with its card, as something to press."""
    channel = operation.card.channel or operation.place.channel
    if not card_parts.CHANNEL.fullmatch(channel):
        return []
    return [words.live("home.where", channel=Live(f"<#{channel}>"))]
