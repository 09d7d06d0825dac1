"""What is done, one step at a time, as values: planned purely, rehearsed and carried out by `cluster_entries`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from k8s import model
from k8s.entries import app_ingress
from k8s.entries import entry_names as names
from k8s.entries.entry_names import EntrySettings, Json, Place


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply of `document`. `force`: only on the way to old, and only for an object that is Ferry's."""

    document: Json
    force: bool = False

    @property
    def title(self) -> str:
        return names.title(str(self.document["kind"]), names.place(self.document))


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The application's Ingress becomes `wanted`, if its rules still are `before`. `force`: whoever else says what they are."""

    where: Place
    before: tuple[Json, ...]
    wanted: app_ingress.Rewritten
    force: bool = False

    @property
    def title(self) -> str:
        return names.title("Ingress", self.where)


@dataclass(frozen=True, slots=True)
class Delete:
    """The object with this uid goes; one that is gone is gone."""

    kind: str
    where: Place
    uid: str = ""

    @property
    def title(self) -> str:
        return names.title(self.kind, self.where)


@dataclass(frozen=True, slots=True)
class Pause:
    """Until the ingress has seen the step before. `why`: what would fail without it."""

    why: str


@dataclass(frozen=True, slots=True)
class UntilGone:
    """Until no pod of the namespace has these labels any more."""

    namespace: str
    labels: Mapping[str, str]


Step = Apply | Rewrite | Delete | Pause | UntilGone


@dataclass(frozen=True, slots=True)
class Course:
    """The steps of one stage in order, what stays, and why it cannot be done now."""

    steps: tuple[Step, ...] = ()
    left: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The live objects that a stage is planned from. `ready`: endpoints that take traffic, by Service.

    `services`: of the application's namespaces and of Ferry's. `owned`: workloads, scalers, budgets and pods of the
    application's namespaces, by kind; only REMOVE looks at them. `wished`: every service of `migration.yaml`.
    """

    ingresses: tuple[Json, ...]
    services: Mapping[Place, Json]
    ready: Mapping[Place, int]
    wished: Mapping[str, model.Service]
    settings: EntrySettings
    owned: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)

    def proxies(self, service: model.Service) -> Mapping[str, Any] | None:
        """The proxies' Service of this service."""
        return self.services.get(Place(self.settings.namespace, names.proxies_of(service.name)))

    def canary(self, service: model.Service) -> Mapping[str, Any] | None:
        """Ferry's canary Ingress of this service."""
        where = Place(self.settings.namespace, names.proxies_of(service.name))
        return next((one for one in self.ingresses if names.place(one) == where), None)
