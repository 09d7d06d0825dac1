"""The asked weights of a document that may be wrong elsewhere, and one weight changed in place. Pure."""

import re
from collections.abc import Iterator, Mapping

import yaml

from k8s.wish_fields import DEEPEST, Page, Place, WishError, composed

_ASKED = re.compile(r"(0|[1-9][0-9]?|100)(\.0+)?\s*%?")
_NO = frozenset({"false", "no", "off"})
_WISH_KEY = "migration.yaml"


def weights(text: str) -> Mapping[str, int]:
    """Service -> asked weight, as far as it can be understood; 0 where `enabled` is false.

    Only for obeying hand edits downwards: a number a person clearly meant ("0", 0%) counts although `read` refuses its
    form; of duplicates the smallest counts; an unreadable weight is left out; no YAML gives nothing.
    """
    found: dict[str, int] = {}
    unreadable: set[str] = set()
    for node in _entries(text):
        if not (names := texts(node, "name")):
            continue
        weight = asked(node)
        if weight is None:
            unreadable.add(names[0])
        else:
            found[names[0]] = min(weight, found.get(names[0], 100))
    return {name: weight for name, weight in found.items() if weight == 0 or name not in unreadable}


def asked(entry: yaml.Node) -> int | None:
    """The weight that one entry clearly names, whatever else is wrong with it; 0 where `enabled` is false."""
    stated = [_asked(node) for node in _children(entry).get("migration_percentage", [])]
    if any(text.strip().lower() in _NO for text in texts(entry, "enabled")):
        return 0
    known = [weight for weight in stated if weight is not None]
    return min(known) if known and len(known) == len(stated) else None


def texts(entry: yaml.Node, field: str) -> list[str]:
    """What stands at this field of an entry, as often as it stands there."""
    return [str(node.value) for node in _children(entry).get(field, []) if isinstance(node, yaml.ScalarNode)]


def _asked(node: yaml.Node) -> int | None:
    found = _ASKED.fullmatch(node.value.strip()) if isinstance(node, yaml.ScalarNode) else None
    return int(found[1]) if found else None


def _entries(text: str) -> Iterator[yaml.Node]:
    root = _lenient(text)
    held = _children(_one(_children(root), "data")) if root is not None and "data" in _children(root) else {}
    inner = _one(held, _WISH_KEY)
    if isinstance(inner, yaml.ScalarNode):
        root = _lenient(inner.value)
    services = _one(_children(root), "services")
    yield from services.value if isinstance(services, yaml.SequenceNode) else []


def _lenient(text: str) -> yaml.Node | None:
    try:
        depth = 0
        for event in yaml.parse(text.removeprefix("\ufeff"), Loader=yaml.CSafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                return None
        root: yaml.Node | None = yaml.compose(text.removeprefix("\ufeff"), Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeError):
        return None
    return root


def _children(node: yaml.Node | None) -> dict[str, list[yaml.Node]]:
    found: dict[str, list[yaml.Node]] = {}
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        if isinstance(key, yaml.ScalarNode):
            found.setdefault(key.value, []).append(value)
    return found


def _one(children: dict[str, list[yaml.Node]], name: str) -> yaml.Node | None:
    return children[name][0] if len(children.get(name, [])) == 1 else None


def with_weight(text: str, service: str, weight: int, *, expected: int | None = None, source: str = _WISH_KEY) -> str:
    """`text` with that one weight changed and every other character kept.

    `expected`: the percentage the document must still show. Raises WishError when it does not, when the service is
    absent or ambiguous, or when `enabled: false` stands against a weight above 0.
    """
    page = Page(source)
    mark = text[: len(text) - len(text.removeprefix("\ufeff"))]
    body = text.removeprefix("\ufeff")
    root, _ = composed(body, page)
    inner = _one(_children(_one(_children(root), "data")), _WISH_KEY) if "data" in _children(root) else None
    if not isinstance(inner, yaml.ScalarNode):
        return mark + _changed(body, page, service, weight, expected)
    held = Page(source, inner.start_mark.line + 1)
    before = str(inner.value)
    after = _changed(before, held, service, weight, expected)
    return mark + (body if before == after else _carried(body, inner, before, after, Place(page, inner, "data." + _WISH_KEY)))


def _changed(text: str, page: Page, service: str, weight: int, expected: int | None) -> str:
    node, blemishes = composed(text, page)
    root = Place(page, node, "")
    listed = _one(_children(root.node), "services")
    nodes = listed.value if isinstance(listed, yaml.SequenceNode) else []
    mine = [(number, node) for number, node in enumerate(nodes) if service in texts(node, "name")]
    if type(weight) is not int or not 0 <= weight <= 100:
        raise _refused(root, f"{weight!r} is not a weight; ask for a whole number from 0 to 100")
    if len(mine) != 1:
        what = "stands more than once; remove all but one" if mine else "is not in this document; add it to services first"
        raise _refused(root, f"the service {service!r} {what}")
    number, node = mine[0]
    for one in blemishes:
        if node.start_mark.index <= one.index < node.end_mark.index:
            raise _refused(Place(root.page, node, f"services[{number}]"), one.sentence)
    scalar = _one(_children(node), "migration_percentage")
    place = Place(root.page, scalar or node, f"services[{number}].migration_percentage")
    present = place.whole(0, 100) if scalar is not None else None
    if scalar is None or present is None or text[scalar.start_mark.index : scalar.end_mark.index] != scalar.value:
        raise _refused(place, "cannot be changed; write exactly one plain whole number from 0 to 100 there first")
    if expected is not None and present != expected:
        raise _refused(place, f"is {present}, not {expected}: somebody edited it in between; look at it and plan again")
    enabled = _children(node).get("enabled", [])
    if weight > 0 and any(not isinstance(flag, yaml.ScalarNode) or flag.value != "true" for flag in enabled):
        raise _refused(place, f"cannot become {weight} while enabled is not true; set enabled: true first")
    return text[: scalar.start_mark.index] + str(weight) + text[scalar.end_mark.index :]


def _refused(place: Place, sentence: str) -> WishError:
    place.page.problems.clear()
    Place(place.page, place.node, place.path or "services").refuse(sentence)
    return WishError(tuple(place.page.problems))


def _carried(text: str, node: yaml.ScalarNode, before: str, after: str, place: Place) -> str:
    """The change of the embedded document carried into the block scalar of the manifest around it."""
    old, new = before.split("\n"), after.split("\n")
    number = next((number for number, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1]), 0)
    lines = text.splitlines(keepends=True)  # the same line ends as YAML counts, U+2028 among them
    at = node.start_mark.line + 1 + number
    line = lines[at].rstrip("\r\n") if at < len(lines) else ""
    if node.style != "|" or not line.endswith(old[number]):
        raise _refused(place, "is not a block text; write it with | so that a change keeps its form")
    lines[at] = line.removesuffix(old[number]) + new[number] + lines[at][len(line) :]
    carried = "".join(lines)
    if _embedded(carried, place.page) != after:  # characters that YAML counts as line ends: the wrong line was met
        raise _refused(place, "has unusual line ends, so that the change would meet another line; use plain new lines")
    return carried


def _embedded(text: str, page: Page) -> str | None:
    inner = _one(_children(_one(_children(composed(text, page)[0]), "data")), _WISH_KEY)
    return str(inner.value) if isinstance(inner, yaml.ScalarNode) else None
