"""Plans: the exact frozen change, made from one look at the cluster; and what changed between two looks. Pure."""

from dataclasses import fields

from handlers.rules import migration
from k8s import exposure, model, views

_NGINX = "the rendered nginx configuration differs"
_MOST_NAMED = 5  # members of a wave whose drift is told
_WORDS = {
    migration.Kind.PREPARE: "its entry through the proxies",
    migration.Kind.BYPASS: "its original entry, around the proxies",
    migration.Kind.FINISH: "its end: the new cluster for good",
    migration.Kind.REMOVE: "removal of its old application",
}


class NoPlanError(ValueError):
    """There is nothing to plan from; the sentence says why and what to do."""


def plan(
    view: views.ServiceView,
    *,
    target: model.Exposure | None = None,
    release: bool = False,
    objects: tuple[tuple[str, str], ...] = (),
    config_diff: str = "",
) -> migration.Plan:
    """The plan of a shift to `target`, or of a release (`release=True`: clears the holds that stand, weight 0).

    Raises NoPlanError when neither or both are given, or when nothing says where the service's traffic would go.
    """
    if (target is None) == (not release):
        raise NoPlanError("a plan is either a shift to a target or a release; give exactly one")
    before = view.in_force
    clears: tuple[str, ...] = ()
    after = target
    if after is None:
        known = before or (view.wished.exposure if view.wished else None)
        if known is None:
            raise NoPlanError(f"{view.name} has no record and no entry in migration.yaml; add the entry first")
        after, clears = known.at(0), tuple(sorted({hold.id for hold in view.holds}))
    return migration.Plan(
        service=view.name,
        kind=migration.Kind.RELEASE if release else kind_of(before, after),
        before=before,
        after=after,
        generation=view.generation,
        wish=view.wish,
        clears=clears,
        objects=tuple(sorted(objects)),
        config_diff=config_diff,
    )


def kind_of(before: model.Exposure | None, after: model.Exposure) -> migration.Kind:
    """Anything that is not provably at most what is in force is a raise."""
    if after.weight == 0 or (before is not None and exposure.at_most(after, before)):
        return migration.Kind.LOWER
    return migration.Kind.RAISE


def is_true(one: migration.Plan) -> bool:
    """The plan's kind is what it says; only a release clears holds, and it leaves the weight at 0."""
    if one.kind is migration.Kind.RELEASE:
        return one.after.weight == 0
    if one.kind is migration.Kind.WAVE:
        up = all(member.before < member.after == one.after.weight for member in one.members)
        return bool(one.members and one.until) and up and not one.clears
    if one.kind is migration.Kind.RUN:
        climbs = (one.from_weight, *one.steps)
        return bool(one.steps and one.until) and one.after.weight == one.steps[-1] and list(climbs) == sorted(set(climbs))
    if one.kind in migration.OBJECTS:  # the weight stays as it is
        return not one.clears and one.after == (one.before or one.after.at(0))
    return not one.clears and one.kind is kind_of(one.before, one.after)


def changes_nothing(one: migration.Plan) -> bool:
    """Record and document both say already what the plan would make them say."""
    if one.clears or one.wish != one.after.weight:
        return False
    return one.after == one.before or (one.before is None and one.after.weight == 0)


def same_but_weight(one: model.Exposure, other: model.Exposure) -> bool:
    return one.at(0) == other.at(0)


def lower_side(one: migration.Plan) -> model.Exposure:
    """Where a change that fails goes: the lower of before and after; without a before, 100% old."""
    return exposure.lower_of(one.before, one.after) if one.before else one.after.at(0)


def in_words(one: migration.Plan) -> str:
    """`0% → 25%`, `release (2 holds)`: how cards, refusals and audit lines name the change."""
    if one.kind is migration.Kind.RELEASE:
        return f"release of {len(one.clears)} hold{'s' if len(one.clears) != 1 else ''}"
    if one.kind in _WORDS:
        return _WORDS[one.kind]
    if one.kind is migration.Kind.WAVE:
        return f"wave of {len(one.members)} services to {one.after.weight}%"
    if one.kind is migration.Kind.RUN:
        return f"ladder {' → '.join(f'{step}%' for step in (one.from_weight, *one.steps))}"
    strategy = "" if one.after.strategy is model.Strategy.WEIGHT else f" ({one.after.strategy})"
    return f"{one.from_weight}% → {one.after.weight}%{strategy}"


def what_changed(old: migration.Plan, new: migration.Plan) -> str:
    """Why the hashes differ, for people: clauses joined by `; `. Names no values that could hold a secret."""
    clauses = []
    if old.generation != new.generation:
        clauses.append(f"another change was recorded (generation {old.generation} → {new.generation})")
    if old.wish != new.wish:
        clauses.append(f"migration.yaml was edited (migration_percentage {old.wish} → {new.wish})")
    clauses += _exposure_change("what is in force", old.before, new.before)
    clauses += _exposure_change("the target", old.after, new.after)
    if old.clears != new.clears:
        clauses.append(
            f"the holds that would end are now {', '.join(new.clears) or 'none'} (were {', '.join(old.clears) or 'none'})"
        )
    clauses += _object_changes(dict(old.objects), dict(new.objects))
    if old.config_diff != new.config_diff:
        clauses.append("what it would change is written differently now" if old.kind in migration.OBJECTS else _NGINX)
    if old.steps != new.steps:
        clauses.append(f"the steps are {_steps(new)} now (were {_steps(old)})")
    if old.until != new.until:
        clauses.append(f"it would last until {new.until or 'no end'} now (was {old.until or 'no end'})")
    clauses += _member_changes(old, new)
    if old.skips != new.skips:
        clauses.append("what it passes over differs")
    if old.kind is not new.kind:
        clauses.append(f"it would be a {new.kind} now (was a {old.kind})")
    if old.service != new.service:
        clauses.append(f"it is about {new.service} now (was {old.service})")
    return "; ".join(clauses) or "nothing changed"


def _member_changes(old: migration.Plan, new: migration.Plan) -> list[str]:
    now = {one.service: one for one in new.members}
    differing = [one for one in old.members if now.get(one.service) != one]
    clauses = []
    for one in differing[:_MOST_NAMED]:
        there = now.get(one.service)
        moved = there is not None and there.before != one.before
        said = (
            f"it is at {there.before}% now" if there is not None and moved else "its record, its entry or its rules were changed"
        )
        clauses.append(f"{one.service} is not as it was ({said})")
    return [*clauses, f"{len(differing) - _MOST_NAMED} more"] if len(differing) > _MOST_NAMED else clauses


def _steps(one: migration.Plan) -> str:
    return ", ".join(f"{step}%" for step in one.steps) or "none"


def _exposure_change(name: str, old: model.Exposure | None, new: model.Exposure | None) -> list[str]:
    if old == new:
        return []
    if old is None or new is None:
        return [f"{name} {'did not exist before' if old is None else 'is gone'}"]
    differing = [one.name for one in fields(old) if getattr(old, one.name) != getattr(new, one.name)]
    weight = f" (weight {old.weight}% → {new.weight}%)" if old.weight != new.weight else ""
    return [f"{name} changed in {', '.join(differing)}{weight}"]


def _object_changes(old: dict[str, str], new: dict[str, str]) -> list[str]:
    clauses = [f"{name} was changed" for name in sorted(old.keys() & new.keys()) if old[name] != new[name]]
    clauses += [f"{name} is gone" for name in sorted(old.keys() - new.keys())]
    return clauses + [f"{name} is new" for name in sorted(new.keys() - old.keys())]
