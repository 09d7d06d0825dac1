"""Block Kit's limits for blocks and for the surfaces that carry them: messages, modals, Home tabs."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from deploy.playground.slack import element_rules, records
from deploy.playground.slack.findings import Findings, Json

BLOCKS_IN_MESSAGE = 50
BLOCKS_IN_VIEW = 100
MARKDOWN_TOTAL = 12_000
# Not in Slack's documentation; seen in the field: more readable text than this in one message's blocks is refused.
TEXT_TOTAL = 13_200
VIEW_BYTES = 250_000
ONLY_IN_MODALS = ("alert",)
NOT_IN_HOME = ("table", "data_table")


def check_message(blocks: object) -> list[str]:
    """Every reason why Slack would answer `invalid_blocks`; empty when it would take them."""
    found = Findings()
    _blocks(found.at("blocks"), blocks, most=BLOCKS_IN_MESSAGE, surface="message")
    return found.sentences


def too_long(blocks: object) -> bool:
    """Whether Slack would answer `msg_blocks_too_long`."""
    return sum(len(text) for text in records.texts_of(blocks)) > TEXT_TOTAL


def check_view(view: object) -> list[str]:
    """Every reason why Slack would refuse a modal or a Home tab."""
    found = Findings()
    if not isinstance(view, dict):
        found.add("view must be an object")
        return found.sentences
    kind = view.get("type")
    found.at("type").one_of(kind, ["modal", "home"])
    found.at("private_metadata").length(view.get("private_metadata"), 3000, least=0)
    found.at("callback_id").length(view.get("callback_id"), 255, least=0)
    found.at("external_id").length(view.get("external_id"), 255, least=0)
    if kind == "modal":
        found.need(view, "title")
        for name in ("title", "submit", "close"):
            found.at(name).text(view.get(name), 24, plain=True)
        inputs = [block for block in view.get("blocks") or () if isinstance(block, dict) and block.get("type") == "input"]
        if inputs and not view.get("submit"):
            found.at("submit").add("submit is required when an input block is within blocks array")
    _blocks(found.at("blocks"), view.get("blocks"), most=BLOCKS_IN_VIEW, surface=str(kind))
    return found.sentences


def view_too_large(view: Json) -> bool:
    return len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES


def _blocks(found: Findings, blocks: object, *, most: int, surface: str) -> None:
    listed = found.count(blocks, most, least=0)
    block_ids: list[str] = []
    kinds: list[str] = []
    for place, block in enumerate(listed):
        there = found.at(place)
        if not isinstance(block, dict):
            there.add("must provide an object")
            continue
        kind = str(block.get("type"))
        kinds.append(kind)
        if kind not in CHECKS or (kind in ONLY_IN_MODALS and surface != "modal") or (kind in NOT_IN_HOME and surface == "home"):
            there.add(f"unsupported type: {kind}")
            continue
        there.at("block_id").length(block.get("block_id"), 255)
        if block.get("block_id") in block_ids:
            there.at("block_id").add(f"block_id {block['block_id']} already exists")
        block_ids.append(block.get("block_id") or f"missing at {place}")
        CHECKS[kind](there, block)
        _unique_actions(there, block)
    if kinds.count("data_visualization") > 2:
        found.add("no more than 2 data_visualization blocks allowed")
    written = sum(
        len(str(block.get("text", ""))) for block in listed if isinstance(block, dict) and block.get("type") == "markdown"
    )
    if written > MARKDOWN_TOTAL:
        found.add(f"markdown blocks must be less than {MARKDOWN_TOTAL + 1} characters in total")


def _unique_actions(found: Findings, block: Json) -> None:
    action_ids = [element["action_id"] for _, element in records.elements_of([block])]
    for repeated in sorted({action_id for action_id in action_ids if action_ids.count(action_id) > 1}):
        found.add(f"action_id `{repeated}` already exists for another element in this block")


def _section(found: Findings, block: Json) -> None:
    if block.get("text") is None and not block.get("fields"):
        found.add("missing required field: text or fields")
    found.at("text").text(block.get("text"), 3000)
    if "fields" in block:
        for place, field in enumerate(found.at("fields").count(block["fields"], 10)):
            found.at("fields", place).text(field, 2000)
    if "accessory" in block:
        element_rules.check_element(found.at("accessory"), block["accessory"], element_rules.IN_SECTION)


def _header(found: Findings, block: Json) -> None:
    found.need(block, "text")
    found.at("text").text(block.get("text"), 150, plain=True)


def _context(found: Findings, block: Json) -> None:
    for place, element in enumerate(found.at("elements").count(block.get("elements"), 10)):
        there = found.at("elements", place)
        if isinstance(element, dict) and element.get("type") == "image":
            element_rules.check_element(there, element, frozenset({"image"}))
        else:
            there.text(element, 3000)


def _actions(found: Findings, block: Json) -> None:
    for place, element in enumerate(found.at("elements").count(block.get("elements"), 25)):
        element_rules.check_element(found.at("elements", place), element, element_rules.IN_ACTIONS)


def _context_actions(found: Findings, block: Json) -> None:
    for place, element in enumerate(found.at("elements").count(block.get("elements"), 5)):
        element_rules.check_element(found.at("elements", place), element, frozenset({"feedback_buttons", "icon_button"}))


def _input(found: Findings, block: Json) -> None:
    found.need(block, "label", "element")
    found.at("label").text(block.get("label"), 2000, plain=True)
    found.at("hint").text(block.get("hint"), 2000, plain=True)
    if block.get("element") is not None:
        element_rules.check_element(found.at("element"), block["element"], element_rules.IN_INPUT)


def _image(found: Findings, block: Json) -> None:
    element_rules.check_element(found, block, frozenset({"image"}))
    found.at("title").text(block.get("title"), 2000, plain=True)


def _markdown(found: Findings, block: Json) -> None:
    found.need(block, "text")
    found.at("text").length(block.get("text"), MARKDOWN_TOTAL)


def _rich_text(found: Findings, block: Json) -> None:
    allowed = ["rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"]
    for place, element in enumerate(found.at("elements").count(block.get("elements"), 1000, least=0)):
        there = found.at("elements", place)
        if not isinstance(element, dict):
            there.add("must provide an object")
        else:
            there.at("type").one_of(element.get("type") or "nothing", allowed)
            there.need(element, "elements")


def _table(found: Findings, block: Json) -> None:
    for place, row in enumerate(found.at("rows").count(block.get("rows"), 100)):
        for column, cell in enumerate(found.at("rows", place).count(row, 20)):
            there = found.at("rows", place, column)
            there.at("type").one_of(
                cell.get("type") if isinstance(cell, dict) else "nothing",
                ["raw_text", "raw_number", "rich_text"],
            )


def _card(found: Findings, block: Json) -> None:
    if not any(block.get(name) for name in ("hero_image", "title", "actions", "body")):
        found.add("missing required field: hero_image, title, actions or body")
    for name, most in (("title", 150), ("subtitle", 150), ("body", 200)):
        found.at(name).text(block.get(name), most)


def _container(found: Findings, block: Json) -> None:
    found.at("title").text(block.get("title"), 150)
    found.at("subtitle").text(block.get("subtitle"), 150)
    _blocks(found.at("child_blocks"), block.get("child_blocks"), most=10, surface="message")


def _data_visualization(found: Findings, block: Json) -> None:
    found.need(block, "title")
    title: Any = block.get("title")
    found.at("title").length(title.get("text") if isinstance(title, dict) else title, 50)


def _alert(found: Findings, block: Json) -> None:
    found.need(block, "text")
    found.at("level").one_of(block.get("level"), ["default", "info", "warning", "error", "success"])


def _nothing_more(_found: Findings, _block: Json) -> None:
    """Blocks without limits that we know of."""


CHECKS: Mapping[str, Callable[[Findings, Json], None]] = {
    "section": _section,
    "header": _header,
    "divider": _nothing_more,
    "context": _context,
    "context_actions": _context_actions,
    "actions": _actions,
    "input": _input,
    "image": _image,
    "markdown": _markdown,
    "rich_text": _rich_text,
    "table": _table,
    "data_table": _nothing_more,
    "card": _card,
    "carousel": _nothing_more,
    "container": _container,
    "data_visualization": _data_visualization,
    "alert": _alert,
    "plan": _nothing_more,
    "task_card": _nothing_more,
    "video": _nothing_more,
    "file": _nothing_more,
}
