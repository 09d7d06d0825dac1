"""`migration.yaml` put back from its last whole text: refused entries by text where that is safe, else all of it. Pure.

What could be read keeps its weight. Of all else weights only fall: to at most what the last whole text says, what the refused
text says as far as that is clear, and what is approved.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import yaml

from k8s import model, wish_document, wish_edit, wish_fields, wish_following, wish_writing

_FIELD = re.compile(r"(?P<indent>\s*)(?P<dash>-\s+)?(?P<name>name|migration_percentage|enabled)\s*:\s*[\"']?(?P<value>[-\w.]+)")
_DASH = re.compile(r"(\s*)-(\s|$)")


@dataclass(frozen=True, slots=True)
class _Block:
    """An entry of `services` as lines of its text: from its dash to its last field, the dash in column `column`."""

    first: int
    last: int
    column: int
    name: str
    old_host: str


def zeroed(last: str, *, finished: Collection[str]) -> str:
    """The last whole text with every weight at 0, but those of finished services, which have no old cluster."""
    weights = {name: 0 for name in wish_document.read(last).services if name not in finished}
    return with_weights(last, weights)


def put_back(last: str, broken: str, *, approved: Mapping[str, int]) -> str:
    """What is to stand instead of `broken`. `approved`: the weights in force by service. Raises WishError when `last` is not
    whole itself.
    """
    whole = wish_document.read(last)
    try:
        reading = wish_document.read_entries(broken)
    except wish_document.WishError:
        said = {**_said_by_lines(broken), **wish_edit.weights(broken)}
        return with_weights(last, _lowest(whole, said, approved))
    return _spliced(last, whole, broken, reading) or _replaced(last, whole, reading, approved)


def with_weights(text: str, weights: Mapping[str, int]) -> str:
    """`text` with these services' weights, every other character kept. A weight in it is a wish and moves nothing upwards."""
    mark = text[: len(text) - len(text.removeprefix("\ufeff"))]
    body = text.removeprefix("\ufeff")
    edits = []
    entries = _entries(body)
    if not entries:  # inside a manifest: one after the other
        for name, one in wish_document.read(text).services.items():
            wanted = weights.get(name, one.exposure.weight)
            if wanted < one.exposure.weight or (wanted > one.exposure.weight and one.enabled):
                text = wish_writing.with_weight(text, name, weights[name])
        return text
    for node in entries:
        names, scalars = wish_edit.texts(node, "name"), _values(node, "migration_percentage")
        if len(names) == len(scalars) == 1 and names[0] in weights:
            edits.append((scalars[0].start_mark.index, scalars[0].end_mark.index, weights[names[0]]))
    for start, end, weight in sorted(edits, reverse=True):
        body = body[:start] + str(weight) + body[end:]
    return mark + body


def _lowest(whole: model.Wish, said: Mapping[str, int], approved: Mapping[str, int]) -> dict[str, int]:
    return {name: min(one.exposure.weight, said.get(name, 100), approved.get(name, 100)) for name, one in whole.services.items()}


def _spliced(last: str, whole: model.Wish, broken: str, reading: wish_following.Reading) -> str:
    """The refused entries alone put back, all other text as it is; empty where that cannot be done safely."""
    good, bad = _blocks(last), _blocks(broken)
    refused = {entry.number: entry for entry in reading.refused}
    if good is None or bad is None or reading.others or max(refused, default=-1) >= len(bad):
        return ""
    before = {block.name: block for block in good}
    whose = _whose(refused, before, set(reading.wish.services))
    source, lines = last.splitlines(keepends=True), broken.splitlines(keepends=True)
    if whose is None or (lines and not lines[-1].endswith("\n")) or (source and not source[-1].endswith("\n")):
        return ""
    lowered: dict[str, int] = {}
    for number in sorted(refused, reverse=True):
        place, name = bad[number], whose[number]
        if name and before[name].column != place.column:
            return ""
        lines[place.first : place.last + 1] = source[before[name].first : before[name].last + 1] if name else []
        asked = refused[number].asked
        if name and asked is not None:
            lowered[name] = min(asked, lowered.get(name, whole.services[name].exposure.weight))
    try:
        text = with_weights("".join(lines), lowered)
        now = wish_document.read(text).services
    except wish_document.WishError:
        return ""
    mine = {name for name in whose.values() if name}
    kept = {name: one for name, one in now.items() if name not in mine}
    return text if kept == reading.wish.services and mine <= now.keys() <= mine | kept.keys() else ""


def _whose(
    refused: Mapping[int, wish_following.RefusedEntry], before: Mapping[str, _Block], named: set[str]
) -> dict[int, str] | None:
    """The service of each refused entry: by name and host, by host, by name; empty: of one that never was good. None: nobody
    can tell."""
    free = {name: block for name, block in before.items() if name not in named}
    whose: dict[int, str] = {}
    for fits in (
        lambda entry, block: (entry.name, entry.old_host) == (block.name, block.old_host),
        lambda entry, block: bool(entry.old_host) and entry.old_host == block.old_host,
        lambda entry, block: entry.name == block.name,
    ):
        for number, entry in refused.items():
            if number not in whose and (found := next((name for name, block in free.items() if fits(entry, block)), None)):
                whose[number] = found
                del free[found]
    strange = [number for number in refused if number not in whose]
    unreadable = [number for number in strange if not model.SERVICE_NAME.fullmatch(refused[number].name)]
    if unreadable and free:
        if len(unreadable) > 1 or len(free) > 1:
            return None
        whose[unreadable[0]] = next(iter(free))
    return {**dict.fromkeys(strange, ""), **whose}


def _replaced(last: str, whole: model.Wish, reading: wish_following.Reading, approved: Mapping[str, int]) -> str:
    """All of the last whole text; what was removed on purpose stays removed, or at 0 where the text does not allow that."""
    refused: dict[str, int] = {}
    for entry in reading.refused:
        if entry.asked is not None:
            refused[entry.name] = min(entry.asked, refused.get(entry.name, 100))
    kept = {
        name: one.exposure.weight if one.enabled or not whole.services[name].enabled else 0
        for name, one in reading.wish.services.items()
        if name in whole.services
    }
    text = with_weights(last, {**_lowest(whole, refused, approved), **kept})
    hosts = {entry.old_host for entry in reading.refused}
    named = {*reading.wish.services, *(entry.name for entry in reading.refused)}
    gone = {name for name, one in whole.services.items() if name not in named and one.exposure.old_host not in hosts}
    if any(not model.SERVICE_NAME.fullmatch(entry.name) for entry in reading.refused):
        return text  # one of them may be what seems to be gone
    removed = _without(text, gone)
    try:
        if wish_document.read(removed).services.keys() == whole.services.keys() - gone:
            return removed
    except wish_document.WishError:
        pass
    return with_weights(text, dict.fromkeys(gone, 0))


def _without(text: str, names: Collection[str]) -> str:
    lines = text.splitlines(keepends=True)
    for block in reversed(_blocks(text) or []):
        if block.name in names:
            del lines[block.first : block.last + 1]
    return "".join(lines)


def _blocks(text: str) -> list[_Block] | None:
    """The entries as lines; None where they are not written one after the other in lines of their own."""
    found: list[_Block] = []
    lines = text.splitlines()
    for node in _entries(text):
        mark = node.start_mark
        before = lines[mark.line][: mark.column] if mark.line < len(lines) else ""
        if text.startswith("\ufeff") or before.strip() != "-" or (found and mark.line <= found[-1].last):
            return None
        names, hosts = wish_edit.texts(node, "name"), wish_edit.texts(node, "old_host")
        last = max(mark.line, _last_line(node))
        found.append(_Block(mark.line, last, before.index("-"), names[0] if names else "", hosts[0] if hosts else ""))
    return found


def _last_line(node: yaml.Node) -> int:
    """Of its last field: the end of a block goes on over comments, which are not its own."""
    if isinstance(node, yaml.MappingNode) and node.value and not node.flow_style:
        return max(_last_line(part) for pair in node.value for part in pair)
    if isinstance(node, yaml.SequenceNode) and node.value and not node.flow_style:
        return max(_last_line(part) for part in node.value)
    return int(node.end_mark.line) - (node.end_mark.column == 0 and node.end_mark.line > node.start_mark.line)


def _entries(text: str) -> list[yaml.Node]:
    """Of a bare document; none of what a manifest holds."""
    root, _ = wish_fields.composed(text.removeprefix("\ufeff"), wish_fields.Page(wish_document.WISH_KEY))
    lists = _values(root, "services")
    return list(lists[0].value) if len(lists) == 1 and isinstance(lists[0], yaml.SequenceNode) else []


def _values(node: yaml.Node, field: str) -> list[yaml.Node]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return [value for key, value in pairs if isinstance(key, yaml.ScalarNode) and key.value == field]


def _said_by_lines(text: str) -> dict[str, int]:
    """The weights that a person reads in a text that is no YAML: only for lowering, so that what cannot be told is left out."""
    found: dict[str, int] = {}
    for fields in _fields_by_lines(text):
        percent = fields.get("migration_percentage", "")
        said = int(percent) if re.fullmatch(r"[0-9]{1,3}", percent) else 100
        if fields.get("enabled", "").lower() in {"false", "no", "off"}:
            said = 0
        if name := fields.get("name"):
            found[name] = min(said, found.get(name, 100))
    return found


def _fields_by_lines(text: str) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    column: int | None = None
    for line in text.splitlines():
        dash = _DASH.match(line)
        if dash and (column is None or len(dash[1]) == column):
            yield fields
            fields, column = {}, len(dash[1])
        if field := _FIELD.match(line):
            fields.setdefault(field["name"], field["value"])
    yield fields
