"""Entries and mappings added to the text of `migration.yaml`, every character that stands there kept. Pure.

What comes out is read again as a whole: it must say exactly what was there and what was added, or nothing is added.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import yaml

from k8s import wish_document
from k8s.wish_fields import Page, WishError, compose

_LISTS = ("services", "service_mappings")
_FLOW = "is written in one line; write it as lines that start with - so that entries can be added"


@dataclass(frozen=True, slots=True)
class Appended:
    """The new text. `added`: names of services that are new in it; `there`: those that stood there already, exactly so."""

    text: str
    added: tuple[str, ...]
    there: tuple[str, ...]


def appended(text: str, pieces: Sequence[str], *, source: str = wish_document.WISH_KEY) -> Appended:
    """`text` with the entries of `pieces`, each a small document of its own, at the end of its lists.

    Raises WishError, and nothing is added, when a piece does not read, asks for more than weight 0, or uses a name or an old
    host that another entry has; when `text` is not whole; or when the result would not read as it should.
    """
    before = wish_document.read(text, source=source)
    known = dict(before.services)
    mappings = list(before.mappings)
    lines: dict[str, list[str]] = {name: [] for name in _LISTS}
    added, there = [], []
    for number, piece in enumerate(pieces, 1):
        place = f"entry {number}"
        wish = wish_document.read(piece, source=place)
        if not wish.services:
            raise _refused(place, "services", "names no service; write one entry below services:")
        kept = []
        for name, service in wish.services.items():
            if service.wish > 0 or service.exposure.weight > 0:
                raise _refused(
                    place, "migration_percentage", f"{name} is added at 0; its weight is raised with a shift afterwards"
                )
            if known.get(name) == service:
                there.append(name)
                continue
            if name in known:
                raise _refused(place, "name", f"{name!r} is in {source} already and says something else; choose another name")
            known[name] = service
            added.append(name)
            kept.append(name)
        fresh = [one for one in wish.mappings if one not in mappings]
        mappings += fresh
        lines["services"] += _cut(piece, "services", place, [name in kept for name in wish.services])
        lines["service_mappings"] += _cut(piece, "service_mappings", place, [one in fresh for one in wish.mappings])
    after = _joined(text, lines, source)
    wanted = replace(before, services=known, mappings=tuple(mappings))
    now = wish_document.read(after, source=source)
    if now != wanted or list(now.services) != list(known):
        raise _refused(source, "services", "would read otherwise with what is added; add the entries there by hand")
    return Appended(after, tuple(added), tuple(there))


def _cut(piece: str, field: str, place: str, keep: list[bool]) -> list[str]:
    """The kept entries of this list as lines without the indent of their dash, comments inside them included."""
    listed = _list(compose(piece.removeprefix("\ufeff"), Page(place)), field)
    entries = listed.value if listed is not None else []
    if listed is not None and listed.flow_style and any(keep):
        raise _refused(place, field, _FLOW)
    lines = piece.removeprefix("\ufeff").splitlines()
    found = []
    for entry, wanted in zip(entries, keep, strict=True):
        first, last = entry.start_mark.line, _last_line(entry)
        column = lines[first].find("-")
        if lines[first][: entry.start_mark.column].strip() != "-":
            raise _refused(place, field, "is written in an unusual form; let each entry start on a line of its own, with a dash")
        if wanted:
            found += [line[column:] if not line[:column].strip() else line for line in lines[first : last + 1]]
    return found


def _joined(text: str, lines: dict[str, list[str]], source: str) -> str:
    """Later places first, so that earlier ones keep their line numbers; at the same place, the later list first."""
    mark = text[: len(text) - len(text.removeprefix("\ufeff"))]
    body = text.removeprefix("\ufeff")
    end = "\r\n" if "\r\n" in body else "\n"
    root = compose(body, Page(source))
    if _value(root, "services") is None:
        raise _refused(source, "services", "stands inside a manifest here; put the document itself there, or add entries by hand")
    kept = body.splitlines(keepends=True)
    if kept and not kept[-1].endswith(("\n", "\r")):
        kept[-1] += end
    places = [(*_place(root, field, kept, source), some) for field, some in lines.items() if some]
    places.sort(key=lambda one: one[0])
    for line, head, indent, some in reversed(places):
        whole = [*head, *(" " * indent + one if one else one for one in some)]
        kept[line:line] = [one + end for one in whole]
    return mark + "".join(kept)


def _place(root: yaml.Node, field: str, kept: list[str], source: str) -> tuple[int, list[str], int]:
    """The line before which entries of this list belong, what must stand before them, and the column of their dash."""
    listed = _list(root, field)
    if listed is None:
        return len(kept), [f"{field}:"], 2
    if listed.value and listed.flow_style:
        raise _refused(source, field, _FLOW)
    if not listed.value:
        line = listed.start_mark.line  # `services: []`: the brackets go
        start, stop = listed.start_mark.column, listed.end_mark.column
        if listed.end_mark.line != line:
            raise _refused(source, field, _FLOW)
        kept[line] = kept[line][:start].rstrip(" ") + kept[line][stop:]
        return line + 1, [], 2
    first = listed.value[0].start_mark
    dash = kept[first.line][: first.column].rfind("-")
    if kept[first.line][: first.column].strip() != "-":
        raise _refused(source, field, "is written in an unusual form; let each entry start on a line of its own, with a dash")
    return _last_line(listed.value[-1]) + 1, [], dash


def _last_line(node: yaml.Node) -> int:
    """Of its last field: the end of a block goes on over comments, which are not its own."""
    if isinstance(node, yaml.MappingNode) and node.value and not node.flow_style:
        return max(_last_line(part) for pair in node.value for part in pair)
    if isinstance(node, yaml.SequenceNode) and node.value and not node.flow_style:
        return max(_last_line(part) for part in node.value)
    return int(node.end_mark.line) - (node.end_mark.column == 0 and node.end_mark.line > node.start_mark.line)


def _list(root: yaml.Node, field: str) -> yaml.SequenceNode | None:
    found = _value(root, field)
    return found if isinstance(found, yaml.SequenceNode) else None


def _value(root: yaml.Node, field: str) -> yaml.Node | None:
    return next((value for key, value in _pairs(root) if key == field), None)


def _pairs(node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if isinstance(key, yaml.ScalarNode):
            yield str(key.value), value


def _refused(source: str, field: str, sentence: str) -> WishError:
    page = Page(source)
    page.refuse(0, field, sentence)
    return WishError(tuple(page.problems))
