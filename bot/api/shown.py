"""What is answered, as plain values. Texts of other people stand in them as they are: whoever shows them escapes them."""

from datetime import datetime
from typing import Any

import pydantic

from handlers import answers
from handlers.rules import approvals, migration
from k8s import model


class Shown(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)


class Refused(Shown):
    """`sentence` for people: what, why, what next. `kind` for programs."""

    sentence: str
    kind: str


class Error(Shown):
    error: Refused


class Approval(Shown):
    by: str
    shown: str
    at: datetime
    source: str


class Operation(Shown):
    """`before`, `after`: whole exposures (`before` null: nothing was raised before). `next`: what to do now, and who."""

    id: str
    service: str
    kind: str
    before: dict[str, Any] | None
    after: dict[str, Any]
    reason: str
    requester: str
    requester_shown: str
    source: str
    phase: str
    outcome: str
    because: str
    approvals: list[Approval]
    approvals_needed: int
    requested_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None
    generation: int
    revision: int
    plan_hash: str
    clears: list[str]
    next: str


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
    """`exposure`: of the record in force. `synced` false: the cluster cannot be read completely, so this may be old."""

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


def operation(of: migration.Operation) -> Operation:
    plan = of.plan
    return Operation(
        id=of.id,
        service=plan.service,
        kind=str(plan.kind),
        before=exposure(plan.before) if plan.before else None,
        after=exposure(plan.after),
        reason=of.reason,
        requester=of.requester,
        requester_shown=of.requester_shown,
        source=str(of.source),
        phase=str(of.phase),
        outcome=str(of.outcome),
        because=of.because,
        approvals=[Approval(by=one.by, shown=one.shown, at=one.at, source=str(one.source)) for one in of.approvals],
        approvals_needed=approvals.needed(of),
        requested_at=of.requested_at,
        expires_at=of.expires_at,
        confirmed_at=of.confirmed_at,
        generation=of.generation,
        revision=of.revision,
        plan_hash=plan.hash,
        clears=list(plan.clears),
        next=following(of),
    )


def exposure(of: model.Exposure) -> dict[str, Any]:
    """Without the hash of a tester's secret; whether there is one is said."""
    document = of.as_document()
    return {**document, "override_hash": None, "override": document["override_hash"] is not None}


def following(of: migration.Operation) -> str:
    """What has to be done now, and by whom; empty: nothing."""
    if of.outcome is not migration.Outcome.OPEN:
        return ""
    if of.phase is migration.Phase.PROPOSED:
        missing = max(approvals.needed(of) - len({one.by for one in of.approvals}), 1)
        persons = "an approver" if missing == 1 else f"{missing} approvers"
        return (
            f"Now {persons} other than {of.requester_shown} must approve: ferry approve {of.id}, or Approve on its card in Slack."
        )
    if of.phase is migration.Phase.APPROVED:
        return f"Now {of.requester_shown} confirms: ferry confirm {of.id}, or Confirm on its card in Slack."
    return f"It is under way; follow it with ferry status {of.plan.service}."


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
            operation=operation(one.operation) if one.operation else None,
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
        last=operation(of.last) if of.last else None,
        proxies=[
            Proxy(pod=one.pod, ready=one.ready, served=one.served, generation=one.generation, because=one.because)
            for one in of.proxies
        ],
        expected=of.expected,
        served=of.served,
        firing=list(of.firing),
        trouble=list(of.trouble),
        synced=of.synced,
    )
