"""What is looked at and changes nothing, as plain values: history, audit, preflight, discovery, drift, rights, a stage's plan."""

from collections.abc import Sequence
from datetime import datetime

from bot.api.shown_value import Shown
from handlers import answers, messages
from handlers.rules import effects
from k8s import discovery, entry_change, preflight


class Past(Shown):
    """One change that was made. `before` null: the first one, or not known."""

    generation: int
    at: datetime | None
    who: str
    sentence: str
    reason: str
    before: int | None
    weight: int
    approved_by: list[str]
    operation: str
    plan_hash: str


class History(Shown):
    """Newest first. `generation` is what a rollback goes back to."""

    service: str
    changes: list[Past]


class Event(Shown):
    at: datetime
    kind: str
    who: str
    service: str
    operation: str
    sentence: str
    source: str


class Events(Shown):
    """Newest first; refusals too."""

    events: list[Event]


class Check(Shown):
    """`ok`: yes, no or unknown, which is no yes. `remedy`: what to do; empty only at yes."""

    name: str
    ok: str
    sentence: str
    remedy: str


class Preflight(Shown):
    """`ok`: the worst of the checks. `firewall`: openings that the proxies need, one a line."""

    service: str
    ok: str
    checks: list[Check]
    firewall: list[str]


class Note(Shown):
    level: str
    about: str
    sentence: str
    remedy: str


class Proposal(Shown):
    """`text`: a whole small document, to be adjusted and accepted. `stops`: with this the host would not work at the proxy."""

    name: str
    old_host: str
    new_host: str
    text: str
    notes: list[Note]
    stops: bool
    sources: list[str]


class Skipped(Shown):
    host: str
    source: str
    why: str
    remedy: str


class Found(Shown):
    """`seen`: a digest of the proposals that nothing stops, as they are shown here: accepting with it takes them only so."""

    proposals: list[Proposal]
    skipped: list[Skipped]
    trouble: list[str]
    seen: str


class Accepted(Shown):
    """`added`: names that are new in migration.yaml, at weight 0."""

    said: str
    added: list[str]


class Change(Shown):
    """`conflict`: who owns what would be changed; it is never forced."""

    verb: str
    object: str
    diff: str
    conflict: str


class Arrangement(Shown):
    """`left`: what stays, and why. `troubles`: why it cannot be done now."""

    service: str
    stage: str
    changes: list[Change]
    left: list[str]
    troubles: list[str]


class HandChange(Shown):
    """What somebody changed by hand. `became`: waits, put_back, accepted or stands. `by`: who wrote it; empty: nobody knows."""

    service: str
    what: str
    since: datetime
    by: str
    became: str
    todo: str


class Drift(Shown):
    """Newest first. `standing`: what differs from what was approved now. `lately`: what was put back or accepted.

    `unseen`: of what nobody can tell, a sentence each. `synced` false: the cluster cannot be read completely.
    """

    standing: list[HandChange]
    lately: list[HandChange]
    unseen: list[str]
    synced: bool


class Self(Shown):
    """Who calls. `member`: may look, and take traffic back. `asks`: may ask for more at new; `approves`: may approve what others
    asked for. `why`: why they may not ask, or may not even look.
    """

    id: str
    shown: str
    member: bool
    asks: bool
    approves: bool
    why: str


def whoami(of: messages.Person) -> Self:
    asks = of.member and not of.refused
    return Self(id=of.id, shown=of.shown, member=of.member, asks=asks, approves=asks and of.approver, why=of.refused)


def drift(of: answers.Drift) -> Drift:
    standing = of.standing
    lately = [one for one in of.lines if one not in standing]
    return Drift(
        standing=[_by_hand(one) for one in standing],
        lately=[_by_hand(one) for one in lately],
        unseen=list(of.unseen),
        synced=of.synced,
    )


def _by_hand(of: answers.DriftLine) -> HandChange:
    return HandChange(service=of.service, what=of.what, since=of.since, by=of.by, became=str(of.became), todo=of.todo)


def history(service: str, past: Sequence[answers.Past]) -> History:
    return History(service=service, changes=[_past(one) for one in past])


def events(of: Sequence[tuple[datetime, effects.AuditEvent]]) -> Events:
    return Events(
        events=[
            Event(
                at=at,
                kind=str(one.kind),
                who=one.who,
                service=one.service,
                operation=one.operation,
                sentence=one.sentence,
                source=str(one.source),
            )
            for at, one in of
        ]
    )


def report(of: preflight.Report) -> Preflight:
    checks = [Check(name=one.name, ok=str(one.ok), sentence=one.sentence, remedy=one.remedy) for one in of.checks]
    return Preflight(service=of.service, ok=str(of.ok), checks=checks, firewall=list(of.firewall))


def found(of: discovery.Found, part: str) -> Found:
    """Proposals whose name or old host has `part` in it."""
    chosen = [one for one in of.proposals if part in one.name or part in one.service.exposure.old_host]
    return Found(
        proposals=[_proposal(one) for one in chosen],
        skipped=[Skipped(host=one.host, source=one.source, why=one.why, remedy=one.remedy) for one in of.skipped],
        trouble=list(of.trouble),
        seen=discovery.digest(one for one in chosen if not one.stops),
    )


def arrangement(of: entry_change.Arrangement) -> Arrangement:
    changes = [Change(verb=str(one.verb), object=one.title, diff=one.diff, conflict=one.conflict) for one in of.changes]
    return Arrangement(service=of.service, stage=str(of.stage), changes=changes, left=list(of.left), troubles=list(of.troubles))


def _past(of: answers.Past) -> Past:
    return Past(
        generation=of.generation,
        at=of.at,
        who=of.who,
        sentence=of.sentence,
        reason=of.reason,
        before=of.before,
        weight=of.weight,
        approved_by=list(of.approved_by),
        operation=of.operation,
        plan_hash=of.plan,
    )


def _proposal(of: discovery.Proposal) -> Proposal:
    exposure = of.service.exposure
    notes = [Note(level=str(one.level), about=one.about, sentence=one.sentence, remedy=one.remedy) for one in of.notes]
    return Proposal(
        name=of.name,
        old_host=exposure.old_host,
        new_host=exposure.new_host,
        text=of.text,
        notes=notes,
        stops=bool(of.stops),
        sources=list(of.sources),
    )
