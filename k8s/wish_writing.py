"""Changes of weights, strategies and rules written into the text of `migration.yaml`, every other character kept. Pure.

The text is parsed once, however many services change. Where more than numbers changed, what comes out is read again: an entry
whose strategy and rule do not read as they should gets its number alone, and its outcome says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import yaml

from k8s import model, wish_change, wish_entries, wish_rule_edit
from k8s.wish_fields import MOST_BYTES, Blemish, Page, Place, WishError, composed

_WISH_KEY = "migration.yaml"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one change. `refused`: why nothing was written for it. `told`: what of it could not be written, one sentence. Both
    empty: all of it stands in the text.
    """

    refused: str = ""
    told: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """The new text, and what became of each change, in their order."""

    text: str
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One document. `named`: by name, the numbers of the entries that bear it."""

    text: str
    page: Page
    root: yaml.Node
    blemishes: tuple[Blemish, ...]
    entries: list[yaml.Node]
    named: dict[str, list[int]]


@dataclass(slots=True)
class _Changing:
    """One change on its way. `number`: of its entry. `wanted`: how that must read, where `rules` change it too."""

    service: str
    weight: int
    expected: int | None
    change: wish_change.WishChange | None = None
    number: int = -1
    weights: list[wish_rule_edit.Edit] = field(default_factory=list)
    rules: list[wish_rule_edit.Edit] = field(default_factory=list)
    wanted: model.Service | None = None
    refused: WishError | None = None
    told: str = ""


def with_weight(text: str, service: str, weight: int, *, expected: int | None = None, source: str = _WISH_KEY) -> str:
    """`text` with that one weight changed and every other character kept.

    `expected`: the percentage the document must still show. Raises WishError when it does not, when the service is
    absent or ambiguous, or when `enabled: false` stands against a weight above 0.
    """
    one = _Changing(service, weight, expected)
    changed = _changed(text, source, [one])
    if one.refused is not None:
        raise one.refused
    return changed


def written(text: str, changes: Sequence[wish_change.WishChange], *, source: str = _WISH_KEY) -> Written:
    """All of `changes`, of one service each; one that is refused hinders no other. What stands there already is left alone.

    Raises WishError for a text that is no YAML.
    """
    ours = [_Changing(one.service, one.exposure.weight, one.expected, one) for one in changes]
    changed = _changed(text, source, ours)
    return Written(changed, tuple(Outcome(str(one.refused) if one.refused else "", one.told) for one in ours))


def _changed(text: str, source: str, changes: list[_Changing]) -> str:
    body = text.removeprefix("\ufeff")
    page = Page(source)
    root, blemishes = composed(body, page)
    data = _only(root, "data")
    inner = _only(data, _WISH_KEY) if data is not None else None
    if not isinstance(inner, yaml.ScalarNode):
        return text[: len(text) - len(body)] + _edited(_sheet(body, page, root, blemishes), changes)
    held = Page(source, inner.start_mark.line + 1)
    before = str(inner.value)
    sheet = _sheet(before, held, *composed(before, held))
    place = Place(page, inner, f"data.{_WISH_KEY}")
    try:
        after = _carried(body, before, _edited(sheet, changes), place)
    except WishError as error:
        why = error.problems[-1].sentence
        if not _give_up_rules(changes, lambda _: why):
            raise
        after = _carried(body, before, _applied(sheet.text, changes), place)
    return text[: len(text) - len(body)] + after


def _sheet(text: str, page: Page, root: yaml.Node, blemishes: tuple[Blemish, ...]) -> _Sheet:
    listed = _only(root, "services")
    entries = listed.value if isinstance(listed, yaml.SequenceNode) else []
    named: dict[str, list[int]] = {}
    for number, entry in enumerate(entries):
        for key, value in entry.value if isinstance(entry, yaml.MappingNode) else []:
            if key.value == "name" and isinstance(value, yaml.ScalarNode) and number not in named.setdefault(value.value, []):
                named[value.value].append(number)
    return _Sheet(text, page, root, blemishes, entries, named)


def _edited(sheet: _Sheet, changes: list[_Changing]) -> str:
    for one in changes:
        try:
            _prepare(sheet, one)
        except WishError as error:
            one.refused, one.weights, one.rules, one.wanted = error, [], [], None
    after = _applied(sheet.text, changes)
    if any(one.rules for one in changes):
        wrong = _misread(sheet, after, changes)
        if wrong and _give_up_rules(changes, wrong.get):
            after = _applied(sheet.text, changes)
            if _misread(sheet, after, changes):
                _give_up_rules(changes, lambda _: "the document would not read as it should")
                after = _applied(sheet.text, changes)
    return after


def _prepare(sheet: _Sheet, one: _Changing) -> None:
    numbers = sheet.named.get(one.service, [])
    root = Place(sheet.page, sheet.root, "")
    if type(one.weight) is not int or not 0 <= one.weight <= 100:
        raise _refused(root, f"{one.weight!r} is not a weight; ask for a whole number from 0 to 100")
    if len(numbers) != 1:
        what = "stands more than once; remove all but one" if numbers else "is not in this document; add it to services first"
        raise _refused(root, f"the service {one.service!r} {what}")
    one.number = numbers[0]
    node = sheet.entries[one.number]
    for blemish in sheet.blemishes:
        if node.start_mark.index <= blemish.index < node.end_mark.index:
            raise _refused(Place(sheet.page, node, f"services[{one.number}]"), blemish.sentence)
    one.weights = _weight(sheet, one, node)
    if one.change is not None and one.change.over:
        one.rules = _rules(sheet, one, one.change, node)


def _weight(sheet: _Sheet, one: _Changing, node: yaml.Node) -> list[wish_rule_edit.Edit]:
    scalar = _only(node, "migration_percentage")
    place = Place(sheet.page, scalar or node, f"services[{one.number}].migration_percentage")
    present = place.whole(0, 100) if scalar is not None else None
    if scalar is None or present is None or sheet.text[scalar.start_mark.index : scalar.end_mark.index] != scalar.value:
        raise _refused(place, "cannot be changed; write exactly one plain whole number from 0 to 100 there first")
    repeated = one.change is not None and present == one.weight  # the answer to the first writing was lost
    if one.expected is not None and present != one.expected and not repeated:
        raise _refused(place, f"is {present}, not {one.expected}: somebody edited it in between; look at it and plan again")
    flags = [value for key, value in node.value if key.value == "enabled"]
    enabled = all(isinstance(flag, yaml.ScalarNode) and flag.value == "true" for flag in flags)
    stays = one.change is not None and present == one.weight == one.expected
    if one.weight > 0 and not enabled and not stays:
        raise _refused(place, f"cannot become {one.weight} while enabled is not true; set enabled: true first")
    return [(scalar.start_mark.index, scalar.end_mark.index, str(one.weight))] if present != one.weight else []


def _rules(sheet: _Sheet, one: _Changing, change: wish_change.WishChange, node: yaml.Node) -> list[wish_rule_edit.Edit]:
    place = Place(sheet.page, node, f"services[{one.number}]")
    entry, why = _read(sheet, one.number)
    if entry is None:
        raise _refused(place, f"cannot be read, so that nobody knows which rules it names ({why}); correct it and plan again")
    if wish_change.same_rules(entry.exposure, change.exposure):
        return []
    if wish_change.digest(entry.exposure) != change.over:
        raise _refused(place, "names another strategy or other rules than before: somebody edited it; look at it and plan again")
    one.wanted = replace(entry, exposure=wish_change.merged(entry.exposure, change.exposure))
    try:
        return wish_rule_edit.rule_edits(sheet.text, node, change.exposure)
    except wish_rule_edit.UnfitError as error:
        one.told = _kept(one.service, str(error))
        return []


def _read(sheet: _Sheet, number: int) -> tuple[model.Service | None, str]:
    """The entry, or why it is refused."""
    page = Page(sheet.page.source, sheet.page.first_line)
    entry, _ = wish_entries.service(Place(page, sheet.entries[number], f"services[{number}]"))
    return entry, "; ".join(str(problem) for problem in page.problems[:3])


def _misread(sheet: _Sheet, after: str, changes: list[_Changing]) -> dict[str, str]:
    """By service, how what comes out does not read as it should."""
    ruled = [one for one in changes if one.rules]
    page = Page(sheet.page.source, sheet.page.first_line)
    if len(after.encode("utf-8", "replace")) > MOST_BYTES:
        return {one.service: f"the document would be larger than {MOST_BYTES // 1024} KiB" for one in ruled}
    try:
        now = _sheet(after, page, *composed(after, page))
    except WishError:
        return {one.service: "that would be no YAML any more" for one in ruled}
    moved = {one.number for one in changes if one.weights or one.rules}
    others = [number for number in range(len(sheet.entries)) if number not in moved]
    if (
        len(now.entries) != len(sheet.entries)
        or len(now.blemishes) != len(sheet.blemishes)
        or _keys(now.root) != _keys(sheet.root)
        or any(_slice(now, number) != _slice(sheet, number) for number in others)
    ):
        return {one.service: "another entry would read otherwise" for one in ruled}
    wrong = {}
    for one in ruled:
        entry, why = _read(now, one.number)
        if entry != one.wanted:
            wrong[one.service] = why or "the entry is written in an unusual form"
    return wrong


def _slice(sheet: _Sheet, number: int) -> str:
    node = sheet.entries[number]
    return sheet.text[node.start_mark.index : node.end_mark.index]


def _keys(root: yaml.Node) -> list[object]:
    return [key.value for key, _ in root.value] if isinstance(root, yaml.MappingNode) else []


def _give_up_rules(changes: list[_Changing], why: Callable[[str], str | None]) -> bool:
    """The numbers alone where `why` gives a reason. Whether that changes anything."""
    given_up = False
    for one in changes:
        if one.rules and (reason := why(one.service)):
            one.rules, one.told, given_up = [], _kept(one.service, reason), True
    return given_up


def _kept(service: str, why: str) -> str:
    return (
        f"the strategy of {service} in migration.yaml stays as it was, only the number is written ({why.rstrip('.')}); "
        "write strategy and rules there by hand, the next shift goes by them"
    )


def _applied(text: str, changes: list[_Changing]) -> str:
    """Each edit at its place; what is inserted comes before what is taken out there."""
    parts, at = [], 0
    for start, end, new in sorted((edit for one in changes for edit in (*one.weights, *one.rules)), key=lambda edit: edit[:2]):
        parts += [text[at:start], new]
        at = end
    return "".join([*parts, text[at:]])


def _refused(place: Place, sentence: str) -> WishError:
    page = Page(place.page.source, place.page.first_line, place.page.one_line)
    Place(page, place.node, place.path or "services").refuse(sentence)
    return WishError(tuple(page.problems))


def _only(node: yaml.Node | None, name: str) -> yaml.Node | None:
    """The value of this field, where it stands exactly once."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    found = [value for key, value in pairs if isinstance(key, yaml.ScalarNode) and key.value == name]
    return found[0] if len(found) == 1 else None


def _carried(text: str, before: str, after: str, place: Place) -> str:
    """The change of the embedded document carried into the block scalar of the manifest around it."""
    if before == after:
        return text
    node = place.node
    old, new = before.split("\n"), after.split("\n")
    same = next(
        (number for number, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), min(len(old), len(new))
    )
    most = min(len(old), len(new)) - same
    tail = next((number for number in range(most) if old[-1 - number] != new[-1 - number]), most)
    lines = text.splitlines(keepends=True)  # the same line ends as YAML counts, U+2028 among them
    first = node.start_mark.line + 1
    like = max(0, same if len(old) - tail > same else same - 1)  # the line that tells indentation and line end
    line = lines[first + like] if first + like < len(lines) else ""
    bare = line.rstrip("\r\n")
    if getattr(node, "style", None) != "|" or not bare.endswith(old[like]):
        raise _refused(place, "is not a block text; write it with | so that a change keeps its form")
    indent, end = bare.removesuffix(old[like]), line[len(bare) :]
    lines[first + same : first + len(old) - tail] = [indent + one + end for one in new[same : len(new) - tail]]
    carried = "".join(lines)
    if _embedded(carried, place.page) != after:  # characters that YAML counts as line ends: the wrong line was met
        raise _refused(place, "has unusual line ends, so that the change would meet another line; use plain new lines")
    return carried


def _embedded(text: str, page: Page) -> str | None:
    inner = _only(_only(composed(text, page)[0], "data"), _WISH_KEY)
    return str(inner.value) if isinstance(inner, yaml.ScalarNode) else None
