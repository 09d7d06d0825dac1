"""Values of the wish, read from YAML nodes: each refusal knows its file, line, field and fix. Pure.

A reader returns None when it refused: no valid value is None, and reading goes on, so that one look shows every problem.
"""

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import yaml
from yaml.composer import Composer

from k8s import model

T = TypeVar("T")
LONGEST_TEXT = 512
MOST_BYTES = 900 * 1024
DEEPEST = 20
_MOST_HOSTILE = 100  # composing recurses: hostile nesting must not take the process down
_TOO_DEEP = f"is nested deeper than {DEEPEST}; write it flat as in the example"
_SECOND = "a second document starts here; keep one and remove the line ---"
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,11})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?")
_DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?(?:(\d{1,9})ms)?")
_TAG = "tag:yaml.org,2002:"
_ALSO_CALLED = {"weight": "migration_percentage", "host": "old_host", "backend": "old_backend", "port": "new_port"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One refused place. `line` counts from 1 in the file given; `sentence` says what is wrong and the fix."""

    source: str
    line: int
    field: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.field}: {self.sentence}"


class WishError(ValueError):
    """The document is refused: `problems` lists every one found, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        shown = [str(problem) for problem in problems[:20]]
        if len(problems) > 20:
            shown.append(f"and {len(problems) - 20} more")
        super().__init__("\n".join(shown))


@dataclass(slots=True)
class Page:
    """One YAML text inside a file: its line 0 is the file's `first_line`; `one_line` when the text is quoted there."""

    source: str
    first_line: int = 0
    one_line: bool = False
    problems: list[Problem] = field(default_factory=list)

    def line(self, zero_based: int) -> int:
        return self.first_line + 1 if self.one_line else self.first_line + zero_based + 1

    def refuse(self, zero_based: int, field_name: str, sentence: str) -> None:
        self.problems.append(Problem(self.source, self.line(zero_based), field_name, sentence[:600]))

    def demand_none(self) -> None:
        if self.problems:
            raise WishError(tuple(sorted(self.problems, key=lambda problem: problem.line)))


@dataclass(frozen=True, slots=True)
class Place:
    """A node, and its path as a reader would write it: services[0].header.values[1]."""

    page: Page
    node: yaml.Node
    path: str

    def refuse(self, sentence: str) -> None:
        self.page.refuse(self.node.start_mark.line, self.path, sentence)

    def __str__(self) -> str:
        return f"{self.path} ({self.page.source}:{self.page.line(self.node.start_mark.line)})"

    def shown(self) -> str:
        kinds: dict[type[yaml.Node], str] = {yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list"}
        if not isinstance(self.node, yaml.ScalarNode):
            return kinds.get(type(self.node), "a structure")
        quote = '"' if self.node.style in ('"', "'") else ""
        return f"{quote}{self.node.value[:80]}{quote}" if self.node.value or quote else "empty"

    def _plain(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        if not isinstance(self.node, yaml.ScalarNode) or self.node.style:
            return None
        return pattern.fullmatch(self.node.value)

    def text(self) -> str | None:
        node = self.node
        if not isinstance(node, yaml.ScalarNode) or node.tag != _TAG + "str" or not node.value:
            hint = (
                f'write it in quotes: "{node.value[:80]}"' if isinstance(node, yaml.ScalarNode) and node.value else "write a text"
            )
            self.refuse(f"{self.shown()} is not a text; {hint}")
            return None
        if len(node.value) > LONGEST_TEXT:
            self.refuse(f"is longer than {LONGEST_TEXT} characters; shorten it")
            return None
        return str(node.value)

    def whole(self, low: int, high: int) -> int | None:
        found = self._plain(_WHOLE)
        if not found or not low <= int(found[0]) <= high:
            self.refuse(f"{self.shown()} is not allowed; write a whole number from {low} to {high}, without quotes or point")
            return None
        return int(found[0])

    def number(self, low: float, high: float) -> float | None:
        found = self._plain(_NUMBER)
        if not found or not low <= float(found[0]) <= high:
            self.refuse(f"{self.shown()} is not allowed; write a number from {low:g} to {high:g}, without quotes")
            return None
        return float(found[0])

    def seconds(self, low: float, high: float) -> float | None:
        """`30s`, `24h`, `1h30m`, `500ms`, or a plain number of seconds."""
        value: float | None = None
        if found := self._plain(_NUMBER):
            value = float(found[0])
        elif isinstance(self.node, yaml.ScalarNode) and self.node.value and (parts := _DURATION.fullmatch(self.node.value)):
            value = sum(int(part or 0) * unit for part, unit in zip(parts.groups(), (86400, 3600, 60, 1, 0.001), strict=True))
        if value is None or not low <= value <= high:
            self.refuse(f"{self.shown()} is not allowed; write a time such as 30s or 1h30m, from {low:g}s to {high:g}s")
            return None
        return value

    def yes_no(self) -> bool | None:
        if isinstance(self.node, yaml.ScalarNode) and not self.node.style and self.node.value in ("true", "false"):
            return bool(self.node.value == "true")
        self.refuse(f"{self.shown()} is not allowed; write true or false, without quotes")
        return None

    def one_of(self, choices: Iterable[str]) -> str | None:
        text, known = self.text(), list(choices)
        if text is None or text in known:
            return text
        self.refuse(f"{text!r} is not known; {_nearest(text, known)}use {', '.join(known)}")
        return None

    def entries(self) -> list["Place"] | None:
        if not isinstance(self.node, yaml.SequenceNode):
            self.refuse(f"{self.shown()} is not a list; write a list (lines that start with -), or [] for none")
            return None
        return [Place(self.page, node, f"{self.path}[{number}]") for number, node in enumerate(self.node.value)]

    def each(self, reader: Callable[["Place"], T | None]) -> tuple[T, ...] | None:
        places = self.entries()
        if places is None:
            return None
        values = [reader(place) for place in places]
        kept = tuple(value for value in values if value is not None)
        return kept if len(kept) == len(values) else None

    def fields(self, known: Iterable[str], required: Iterable[str] = (), *, others: bool = False) -> dict[str, "Place"] | None:
        """The entries of a mapping. `others`: unknown keys are somebody else's and passed over."""
        if not isinstance(self.node, yaml.MappingNode):
            self.refuse(f"{self.shown()} is not a mapping; write fields as name: value")
            return None
        found: dict[str, Place] = {}
        names = list(known)
        for key, value in self.node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "(a structure)"
            path = f"{self.path}.{name[:80]}" if self.path else name[:80]
            if name in found:
                first = found[name].page.line(found[name].node.start_mark.line)
                self.page.refuse(key.start_mark.line, path, f"stands twice (first on line {first}); remove one of them")
            elif name not in names and not others:
                hint = _nearest(name, names) + f"remove it, or use one of {', '.join(names)}"
                self.page.refuse(key.start_mark.line, path, f"is not a known field; {hint}")
            else:
                found[name] = Place(self.page, value, path)
        for name in required:
            if name not in found:
                self.page.refuse(self.node.start_mark.line, f"{self.path}.{name}".lstrip("."), f"is missing; add {name}: …")
        return found

    def built(self, make: Callable[[], T]) -> T | None:
        """What `make` returns, or the model's own refusal at this place."""
        try:
            return make()
        except model.ModelError as error:
            self.refuse(error.sentence)
            return None


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if not near and _ALSO_CALLED.get(name) in known:
        near = [_ALSO_CALLED[name]]
    return f"did you mean {near[0]}? Then write that; else " if near else ""


@dataclass(frozen=True, slots=True)
class Blemish:
    """A form of YAML that is not allowed, at this character of the text; the rest can be read all the same."""

    index: int
    line: int
    sentence: str


class _PlainLoader(Composer, yaml.CSafeLoader):
    """Composes without following aliases: an alias is a text that no reader accepts, so that it can refer to nothing."""

    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        Composer.__init__(self)
        self.blemishes: list[Blemish] = []
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # the stubs say that an event, or its place, may be missing
        mark, end = event.start_mark, event.end_mark
        if isinstance(event, yaml.AliasEvent):
            self.get_event()
            self._blemished(mark, "anchors and aliases (& and *) are not allowed; write the value out")
            return yaml.ScalarNode(_TAG + "str", f"*{event.anchor}", mark, end)
        if getattr(event, "anchor", None):
            event.anchor = None
            self._blemished(mark, "anchors and aliases (& and *) are not allowed; write the value out")
        elif tag := getattr(event, "tag", None):
            self._blemished(mark, f"the tag {str(tag)[:80]} is not allowed; remove it and write the plain value")
        deeper = isinstance(event, yaml.CollectionStartEvent)
        self._depth += deeper
        if deeper and self._depth == DEEPEST + 1:
            self._blemished(mark, _TOO_DEEP)
        elif self._depth > _MOST_HOSTILE:
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP, problem_mark=mark)
        node = super().compose_node(parent, index)
        self._depth -= deeper
        return node

    def _blemished(self, mark: Any, sentence: str) -> None:
        self.blemishes.append(Blemish(mark.index, mark.line, sentence))

    def one(self) -> yaml.Node | None:
        """Of the one document; what comes after it is refused as a whole."""
        self.get_event()
        if self.check_event(yaml.StreamEndEvent):
            return None
        root = self.compose_document()
        if not self.check_event(yaml.StreamEndEvent):
            more: Any = self.peek_event()
            raise yaml.MarkedYAMLError(problem=_SECOND, problem_mark=more.start_mark)
        return root


def compose(text: str, page: Page) -> yaml.Node:
    """The root node of one plain YAML document. Raises WishError for anything else, with the line."""
    root, blemishes = composed(text, page)
    for one in blemishes:
        page.refuse(one.line, "document", one.sentence)
    page.demand_none()
    return root


def composed(text: str, page: Page) -> tuple[yaml.Node, tuple[Blemish, ...]]:
    """The root node of one YAML document, and what of it is not plain. Raises WishError for what is no YAML."""
    try:
        loader = _PlainLoader(text)
        root = loader.one()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        ours = error.problem in (_TOO_DEEP, _SECOND)
        said = f"is not YAML ({error.problem}); correct the indentation, quotes and colons there"
        page.refuse(line, "document", str(error.problem) if ours else said)
    except (yaml.YAMLError, UnicodeError):
        page.refuse(0, "document", "holds characters that YAML does not allow; save it as plain UTF-8 text")
    else:
        if root is not None:
            return root, tuple(loader.blemishes)
        page.refuse(0, "document", "is empty; write services: and the list of services, or services: [] for none")
    page.demand_none()
    raise AssertionError("demand_none raised: a problem was just noted")
