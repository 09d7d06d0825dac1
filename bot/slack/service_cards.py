"""Cards about services: one, all of them, the past of one, a plan that nobody asked for yet. Pure."""

from collections.abc import Sequence

from bot.slack import card_parts
from bot.slack.words import Words, sentence
from handlers import answers


def status_card(status: answers.ServiceStatus, words: Words, *, take_back: str) -> card_parts.Shown:
    text = sentence(status.served)
    return card_parts.Shown(text, [card_parts.section(text), *card_parts.take_back_line(take_back, words)])


def overview_card(overview: answers.Overview, words: Words) -> card_parts.Shown:
    text = sentence(" ".join(line.name for line in overview.services))
    return card_parts.Shown(text, [card_parts.section(text)])


def history_card(service: str, past: Sequence[answers.Past], words: Words) -> card_parts.Shown:
    text = sentence(service)
    return card_parts.Shown(text, [card_parts.section(text)])


def preview_card(preview: answers.Preview, words: Words, *, take_back: str = "") -> card_parts.Shown:
    text = sentence(preview.plan.service)
    return card_parts.Shown(text, [card_parts.section(text)])
