"""Short answers: a refusal, a usage error, help, who one is, an order to hold, a page, an alert. Pure."""

from collections.abc import Sequence

from bot.slack import card_parts, parsing
from bot.slack.words import Words, sentence
from handlers import answers, messages
from handlers.rules import refusals


def sentence_card(text: str, words: Words) -> card_parts.Shown:
    """One sentence of ours, such as `str(ButtonError)` or of an error."""
    shown = sentence(text)
    return card_parts.Shown(shown, [card_parts.section(shown)])


def answer_card(answer: answers.Answer, words: Words) -> card_parts.Shown:
    """To whoever asked: the refusal, or what happened. The operation has a card of its own."""
    return refusal_card(answer.refusal, words) if answer.refusal else sentence_card(answer.sentence, words)


def refusal_card(refusal: refusals.Refusal, words: Words) -> card_parts.Shown:
    return sentence_card(refusal.sentence, words)


def usage_card(error: parsing.UsageError, words: Words) -> card_parts.Shown:
    return sentence_card(str(error), words)


def unknown_service_card(asked: str, names: Sequence[str], words: Words) -> card_parts.Shown:
    """`names`: those that exist; near ones are offered."""
    return sentence_card(asked, words)


def help_card(words: Words) -> card_parts.Shown:
    return sentence_card(" ".join(parsing.VERBS), words)


def whoami_card(person: messages.Person, words: Words, *, channel_ok: bool, channels: Sequence[str] = ()) -> card_parts.Shown:
    """`channel_ok`: commands are heard in this channel. `channels`: ids (C…) of those where they are."""
    return sentence_card(person.shown, words)


def placed_card(
    placed: answers.Placed, words: Words, *, actor: messages.Person | None = None, take_back: str = ""
) -> card_parts.Shown:
    """An order to hold that was carried out, or not. `actor` None: an alert, or Ferry itself."""
    return sentence_card(placed.hold.service, words)


def page_card(service: str, text: str, words: Words, *, mention: str = "", take_back: str = "") -> card_parts.Shown:
    """Somebody must act now. `mention`: `<!subteam^S…>` or `<@U…>` from settings. `service` may be empty or `all`."""
    return sentence_card(text, words)


def alert_card(alert: messages.Alert, words: Words, *, take_back: str = "") -> card_parts.Shown:
    """An alert that moved nothing by itself: what fires, and the red button."""
    return sentence_card(alert.name, words)
