"""`migration.yaml` into the model: the customer's documents as they are, everything else refused with line and fix. Pure."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import yaml

from k8s import model, wish_entries
from k8s.wish_edit import asked, texts, weights
from k8s.wish_fields import MOST_BYTES, Blemish, Page, Place, Problem, WishError, compose, composed
from k8s.wish_following import Reading, RefusedEntry
from k8s.wish_writing import with_weight

__all__ = ["Problem", "Reading", "WishError", "only_mappings", "read", "read_entries", "weights", "with_weight"]

T = TypeVar("T")
WISH_KEY, MAPPINGS_KEY = "migration.yaml", "service_mappings.yaml"


def only_mappings(text: str) -> bool:
    """It is a mapping document, which belongs to a wish in another file. A text that cannot be read is none."""
    try:
        root = compose(text.removeprefix("\ufeff"), Page(MAPPINGS_KEY))
    except WishError:
        return False
    if not isinstance(root, yaml.MappingNode):
        return False
    return [key.value for key, _ in root.value if isinstance(key, yaml.ScalarNode)] == ["service_mappings"]


def read(text: str, *, source: str = WISH_KEY, mappings: tuple[str, str] | None = None) -> model.Wish:
    """The wish in `text`: a bare document, or a ConfigMap manifest that holds it. `mappings`: (source, text) of the
    mapping document. Raises WishError with every problem found."""
    reading = read_entries(text, source=source, mappings=mappings)
    if reading.problems:
        raise WishError(reading.problems)
    return reading.wish


def read_entries(text: str, *, source: str = WISH_KEY, mappings: tuple[str, str] | None = None) -> Reading:
    """The same, entry by entry: what is good counts, whatever else is refused. Raises WishError only for what is no YAML with
    one list of services, or too large."""
    page = Page(source)
    _demand_size(text, mappings[1] if mappings else "", page)
    sheets = _unwrapped(_sheet(text.removeprefix("\ufeff"), page))
    if mappings:
        sheets.append(_sheet(mappings[1].removeprefix("\ufeff"), Page(mappings[0], problems=page.problems)))
    services: list[_Entry[model.Service]] = []
    mapped: list[_Entry[model.ServiceMapping]] = []
    for number, sheet in enumerate(sheets):
        required = ("services",) if number == 0 else ("service_mappings",)
        fields = sheet.place.fields(("services", "service_mappings") if number == 0 else required, required) or {}
        if number == 0:
            _demand_one_list(sheet.place)
        if "services" in fields:
            services += sheet.entries(fields["services"], wish_entries.service)
        if "service_mappings" in fields:
            mapped += sheet.entries(fields["service_mappings"], wish_entries.mapping)
        sheet.note_the_rest()
    _demand_unique(services, "name")
    _demand_unique(services, "old_host")
    for one in mapped:
        if one.value is not None:
            _demand_agreement(one.value, one, services)
    own = [problem for one in services for problem in one.problems] + [problem for one in mapped for problem in one.problems]
    return Reading(
        wish=model.Wish(
            services={one.value.name: one.value for one in services if one.value is not None and one.good},
            mappings=tuple(one.value for one in mapped if one.value is not None and one.good),
        ),
        refused=tuple(one.refused(number) for number, one in enumerate(services) if not one.good),
        others=tuple(str(problem) for problem in (*page.problems, *(each for one in mapped for each in one.problems))),
        problems=tuple(sorted((*page.problems, *own), key=lambda problem: problem.line)),
    )


@dataclass(slots=True)
class _Entry(Generic[T]):
    """One entry of a list, as far as it can be read. `clashes`: what is wrong with it because of another place."""

    place: Place
    value: T | None
    fields: dict[str, Place]
    clashes: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[Problem]:
        return self.place.page.problems

    @property
    def good(self) -> bool:
        return not self.problems and not self.clashes

    def refused(self, number: int) -> RefusedEntry:
        whys = [str(problem) for problem in self.problems[:3]] or self.clashes[:3]
        names, hosts = texts(self.place.node, "name"), texts(self.place.node, "old_host")
        return RefusedEntry(
            self.place.path,
            "; ".join(whys),
            name=names[0] if names else "",
            old_host=hosts[0] if hosts else "",
            asked=asked(self.place.node),
            number=number,
        )


@dataclass(slots=True)
class _Sheet:
    """One YAML text, and what of it is not plain, in its order: each such place is refused in the entry where it stands."""

    place: Place
    blemishes: tuple[Blemish, ...]
    claimed: set[int] = field(default_factory=set)

    def entries(self, place: Place, reader: Callable[[Place], tuple[T | None, dict[str, Place]]]) -> list[_Entry[T]]:
        found = []
        for one in place.entries() or []:
            page = Page(one.page.source, one.page.first_line, one.page.one_line)
            own = Place(page, one.node, one.path)
            inside = range(
                *(bisect_left(self.blemishes, mark.index, key=_index) for mark in (one.node.start_mark, one.node.end_mark))
            )
            for number in inside:
                page.refuse(self.blemishes[number].line, "document", self.blemishes[number].sentence)
            self.claimed.update(inside)
            value, fields = reader(own) if not inside else (None, {})
            found.append(_Entry(own, value, fields))
        return found

    def note_the_rest(self) -> None:
        for number, each in enumerate(self.blemishes):
            if number not in self.claimed:
                self.place.page.refuse(each.line, "document", each.sentence)


def _index(blemish: Blemish) -> int:
    return blemish.index


def _sheet(text: str, page: Page) -> _Sheet:
    root, blemishes = composed(text, page)
    return _Sheet(Place(page, root, ""), blemishes)


def _demand_one_list(root: Place) -> None:
    """Half a document would take everything that stands in the other half for removed."""
    lists = [value for key, value in _pairs(root.node) if key == "services"]
    if len(lists) != 1 or not isinstance(lists[0], yaml.SequenceNode):
        for value in lists[:1]:
            Place(root.page, value, "services").entries()  # says so, if it is no list
        root.page.demand_none()


def _pairs(node: yaml.Node) -> list[tuple[str, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        return []
    return [(key.value, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]


def _demand_size(text: str, mappings: str, page: Page) -> None:
    size = len((text + mappings).encode("utf-8", "replace"))
    if size > MOST_BYTES:
        names = Counter(re.findall(r"old_backend:\s*[\"']?[a-z0-9-]+\.([a-z0-9-]+)", text)).most_common(3)
        largest = ", ".join(f"{name} ({count})" for name, count in names) or "none found"
        page.refuse(
            0,
            "document",
            f"is {size // 1024} KiB, above {MOST_BYTES // 1024} KiB; split it by namespace: move services whose old_backend is "
            f"in one namespace to the migration-config of a Ferry in a namespace of its own (largest here: {largest})",
        )
    page.demand_none()


def _unwrapped(sheet: _Sheet) -> list[_Sheet]:
    """The documents themselves: the one sheet, or what a ConfigMap manifest holds."""
    root = sheet.place
    if not isinstance(root.node, yaml.MappingNode) or not {"kind", "apiVersion"} & {str(key.value) for key, _ in root.node.value}:
        return [sheet]
    sheet.note_the_rest()
    outer = root.fields((), ("kind", "data"), others=True) or {}
    if "kind" in outer:
        outer["kind"].one_of(["ConfigMap"])
    held = (outer["data"].fields((), (WISH_KEY,), others=True) if "data" in outer else None) or {}
    root.page.demand_none()
    return [_inner(held[key]) for key in (WISH_KEY, MAPPINGS_KEY) if key in held]


def _inner(place: Place) -> _Sheet:
    node = place.node
    if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
        place.refuse(f"{place.shown()} is not a text; write | after the colon and indent the document below it")
        place.page.demand_none()
    literal = str(getattr(node, "style", "")) == "|"
    page = Page(place.page.source, node.start_mark.line + (1 if literal else 0), not literal, place.page.problems)
    return _sheet(str(node.value), page)


def _demand_unique(services: list[_Entry[model.Service]], name: str) -> None:
    """Which of two is meant nobody can know: the first is no better than the second."""
    seen: dict[str, tuple[Place, _Entry[model.Service]]] = {}
    for entry in services:
        place = entry.fields.get(name)
        if place is not None and isinstance(place.node, yaml.ScalarNode):
            first, before = seen.setdefault(place.node.value, (place, entry))
            if first is not place:
                place.refuse(f"{place.shown()} is already {first}; give each service its own {name}, or remove one")
                before.clashes.append(
                    f"{first}: {place.shown()} is also {place}; give each service its own {name}, or remove one"
                )


def _demand_agreement(
    mapping: model.ServiceMapping, stated: _Entry[model.ServiceMapping], services: list[_Entry[model.Service]]
) -> None:
    """A mapping that is about a service (same endpoint, or same old Service) must agree with it in both."""
    old = f"{mapping.old_service}.{mapping.old_namespace}"
    partly: list[tuple[str, str, Place, _Entry[model.Service]]] = []
    for entry in services:
        service = entry.value
        if service is None:
            continue
        host = service.old_backend.host
        same_old = host == old or host.startswith(f"{old}.svc")
        same_new = service.exposure.new_host == mapping.new_cluster_endpoint
        if same_old and same_new:
            return
        if same_old:
            partly.append(("new_cluster_endpoint", mapping.new_cluster_endpoint, entry.fields["new_host"], entry))
        elif same_new:
            wrong = "old_namespace" if host.startswith(f"{mapping.old_service}.") else "old_service"
            partly.append((wrong, getattr(mapping, wrong), entry.fields["old_backend"], entry))
    for name, value, place, entry in partly:
        entry.clashes.append(
            f"{place}: {place.shown()} disagrees with {stated.fields[name]}, which says {value!r}; make the two the same"
        )
    for name, value, place, _ in partly[:3]:
        stated.fields[name].refuse(f"{value!r} disagrees with {place}, which says {place.shown()}; make the two the same")
