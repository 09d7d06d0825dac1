"""What the edge of `k8s` shows of the cluster, and what it is asked to write. Plain values; no I/O here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from k8s import model, protocol, proxy_report


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service as the cluster has it now.

    `wished`: its entry in `migration.yaml` (None: not named). `record`: signature checked, signed for this ConfigMap
    (None: none, or none that counts; `record_trouble` says why). `operation`: the signed running or last operation
    beside it, as a document (`operation_trouble`: why it does not count). `holds`: keys standing in `migration-holds` for
    it or for all. `wish_version`, `record_version`: resourceVersions of the ConfigMaps that say so, empty where there is
    none. `highest`: the highest generation that was seen in the record's ConfigMap, by this watch or by an agent; 0: none.
    `refused`: why `migration.yaml` cannot be followed for it now, in one sentence; `wished` is its last good entry then, and
    None where nobody knows one (`wish_known`). `asked`: the weight that its refused entry clearly names, all the same.
    `journey`: the newest signed document of its way that was seen beside the record (`journey_trouble`: what is wrong with the
    one that stands there now).
    """

    name: str
    wished: model.Service | None = None
    record: protocol.Record | None = None
    record_trouble: str = ""
    operation: Mapping[str, Any] | None = None
    holds: tuple[model.Hold, ...] = ()
    wish_version: str = ""
    record_version: str = ""
    operation_trouble: str = ""
    highest: int = 0
    refused: str = ""
    asked: int | None = None
    journey: Mapping[str, Any] | None = None
    journey_trouble: str = ""

    @property
    def stale(self) -> bool:
        """A later record stood there before: this one was restored by hand, and nobody obeys it."""
        return self.record is not None and self.record.generation < self.highest

    @property
    def trouble(self) -> tuple[str, ...]:
        """What is wrong with this service, in sentences; nothing of it concerns another one."""
        sentences = [self.record_trouble, self.operation_trouble, self.journey_trouble, self.refused]
        if self.stale:
            sentences.append(
                f"the record of {self.name} was restored by hand (generation {self.generation}, {self.highest} was seen) and "
                f"nobody obeys it; the bot settles it at 0% by itself, then ask again with `/migrate shift {self.name} …`"
            )
        known = self.wished is not None or self.record is not None or self.record_trouble
        if not known and any(hold.service == self.name for hold in self.holds):
            sentences.append(
                f"a hold names {self.name!r}, which is no service, and holds nothing else; correct its key in migration-holds"
            )
        return tuple(sentence for sentence in sentences if sentence)

    @property
    def in_force(self) -> model.Exposure | None:
        """What every agent may serve by the record; of a stale one nothing, because agents have seen a later one."""
        if self.record is None:
            return None
        return self.record.exposure.at(0) if self.stale else self.record.exposure

    @property
    def generation(self) -> int:
        return self.record.generation if self.record else 0

    @property
    def wish(self) -> int:
        """The weight the document asks for; 0 where it does not name the service. Where nobody knows what it asks for: what is
        in force, or less, if the refused entry clearly names less.
        """
        if self.wished is not None:
            return self.wished.wish
        if not self.refused:
            return 0
        approved = self.in_force.weight if self.in_force is not None else 0
        return approved if self.asked is None else min(self.asked, approved)

    @property
    def wish_known(self) -> bool:
        """Whether anything may be concluded from the document: a refused entry without a known good one before says nothing,
        except where it clearly names less than what is in force.
        """
        if self.wished is not None or not self.refused:
            return True
        return self.asked is not None and self.in_force is not None and self.asked < self.in_force.weight

    @property
    def document_wish(self) -> int | None:
        """What an agent is to be told of the document where `wish_known`: the weight, or None: the service is not named."""
        return self.wish if self.wished is not None or self.refused else None


class DocumentState(StrEnum):
    """How far `migration.yaml` can be followed. ENTRIES: all but the entries that are refused; UNREADABLE: nothing of it."""

    WHOLE = "whole"
    ENTRIES = "entries"
    UNREADABLE = "unreadable"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Document:
    """`migration.yaml` as it stands. `version`: resourceVersion of its ConfigMap; both empty where there is none.

    `writer`: the field manager that wrote it last. `controller`: a controller that keeps the ConfigMap (as it was last seen,
    also when it is gone); empty: none. `put_back`: when Ferry put it back last (ISO time), empty: never. `refused`: sentences
    about what concerns no known service.
    """

    text: str = ""
    version: str = ""
    writer: str = ""
    controller: str = ""
    put_back: str = ""
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterView:
    """Everything Ferry's namespace says, as of the last event.

    `whole`: what is wrong with all of it, in sentences: the document is unreadable or missing, a key of `migration-holds` is no
    hold, a watch is lost. `synced`: every list was read at least once and the watches are alive; without it nothing may be
    raised. `document_state`: how far `migration.yaml` can be followed; `document_trouble`: what is wrong with it, empty when it
    is whole; one of `whole` when it is unreadable or missing, and else of no concern to services that are not refused.
    `document_version`: that of `document`.
    """

    services: Mapping[str, ServiceView] = field(default_factory=dict)
    whole: tuple[str, ...] = ()
    synced: bool = False
    document_trouble: str = ""
    document_version: str = ""
    document_state: DocumentState = DocumentState.WHOLE
    document: Document = Document()

    @property
    def trouble(self) -> tuple[str, ...]:
        """Everything that is wrong, also with single services."""
        of_services = (sentence for one in self.services.values() for sentence in one.trouble)
        return tuple(dict.fromkeys((*self.whole, *self.document.refused, *of_services)))


@dataclass(frozen=True, slots=True)
class RecordChange:
    """A record to be written: the revision first (with `audit`), then the record, by compare-and-set.

    `expected_generation`: of the record the plan was made from (0: none); anything else in the cluster is a Conflict.
    `operation`: the document of the running operation, signed and stored beside the record.
    """

    service: str
    exposure: model.Exposure
    expected_generation: int
    operation_id: str
    operation: Mapping[str, Any]
    audit: Mapping[str, Any]
    approvals: tuple[str, ...] = ()
    plan_hash: str = ""
    clears: tuple[str, ...] = ()
    finished: bool = False
    least_generation: int = 0  # agents reported this one: the new record must be above it


@dataclass(frozen=True, slots=True)
class Revision:
    """A stored copy of a record with its audit entry. `previous`: hash of the one before; `hash`: of this one."""

    name: str
    service: str
    generation: int
    record: protocol.Record
    audit: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What one agent answered to a pushed hold. `held`: it serves 0 for the service and remembers the id on disk."""

    pod: str
    held: bool
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Fleet:
    """All proxies asked at once. `expected`: how many replicas the workload wants. `silent`: pods that gave no answer.

    `unready`: those of the silent of whom the cluster says that they are not ready, so that no new request is sent to them.
    """

    expected: int
    reports: tuple[proxy_report.ProxyReport, ...]
    silent: tuple[str, ...] = ()
    unready: tuple[str, ...] = ()

    @property
    def takes_requests(self) -> bool:
        """A proxy is ready, or one is silent of whom the cluster does not say that it is not: none is proven gone then."""
        answering = any(report.ready and not report.terminating for report in self.reports)
        return answering or bool(set(self.silent) - set(self.unready))
