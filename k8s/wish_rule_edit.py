"""Strategy and rule of one entry of `migration.yaml`, changed as text: comments, order, quotes and line ends stay. Pure.

What stands there is changed in place, value by value; what does not is inserted after what belongs before it. The caller reads
what comes out: a form that is met nowhere here may be changed wrongly, never silently.
"""

import difflib
import re
from dataclasses import dataclass

import yaml

from k8s import model

Edit = tuple[int, int, str]  # the characters from here to there become this text
_Field = tuple[yaml.ScalarNode, yaml.Node]  # key and value
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/=+@-]*")
_TEXT = "tag:yaml.org,2002:str"
_RESOLVER = yaml.resolver.Resolver()


class UnfitError(ValueError):
    """The entry is written in a form that no text edit is made for."""


@dataclass(frozen=True, slots=True)
class _Style:
    """How new parts of an entry are written: in the quotes of its name, keys like its own."""

    value: str
    key: str

    def text(self, value: str) -> str:
        return f"{self.value}{value}{self.value}"

    def pair(self, name: str, value: str) -> str:
        return f"{self.key}{name}{self.key}: {value}"

    def texts(self, values: tuple[str, ...]) -> str:
        return f"[{', '.join(self.text(value) for value in values)}]"


def rule_edits(text: str, entry: yaml.Node, exposure: model.Exposure) -> list[Edit]:
    """The edits after which `entry`, a node of `text`, has strategy and used rule of `exposure`. Raises UnfitError."""
    fields = _fields(entry)
    if not isinstance(entry, yaml.MappingNode) or not {"name", "migration_percentage"} <= fields.keys():
        raise UnfitError("the entry is no mapping of fields")
    name, number = fields["name"][1], fields["migration_percentage"][0]
    single = isinstance(name, yaml.ScalarNode) and name.style == "'"
    style = _Style(value="'" if single else '"', key=str(number.style or ""))
    field, whole = _rule(exposure, style)
    anchor = fields.get("strategy", fields["migration_percentage"])
    edits: list[Edit] = []
    missing = []
    if "strategy" in fields:
        edits += _scalar(text, fields["strategy"][1], str(exposure.strategy), inside_flow=_flow(entry))
    elif exposure.strategy is not model.Strategy.WEIGHT:
        missing.append(style.pair("strategy", style.text(str(exposure.strategy))))
    if field and field not in fields:
        missing.append(style.pair(field, whole))
    elif field:
        edits += _changed_rule(text, fields[field], exposure, style)
    return edits + _inserted(text, entry, anchor, missing)


def _rule(exposure: model.Exposure, style: _Style) -> tuple[str, str]:
    """The field that the strategy uses, and all of it on one line; empty where it uses none."""
    match exposure.strategy:
        case model.Strategy.HEADER if exposure.header is not None:
            name = style.pair("name", style.text(exposure.header.name))
            return "header", f"{{{name}, {style.pair('values', style.texts(exposure.header.values))}}}"
        case model.Strategy.IP:
            return "cidrs", style.texts(exposure.cidrs)
        case model.Strategy.USER if exposure.user is not None:
            source = style.pair("source", style.text(str(exposure.user.source)))
            ids = f", {style.pair('ids', style.texts(exposure.user.ids))}" if exposure.user.ids else ""
            return "user", f"{{{source}{ids}}}"
        case _:
            return "", ""


def _changed_rule(text: str, field: _Field, exposure: model.Exposure, style: _Style) -> list[Edit]:
    if exposure.strategy is model.Strategy.IP:
        return _list(text, field, exposure.cidrs, style)
    parts, node = _fields(field[1]), field[1]
    if exposure.strategy is model.Strategy.HEADER and exposure.header is not None and {"name", "values"} <= parts.keys():
        named = _scalar(text, parts["name"][1], exposure.header.name, inside_flow=_flow(node))
        return named + _list(text, parts["values"], exposure.header.values, style)
    if exposure.strategy is model.Strategy.USER and exposure.user is not None and "source" in parts:
        edits = _scalar(text, parts["source"][1], str(exposure.user.source), inside_flow=_flow(node))
        if "ids" in parts:
            return edits + _list(text, parts["ids"], exposure.user.ids, style)
        missing = [style.pair("ids", style.texts(exposure.user.ids))] if exposure.user.ids else []
        return edits + _inserted(text, node, parts["source"], missing)
    raise UnfitError("the rule lacks a field")


def _flow(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _fields(node: yaml.Node) -> dict[str, _Field]:
    """Key and value by name; the first where one stands twice."""
    found: dict[str, _Field] = {}
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        if isinstance(key, yaml.ScalarNode):
            found.setdefault(str(key.value), (key, value))
    return found


def _scalar(text: str, node: yaml.Node, value: str, *, inside_flow: bool) -> list[Edit]:
    if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
        raise UnfitError("a value is written as a block")
    if node.value == value:
        return []
    return [(node.start_mark.index, node.end_mark.index, _like(node, value, inside_flow=inside_flow))]


def _like(node: yaml.ScalarNode, value: str, *, inside_flow: bool) -> str:
    """In the quotes of `node`; in some at least where it would be no text without."""
    if node.style in ("'", '"'):
        return f"{node.style}{value}{node.style}"
    plain = _PLAIN.fullmatch(value if inside_flow else value.replace(":", "-"))  # a colon means nothing before a letter
    tag = _RESOLVER.resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]  # the stubs leave it out
    text = tag == _TEXT and not value.endswith(":")
    return value if plain and text else f'"{value}"'


def _list(text: str, field: _Field, values: tuple[str, ...], style: _Style) -> list[Edit]:
    """Items that stay keep their text and what stands beside them."""
    key, node = field
    items = node.value if isinstance(node, yaml.SequenceNode) else None
    if items is None or not all(isinstance(item, yaml.ScalarNode) and item.style not in ("|", ">") for item in items):
        raise UnfitError("a list is written in an unusual form")
    if tuple(str(item.value) for item in items) == values:
        return []
    if _flow(node) or not items:
        return _flow_list(node, items, values, style)
    return _block_list(text, key, items, values)


def _flow_list(node: yaml.Node, items: list[yaml.ScalarNode], values: tuple[str, ...], style: _Style) -> list[Edit]:
    if not items or not values:
        return [(node.start_mark.index, node.end_mark.index, style.texts(values))]
    edits: list[Edit] = []
    shared = min(len(items), len(values))
    for item, value in zip(items, values, strict=False):
        if item.value != value:
            edits.append((item.start_mark.index, item.end_mark.index, _like(item, value, inside_flow=True)))
    last = items[shared - 1].end_mark.index
    if len(items) > shared:
        edits.append((last, items[-1].end_mark.index, ""))
    elif more := "".join(f", {_like(items[-1], value, inside_flow=True)}" for value in values[shared:]):
        edits.append((last, last, more))
    return edits


def _block_list(text: str, key: yaml.Node, items: list[yaml.ScalarNode], values: tuple[str, ...]) -> list[Edit]:
    spans = [_line(text, item) for item in items]
    heads = [text[start : item.start_mark.index] for (start, _), item in zip(spans, items, strict=True)]
    if any(head.strip() != "-" for head in heads):
        raise UnfitError("the items of a list do not stand on lines of their own")
    if not values:
        colon = text.index(":", key.end_mark.index) + 1
        return [(colon, colon, " []"), *((start, end, "") for start, end in spans)]
    edits: list[Edit] = []
    same = difflib.SequenceMatcher(None, [str(item.value) for item in items], list(values), autojunk=False)
    for kind, first, last, start, end in same.get_opcodes():
        if kind == "equal":
            continue
        edits += [(*span, "") for span in spans[first:last]]
        near = min(first, len(items) - 1)
        lines = [heads[near] + _like(items[near], value, inside_flow=False) for value in values[start:end]]
        at = spans[first][0] if first < len(items) else spans[-1][1]
        edits += _lines(text, at, lines)
    return edits


def _inserted(text: str, mapping: yaml.Node, anchor: _Field, pairs: list[str]) -> list[Edit]:
    """`pairs` after the field `anchor`, whose value stands on one line."""
    key, value = anchor
    if not pairs:
        return []
    if not isinstance(value, yaml.ScalarNode) or value.style in ("|", ">"):
        raise UnfitError("the field before it is written as a block")
    if _flow(mapping):
        return [(value.end_mark.index, value.end_mark.index, "".join(f", {pair}" for pair in pairs))]
    return _lines(text, _line(text, value)[1], [" " * key.start_mark.column + pair for pair in pairs])


def _line(text: str, node: yaml.Node) -> tuple[int, int]:
    """Where the line of a node begins, and where the one after its end does."""
    found = _LINE_END.search(text, node.end_mark.index)
    return node.start_mark.index - node.start_mark.column, found.end() if found else len(text)


def _lines(text: str, at: int, lines: list[str]) -> list[Edit]:
    """Whole lines inserted where a line begins, or at the end of the text."""
    if not lines:
        return []
    before = next((found.group() for found in _LINE_END.finditer(text, max(0, at - 2), at) if found.end() == at), "")
    usual = _LINE_END.search(text)
    end = before or (usual.group() if usual else "\n")
    return [(at, at, "".join(line + end if before else end + line for line in lines))]
