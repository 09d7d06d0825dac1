"""An agent's report as plain JSON values: what `GET /status` says. Pure; written by the agent, read by the bot.

Fields that a newer agent adds are ignored; a missing or mistyped field is an error: unknown is not healthy.
"""

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from typing import Any, TypeVar

from k8s import errors, hold_document, key_spread, model, proxy_report

Kind = TypeVar("Kind")
_MISSING = object()
_NAMES = {kind: tuple(one.name for one in dataclass_fields(kind)) for kind in (proxy_report.ServiceReport, proxy_report.Traffic)}


def service_as_document(report: proxy_report.ServiceReport) -> dict[str, Any]:
    return {
        **_shallow(report),
        "traffic": _shallow(report.traffic) if report.traffic is not None else None,
        "holds": list(report.holds),
        "pushed": [hold_document.as_document(one) for one in report.pushed],
        "spread": key_spread.as_document(report.spread) if report.spread is not None else None,
    }


def _shallow(one: proxy_report.ServiceReport | proxy_report.Traffic) -> dict[str, Any]:
    """Unlike dataclasses.asdict it copies no value: with a thousand services that takes as long as all the rest of a report."""
    return {name: getattr(one, name) for name in _NAMES[type(one)]}


def as_document(report: proxy_report.ProxyReport) -> dict[str, Any]:
    return {
        "pod": report.pod,
        "ready": report.ready,
        "terminating": report.terminating,
        "config": report.config,
        "services": {name: service_as_document(one) for name, one in report.services.items()},
        "trouble": list(report.trouble),
    }


def service_from(document: object) -> proxy_report.ServiceReport:
    """Raises errors.BadReply."""
    fields = _fields(document, "a service's report")
    lowest = fields.get("lowest_wish")
    if lowest is not None:
        lowest = _field(fields, "lowest_wish", int)
    suppression = fields.get("suppression")  # agents before breakers do not say it
    if suppression is not None:
        suppression = _field(fields, "suppression", int)
    new_up = fields.get("new_up")
    if new_up is not None:
        new_up = _field(fields, "new_up", bool)
    report = proxy_report.ServiceReport(
        service=_field(fields, "service", str),
        generation=_field(fields, "generation", int),
        served=_field(fields, "served", int),
        holds=_texts(fields, "holds"),
        lowest_wish=lowest,
        because=_field(fields, "because", str),
        applied=_field(fields, "applied", bool),
        traffic=_traffic_from(fields.get("traffic")),
        pushed=_holds_from(fields.get("pushed")),
        suppression=suppression,
        suppressed_since=_field(fields, "suppressed_since", str) if "suppressed_since" in fields else "",
        new_up=new_up,
        old_dead=_field(fields, "old_dead", bool) if "old_dead" in fields else False,
        finished=_field(fields, "finished", bool) if "finished" in fields else False,
        spread=key_spread.from_document(fields.get("spread")),
    )
    if not 0 <= (report.suppression or 0) <= 100:
        raise errors.BadReply(f"the agent reports a suppression to {report.suppression}%, which cannot be; look at its log")
    if not 0 <= report.served <= 100 or report.generation < 0:
        raise errors.BadReply(
            f"the agent reports generation {report.generation} at {report.served}%, which cannot be; look at its log"
        )
    return report


def report_from(document: object) -> proxy_report.ProxyReport:
    """Raises errors.BadReply."""
    fields = _fields(document, "the agent's report")
    services = {str(name): service_from(one) for name, one in _fields(fields.get("services"), "services").items()}
    for name, one in services.items():
        if one.service != name:
            raise errors.BadReply(f"the agent reports {one.service!r} under the name {name!r}; look at its log")
    return proxy_report.ProxyReport(
        pod=_field(fields, "pod", str),
        ready=_field(fields, "ready", bool),
        terminating=_field(fields, "terminating", bool),
        config=_field(fields, "config", str),
        services=services,
        trouble=_texts(fields, "trouble"),
    )


def _holds_from(document: object) -> tuple[model.Hold, ...]:
    """Empty where the agent does not say (an older one)."""
    if document is None:
        return ()
    if not isinstance(document, list):
        raise errors.BadReply("pushed in the agent's report is no list of holds; is it of the bot's version?")
    return tuple(hold_document.hold_from_document(_fields(one, "a pushed hold")) for one in document)


def _traffic_from(document: object) -> proxy_report.Traffic | None:
    """None where the agent does not count (an older one); a number that cannot be is an error."""
    if document is None:
        return None
    fields = _fields(document, "a service's traffic")
    numbers: dict[str, Any] = {one.name: fields.get(one.name) for one in dataclass_fields(proxy_report.Traffic)}
    if wrong := [name for name, value in numbers.items() if type(value) not in {int, float} or value < 0]:
        raise errors.BadReply(f"{', '.join(wrong)} in the agent's traffic is no number from 0; is it of the bot's version?")
    return proxy_report.Traffic(**numbers)


def _fields(document: object, what: str) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise errors.BadReply(f"{what} is no JSON object; is the agent of the same version as the bot?")
    return document


def _field(fields: Mapping[str, Any], name: str, kind: type[Kind]) -> Kind:
    value = fields.get(name, _MISSING)
    if type(value) is not kind:
        raise errors.BadReply(f"{name} in the agent's report is missing or no {kind.__name__}; is it of the bot's version?")
    return value


def _texts(fields: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = _field(fields, name, list)
    if not all(isinstance(value, str) for value in values):
        raise errors.BadReply(f"{name} in the agent's report is no list of texts; is it of the bot's version?")
    return tuple(values)
