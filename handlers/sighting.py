"""What one look says about a service that soaks: put together from what is known already, nobody is asked here."""

from dataclasses import dataclass, field

from handlers import judged
from handlers.rules import gates, migration, soaking
from k8s import convergence, entry_change, suppression, views

_NO_WAY = {
    entry_change.EntryState.DIRECT: "its host goes straight to the old application",
    entry_change.EntryState.BROKEN: "Ferry's objects around it are not as they must be",
}


@dataclass(frozen=True, slots=True)
class Around:
    """What is known beside the view of the service. `fleet`: what the proxies said last; None: they were not heard for too long.

    `firing`: the loud alerts; those about all services alike only stop the clock. `unsure`: why nobody can say what fires;
    empty: somebody can. `operation`: the one under way.
    """

    fleet: views.Fleet | None
    judgement: gates.Judgement
    entry: entry_change.EntryView
    firing: judged.Loud = field(default_factory=judged.Loud)
    unsure: str = ""
    operation: migration.Operation | None = None


def sight(one: views.ServiceView, around: Around) -> soaking.Sight:
    weight = one.in_force.weight if one.in_force is not None and not one.holds else 0
    drifted = _drift(one, around)
    quiet = _alert(around.firing.own) or drifted or _against(one, around)
    return soaking.Sight(
        generation=one.generation,
        weight=weight,
        converged=converged(one, around.fleet),
        quiet=quiet,
        verdict=around.judgement.verdict,
        sentence="; ".join(sentence.rstrip(".") for sentence in around.judgement.against()),
        alert_or_drift=bool(around.firing.own or drifted),
        base=one.in_force.at(0) if one.in_force is not None and weight > 0 else None,
    )


def converged(one: views.ServiceView, fleet: views.Fleet | None) -> bool:
    """Every expected proxy serves the record in force."""
    if fleet is None or one.in_force is None:
        return False
    verdict = convergence.of_raise(fleet, one.name, generation=one.generation, weight=one.in_force.weight)
    return isinstance(verdict, convergence.Converged)


def _alert(firing: tuple[str, ...]) -> str:
    return f"the alert {', '.join(firing)} fires" if firing else ""


def _drift(one: views.ServiceView, around: Around) -> str:
    """What somebody changed by hand; a wish above the record is only a wish. What Ferry changes itself is half done meanwhile."""
    if one.stale:
        return f"an older record was put back by hand (generation {one.generation}, {one.highest} was seen)"
    operation = around.operation
    if operation is not None and operation.phase in migration.RUNNING and operation.plan.kind in migration.OBJECTS:
        return ""
    return "; ".join(sentence.rstrip(".") for sentence in around.entry.drift)


def _against(one: views.ServiceView, around: Around) -> str:
    if around.operation is not None and around.operation.phase in migration.RUNNING:
        return f"a change of it is under way ({around.operation.phase})"
    if around.fleet is None:
        return "the proxies were not heard for too long"
    if around.unsure:
        return around.unsure
    if around.firing.common:
        return _alert(around.firing.common)
    if cut := suppression.of(around.fleet, one.name):
        return cut.sentence
    if one.in_force is not None and one.wish < one.in_force.weight:
        return f"migration.yaml says {one.wish}%"
    if around.entry.old_ready == 0:
        return "the old application has no ready endpoint, so there is nothing to go back to"
    if around.entry.old_ready is None and one.in_force is not None and one.in_force.weight >= 100:
        return "nobody knows whether the old application is still ready to be gone back to"
    return _NO_WAY.get(around.entry.state, "")
