"""What the old cluster serves and could be added, in pages; and the form that adjusts one entry before it is. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.slack import block_limits, buttons, card_parts, escaping
from bot.slack.words import Live, Words, foreign, joined
from k8s import discovery, wish_document

Action = buttons.Action
VIEW = "ferry.proposal_view"  # callback id
TEXT_BLOCK, TEXT_INPUT = "entry", "text"
MOST_ON_A_PAGE = 10  # two blocks each, and what stands around them
MOST_NOTES = 3
MOST_NOTES_IN_FORM = 30
MOST_SKIPPED = 10
LONGEST_TEXT = 3_000  # Slack's, of an input's first value
PAGE_BUDGET = 7_000
MARKS = {discovery.Level.STOP: "⛔", discovery.Level.WARNING: "⚠️", discovery.Level.INFO: "•"}


def chosen(found: discovery.Found, part: str) -> tuple[discovery.Proposal, ...]:
    """Those whose name or host has `part` in it."""
    return tuple(one for one in found.proposals if part in one.name or part in one.service.exposure.old_host)


def accepted_at_once(found: discovery.Found, part: str) -> tuple[discovery.Proposal, ...]:
    """What "accept all" means: those of `chosen` that nothing stops."""
    return tuple(one for one in chosen(found, part) if not one.stops)


def discover_card(found: discovery.Found, words: Words, *, part: str = "", page: int = 1) -> card_parts.Shown:
    """Nothing of it is written until somebody accepts it."""
    proposals = chosen(found, part)
    text = words.live("discover.text", count=len(proposals), skipped=len(found.skipped))
    blocks = [card_parts.header(words.plain("discover.title", count=len(proposals)))]
    blocks += card_parts.under(words.live("discover.trouble"), found.trouble, words)
    if not proposals:
        blocks.append(card_parts.section(words.live("discover.nothing")))
    pages = _pages(proposals, words)
    page = min(page, max(1, len(pages)))
    for one, told in pages[page - 1] if pages else []:
        blocks.append(card_parts.section(told))
        blocks += card_parts.actions(_buttons(one, words))
    blocks += card_parts.paged(page, len(pages), Action.PROPOSALS, words, part=part)
    if page == 1:
        blocks += _skipped(found.skipped, words)
    if at_once := accepted_at_once(found, part):
        blocks += card_parts.actions([_accept_all(at_once, part, words)])
        blocks.append(card_parts.context(words.live("discover.next")))
    return card_parts.Shown(text, blocks)


def proposal_view(one: discovery.Proposal, words: Words) -> block_limits.Block:
    """The entry as text, to be adjusted; above it everything that is to be known of the host."""
    notes = [_note(note, words, whole=True) for note in one.notes[:MOST_NOTES_IN_FORM]]
    blocks = [card_parts.section(_hosts(one, words))]
    blocks += card_parts.listed(notes, 12_000, words)
    typed: card_parts.Block = {
        "type": "plain_text_input",
        "action_id": TEXT_INPUT,
        "multiline": True,
        "max_length": LONGEST_TEXT,
    }
    if len(one.text) <= LONGEST_TEXT:
        typed["initial_value"] = one.text
    else:
        blocks.append(card_parts.section(words.live("discover.too_long", most=LONGEST_TEXT)))
    blocks.append(
        {
            "type": "input",
            "block_id": TEXT_BLOCK,
            "label": card_parts.plain_text(words.plain("discover.entry"), 200),
            "hint": card_parts.plain_text(words.plain("discover.hint"), 200),
            "element": typed,
        }
    )
    return {
        "type": "modal",
        "callback_id": VIEW,
        "private_metadata": one.name,
        "title": card_parts.plain_text(words.plain("discover.form_title"), 24),
        "submit": card_parts.plain_text(words.plain("button.accept"), 24),
        "close": card_parts.plain_text(words.plain("dialog.cancel"), 24),
        "blocks": blocks,
    }


def adjusted(view: Mapping[str, Any]) -> tuple[str, str]:
    """Name of the proposal, and its entry as it was submitted; empty where there is none."""
    typed: Any = view.get("state")
    for name in ("values", TEXT_BLOCK, TEXT_INPUT, "value"):
        typed = typed.get(name) if isinstance(typed, Mapping) else None
    return str(view.get("private_metadata") or ""), typed if isinstance(typed, str) else ""


def wrong(text: str, words: Words) -> str:
    """Why this cannot be an entry, one sentence for under the field; empty: it may be one."""
    try:
        wish = wish_document.read(text, source=words.plain("discover.source"))
    except wish_document.WishError as error:
        return escaping.plain(str(error), 300)
    if not wish.services:
        return words.plain("discover.empty")
    if any(service.wish > 0 or service.exposure.weight > 0 for service in wish.services.values()):
        return words.plain("discover.weight")
    return ""


def _pages(proposals: Sequence[discovery.Proposal], words: Words) -> list[list[tuple[discovery.Proposal, Live]]]:
    pages: list[list[tuple[discovery.Proposal, Live]]] = []
    used = 0
    for one in proposals:
        told = _told(one, words)
        if not pages or len(pages[-1]) == MOST_ON_A_PAGE or used + len(told) > PAGE_BUDGET:
            pages.append([])
            used = 0
        pages[-1].append((one, told))
        used += len(told)
    return pages


def _told(one: discovery.Proposal, words: Words) -> Live:
    lines = [_hosts(one, words), *(_note(note, words) for note in one.notes[:MOST_NOTES])]
    if (left := len(one.notes) - MOST_NOTES) > 0:
        lines.append(words.live("discover.more_notes", count=left))
    return joined(lines)


def _hosts(one: discovery.Proposal, words: Words) -> Live:
    exposure = one.service.exposure
    facts = {"name": one.name, "old_host": exposure.old_host, "new_host": exposure.new_host}
    return words.live("discover.proposal", sticky=str(exposure.sticky), sources=", ".join(one.sources) or "-", **facts)


def _note(note: discovery.Note, words: Words, *, whole: bool = False) -> Live:
    mark, about = MARKS[note.level], foreign(note.about, 40)
    if not whole:
        return words.live("discover.note", mark=mark, about=about, sentence=foreign(note.sentence, 160))
    facts = {"sentence": foreign(note.sentence, 300), "remedy": foreign(note.remedy, 300)}
    return words.live("discover.note_whole", mark=mark, about=about, **facts)


def _buttons(one: discovery.Proposal, words: Words) -> list[card_parts.Block]:
    if not buttons.names_service(one.name):
        return []
    value = buttons.found_value(one.name, discovery.digest([one]))
    adjust = card_parts.button(words.plain("button.adjust"), Action.ADJUST, value)
    return [adjust] if one.stops else [card_parts.button(words.plain("button.accept"), Action.ACCEPT, value), adjust]


def _accept_all(proposals: Sequence[discovery.Proposal], part: str, words: Words) -> card_parts.Block:
    dialog = card_parts.confirm_dialog(
        words.plain("discover.accept_title", count=len(proposals)),
        words.plain("discover.accept_text", count=len(proposals)),
        yes=words.plain("button.accept"),
        no=words.plain("dialog.cancel"),
    )
    value = buttons.found_value(buttons.ALL, discovery.digest(proposals), part)
    label = words.plain("discover.accept_all", count=len(proposals))
    return card_parts.button(label, Action.ACCEPT, value, style="primary", confirm=dialog)


def _skipped(skipped: Sequence[discovery.Skipped], words: Words) -> list[card_parts.Block]:
    lines = [
        words.live(
            "discover.skipped",
            host=foreign(one.host or one.source, 120),
            why=foreign(one.why, 160),
            remedy=foreign(one.remedy, 160),
        )
        for one in skipped[:MOST_SKIPPED]
    ]
    if not lines:
        return []
    more = len(skipped) - MOST_SKIPPED
    told = card_parts.listed(lines, 1_200, words)
    return [
        card_parts.section(words.live("discover.skipped_heading", count=len(skipped))),
        *told,
        *([card_parts.context(words.live("more", count=more))] if more > 0 else []),
    ]
