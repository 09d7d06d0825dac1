"""What differs from what was approved: of one service in full, of all of them in a line each. Pure."""

from bot.slack import card_parts
from bot.slack.words import Live, Words, foreign
from handlers import answers
from k8s import entry_change

BUDGET = 8_000


def service_card(status: answers.ServiceStatus, words: Words) -> card_parts.Shown:
    """Nothing where nobody can look is said to be well: what is not known has a line of its own."""
    lines = []
    if not status.synced:
        lines.append(words.live("overview.not_synced"))
    if status.wish != status.weight and status.operation is None and not status.holds:
        lines.append(words.live("drift.wish", wish=status.wish, weight=status.weight))
    entry = status.journey.entry if status.journey else None
    if entry is None or entry.state is entry_change.EntryState.UNKNOWN:
        lines.append(words.live("drift.entry_unknown"))
    else:
        if entry.state is entry_change.EntryState.BROKEN:
            lines.append(words.live("bullet", sentence=foreign(entry.sentence, 250)))
        lines += [words.live("bullet", sentence=foreign(one, 250)) for one in entry.drift]
    lines += [words.live("bullet", sentence=foreign(one, 250)) for one in status.trouble]
    return _card(words.plain("drift.title", service=status.name), lines, words)


def overview_card(overview: answers.Overview, words: Words) -> card_parts.Shown:
    lines = [] if overview.synced else [words.live("overview.not_synced")]
    lines += [words.live("bullet", sentence=foreign(one, 250)) for one in overview.trouble]
    lines += [
        words.live("drift.line", service=one.name, wish=one.wish, weight=one.weight)
        for one in overview.services
        if one.wish != one.weight and one.operation is None and not one.holds
    ]
    shown = _card(words.plain("drift.title_all", count=len(overview.services)), lines, words)
    shown.blocks.append(card_parts.context(words.live("drift.more")))
    return shown


def _card(title: str, lines: list[Live], words: Words) -> card_parts.Shown:
    body = card_parts.listed(lines, BUDGET, words) if lines else [card_parts.section(words.live("drift.none"))]
    return card_parts.Shown(foreign(title), [card_parts.header(title), *body])
