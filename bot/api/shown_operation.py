"""One requested change as plain values: what it does, who asked and approved, what happened, what comes next."""

from datetime import datetime
from typing import Any

from bot.api.shown_value import Shown
from handlers.rules import approvals, migration
from k8s import model


class Approval(Shown):
    by: str
    shown: str
    at: datetime
    source: str


class Told(Shown):
    at: datetime
    sentence: str


class Member(Shown):
    """One service of a wave, with its weights before and after."""

    service: str
    before: int
    after: int


class Operation(Shown):
    """`before`, `after`: whole exposures (`before` null: nothing was raised before). `next`: what to do now, and who.

    `steps`, `until`: of a standing approval. `objects`: what is changed around the service. `diff`: of these, or of the proxies'
    text; left out where several operations are listed. `members`: of a wave. `timeline`: everything that happened, oldest first.
    """

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
    steps: list[int]
    until: str
    skips: str
    objects: list[str]
    diff: str
    members: list[Member]
    timeline: list[Told]
    next: str


def operation(of: migration.Operation, *, whole: bool = True) -> Operation:
    """`whole` False: without the diff, which may be long."""
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
        steps=list(plan.steps),
        until=plan.until,
        skips=plan.skips,
        objects=[name for name, _ in plan.objects] if plan.kind in migration.OBJECTS else [],
        diff=plan.config_diff if whole else "",
        members=[Member(service=one.service, before=one.before, after=one.after) for one in plan.members],
        timeline=[Told(at=at, sentence=sentence) for at, sentence in of.timeline],
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
    if of.plan.members:
        return "It is under way, in turns; follow each service with ferry status, or all of them on the wave's card in Slack."
    return f"It is under way; follow it with ferry status {of.plan.service}."
