"""What of `migration.yaml` counts, document after document: one bad entry concerns its own service and no other. Pure.

A refused entry keeps its service's last good one, with what the text clearly lowers. Where no last good one is known (the
process has just started) nothing is concluded: the service is neither lowered nor taken for one that nobody names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from k8s import model, views, wish_fields


@dataclass(frozen=True, slots=True)
class RefusedEntry:
    """An entry of `services` that is refused: `path` in the document, the `number`th from 0, `why` in sentences.

    `name`, `old_host`: as they stand there, empty where they are no text. `asked`: the weight that it clearly names, if any.
    """

    path: str
    why: str
    name: str = ""
    old_host: str = ""
    asked: int | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """A document that could be read: what is good of it, and what is not. `others`: sentences about what is no service's.

    `problems`: all of them, in the order of the file.
    """

    wish: model.Wish
    refused: tuple[RefusedEntry, ...] = ()
    others: tuple[str, ...] = ()
    problems: tuple[wish_fields.Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Following:
    """`good`: the entry that counts, by service. `refused`: why the document cannot be followed for a service. `asked`: weights
    of refused entries. `others`: what concerns no known service. `fresh`: no document was seen yet that says who is named.
    """

    good: Mapping[str, model.Service] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, int] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    state: views.DocumentState = views.DocumentState.WHOLE
    trouble: str = ""
    fresh: bool = False


START = Following(fresh=True)


def missing(trouble: str) -> Following:
    """No document: nobody is named."""
    return Following(state=views.DocumentState.MISSING, trouble=trouble)


def unreadable(before: Following, trouble: str, *, hosts: Mapping[str, str], asked: Mapping[str, int]) -> Following:
    """Nothing of it can be read but, perhaps, weights (`asked`). `hosts`: old hosts of services with a record."""
    concerned = _known(before, hosts)
    return Following(
        good={name: _lowered(one, asked.get(name)) for name, one in before.good.items()},
        refused={
            name: f"what migration.yaml asks for {name} now is not known: the document cannot be read" for name in concerned
        },
        asked={name: weight for name, weight in asked.items() if name in concerned},
        state=views.DocumentState.UNREADABLE,
        trouble=trouble,
        fresh=before.fresh,
    )


def followed(before: Following, reading: Reading, *, hosts: Mapping[str, str]) -> Following:
    """What counts after `reading`. `hosts`: old hosts of services with a record."""
    whose, nobodys = _attributed(before, reading, hosts)
    named = {*reading.wish.services, *whose}
    refused = {name: _why(name, entries, before) for name, entries in whose.items()}
    if nobodys:
        places = ", ".join(entry.path for entry in nobodys)
        for name in sorted(_known(before, hosts) - named):
            refused[name] = (
                f"{name}: migration.yaml does not name it, but it may be the entry at {places}, which cannot be read"
                f"{_meanwhile(name, before)}"
            )
    asked = {
        name: min(weights)
        for name, entries in whose.items()
        if (weights := [entry.asked for entry in entries if entry.asked is not None])
    }
    others = (*reading.others, *(entry.why for entry in nobodys))
    kept = {name: _lowered(before.good[name], asked.get(name)) for name in refused if name in before.good}
    whole = not refused and not others
    return Following(
        good={**reading.wish.services, **kept},
        refused=refused,
        asked=asked,
        others=others,
        state=views.DocumentState.WHOLE if whole else views.DocumentState.ENTRIES,
        trouble="" if whole else _trouble(refused, others),
        fresh=before.fresh and bool(nobodys),
    )


def _known(before: Following, hosts: Mapping[str, str]) -> set[str]:
    """Who may stand in the document: after a start, everybody with a record."""
    return {*before.good, *before.refused, *(hosts if before.fresh else ())}


def _attributed(
    before: Following, reading: Reading, hosts: Mapping[str, str]
) -> tuple[dict[str, list[RefusedEntry]], list[RefusedEntry]]:
    """Refused entries by service: by name, and by the old host of one that is not named; and those of nobody."""
    owners = {**hosts, **{name: one.exposure.old_host for name, one in before.good.items()}}
    named = {*reading.wish.services, *(entry.name for entry in reading.refused)}
    unnamed = {host: name for name, host in sorted(owners.items(), reverse=True) if name not in named}
    whose: dict[str, list[RefusedEntry]] = {}
    nobodys = []
    for entry in reading.refused:
        mine = {entry.name} & {*owners, *before.refused}
        if entry.old_host in unnamed:  # misnamed: whose name it bears and whose host it has are both concerned
            mine.add(unnamed[entry.old_host])
        if not mine and model.SERVICE_NAME.fullmatch(entry.name) and entry.name != model.ALL_SERVICES:
            mine.add(entry.name)
        for name in mine:
            whose.setdefault(name, []).append(entry)
        if not mine:
            nobodys.append(entry)
    return whose, nobodys


def _why(name: str, entries: list[RefusedEntry], before: Following) -> str:
    return (
        f"the entry of {name} in migration.yaml is refused: {'; '.join(entry.why for entry in entries)}{_meanwhile(name, before)}"
    )


def _meanwhile(name: str, before: Following) -> str:
    return "; its last good entry counts meanwhile" if name in before.good else "; nothing of it is raised before it is corrected"


def _trouble(refused: Mapping[str, str], others: tuple[str, ...]) -> str:
    sentences = [*(refused[name] for name in sorted(refused)), *others]
    more = f" And {len(sentences) - 5} more." if len(sentences) > 5 else ""
    return ". ".join(sentence.rstrip(".") for sentence in sentences[:5]) + (f".{more}" if more else "")


def _lowered(service: model.Service, asked: int | None) -> model.Service:
    """A hand edit downwards counts even beside a mistake."""
    weight = max(0, min(service.exposure.weight, 100 if asked is None else asked))
    return replace(service, exposure=service.exposure.at(weight))
