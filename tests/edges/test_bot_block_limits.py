"""The checker of cards refuses what Slack would refuse, and says where."""

from typing import Any

import pytest

from bot.slack import block_limits
from deploy.playground.slack import block_rules

Block = dict[str, Any]


def plain(length: int) -> Block:
    return {"type": "plain_text", "text": "x" * length}


def mrkdwn(length: int) -> Block:
    return {"type": "mrkdwn", "text": "x" * length}


def button(**changes: Any) -> Block:
    return {"type": "button", "text": plain(5), "action_id": "a", "value": "v", **changes}


def confirm(**changes: Any) -> Block:
    return {"title": plain(100), "text": plain(300), "confirm": plain(30), "deny": plain(30), **changes}


def actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


AT_THE_LIMIT: list[Block] = [
    {"type": "header", "text": plain(150), "block_id": "b" * 255},
    {"type": "section", "text": mrkdwn(3_000)},
    {"type": "section", "fields": [mrkdwn(40)] * 9 + [plain(2_000)]},
    {"type": "context", "elements": [mrkdwn(90)] * 10},
    actions(*(button(action_id=f"a{place}", text=plain(10)) for place in range(25))),
    actions(button(action_id="a" * 255, value="v" * 2_000, text=plain(75), style="danger", confirm=confirm())),
    {"type": "divider"},
]
BEYOND: list[tuple[str, Block]] = [
    ("header", {"type": "header", "text": plain(151)}),
    ("header in mrkdwn", {"type": "header", "text": mrkdwn(10)}),
    ("empty header", {"type": "header", "text": plain(0)}),
    ("section", {"type": "section", "text": mrkdwn(3_001)}),
    ("empty section", {"type": "section"}),
    ("fields", {"type": "section", "fields": [mrkdwn(1)] * 11}),
    ("field", {"type": "section", "fields": [mrkdwn(2_001)]}),
    ("context", {"type": "context", "elements": [mrkdwn(1)] * 11}),
    ("empty context", {"type": "context", "elements": []}),
    ("buttons", actions(*(button(action_id=f"a{place}") for place in range(26)))),
    ("same action twice", actions(button(), button())),
    ("label", actions(button(text=plain(76)))),
    ("label in mrkdwn", actions(button(text=mrkdwn(5)))),
    ("value", actions(button(value="v" * 2_001))),
    ("action id", actions(button(action_id="a" * 256))),
    ("style", actions(button(style="warning"))),
    ("dialog text", actions(button(confirm=confirm(text=plain(301))))),
    ("dialog title", actions(button(confirm=confirm(title=plain(101))))),
    ("dialog button", actions(button(confirm=confirm(confirm=plain(31))))),
    ("dialog without deny", actions(button(confirm={"title": plain(1), "text": plain(1), "confirm": plain(1)}))),
    ("accessory", {"type": "section", "text": mrkdwn(1), "accessory": button(text=plain(76))}),
    ("block id", {"type": "divider", "block_id": "b" * 256}),
    ("unknown block", {"type": "carousel_of_doom"}),
    ("input label", {"type": "input", "label": plain(2_001), "element": {"type": "plain_text_input", "action_id": "a"}}),
]


def test_everything_at_its_limit_passes_here_and_at_slack() -> None:
    block_limits.check_message("x" * 4_000, AT_THE_LIMIT)
    assert block_rules.check_message(AT_THE_LIMIT) == []


@pytest.mark.parametrize(("what", "block"), BEYOND, ids=[what for what, _ in BEYOND])
def test_one_beyond_the_limit_is_refused_here_and_at_slack(what: str, block: Block) -> None:
    with pytest.raises(block_limits.LimitError, match=r"blocks\[0\]"):
        block_limits.check_message(what, [block])
    assert block_rules.check_message([block]) != []


def test_a_message_has_at_most_fifty_blocks_with_ids_of_their_own() -> None:
    block_limits.check_message("x", [{"type": "divider"}] * 50)
    with pytest.raises(block_limits.LimitError, match="has 51 items"):
        block_limits.check_message("x", [{"type": "divider"}] * 51)
    twice = [{"type": "divider", "block_id": "b"}] * 2
    with pytest.raises(block_limits.LimitError, match="used twice"):
        block_limits.check_message("x", twice)
    assert block_rules.check_message(twice) != []


def test_a_message_without_a_sentence_or_with_too_much_text_is_refused() -> None:
    with pytest.raises(block_limits.LimitError, match="text: has 0 characters"):
        block_limits.check_message("", [])
    with pytest.raises(block_limits.LimitError, match="text: has 4001 characters"):
        block_limits.check_message("x" * 4_001, [])
    section: Block = {"type": "section", "text": mrkdwn(2_501)}
    with pytest.raises(block_limits.LimitError, match="10004 characters of text"):
        block_limits.check_message("x", [section] * 4)
    assert not block_rules.too_long([section] * 4), "the budget leaves room below what Slack was seen to refuse"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"title": plain(25)}, "title"),
        ({"title": None}, "title"),
        ({"submit": plain(25)}, "submit"),
        ({"private_metadata": "x" * 3_001}, "private_metadata"),
        ({"callback_id": "x" * 256}, "callback_id"),
        ({"blocks": [{"type": "divider"}] * 101}, "blocks"),
        ({"blocks": [{"type": "rich_text", "elements": [], "filler": "é" * 125_000}]}, "view"),
    ],
)
def test_a_view_beyond_a_limit_is_refused(change: Block, where: str) -> None:
    view = {"type": "modal", "title": plain(24), "private_metadata": "x" * 3_000, "blocks": [{"type": "divider"}] * 100}
    block_limits.check_view(view)
    assert block_rules.check_view(view) == []
    with pytest.raises(block_limits.LimitError, match=f"^{where}"):
        block_limits.check_view({**view, **change})
    assert block_rules.check_view({**view, **change}) or block_rules.view_too_large({**view, **change})
