"""What an agent is asked about the new host of a service, and what it saw from where it stands: values and their JSON. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from k8s import errors, model

MOST_TARGETS = 20  # of one request
OK, UNASKED, CONNECT, TLS, HTTP = OUTCOMES = ("ok", "unasked", "connect", "tls", "http")


@dataclass(frozen=True, slots=True)
class Target:
    """`path`: of the health check. Raises model.ModelError for what can be no host, port or path."""

    service: str
    host: str
    port: int = 443
    tls: model.Tls = field(default_factory=model.Tls)
    path: str = "/"

    def __post_init__(self) -> None:
        model.Exposure(0, "old.preflight.invalid", self.host, self.port)  # the forms that a document allows
        model.Health(self.path)
        if not isinstance(self.service, str) or not model.SERVICE_NAME.fullmatch(self.service):
            raise model.ModelError("service", f"{self.service!r} is no name of a service")


@dataclass(frozen=True, slots=True)
class Certificate:
    """As it was shown, trusted or not. `expires`: Unix seconds. `names`: of hosts, as it has them."""

    issuer: str
    expires: float
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class At:
    """One address, `IP:port`. `outcome`: what failed, one of OUTCOMES; `why`: half a sentence about one that is not ok.
    UNASKED: the agent had no time left for it, so that nothing is known.

    `version`: of TLS. `status`: of the answer to the health check; `wrong_host`: to the same with a Host that nobody has.
    0 and empty: it did not come so far.
    """

    address: str
    outcome: str
    why: str = ""
    seconds: float = 0.0
    version: str = ""
    certificate: Certificate | None = None
    status: int = 0
    wrong_host: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """One service. `addresses`: what DNS says; `dns_why`: why it says nothing. `unasked`: why the agent could not look."""

    service: str
    addresses: tuple[str, ...] = ()
    dns_seconds: float = 0.0
    dns_why: str = ""
    at: tuple[At, ...] = ()
    unasked: str = ""


def target_document(target: Target) -> dict[str, Any]:
    tls = {"verify": target.tls.verify, "server_name": target.tls.server_name, "ca": target.tls.ca}
    return {"service": target.service, "host": target.host, "port": target.port, "tls": tls, "path": target.path}


def targets_from(document: object) -> tuple[Target, ...]:
    """Of `{"targets": [...]}`. Raises ValueError (model.ModelError is one) for anything else."""
    fields: Any = document
    try:
        listed = fields["targets"]
        if not isinstance(listed, list) or not 0 < len(listed) <= MOST_TARGETS:
            raise ValueError(f"targets must be a list of 1 to {MOST_TARGETS}")
        return tuple(Target(**{**one, "tls": _tls(one.get("tls") or {})}) for one in listed)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"cannot be read ({type(error).__name__})") from None


def _tls(document: Mapping[str, Any]) -> model.Tls:
    tls = model.Tls(**document)
    if not isinstance(tls.verify, bool):
        raise model.ModelError("tls.verify", "must be true or false")
    return tls


def seen_document(seen: Seen) -> dict[str, Any]:
    return {
        "service": seen.service,
        "addresses": list(seen.addresses),
        "dns_seconds": round(seen.dns_seconds, 4),
        "dns_why": seen.dns_why,
        "unasked": seen.unasked,
        "at": [_at_document(one) for one in seen.at],
    }


def _at_document(one: At) -> dict[str, Any]:
    shown = one.certificate
    return {
        "address": one.address,
        "outcome": one.outcome,
        "why": one.why,
        "seconds": round(one.seconds, 4),
        "version": one.version,
        "certificate": {"issuer": shown.issuer, "expires": shown.expires, "names": list(shown.names)} if shown else None,
        "status": one.status,
        "wrong_host": one.wrong_host,
    }


def seen_from(document: object) -> tuple[Seen, ...]:
    """Of an agent's answer. Raises errors.BadReply: nothing of an answer that is not understood counts."""
    fields: Any = document
    try:
        return tuple(
            Seen(
                service=str(one["service"]),
                addresses=tuple(str(each) for each in one["addresses"]),
                dns_seconds=float(one["dns_seconds"]),
                dns_why=str(one["dns_why"]),
                unasked=str(one["unasked"]),
                at=tuple(_at_from(each) for each in one["at"]),
            )
            for one in fields["seen"]
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise errors.BadReply(f"an agent's preflight cannot be read ({type(error).__name__}); look at its version") from None


def _at_from(one: Any) -> At:
    shown, outcome = one["certificate"], str(one["outcome"])
    if outcome not in OUTCOMES:
        raise ValueError(outcome)
    return At(
        address=str(one["address"]),
        outcome=outcome,
        why=str(one["why"]),
        seconds=float(one["seconds"]),
        version=str(one["version"]),
        certificate=Certificate(str(shown["issuer"]), float(shown["expires"]), tuple(str(name) for name in shown["names"]))
        if shown
        else None,
        status=int(one["status"]),
        wrong_host=int(one["wrong_host"]),
    )
