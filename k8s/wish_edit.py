"""The asked weights of a document that may be wrong elsewhere. Pure."""

import re
from collections.abc import Iterator, Mapping

import yaml

from k8s.wish_fields import DEEPEST

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
