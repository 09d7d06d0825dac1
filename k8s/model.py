"""The model: what a service, its exposure, a hold and a proxy's report are. Plain values, checked when they are made.

The text forms allowed here are the whitelist of everything that may ever reach nginx: a value that was built is safe
to render. `k8s.wish_document` turns YAML into these values and errors into file, line and fix.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

SERVICE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+")
HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
COOKIE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
RULE_VALUE = re.compile(r"[A-Za-z0-9._@:=+/-]{1,128}")
FILE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?")
HTTP_PATH = re.compile(r"/[A-Za-z0-9._~/-]{0,255}")
SHA256_HEX = re.compile(r"[0-9a-f]{64}")
OVERRIDE_SECRET = re.compile(r"[0-9a-f]{32,128}")
ALL_SERVICES = "all"  # the word in `hold.all.<id>`: no service may be called so


class ModelError(ValueError):
    """A value outside the model. `field_name` is the customer's name of the field; the text says what is wrong and the fix."""

    def __init__(self, field_name: str, sentence: str) -> None:
        super().__init__(f"{field_name}: {sentence}")
        self.field_name = field_name
        self.sentence = sentence


class Strategy(StrEnum):
    """Which requests the weight applies to: all of them, or those a header, a network or a user list selects."""

    WEIGHT = "weight"
    HEADER = "header"
    IP = "ip"
    USER = "user"


class StickyKind(StrEnum):
    """What keeps a client on one side: nothing (every request hashes anew), its address, a cookie, a header."""

    NONE = "none"
    CLIENT_IP = "client_ip"
    COOKIE = "cookie"
    HEADER = "header"


def _demand(pattern: re.Pattern[str], value: object, field_name: str, fix: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ModelError(field_name, f"{value!r} is not allowed; {fix}")


def _demand_networks(cidrs: tuple[str, ...], field_name: str, *, shortest4: int, shortest6: int) -> None:
    for text in cidrs:
        try:
            network = ipaddress.ip_network(text, strict=True)
        except (ValueError, TypeError) as error:
            raise ModelError(field_name, f"{text!r} is not a network ({error}); write it like 10.2.0.0/16") from None
        shortest = shortest4 if network.version == 4 else shortest6
        if network.prefixlen < shortest:
            raise ModelError(field_name, f"{text!r} is too wide; the prefix must be at least /{shortest}")
        if str(network) != text:
            raise ModelError(field_name, f"write {text!r} as {network}")


@dataclass(frozen=True, slots=True)
class Backend:
    """Where old requests go: a host name (usually `<service>.<namespace>.svc.cluster.local`) and a port."""

    host: str
    port: int

    def __post_init__(self) -> None:
        _demand(
            HOST_NAME, self.host, "old_backend", "give a lower-case DNS name with a port, e.g. app.team.svc.cluster.local:8080"
        )
        if type(self.port) is not int or not 1 <= self.port <= 65535:
            raise ModelError("old_backend", f"port {self.port!r} is not a port; use 1 to 65535")

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """Requests whose header `name` has one of `values` match."""

    name: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        _demand(HEADER_NAME, self.name, "header.name", "use letters, digits and -, starting with a letter, at most 64")
        if not self.values:
            raise ModelError("header.values", "is empty; list at least one value")
        for value in self.values:
            _demand(RULE_VALUE, value, "header.values", "use 1 to 128 of A-Z a-z 0-9 . _ @ : = + / -")


@dataclass(frozen=True, slots=True)
class Sticky:
    """`kind`, and the cookie's or header's `name` where the kind has one."""

    kind: StickyKind = StickyKind.NONE
    name: str = ""

    def __post_init__(self) -> None:
        if self.kind is StickyKind.COOKIE:
            _demand(COOKIE_NAME, self.name, "sticky", "write cookie:NAME with 1 to 64 of A-Z a-z 0-9 _ . -")
        elif self.kind is StickyKind.HEADER:
            _demand(HEADER_NAME, self.name, "sticky", "write header:NAME with letters, digits and -")
        elif self.name:
            raise ModelError("sticky", f"{self.kind} takes no name; write {self.kind}")

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)


@dataclass(frozen=True, slots=True)
class UserRule:
    """Users known by a cookie or header (`source`); `ids` always match first, everybody else by hash of that id."""

    source: Sticky
    ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.source.kind not in (StickyKind.COOKIE, StickyKind.HEADER):
            raise ModelError("user.source", "must be cookie:NAME or header:NAME: a user needs a name of its own")
        for user_id in self.ids:
            _demand(RULE_VALUE, user_id, "user.ids", "use 1 to 128 of A-Z a-z 0-9 . _ @ : = + / -")


@dataclass(frozen=True, slots=True)
class Tls:
    """How the new cluster is trusted. `ca` names a PEM file in the agents' CA folder; None: the agents' default bundle."""

    verify: bool = True
    server_name: str | None = None
    ca: str | None = None

    def __post_init__(self) -> None:
        if self.server_name is not None:
            _demand(HOST_NAME, self.server_name, "tls.server_name", "give a lower-case DNS name")
        if self.ca is not None:
            _demand(FILE_NAME, self.ca, "tls.ca", "give the name of a file in the agents' CA folder, without a path")


@dataclass(frozen=True, slots=True)
class Exposure:
    """Which requests may reach the new cluster, whole: this is what an approval is about and what the bot signs.

    `weight` is percent (0 to 100) of the matching requests. `override_hash` is the SHA-256 (hex) of a tester's secret.
    """

    weight: int
    old_host: str
    new_host: str
    new_port: int = 443
    strategy: Strategy = Strategy.WEIGHT
    header: HeaderRule | None = None
    cidrs: tuple[str, ...] = ()
    user: UserRule | None = None
    sticky: Sticky = field(default_factory=Sticky)
    tls: Tls = field(default_factory=Tls)
    trusted_proxies: tuple[str, ...] = ()
    override_hash: str | None = None

    def __post_init__(self) -> None:
        if type(self.weight) is not int or not 0 <= self.weight <= 100:
            raise ModelError("migration_percentage", f"{self.weight!r} is not a whole number from 0 to 100")
        _demand(HOST_NAME, self.old_host, "old_host", "give a lower-case DNS name, e.g. api.team.example.com")
        _demand(HOST_NAME, self.new_host, "new_host", "give a lower-case DNS name, e.g. api.kong.example.com")
        if self.new_host == self.old_host:
            raise ModelError("new_host", "is the same as old_host; it must be the host of the new cluster")
        if type(self.new_port) is not int or not 1 <= self.new_port <= 65535:
            raise ModelError("new_port", f"{self.new_port!r} is not a port; use 1 to 65535")
        _demand_networks(self.cidrs, "cidrs", shortest4=8, shortest6=32)
        _demand_networks(self.trusted_proxies, "trusted_proxies", shortest4=8, shortest6=32)
        if self.override_hash is not None:
            _demand(SHA256_HEX, self.override_hash, "override_hash", "give the SHA-256 of the secret, 64 hex digits")
        self._demand_strategy()

    def _demand_strategy(self) -> None:
        needs = {Strategy.HEADER: self.header, Strategy.IP: self.cidrs, Strategy.USER: self.user}
        if self.strategy in needs and not needs[self.strategy]:
            missing = {Strategy.HEADER: "header", Strategy.IP: "cidrs", Strategy.USER: "user"}[self.strategy]
            raise ModelError("strategy", f"{self.strategy} needs the field {missing}; add it, or use strategy weight")

    @property
    def drawn_anew(self) -> bool:
        """Chance alone chooses, for each request: no rule and no sticky key has a part in it."""
        return self.strategy is Strategy.WEIGHT and self.sticky.kind is StickyKind.NONE

    def at(self, weight: int) -> "Exposure":
        """The same exposure at another weight."""
        return replace(self, weight=weight)

    def as_document(self) -> dict[str, Any]:
        """Plain JSON values, every field present: the form that is signed and hashed."""
        return {
            "weight": self.weight,
            "old_host": self.old_host,
            "new_host": self.new_host,
            "new_port": self.new_port,
            "strategy": str(self.strategy),
            "header": {"name": self.header.name, "values": list(self.header.values)} if self.header else None,
            "cidrs": list(self.cidrs),
            "user": {"source": str(self.user.source), "ids": list(self.user.ids)} if self.user else None,
            "sticky": str(self.sticky),
            "tls": {"verify": self.tls.verify, "server_name": self.tls.server_name, "ca": self.tls.ca},
            "trusted_proxies": list(self.trusted_proxies),
            "override_hash": self.override_hash,
        }


def sticky_from(text: str) -> Sticky:
    """`none`, `client_ip`, `cookie:NAME` or `header:NAME`. Raises ModelError."""
    kind, _, name = text.partition(":")
    try:
        return Sticky(StickyKind(kind), name)
    except ValueError as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError("sticky", f"{text!r} is not known; use none, client_ip, cookie:NAME or header:NAME") from None


def exposure_from(document: Mapping[str, Any]) -> Exposure:
    """The inverse of `as_document`. Unknown or missing fields raise ModelError: what is not understood is not served."""
    try:
        rest = dict(document)
        header, user, tls = rest.pop("header"), rest.pop("user"), rest.pop("tls")
        return Exposure(
            header=HeaderRule(header["name"], tuple(header["values"])) if header else None,
            user=UserRule(sticky_from(user["source"]), tuple(user["ids"])) if user else None,
            tls=Tls(**tls),
            sticky=sticky_from(rest.pop("sticky")),
            strategy=Strategy(rest.pop("strategy")),
            cidrs=tuple(rest.pop("cidrs")),
            trusted_proxies=tuple(rest.pop("trusted_proxies")),
            **rest,
        )
    except ModelError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError("exposure", f"cannot be read ({type(error).__name__}: {error})") from None


@dataclass(frozen=True, slots=True)
class Breaker:
    """After `failures` consecutive failures nothing reaches new for `pause` seconds and until a probe is answered well; then a
    hundredth of the requests does, then a tenth, and after that everything approved, unless one fails.
    """

    failures: int = 5
    pause: float = 10.0


@dataclass(frozen=True, slots=True)
class Health:
    """How an agent probes the new host: `path`, every `interval` seconds; `failures` in a row mean down."""

    path: str = "/"
    interval: float = 30.0
    failures: int = 3

    def __post_init__(self) -> None:
        _demand(HTTP_PATH, self.path, "health.path", "give a plain path such as /healthz")


@dataclass(frozen=True, slots=True)
class PathBackend:
    """A path prefix of the old host that the old ingress sends to a backend of its own."""

    path: str
    backend: Backend

    def __post_init__(self) -> None:
        _demand(HTTP_PATH, self.path, "paths.path", "give a plain path prefix such as /static")


@dataclass(frozen=True, slots=True)
class Gates:
    """What must hold before a raise: shares in percent; `minimum_requests` on new, fewer is not enough data."""

    error_rate: float = 1.0
    latency_increase: float = 50.0
    minimum_requests: int = 100


@dataclass(frozen=True, slots=True)
class Service:
    """One entry of the wish. Times are seconds. `exposure.weight` is what the document says, also when not enabled.

    `upgrade_timeout`: how long an upgraded connection may be silent, and so how long an upgrade waits for its answer, too: nginx
    has one time for both. A client that does not wait so long finds old when it comes again: the breaker counts those that left.
    """

    name: str
    exposure: Exposure
    old_backend: Backend
    enabled: bool = True
    timeout: float = 30.0
    connect_timeout: float = 2.0
    upgrade_timeout: float = 3600.0
    retries: int = 3
    breaker: Breaker = field(default_factory=Breaker)
    health: Health = field(default_factory=Health)
    paths: tuple[PathBackend, ...] = ()
    ladder: tuple[int, ...] = (5, 25, 50, 75, 100)
    soak: float = 86400.0
    backup: float = 604800.0
    gates: Gates = field(default_factory=Gates)
    entry: str = "canary"

    def __post_init__(self) -> None:
        _demand(SERVICE_NAME, self.name, "name", "use 1 to 63 of a-z 0-9 -, starting and ending with a letter or digit")
        if self.name == ALL_SERVICES:
            raise ModelError("name", "no service may be called 'all': it means every service; choose another name")

    @property
    def wish(self) -> int:
        """The weight this entry asks for: `enabled: false` means 100% old."""
        return self.exposure.weight if self.enabled else 0


@dataclass(frozen=True, slots=True)
class ServiceMapping:
    """The customer's mapping model: which Service of the old cluster is which Service of the new one."""

    old_service: str
    old_namespace: str
    new_service: str
    new_namespace: str
    new_cluster_endpoint: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What `migration-config` says: services by name, in the document's order, and the mappings."""

    services: Mapping[str, Service]
    mappings: tuple[ServiceMapping, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """A standing order: `service` (or `all`) goes 100% to old. `cause` saves a replica from writing a second one."""

    service: str
    id: str
    reason: str = ""
    by: str = ""
    since: str = ""
    cause: str = ""

    @property
    def key(self) -> str:
        """The key in `migration-holds`."""
        return f"hold.{self.service}.{self.id}"
