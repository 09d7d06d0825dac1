"""All services, one line each, in pages that a message has room for. Pure."""

from bot.slack import buttons, card_parts, effect_words, operation_cards
from bot.slack.words import Live, Words
from handlers import answers
from handlers.rules import migration
from k8s import suppression

Action = buttons.Action
LINES_BUDGET = 8_500  # characters of a list; the rest of block_limits.TEXT_IN_MESSAGE is for what stands around it


def overview_card(overview: answers.Overview, words: Words, *, page: int = 1) -> card_parts.Shown:
    """Those that need a look first. `page` counts from 1; one that is not there (any more) is the last."""
    count = len(overview.services)
    pages = _pages(overview, words)
    page = min(page, len(pages))
    blocks = [card_parts.header(words.plain("overview.title", count=count)), *overview_trouble(overview, words)]
    blocks += card_parts.packed(pages[page - 1], LINES_BUDGET)[0]
    blocks += card_parts.paged(page, len(pages), Action.SERVICES, words)
    again = card_parts.service_button(words.plain("button.refresh"), Action.STATUS, buttons.ALL)
    blocks += card_parts.actions([*again, *card_parts.hold_button(buttons.ALL, words, safe_mode=True)])
    moving = sum(1 for line in overview.services if line.weight > 0)
    held = sum(1 for line in overview.services if line.holds)
    return card_parts.Shown(words.live("overview.text", count=count, moving=moving, held=held), blocks)


def service_lines(overview: answers.Overview, words: Words) -> list[card_parts.Block]:
    """As many as find room; `and N more` says where the rest is."""
    if not overview.services:
        return [card_parts.section(words.live("overview.empty"))]
    lines = _lines(overview, words)
    blocks, shown = card_parts.packed(lines, LINES_BUDGET)
    if shown < len(lines):
        blocks.append(card_parts.context(words.live("overview.more", count=len(lines) - shown)))
    return blocks


def held_lines(overview: answers.Overview, words: Words) -> list[Live]:
    """The result of an order to hold everything, for each service: whether it is held; those that are not come first."""
    return [_held_line(line, words) for line in sorted(overview.services, key=lambda one: (bool(one.holds), one.name))]


def overview_trouble(overview: answers.Overview, words: Words) -> list[card_parts.Block]:
    """What is wrong with the whole, before anything else; empty when nothing is."""
    blind = [] if overview.synced else [card_parts.section(words.live("overview.not_synced"))]
    return [*blind, *card_parts.under(words.live("status.trouble"), overview.trouble, words)]


def now(suppressed: suppression.Suppressed) -> str:
    """What proxies serve meanwhile: `0%`, or `0–25%` where not every breaker is open."""
    low, high = suppressed.lowest, suppressed.highest
    return f"{low}%" if low == high else f"{low}–{high}%"


def _pages(overview: answers.Overview, words: Words) -> list[list[Live]]:
    """At least one."""
    return card_parts.pages(_lines(overview, words), LINES_BUDGET) or [[words.live("overview.empty")]]


def _lines(overview: answers.Overview, words: Words) -> list[Live]:
    return [_service_line(line, words) for line in sorted(overview.services, key=_calm)]


def _held_line(line: answers.ServiceLine, words: Words) -> Live:
    if line.holds:
        return words.live("overview.is_held", service=line.name)
    return words.live("overview.is_not_held", service=line.name, weight=line.weight)


def _service_line(line: answers.ServiceLine, words: Words) -> Live:
    note = words.live("overview.held", count=len(line.holds)) if line.holds else words.live("overview.steady")
    if line.operation:
        note = Live(note + _under_way(line.operation, words))
    elif not line.holds and line.phase is not migration.Phase.STEADY:
        note = words.live("overview.phase", phase=words.plain(f"service_phase.{line.phase}"))
    if line.suppressed:
        facts = {"now": now(line.suppressed), "count": len(line.suppressed.pods), "of": line.suppressed.total}
        on_trial = line.suppressed.lowest == line.suppressed.highest == line.weight
        note = Live(note + words.live("overview.on_trial" if on_trial else "overview.suppressed", **facts))
    if line.wish != line.weight and not line.operation:
        note = Live(note + words.live("overview.wish", wish=line.wish))
    return words.live("overview.line", bar=card_parts.weight_bar(line.weight), service=line.name, weight=line.weight, note=note)


def _under_way(operation: migration.Operation, words: Words) -> Live:
    plan, status = operation.plan, operation_cards.status(operation, words)
    if plan.kind is migration.Kind.RELEASE:
        return words.live("overview.release", status=status)
    return words.live("overview.operation", status=status, change=effect_words.briefly(plan))


def _calm(line: answers.ServiceLine) -> tuple[bool, bool, str]:
    """Sorts what needs a look before what moves, and that before the rest; by name."""
    return not (line.operation or line.holds or line.suppressed or line.wish != line.weight), line.weight == 0, line.name
