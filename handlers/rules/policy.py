"""The policy: what nobody may raise now, whoever approved it. For raising only: what leads to old is never asked. Pure.

It is asked at the request, at every approval, at the confirmation (the record is written in the same decision), for each
step of a standing approval, and when a confirmed raise is taken up again after a crash: whatever is asked, through
`approvals.forbids_raise`.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from handlers.rules import freezes, gates, migration, planning, refusals, soaking
from k8s import entry_change

Reason = refusals.Reason
_Rule = Callable[[migration.Migration, migration.Plan, datetime], refusals.Refusal | None]
_KIND = migration.Kind
_JUDGED = frozenset({_KIND.RAISE, _KIND.FINISH, _KIND.REMOVE})
_NOT_ENTERED = frozenset({entry_change.EntryState.DIRECT, entry_change.EntryState.BROKEN})


def against_raise(of: migration.Migration, plan: migration.Plan, now: datetime) -> refusals.Refusal | None:
    """The first rule that forbids it; None: none does. `now` is an aware UTC time."""
    if plan.kind in migration.UNAPPROVED:
        return None
    return next((refusal for rule in _RULES if (refusal := rule(of, plan, now))), None)


def protected(of: migration.Migration, plan: migration.Plan, _now: datetime) -> refusals.Refusal | None:
    """Whatever is towards new: also a release, and the objects of its entry."""
    return refusals.refuse(Reason.PROTECTED, service=of.service) if plan.service in of.trust.protected else None


def frozen(of: migration.Migration, plan: migration.Plan, now: datetime) -> refusals.Refusal | None:
    """A ladder may be approved in a freeze: that moves nothing, and each of its steps is asked again."""
    found = None if plan.kind is _KIND.RUN else freezes.frozen(of.trust.freeze, now)
    if found is None:
        return None
    return refusals.refuse(Reason.FROZEN, service=of.service, freeze=found.reason or "no reason is given", end=found.end)


def too_large(of: migration.Migration, plan: migration.Plan, _now: datetime) -> refusals.Refusal | None:
    """What other rules select is no part of what new has had so far: from there the whole weight is the step."""
    start = plan.from_weight if plan.before is not None and planning.same_but_weight(plan.before, plan.after) else 0
    largest = of.trust.largest_step
    if plan.kind is _KIND.RUN:
        too_far = next(((low, high) for low, high in _climb(of.weight, plan.steps) if high - low > largest), None)
        if too_far is None:
            return None
        low, high = too_far
        facts = {"before": low, "after": high, "step": high - low, "largest": largest}
        return refusals.refuse(Reason.STEPS_TOO_LARGE, service=of.service, **facts)
    step = plan.after.weight - start
    if plan.kind is not _KIND.RAISE or step <= largest:
        return None
    facts = {"before": start, "after": plan.after.weight, "step": step, "largest": largest, "suggestion": start + largest}
    return refusals.refuse(Reason.STEP_TOO_LARGE, service=of.service, **facts)


def not_prepared(of: migration.Migration, plan: migration.Plan, _now: datetime) -> refusals.Refusal | None:
    """The host must reach the proxies before its weight means anything.

    UNKNOWN passes: nobody looks at entries here, or nobody could; entries made by hand worked before anybody looked.
    """
    if plan.kind not in (_KIND.RAISE, _KIND.RUN) or of.entry.state not in _NOT_ENTERED:
        return None
    broken = of.entry.state is entry_change.EntryState.BROKEN
    known = of.entry.sentence.strip().rstrip(".")
    entry = known or ("Ferry's objects are not as they must be" if broken else "it goes straight to the old application")
    return refusals.refuse(Reason.NOT_PREPARED, service=of.service, entry=entry)


def prepared_over_a_weight(of: migration.Migration, plan: migration.Plan, _now: datetime) -> refusals.Refusal | None:
    """An entry that comes into being over a record above 0 would bring all of it in one step."""
    if plan.kind is not _KIND.PREPARE or of.weight == 0 or of.entry.state is entry_change.EntryState.ENTERED:
        return None
    return refusals.refuse(Reason.WEIGHT_FIRST, service=of.service, weight=of.weight)


def not_soaked(of: migration.Migration, plan: migration.Plan, _now: datetime) -> refusals.Refusal | None:
    """Before new is given more than it carries, that must have been well for its soak, and every lower step with these rules and
    this target: down to 0 and up again passes over none. The backup time is the end's alone.
    """
    if not of.trust.soak or plan.kind is not _KIND.RAISE or plan.skips:
        return None
    left = ""
    if of.wished is None:
        left = "migration.yaml does not name it, so nobody knows how long it must soak"
    elif of.weight > 0:
        left = soaking.left(of.journey, replace(of.wished, backup=0.0), of.weight, of.generation)
    if not left and of.wished is not None:
        same = of.exposure is not None and of.exposure.at(0) == plan.after.at(0)
        steps = soaking.unserved(of.journey, of.wished, plan.after, besides=of.weight if same else 0)
        first = ", ".join(f"{step}%" for step in steps)
        left = f"{first} come first, and have not soaked with these rules and this target" if steps else ""
        if steps and steps[0] > of.weight:
            left += f" (`/migrate shift {of.service} {steps[0]}%` is next)"
    return refusals.refuse(Reason.NOT_SOAKED, service=of.service, left=left) if left else None


def gates_against(of: migration.Migration, plan: migration.Plan, _now: datetime) -> refusals.Refusal | None:
    """Asked once new carries traffic. Too few requests forbid a raise, unless the plan names that it passes over them; they do
    not forbid the end, before which the whole backup time was soaked with enough of them.
    """
    if plan.kind not in _JUDGED or of.weight == 0:
        return None
    bad = tuple(one.sentence for one in of.judgement.gates if one.verdict not in (gates.Verdict.PASS, gates.Verdict.TOO_FEW))
    if bad:
        return refusals.refuse(Reason.GATES, service=of.service, gates=_joined(bad))
    few = tuple(one.sentence for one in of.judgement.gates if one.verdict is gates.Verdict.TOO_FEW)
    if few and plan.kind is _KIND.RAISE and not plan.skips:
        return refusals.refuse(Reason.TOO_FEW, service=of.service, gates=_joined(few))
    return None


def standing_ends(of: migration.Migration, plan: migration.Plan, now: datetime) -> refusals.Refusal | None:
    """A standing approval has an end, ahead of now and not too far."""
    if plan.kind is not _KIND.RUN or not plan.until:
        return None
    until = datetime.fromisoformat(plan.until).astimezone(UTC)
    told = {"service": of.service, "until": f"{until:%Y-%m-%d %H:%M:%S} UTC"}
    if until <= now:
        return refusals.refuse(Reason.STANDING_OVER, now=f"{now:%Y-%m-%d %H:%M:%S} UTC", **told)
    if until - now > of.trust.standing:
        return refusals.refuse(Reason.STANDING_TOO_LONG, longest=_span(of.trust.standing), **told)
    return None


_RULES: tuple[_Rule, ...] = (
    protected,
    frozen,
    standing_ends,
    too_large,
    not_prepared,
    prepared_over_a_weight,
    not_soaked,
    gates_against,
)


def _climb(start: int, steps: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Each step with what is in force before it."""
    for step in sorted(steps):
        yield start, step
        start = max(start, step)


def _span(span: timedelta) -> str:
    """`30 days`, `36 hours`."""
    hours = int(span.total_seconds() // 3600)
    return f"{hours // 24} days" if hours % 24 == 0 and hours >= 48 else f"{hours} hours"


def _joined(sentences: tuple[str, ...]) -> str:
    return "; ".join(one.strip().rstrip(".") for one in sentences)
