"""The promises of the design, judged over a recorded history. Each counts the events it judged; no event is `not checked`.

`check` runs them all. A promise that needs a fault to be put to the test (a store that comes back empty, two replicas) says
nothing about a history without one, and is not listed then.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.playground.stories import approved_objects, four_eyes
from deploy.playground.stories import history as recorded
from handlers.rules import migration
from k8s import model, protocol, proxy_report, record_document

Judged = Iterator[str]  # one item an event: why it breaks the promise, or nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """`checked`: events judged, by promise. `broken`: one sentence each, beginning with the promise."""

    checked: Mapping[str, int]
    broken: tuple[str, ...]

    def as_document(self) -> dict[str, Any]:
        return {"checked": dict(self.checked), "broken": list(self.broken)}


def check(history: recorded.History) -> Verdict:
    """Every promise that the history has events for."""
    checked: dict[str, int] = {}
    broken: list[str] = []
    for name, judge in _JUDGES.items():
        answers = list(judge(history))
        if answers:
            checked[name] = len(answers)
        broken += [f"{name}: {answer}" for answer in answers if answer]
    return Verdict(checked, tuple(broken))


def _as_approved(history: recorded.History) -> Judged:
    """I2: what came into force is what was approved."""
    for change in four_eyes.raises(history):
        planned = change.operation.get("plan", {}).get("after")
        same = planned == change.record.exposure.as_document()
        yield "" if same else f"generation {change.record.generation} of {change.service} is not its plan's target"


def _taken_back_in_time(history: recorded.History) -> Judged:
    """I3: after the alert was accepted, the new cluster's last request came within the limit."""
    for one in history.accepted:
        late = one.last_new - one.at if one.last_new is not None else 0.0
        yield "" if late <= one.limit else f"{one.service}: a request reached the new cluster {late:.3f} s after the alert"


def _holds_end_by_record(history: recorded.History) -> Judged:
    """I5: whoever raises, or takes a key away, has a record that names the hold as cleared."""
    standing: dict[tuple[str, str], model.Hold] = {}
    cleared: set[tuple[str, str]] = set()
    events: list[tuple[float, recorded.HoldMove | recorded.Change]] = [
        *((move.at, move) for move in recorded.hold_moves(history)),
        *((change.at, change) for change in recorded.changes(history)),
    ]
    for _, event in sorted(events, key=lambda pair: pair[0]):
        if isinstance(event, recorded.Change):
            cleared |= {(event.service, one) for one in event.record.clears}
            ordered = [hold.id for hold in standing.values() if hold.service in {event.service, model.ALL_SERVICES}]
            if ordered and event.record.exposure.weight > 0 and event in tuple(four_eyes.raises(history)):
                still = [one for one in ordered if (event.service, one) not in cleared]
                yield f"{event.service} was raised under {', '.join(still)}" if still else ""
        elif event.placed:
            standing[event.hold.service, event.hold.id] = event.hold
            cleared = {pair for pair in cleared if pair[1] != event.hold.id}
        elif event.user.startswith("system:serviceaccount:"):
            if event.hold.service != model.ALL_SERVICES:
                known = (event.hold.service, event.hold.id) in cleared
                yield "" if known else f"{event.hold.key} was taken away although no record had cleared it"
            standing.pop((event.hold.service, event.hold.id), None)


def _one_at_a_time(history: recorded.History) -> Judged:
    """I6: no record of another operation while one runs; its own revert, and settling a hold or a hand edit, may."""
    newest: dict[str, recorded.Change] = {}
    for change in recorded.changes(history):
        earlier = newest.get(change.service)
        newest[change.service] = change
        runs = earlier is not None and earlier.last.get("phase") in set(migration.RUNNING)
        follows = earlier is not None and change.record.operation == f"{earlier.record.operation}-revert"
        settles = change.record.operation.startswith("settle-")
        broken = runs and not follows and not settles and change.record.operation != (earlier.record.operation if earlier else "")
        yield f"{change.record.operation} was written while an operation ran on {change.service}" if broken else ""


def _one_change_each(history: recorded.History) -> Judged:
    """I7: an operation's id stands in exactly one record."""
    seen: dict[str, int] = {}
    for change in recorded.changes(history):
        seen[change.record.operation] = seen.get(change.record.operation, 0) + 1
        twice = seen[change.record.operation] > 1
        yield f"operation {change.record.operation} changed {change.service} more than once" if twice else ""


def _every_change_is_kept(history: recorded.History) -> Judged:
    """I8: each record has its revision, written before it, with an audit entry and the hash of the one before."""
    revisions: dict[str, tuple[float, Mapping[str, Any]]] = {}
    for write in history.writes:
        if write.resource == "controllerrevisions" and not write.removed:
            revisions.setdefault(write.name, (write.at, write.object))
    hashes: dict[str, str] = {}
    for change in recorded.changes(history):
        at, document = revisions.get(change.record.revision, (0.0, None))
        revision = record_document.revision_from(document) if document else None
        if document is None or revision is None or at > change.at:
            yield f"generation {change.record.generation} of {change.service} has no revision written before it"
            continue
        trouble = record_document.revision_trouble(document, history.verifier)
        if not trouble and not revision.audit.get("who"):
            trouble = f"{revision.name} says not who changed it"
        if not trouble and change.service in hashes and revision.previous != hashes[change.service]:
            trouble = f"{revision.name} does not follow the revision before it"
        hashes[change.service] = revision.hash
        yield trouble


def _approvals_once(history: recorded.History) -> Judged:
    """I9: no approval stands in two records."""
    used: dict[str, str] = {}
    for change in recorded.changes(history):
        for one in change.record.approvals:
            twice = one in used
            yield f"approval {one} was used for {used[one]} and for {change.record.operation}" if twice else ""
            used[one] = change.record.operation


def _no_failed_request(history: recorded.History) -> Judged:
    """I10: while nothing was broken on purpose, every client got its answer."""
    for number in range(history.asked):
        yield f"{history.failed} of {history.asked} requests failed" if history.failed and number == 0 else ""


def _only_down_while_missing(history: recorded.History) -> Judged:
    """I13: while anything is missing nothing is raised; no proxy serves more than was approved before, and nothing once held."""
    raised = tuple(four_eyes.raises(history))
    for gone in history.outages:
        for change in raised:
            if gone.at <= change.at < gone.until:
                yield f"generation {change.record.generation} of {change.service} raises while the {gone.what} was missing"
        yield from _seen_while(gone, history)


def _seen_while(gone: recorded.Outage, history: recorded.History) -> Judged:
    approved = _approved(history, gone.at)
    held: set[tuple[str, str]] = set()
    for sample in history.samples:
        if not gone.at <= sample.at < gone.until:
            continue
        for pod, one in _reported(sample):
            if one.holds:
                held.add((pod, one.service))
            most = 0 if (pod, one.service) in held else approved.get(one.service, 0)
            more = f"{pod} served {one.served}% of {one.service} while the {gone.what} was missing, and {most}% was the most"
            yield more if one.served > most else ""


def _nobody_elses_fault(history: recorded.History) -> Judged:
    """I14: while one service is broken, every proxy serves the others as approved, without a hold or a breaker."""
    for fault in history.faults:
        approved = _approved(history, fault.at)
        for sample in history.samples:
            if not fault.at <= sample.at < fault.until:
                continue
            for pod, one in _reported(sample):
                if one.service != fault.service and approved.get(one.service):
                    well = one.served == approved[one.service] and not one.holds and one.suppression is None
                    what = f"{pod} served {one.served}% of {one.service} ({one.because}) while {fault.service} alone was broken"
                    yield "" if well else what


def _approved(history: recorded.History, at: float) -> dict[str, int]:
    return {one.service: one.record.exposure.weight for one in recorded.changes(history) if one.at <= at}


def _reported(sample: recorded.Sample) -> Iterator[tuple[str, proxy_report.ServiceReport]]:
    for report in sample.fleet.reports:
        for one in report.services.values():
            yield report.pod, one


def _no_secret(history: recorded.History) -> Judged:
    """I15: no secret stands in a log, a post, an audit entry."""
    for text in history.texts:
        told = any(secret in text for secret in history.secrets)
        yield f"a secret stands in {text[:60]!r}…" if told else ""


def _done_means_served(history: recorded.History) -> Judged:
    """I16: before an operation was called done, a look at all expected proxies saw every one of them serve it."""
    for change in recorded.changes(history):
        if change.last.get("outcome") != migration.Outcome.DONE:
            continue
        seen = any(sample.at >= change.at and _served(sample, change.service, change.record) for sample in history.samples)
        yield "" if seen else f"{change.record.operation} is done, and no look at the proxies saw it served everywhere"


def _served(sample: recorded.Sample, service: str, record: protocol.Record) -> bool:
    reports = [one.services.get(service) for one in sample.fleet.reports]
    enough = not sample.fleet.silent and len(reports) >= max(1, sample.fleet.expected)
    return enough and all(
        one is not None and one.generation >= record.generation and one.served <= record.exposure.weight for one in reports
    )


def _no_flapping(history: recorded.History) -> Judged:
    """I17: after a hold, a raise comes from a plan that was asked for later."""
    placed = [move for move in recorded.hold_moves(history) if move.placed and move.hold.since]
    for change in four_eyes.raises(history):
        asked = _time(change.operation.get("requested_at"))
        for move in placed:
            if move.hold.service not in {change.service, model.ALL_SERVICES} or move.at > change.at:
                continue
            since = _time(move.hold.since)
            fresh = asked is not None and since is not None and asked >= since
            yield "" if fresh else f"{change.service} went up again by a plan from before hold {move.hold.id}"


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


_JUDGES: Mapping[str, Callable[[recorded.History], Judged]] = {
    "I1": four_eyes.judge,
    "I2": _as_approved,
    "I3": _taken_back_in_time,
    "I5": _holds_end_by_record,
    "I6": _one_at_a_time,
    "I7": _one_change_each,
    "I8": _every_change_is_kept,
    "I9": _approvals_once,
    "I10": _no_failed_request,
    "I13": _only_down_while_missing,
    "I14": _nobody_elses_fault,
    "I15": _no_secret,
    "I16": _done_means_served,
    "I17": _no_flapping,
    "I18": approved_objects.judge,
}
