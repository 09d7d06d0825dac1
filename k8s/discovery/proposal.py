"""What discovery finds, as values: proposals with notes, what was passed over, and the rule that names the new host. Pure."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from k8s import model


class Level(StrEnum):
    """INFO: good to know. WARNING: read it before traffic moves. STOP: with this the host would not work behind the proxy."""

    INFO = "info"
    WARNING = "warning"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Note:
    """`about`: a word or two to group by. `sentence`: what stands there and what it means at the proxy. `remedy`: what to do."""

    level: Level
    about: str
    sentence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """One host as an entry of `migration.yaml`, weight 0. `mapping` None: no rule says its new namespace.

    `text`: a whole small document with the entry and its mapping, for people to adjust. `sources`: `Ingress namespace/name`.
    """

    service: model.Service
    mapping: model.ServiceMapping | None
    text: str
    notes: tuple[Note, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def stops(self) -> tuple[Note, ...]:
        """What must be changed before its requests may pass the proxy."""
        return tuple(note for note in self.notes if note.level is Level.STOP)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A host (or, without one, an Ingress) that is not proposed. Both sentences are never empty."""

    host: str
    source: str
    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Found:
    """`proposals` by name. `trouble`: what could not be read, a sentence each: then there may be more than is shown."""

    proposals: tuple[Proposal, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    trouble: tuple[str, ...] = ()

    @property
    def clear(self) -> tuple[Proposal, ...]:
        """Those that nothing stops: what "accept all" means."""
        return tuple(one for one in self.proposals if not one.stops)


@dataclass(frozen=True, slots=True)
class HostRule:
    """How the new host follows from the old one. `match`: a regex for the whole old host. `new_host`: a template with its groups.

    `new_namespace`: a template too; empty: no mapping is proposed. `{namespace}` in it is the old namespace, and where
    `old_namespace` (a regex for the whole old namespace) is given, its groups are meant by \\1 there, and the rule is for such
    namespaces only. `new_port`: of HTTPS in the new cluster. Raises ValueError, with the fix, for what is no regex or refers to
    a group that is not there.
    """

    match: str
    new_host: str
    new_namespace: str = ""
    old_namespace: str = ""
    new_port: int = 443

    def __post_init__(self) -> None:
        host = _compiled(self.match, "match")
        of_namespace = _compiled(self.old_namespace, "old_namespace") if self.old_namespace else host
        _demand_groups(host, self.new_host, "new_host")
        _demand_groups(of_namespace, self.new_namespace, "new_namespace")

    def renamed(self, host: str, namespace: str) -> tuple[str, str] | None:
        """New host and new namespace; None where the rule is not for this host or this namespace."""
        at_host = re.fullmatch(self.match, host)
        at_namespace = re.fullmatch(self.old_namespace, namespace) if self.old_namespace else at_host
        if at_host is None or at_namespace is None:
            return None
        return at_host.expand(self.new_host), at_namespace.expand(self.new_namespace).replace("{namespace}", namespace)


def digest(proposals: Iterable[Proposal]) -> str:
    """Of the entries that somebody has seen: 16 hex digits. Notes do not count: they are not written."""
    whole = "\x00".join(sorted(one.text for one in proposals))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def _compiled(pattern: str, field: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{field}: {pattern!r} is no regular expression ({error}); write it as Python's re takes it") from None


def _demand_groups(pattern: re.Pattern[str], template: str, field: str) -> None:
    """Every group that the template names is there: found when settings are read, not at the first host."""
    if re.search(r"\\(?![1-9]|g<\w+>)", template):
        raise ValueError(f"{field}: {template!r} has a backslash that names no group; write \\1 or \\g<name>")
    for number, name in re.findall(r"\\(?:(\d+)|g<(\w+)>)", template):
        named = number or name
        if named not in pattern.groupindex and not (named.isdigit() and int(named) <= pattern.groups):
            raise ValueError(
                f"{field}: {template!r} refers to the group {named}, and {pattern.pattern!r} has none; correct either"
            )
