"""What is answered, as plain values. Texts of other people stand in them as they are: whoever shows them escapes them."""

from typing import Any

from bot.api import shown_journey
from bot.api.shown_operation import Operation, exposure, operation
from bot.api.shown_value import Shown
from handlers import answers
from k8s import model


class Refused(Shown):
    """`what` was not done, `why`, and the `remedy`; `sentence`: all three of them. `kind` for programs."""

    kind: str
    what: str
    why: str
    remedy: str
    sentence: str


class Error(Shown):
    error: Refused


class Preview(Shown):
    """A plan that nobody asked for yet. `refusal` null: it would be accepted now."""

    service: str
    kind: str
    before: dict[str, Any] | None
    after: dict[str, Any]
    diff: str
    refusal: Refused | None


class Answer(Shown):
    said: str
    operation: Operation | None


class Hold(Shown):
    service: str
    id: str
    reason: str
    by: str
    since: str


class Placed(Shown):
    """`safe`: it will be obeyed. `held`, `asked`: proxies that took it at once, of those that are known."""

    said: str
    hold: Hold
    safe: bool
    written: bool
    held: int
    asked: int
    milliseconds: float


class Releases(Shown):
    """One request for each service that is held."""

    requests: list[Answer]


class Line(Shown):
    name: str
    phase: str
    weight: int
    wish: int
    old_host: str
    holds: list[str]
    operation: Operation | None


class Overview(Shown):
    services: list[Line]
    trouble: list[str]
    synced: bool


class Proxy(Shown):
    """`served` null: it gives no answer."""

    pod: str
    ready: bool
    served: int | None
    generation: int
    because: str


class Service(Shown):
    """`exposure`: of the record in force. `synced` false: the cluster cannot be read completely, so this may be old.

    `suppressed`: how proxies keep what was approved from new by themselves; empty: none does.
    """

    name: str
    phase: str
    weight: int
    wish: int
    exposure: dict[str, Any] | None
    generation: int
    holds: list[Hold]
    operation: Operation | None
    last: Operation | None
    proxies: list[Proxy]
    expected: int
    served: str
    firing: list[str]
    trouble: list[str]
    synced: bool
    suppressed: str
    journey: shown_journey.Journey | None


def preview(of: answers.Preview) -> Preview:
    plan, no = of.plan, of.refusal
    refused = None
    if no is not None:
        refused = Refused(kind=str(no.reason), what=no.what, why=no.why, remedy=no.remedy, sentence=no.sentence)
    return Preview(
        service=plan.service,
        kind=str(plan.kind),
        before=exposure(plan.before) if plan.before else None,
        after=exposure(plan.after),
        diff=plan.config_diff,
        refusal=refused,
    )


def hold(of: model.Hold) -> Hold:
    return Hold(service=of.service, id=of.id, reason=of.reason, by=of.by, since=of.since)


def placed(of: answers.Placed) -> Placed:
    held = sum(1 for push in of.pushes if push.held)
    what = "Every service is" if of.hold.service == model.ALL_SERVICES else f"{of.hold.service} is"
    return Placed(
        said=f"{what} held at 100% old.",
        hold=hold(of.hold),
        safe=of.safe,
        written=of.written,
        held=held,
        asked=len(of.pushes),
        milliseconds=round(of.seconds * 1000, 1),
    )


def overview(of: answers.Overview) -> Overview:
    lines = [
        Line(
            name=one.name,
            phase=str(one.phase),
            weight=one.weight,
            wish=one.wish,
            old_host=one.old_host,
            holds=list(one.holds),
            operation=operation(one.operation, whole=False) if one.operation else None,
        )
        for one in of.services
    ]
    return Overview(services=lines, trouble=list(of.trouble), synced=of.synced)


def service(of: answers.ServiceStatus) -> Service:
    return Service(
        name=of.name,
        phase=str(of.phase),
        weight=of.weight,
        wish=of.wish,
        exposure=exposure(of.exposure) if of.exposure else None,
        generation=of.generation,
        holds=[hold(one) for one in of.holds],
        operation=operation(of.operation) if of.operation else None,
        last=operation(of.last, whole=False) if of.last else None,
        proxies=[
            Proxy(pod=one.pod, ready=one.ready, served=one.served, generation=one.generation, because=one.because)
            for one in of.proxies
        ],
        expected=of.expected,
        served=of.served,
        firing=list(of.firing),
        trouble=list(of.trouble),
        synced=of.synced,
        suppressed=of.suppressed.sentence if of.suppressed else "",
        journey=shown_journey.journey(of.journey) if of.journey else None,
    )
