"""What the edge of `k8s` shows of the cluster, and what it is asked to write. Plain values; no I/O here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from k8s import model, protocol, proxy_report


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service as the cluster has it now.

    `wished`: its entry in `migration.yaml` (None: not named). `record`: signature checked, signed for this ConfigMap
    (None: none, or none that counts; `record_trouble` says why). `operation`: the signed running or last operation
    beside it, as a document. `holds`: keys standing in `migration-holds` for it or for all. `wish_version`,
    `record_version`: resourceVersions of the ConfigMaps that say so, empty where there is none. `stale`: a later generation
    was seen, by this watch or by an agent: the record was restored by hand.
    """

    name: str
    wished: model.Service | None = None
    record: protocol.Record | None = None
    record_trouble: str = ""
    operation: Mapping[str, Any] | None = None
    holds: tuple[model.Hold, ...] = ()
    wish_version: str = ""
    record_version: str = ""
    stale: bool = False

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
        """The weight the document asks for; 0 where it does not name the service."""
        return self.wished.wish if self.wished else 0


@dataclass(frozen=True, slots=True)
class ClusterView:
    """Everything Ferry's namespace says, as of the last event. `trouble`: sentences, e.g. why the document is refused.

    `synced`: every list was read at least once and the watches are alive; without it nothing may be raised.
    """

    services: Mapping[str, ServiceView] = field(default_factory=dict)
    trouble: tuple[str, ...] = ()
    synced: bool = False


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
    """All proxies asked at once. `expected`: how many replicas the workload wants. `silent`: pods that gave no answer."""

    expected: int
    reports: tuple[proxy_report.ProxyReport, ...]
    silent: tuple[str, ...] = ()
