"""The Home tab of one person: what waits for them, what runs, every service. Pure."""

from collections.abc import Sequence
from datetime import datetime

from bot.slack import block_limits, buttons, card_parts, operation_cards, service_cards
from bot.slack.words import Words
from handlers import answers, messages
from handlers.rules import migration

Phase = migration.Phase
MOST_OPERATIONS = 15  # of each list: two blocks at most for one, and a view has a hundred


def home(overview: answers.Overview, person: messages.Person, words: Words, *, at: datetime) -> block_limits.Block:
    """`at`: when the overview was read."""
    operations = [line.operation for line in overview.services if line.operation and operation_cards.is_open(line.operation)]
    waiting = [one for one in operations if needs(one, person)]
    running = [one for one in operations if one.phase in migration.RUNNING]
    blocks = [card_parts.header(words.plain("home.title")), *service_cards.overview_trouble(overview, words)]
    blocks += _operations(words.plain("home.needs_you"), waiting, words, empty=words.plain("home.nothing_waits"))
    blocks += _operations(words.plain("home.running"), running, words, empty=words.plain("home.nothing_runs"))
    blocks += [card_parts.header(words.plain("overview.title", count=len(overview.services)))]
    blocks += service_cards.service_lines(overview, words)
    again = card_parts.service_button(words.plain("button.refresh"), buttons.Action.REFRESH, buttons.ALL)
    blocks += card_parts.actions([*again, *card_parts.hold_button(buttons.ALL, words, safe_mode=True)])
    blocks.append(card_parts.context(words.live("home.updated", at=card_parts.date(at))))
    return {"type": "home", "blocks": blocks}


def needs(operation: migration.Operation, person: messages.Person) -> bool:
    """It waits for this person: their approval (once, and not of their own request), or their confirmation."""
    if operation.phase is Phase.APPROVED:
        return operation.requester == person.id
    if operation.phase is not Phase.PROPOSED or person.refused or not person.approver:
        return False
    return person.id not in (operation.requester, *(one.by for one in operation_cards.approved_by(operation)))


def _operations(heading: str, operations: Sequence[migration.Operation], words: Words, *, empty: str) -> list[card_parts.Block]:
    blocks = [card_parts.header(heading)]
    if not operations:
        return [*blocks, card_parts.plain_section(empty)]
    for one in operations[:MOST_OPERATIONS]:
        who = card_parts.person(one.requester, one.requester_shown)
        line = words.live("home.operation", title=operation_cards.title(one, words), who=who, because=one.because)
        blocks.append({**card_parts.section(line), "accessory": operation_cards.details_button(one, words)})
    if len(operations) > MOST_OPERATIONS:
        blocks.append(card_parts.context(words.live("more", count=len(operations) - MOST_OPERATIONS)))
    return blocks
