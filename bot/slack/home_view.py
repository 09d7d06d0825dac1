"""The Home tab of one person: what waits for them, what runs, every service. Pure."""

from datetime import datetime

from bot.slack import block_limits
from bot.slack.words import Words
from handlers import answers, messages


def home(overview: answers.Overview, person: messages.Person, words: Words, *, at: datetime) -> block_limits.Block:
    """`at`: when the overview was read."""
    return {"type": "home", "blocks": []}
