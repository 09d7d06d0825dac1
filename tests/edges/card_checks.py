"""What every card must stand: Slack's limits by two checkers, and foreign text that tries to be live."""

import re
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as some

from bot.slack import block_limits, card_parts
from deploy.playground.slack import block_rules

Block = dict[str, Any]
# What we make ourselves, and nothing else, may stand between angle brackets.
OURS = re.compile(r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|[-0-9 :]+ UTC>|<@U0(ANN|BOB|BOSS)>|<!subteam\^S0APPR>|<#C0OPS>")
HOSTILE = some.lists(
    some.one_of(
        some.sampled_from(
            [
                "<!channel>",
                "<@U1>",
                "<@U0EVE|Bob>",
                "<https://evil|safe>",
                "<!subteam^S1>",
                "<!date^1^x|y>",
                "`",
                "```",
                "*",
                "_",
                "&lt;",
            ]
        ),
        some.sampled_from(["\u202e", "\u200b", "\n", "🔥", "x" * 5_000, "&" * 5_000, "<" * 400]),
        some.text(max_size=30),
    ),
    min_size=1,
    max_size=8,
).map("".join)


def passes(shown: card_parts.Shown) -> None:
    block_limits.check_message(shown.text, shown.blocks)
    assert block_rules.check_message(shown.blocks) == []
    assert not block_rules.too_long(shown.blocks)


def view_passes(view: Block) -> None:
    block_limits.check_view(view)
    assert block_rules.check_view(view) == []
    assert not block_rules.view_too_large(view)


def live_texts(part: object) -> Iterator[str]:
    """Every text that Slack parses."""
    if isinstance(part, dict):
        if part.get("type") == "mrkdwn":
            yield part["text"]
        for inner in part.values():
            yield from live_texts(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from live_texts(inner)


def nothing_foreign_is_live(texts: Iterator[str]) -> None:
    for text in texts:
        rest = OURS.sub("", text)
        assert "<" not in rest, text
        assert ">" not in rest, text
        assert not re.search(r"&(?!(amp|lt|gt);)", rest), text


def pressed(blocks: list[Block]) -> dict[str, Block]:
    """Buttons by action id."""
    rows = [block["elements"] for block in blocks if block["type"] == "actions"]
    return {element["action_id"]: element for row in rows for element in row}
