"""The one card of an operation, in every phase and outcome. Pure."""

from bot.slack import card_parts
from bot.slack.words import Words, sentence
from handlers.rules import migration


def operation_card(
    operation: migration.Operation, words: Words, *, take_back: str, approvers_shown: str = ""
) -> card_parts.Shown:
    """`take_back`: the kubectl line (`handlers.kubectl.hold_line`). `approvers_shown`: `<!subteam^S…>` or `<@U…> <@U…>`
    from settings; shown live, and so pinged, only in the first form of a request."""
    text = sentence(operation.because)
    return card_parts.Shown(text, [card_parts.section(text), *card_parts.take_back_line(take_back, words)])
