"""The settings file as plain values that remember their lines: one YAML document, no anchors, no tags, no field twice. Pure."""

from dataclasses import dataclass, field
from typing import Any

import yaml

from bot import logs
from k8s import wish_fields

Path = tuple[str | int, ...]
_SCALARS = yaml.constructor.SafeConstructor()


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong value. `where`: the environment variable, or file, line and field; `sentence`: what is wrong and the fix."""

    where: str
    sentence: str

    def __str__(self) -> str:
        # Without a colon after a variable's name: what follows `…_TOKEN:` is taken for a secret by everything that redacts.
        return f"{self.where}: {self.sentence}" if ":" in self.where else f"{self.where} {self.sentence}"


@dataclass(slots=True)
class Document:
    """`values` as YAML has them, without fields left empty; `lines` by path, from 1. `unreadable`: nothing to judge."""

    source: str
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unreadable: bool = False

    def refuse(self, path: Path, sentence: str) -> None:
        self.problems.append(self.problem(path, sentence))

    def problem(self, path: Path, sentence: str) -> Problem:
        """At this path, or at what holds it where the path itself is not in the file."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        return Problem(f"{self.source}:{self.lines.get(known, 1)}: {named(path)}", sentence)


def named(path: Path) -> str:
    """As a reader writes it: `slack.approvers.users[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path if part != "[key]")
    return text.removeprefix(".") or "document"


def read(text: str, source: str) -> Document:
    """A file with nothing but comments is an empty mapping: every default."""
    document = Document(source, lines={(): 1})
    if not any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines()):
        return document
    try:
        root = wish_fields.compose(text.removeprefix("\ufeff"), wish_fields.Page(source))
    except wish_fields.WishError as error:
        document.problems += [Problem(f"{one.source}:{one.line}: {one.field}", one.sentence) for one in error.problems]
        document.unreadable = True
        return document
    values = _value(root, (), document)
    if isinstance(values, dict):
        document.values = values
    elif values is not None:
        document.unreadable = True
        document.refuse((), "is not a mapping; write fields as name: value, as in deploy/examples/settings.yaml")
    return document


def _value(node: yaml.Node, path: Path, document: Document) -> Any:
    document.lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_value(inner, (*path, number), document) for number, inner in enumerate(node.value)]
    try:
        return _SCALARS.construct_object(node)
    except (yaml.YAMLError, ValueError):
        document.refuse(path, f"{logs.redact(str(node.value))[:80]!r} cannot be read; write it in quotes")
        return None


def _mapping(node: yaml.MappingNode, path: Path, document: Document) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, inner in node.value:
        name = str(key.value)[:80] if isinstance(key, yaml.ScalarNode) else "(a structure)"
        if name in values:
            document.lines[(*path, name)] = key.start_mark.line + 1
            document.refuse((*path, name), "stands twice; remove one of them")
            continue
        values[name] = _value(inner, (*path, name), document)
        document.lines[(*path, name)] = key.start_mark.line + 1
    return {name: value for name, value in values.items() if value is not None}
