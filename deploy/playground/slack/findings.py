"""What is wrong with a piece of Block Kit, in Slack's own form: `[ERROR] sentence [json-pointer:/blocks/0/text]`."""

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]


class Findings:
    """Collects sentences while a checker walks the tree; `at` gives a checker the place below."""

    def __init__(self, pointer: str = "", sentences: list[str] | None = None) -> None:
        self.pointer = pointer
        self.sentences: list[str] = [] if sentences is None else sentences

    def at(self, *steps: str | int) -> "Findings":
        return Findings("/".join([self.pointer, *map(str, steps)]), self.sentences)

    def add(self, sentence: str) -> None:
        self.sentences.append(f"[ERROR] {sentence} [json-pointer:{self.pointer}]")

    def need(self, part: Json, *names: str) -> None:
        for name in names:
            if part.get(name) is None:
                self.add(f"missing required field: {name}")

    def length(self, value: Any, most: int, *, least: int = 1) -> None:
        """A string within its bounds; absent is fine, the wrong type is not."""
        if value is None:
            return
        if not isinstance(value, str):
            self.add("must provide a string")
        elif len(value) < least:
            self.add(f"must be more than {least - 1} characters")
        elif len(value) > most:
            self.add(f"must be less than {most + 1} characters")

    def count(self, items: Any, most: int, *, least: int = 1) -> list[Any]:
        """The items when they are a list within its bounds (what is there is checked further either way)."""
        if not isinstance(items, list | tuple):
            self.add("must provide an array")
            return []
        if len(items) < least:
            self.add(f"no fewer than {least} items allowed")
        if len(items) > most:
            self.add(f"no more than {most} items allowed")
        return list(items)

    def one_of(self, value: Any, allowed: Sequence[str]) -> None:
        if value is not None and value not in allowed:
            self.add(f"must be one of: {', '.join(allowed)}")

    def text(self, part: Any, most: int, *, plain: bool = False) -> None:
        """A text object; absent is fine."""
        if part is None:
            return
        if not isinstance(part, dict):
            self.add("must provide an object")
            return
        self.at("type").one_of(part.get("type"), ["plain_text"] if plain else ["plain_text", "mrkdwn"])
        self.need(part, "type", "text")
        self.at("text").length(part.get("text"), most)
        if "emoji" in part and part.get("type") != "plain_text":
            self.add("emoji is only allowed in plain_text")
        if "verbatim" in part and part.get("type") != "mrkdwn":
            self.add("verbatim is only allowed in mrkdwn")
