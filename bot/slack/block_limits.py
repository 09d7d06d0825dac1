"""Slack's limits, checked before anything is sent: a card that breaks one would be refused whole, with the buttons on it."""

import json
from collections.abc import Iterator
from typing import Any

Block = dict[str, Any]

BLOCKS_IN_MESSAGE = 50
BLOCKS_IN_VIEW = 100
VIEW_BYTES = 250_000
FALLBACK_TEXT = 4_000  # Slack cuts at 40,000 and recommends this
# Not documented: `msg_blocks_too_long` was seen at about 13,200 characters of text in one message.
TEXT_IN_MESSAGE = 10_000

# Longest string by the name of the field, where the name alone decides.
LONGEST = {"block_id": 255, "action_id": 255, "value": 2000, "url": 3000, "image_url": 3000, "alt_text": 2000}
KINDS = frozenset({"section", "header", "context", "actions", "divider", "input", "rich_text", "image"})


class LimitError(ValueError):
    """A card or view breaks a limit. `path` like `blocks[2].text`, `limit` is the number it passed (0: not allowed at all)."""

    def __init__(self, path: str, limit: int, sentence: str) -> None:
        super().__init__(f"{path}: {sentence}")
        self.path = path
        self.limit = limit


def check_message(text: str, blocks: list[Block]) -> None:
    """Raises LimitError for the first limit that this message breaks. `text` is the sentence for notifications."""
    _length(text, "text", FALLBACK_TEXT)
    _blocks(blocks, BLOCKS_IN_MESSAGE)
    total = sum(len(words) for words in texts_of(blocks))
    if total > TEXT_IN_MESSAGE:
        raise LimitError("blocks", TEXT_IN_MESSAGE, f"{total} characters of text in one message; at most {TEXT_IN_MESSAGE}")


def check_view(view: Block) -> None:
    """Raises LimitError for the first limit that this modal or Home tab breaks."""
    if view.get("type") == "modal":
        for name in ("title", "submit", "close"):
            if name == "title" or name in view:
                _text(view.get(name), name, 24, plain=True)
    for name, most in (("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)):
        if name in view:
            _length(view[name], name, most, least=0)
    _blocks(view.get("blocks"), BLOCKS_IN_VIEW)
    size = len(json.dumps(view, ensure_ascii=False).encode())
    if size > VIEW_BYTES:
        raise LimitError("view", VIEW_BYTES, f"{size} bytes; at most {VIEW_BYTES}")


def texts_of(part: object) -> Iterator[str]:
    """Every readable text in blocks: the `text` fields, wherever they stand."""
    if isinstance(part, dict):
        for name, inner in part.items():
            if name == "text" and isinstance(inner, str):
                yield inner
            else:
                yield from texts_of(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from texts_of(inner)


def _blocks(blocks: object, most: int) -> None:
    listed = _items(blocks, "blocks", most, least=0)
    seen: set[str] = set()
    for place, block in enumerate(listed):
        path = f"blocks[{place}]"
        if not isinstance(block, dict) or block.get("type") not in KINDS:
            raise LimitError(path, 0, f"is not one of the blocks that cards use ({', '.join(sorted(KINDS))})")
        block_id = block.get("block_id")
        if block_id in seen:
            raise LimitError(f"{path}.block_id", 1, f"{block_id!r} is used twice in one message")
        if isinstance(block_id, str):
            seen.add(block_id)
        _named_lengths(block, path)
        _block(block, path)


def _block(block: Block, path: str) -> None:
    match block["type"]:
        case "header":
            _text(block.get("text"), f"{path}.text", 150, plain=True)
        case "section":
            _section(block, path)
        case "context":
            for place, element in enumerate(_items(block.get("elements"), f"{path}.elements", 10)):
                if not (isinstance(element, dict) and element.get("type") == "image"):
                    _text(element, f"{path}.elements[{place}]", 3000)
        case "actions":
            _actions(block, path)
        case "input":
            _text(block.get("label"), f"{path}.label", 2000, plain=True)
        case _:
            return


def _section(block: Block, path: str) -> None:
    if "text" not in block and not block.get("fields"):
        raise LimitError(path, 1, "a section needs text or fields")
    if "text" in block:
        _text(block["text"], f"{path}.text", 3000)
    if "fields" in block:
        for place, field in enumerate(_items(block["fields"], f"{path}.fields", 10)):
            _text(field, f"{path}.fields[{place}]", 2000)
    if "accessory" in block:
        _element(block["accessory"], f"{path}.accessory")


def _actions(block: Block, path: str) -> None:
    elements = _items(block.get("elements"), f"{path}.elements", 25)
    action_ids = [element.get("action_id") for element in elements if isinstance(element, dict)]
    if len(set(action_ids)) != len(action_ids):
        raise LimitError(f"{path}.elements", 1, "an action_id is used twice in one block")
    for place, element in enumerate(elements):
        _element(element, f"{path}.elements[{place}]")


def _element(element: object, path: str) -> None:
    if not isinstance(element, dict):
        raise LimitError(path, 0, "is not an object")
    if element.get("type") != "button":
        return
    _text(element.get("text"), f"{path}.text", 75, plain=True)
    if element.get("style") not in (None, "primary", "danger"):
        raise LimitError(f"{path}.style", 0, "a button's style is primary or danger, or left out")
    if "confirm" in element:
        confirm = element["confirm"]
        _text(confirm.get("title"), f"{path}.confirm.title", 100, plain=True)
        _text(confirm.get("text"), f"{path}.confirm.text", 300)
        _text(confirm.get("confirm"), f"{path}.confirm.confirm", 30, plain=True)
        _text(confirm.get("deny"), f"{path}.confirm.deny", 30, plain=True)


def _named_lengths(part: object, path: str) -> None:
    if isinstance(part, dict):
        for name, inner in part.items():
            if name in LONGEST and inner is not None:
                _length(inner, f"{path}.{name}", LONGEST[name])
            else:
                _named_lengths(inner, f"{path}.{name}")
    elif isinstance(part, list):
        for place, inner in enumerate(part):
            _named_lengths(inner, f"{path}[{place}]")


def _items(items: object, path: str, most: int, *, least: int = 1) -> list[Any]:
    if not isinstance(items, list):
        raise LimitError(path, most, "is not a list")
    if not least <= len(items) <= most:
        raise LimitError(path, most, f"has {len(items)} items; {least} to {most} are allowed")
    return items


def _text(part: object, path: str, most: int, *, plain: bool = False) -> None:
    if not isinstance(part, dict) or part.get("type") not in (("plain_text",) if plain else ("plain_text", "mrkdwn")):
        raise LimitError(path, 0, "is not a text object of the right type")
    _length(part.get("text"), path, most)


def _length(value: object, path: str, most: int, *, least: int = 1) -> None:
    if not isinstance(value, str):
        raise LimitError(path, most, "is not a string")
    if not least <= len(value) <= most:
        raise LimitError(path, most, f"has {len(value)} characters; {least} to {most} are allowed")
