"""Plans from the live view: what is frozen beside the exposure (the service's structure) and what people see (the diff)."""

import dataclasses
import difflib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from handlers import journey_messages, messages
from handlers.rules import migration, planning
from k8s import entry_change, errors, model, nginx, nginx_preview, views, wish_change

_OLD, _NEW = ("192.0.2.1:80",), ("192.0.2.2:443",)  # documentation addresses: agents resolve names, a plan must not depend on it


@dataclass(frozen=True, slots=True)
class Asked:
    """What a plan of the journey is made from, besides the view. `now`: aware UTC time. `standing`: how long a standing approval
    lasts where nobody says. `arrangement`: of the stage that is planned; None: none is, or it cannot be planned.
    """

    now: datetime
    standing: timedelta
    arrangement: entry_change.Arrangement | None = None


_STAGES = {  # what may be proposed by itself, and the kind of its plan
    entry_change.Stage.PREPARE: migration.Kind.PREPARE,
    entry_change.Stage.BYPASS: migration.Kind.BYPASS,
    entry_change.Stage.REMOVE: migration.Kind.REMOVE,
}


def stage_of(message: messages.Message, operation: migration.Operation | None) -> entry_change.Stage | None:
    """The stage whose objects the plan of this message names; None: it names none."""
    match message:
        case journey_messages.ProposeObjects():
            return message.stage if message.stage in _STAGES else None
        case journey_messages.ProposeFinish():
            return entry_change.Stage.FORWARD
        case messages.Approve() | messages.Confirm() if operation is not None:
            return migration.OBJECTS.get(operation.plan.kind)
        case _:
            return None


def unplannable(stage: entry_change.Stage, error: errors.ClusterError) -> str:
    """Why there is no dry run of this stage; a missing right is told with who gives it, and how."""
    if isinstance(error, errors.Forbidden):
        role = "ferry-removal" if stage is entry_change.Stage.REMOVE else "ferry-entries"
        return (
            f"a right is missing in the application's namespace: its owner binds the ClusterRole {role} to ferry-bot there, "
            f"as deploy/kubernetes/examples/application-namespace.yaml does ({error})"
        )
    return f"what `{stage}` would change cannot be planned: {error}"


def plan_for(
    message: messages.Message, view: views.ServiceView, operation: migration.Operation | None, asked: Asked
) -> migration.Plan | None:
    """What is proposed, or what waits planned anew. None: no plan is needed, or none can be made (rules say so)."""
    try:
        match message:
            case messages.ProposeShift():
                return shift(view, message.target)
            case messages.ProposeRelease():
                return release(view)
            case messages.Approve() | messages.Confirm():
                return _again(view, operation.plan, asked) if operation is not None else None
            case _:
                return _of_the_journey(message, view, asked)
    except ValueError:  # NoPlanError, ModelError: nothing to plan from
        return None


def _of_the_journey(message: messages.Message, view: views.ServiceView, asked: Asked) -> migration.Plan | None:
    match message:
        case journey_messages.ProposeObjects():
            return arranged(view, _STAGES[message.stage], asked.arrangement) if message.stage in _STAGES else None
        case journey_messages.ProposeFinish():
            return arranged(view, migration.Kind.FINISH, asked.arrangement)
        case journey_messages.ProposeRun():
            return run(view, message.until or asked.now + asked.standing)
        case journey_messages.SkipSoak():
            return skip(view, message.reason)
        case journey_messages.StepDue() | journey_messages.JoinWave():
            return step(view, message.weight)
        case _:
            return None


def _again(view: views.ServiceView, plan: migration.Plan, asked: Asked) -> migration.Plan | None:
    """The same change from the cluster as it is now: whatever moved makes another hash."""
    match plan.kind:
        case migration.Kind.RELEASE:
            return release(view)
        case migration.Kind.RUN:
            return run(view, datetime.fromisoformat(plan.until))
        case migration.Kind.RAISE | migration.Kind.LOWER:
            return dataclasses.replace(shift(view, plan.after), skips=plan.skips)
        case _:
            return arranged(view, plan.kind, asked.arrangement)


def shift(view: views.ServiceView, target: model.Exposure) -> migration.Plan:
    """Raises planning.NoPlanError or model.ModelError."""
    return planning.plan(view, target=target, objects=objects(view), config_diff=config_diff(view, view.in_force, target))


def release(view: views.ServiceView) -> migration.Plan:
    """Raises planning.NoPlanError."""
    return planning.plan(view, release=True, objects=objects(view))


def step(view: views.ServiceView, weight: int) -> migration.Plan:
    """The ladder's: the document's rules at this weight. Raises planning.NoPlanError or model.ModelError."""
    return shift(view, _wished(view).exposure.at(weight))


def skip(view: views.ServiceView, reason: str) -> migration.Plan | None:
    """The next step now. None: there is none. Raises like `step`."""
    weight = view.in_force.weight if view.in_force is not None else 0
    above = _above(view, weight)
    if not above:
        return None
    return dataclasses.replace(step(view, above[0]), skips=f"the rest of the soak at {weight}%: {reason}")


def run(view: views.ServiceView, until: datetime) -> migration.Plan | None:
    """All steps above the weight in force. None: there are none left. Raises like `step`."""
    above = _above(view, view.in_force.weight if view.in_force is not None else 0)
    if not above:
        return None
    return migration.Plan(
        service=view.name,
        kind=migration.Kind.RUN,
        before=view.in_force,
        after=_wished(view).exposure.at(above[-1]),
        generation=view.generation,
        wish=view.wish,
        objects=tuple(sorted(objects(view))),
        steps=above,
        until=until.astimezone(UTC).isoformat(),
    )


def wave(name: str, members: Sequence[tuple[views.ServiceView, migration.Plan | None]], until: datetime) -> migration.Plan | None:
    """Each with its own raise, in the order of their turns; a hash of nothing where there is none any more. None: nobody can plan
    the first one.
    """
    leader = next((plan for _, plan in members), None)
    if leader is None:
        return None
    weight = leader.after.weight
    return migration.Plan(
        service=name,
        kind=migration.Kind.WAVE,
        before=None,
        after=leader.after,
        generation=0,
        wish=0,
        until=until.astimezone(UTC).isoformat(),
        members=tuple(
            migration.Member(view.name, plan.hash if plan else "", view.in_force.weight if view.in_force else 0, weight)
            for view, plan in members
        ),
    )


def arranged(
    view: views.ServiceView, kind: migration.Kind, arrangement: entry_change.Arrangement | None
) -> migration.Plan | None:
    """The weight stays as it is. None: the objects could not be planned. Raises planning.NoPlanError."""
    if arrangement is None:
        return None
    return migration.Plan(
        service=view.name,
        kind=kind,
        before=view.in_force,
        after=view.in_force or _wished(view).exposure.at(0),
        generation=view.generation,
        wish=view.wish,
        objects=arrangement.objects,
        config_diff=arrangement.diff,
    )


def _above(view: views.ServiceView, weight: int) -> tuple[int, ...]:
    return tuple(sorted({one for one in _wished(view).ladder if one > weight}))


def _wished(view: views.ServiceView) -> model.Service:
    if view.wished is None:
        raise planning.NoPlanError(f"migration.yaml names no service {view.name}; add its entry first")
    return view.wished


def objects(view: views.ServiceView) -> tuple[tuple[str, str], ...]:
    """The service's entry in the document by hash, without its weight (the plan names that itself); its strategy and rules
    again by themselves: they are what a shift writes over.
    """
    if view.wished is None:
        return ()
    structure = dataclasses.replace(view.wished, exposure=view.wished.exposure.at(0))
    text = json.dumps(dataclasses.asdict(structure), sort_keys=True, default=str)
    return (
        (f"migration.yaml: {view.name}", hashlib.sha256(text.encode()).hexdigest()),
        (_rules_of(view.name), wish_change.digest(view.wished.exposure)),
    )


def wished_rules(plan: migration.Plan) -> str:
    """Digest of the strategy and rules that the document named when the plan was made; empty where it named none."""
    return dict(plan.objects).get(_rules_of(plan.service), "")


def _rules_of(service: str) -> str:
    return f"migration.yaml: strategy and rules of {service}"


def config_diff(view: views.ServiceView, before: model.Exposure | None, after: model.Exposure) -> str:
    """Unified diff of the service's nginx text; where only the weight differs, the one line that says so."""
    if view.wished is None:
        return ""
    start = before or view.wished.exposure
    diff = "".join(difflib.unified_diff(_text(view.wished, start), _text(view.wished, after), "in force", "planned", n=2))
    from_weight = before.weight if before else 0
    weight = f"allow/{view.name}: buckets that go to new {from_weight} → {after.weight} of {nginx.BUCKETS} (a link; no reload)\n"
    return diff + (weight if from_weight != after.weight else "")


def _text(service: model.Service, exposure: model.Exposure) -> list[str]:
    paths = tuple(_OLD for _ in service.paths)
    site = nginx.Site(service, exposure, old_addresses=_OLD, new_addresses=_NEW, path_addresses=paths)
    return nginx.render(nginx_preview.CONFIG, [site]).text.splitlines(keepends=True)
