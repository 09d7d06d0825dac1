"""What people may know: names, targets, status, list, history. Reads only; nothing here changes anything."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from handlers import answers, audit_entry, errors, fleets, outside
from handlers.rules import migration, refusals
from k8s import convergence, exposure, model, suppression, views


def names(view: views.ClusterView) -> tuple[str, ...]:
    """Every service that `migration.yaml` names or that has a record, in order."""
    return tuple(sorted(name for name, one in view.services.items() if one.wished is not None or one.record is not None))


def find(view: views.ClusterView, name_or_host: str) -> str | None:
    """A service's name from its name, its old host or its new host; None where none or several match."""
    known = names(view)
    if name_or_host in known:
        return name_or_host
    matching = [name for name in known if name_or_host in _hosts(view.services[name])]
    return matching[0] if len(matching) == 1 else None


def target(
    view: views.ClusterView,
    service: str,
    weight: int,
    *,
    strategy: model.Strategy | None = None,
    header: model.HeaderRule | None = None,
    cidrs: tuple[str, ...] = (),
    user: model.UserRule | None = None,
) -> model.Exposure | refusals.Refusal:
    """The whole exposure that a shift asks for: the document's rules, at this weight, with the rules that were typed.

    Lowering keeps the rules in force: otherwise an edited document would turn every lowering into a raise.
    """
    one = view.services.get(service)
    wished = one.wished if one else None
    if one is None or wished is None:
        return unknown(view, service)
    in_force = one.record.exposure if one.record else None
    try:
        asked = wished.exposure.at(weight)
        if strategy is not None:
            asked = replace(
                asked,
                strategy=strategy,
                header=header or asked.header,
                cidrs=cidrs or asked.cidrs,
                user=user or asked.user,
            )
    except model.ModelError as error:
        return refusals.refuse(refusals.Reason.INVALID, service=service, why=f"The strategy cannot be used: {error}.")
    if strategy is None and in_force is not None and weight <= in_force.weight and not exposure.at_most(asked, in_force):
        return in_force.at(weight)
    return asked


def unknown(view: views.ClusterView, service: str) -> refusals.Refusal:
    """There is no such service, or nobody can look."""
    if not view.synced:
        why = "; ".join(sentence.rstrip(".") for sentence in view.whole) or "the API server has not answered yet"
        return refusals.refuse(refusals.Reason.UNREAD, service=service, why=why)
    return refusals.refuse(refusals.Reason.INVALID, service=service, why=f"migration.yaml names no service {service}.")


def overview(
    view: views.ClusterView, operations: Mapping[str, migration.Operation], fleet: views.Fleet | None = None
) -> answers.Overview:
    """All services as the cluster has them; `operations`: those under way, by service. `fleet`: what the proxies say."""
    lines, trouble = [], list(view.trouble)
    for name in names(view):
        one, operation = view.services[name], operations.get(name)
        hosts = one.record.exposure if one.record else (one.wished.exposure if one.wished else None)
        rest = migration.Phase.HELD if one.holds else migration.Phase.STEADY
        lines.append(
            answers.ServiceLine(
                name=name,
                phase=operation.phase if operation else rest,
                weight=one.in_force.weight if one.in_force else 0,
                wish=one.wish,
                old_host=hosts.old_host if hosts else "",
                holds=tuple(hold.id for hold in one.holds),
                operation=operation,
                suppressed=_suppressed(fleet, one) if fleet is not None else None,
            )
        )
        if fleet is not None and (operation is None or operation.phase not in migration.RUNNING):
            trouble += served_otherwise(fleet, one)
    return answers.Overview(tuple(lines), tuple(trouble), view.synced)


def served_otherwise(fleet: views.Fleet, one: views.ServiceView) -> list[str]:
    """What proxies serve where that is not what the cluster says; while an operation runs it may differ for a moment. What a
    breaker keeps from new is told as that.
    """
    said = 0 if one.holds or one.in_force is None else min(one.in_force.weight, one.wish)
    reports = [report.services[one.name] for report in fleet.reports if one.name in report.services]
    served = [report.served for report in reports if report.suppression is None or report.served > said]
    found = []
    for weight in sorted(set(served) - {said}, reverse=True):
        then = f"`/migrate rollback {one.name}` takes it all back" if weight > said else f"`/migrate status {one.name}` says why"
        who = f"{served.count(weight)} of {len(reports)} proxies"
        found.append(f"{one.name}: {who} serve {weight}%, and the cluster says {said}%; {then}")
    return found


async def status(
    world: outside.Outside, of: migration.Migration, journey: answers.JourneyStatus | None = None
) -> answers.ServiceStatus:
    """One service, and what every proxy says of it now."""
    one = world.cluster.service(of.service)
    fleet, (firing, blind) = await asyncio.gather(world.agents.fleet(), _firing(world, of.service))
    view = world.cluster.view()
    trouble = [*view.whole, *one.trouble, *blind]
    if not view.synced and not view.whole:
        trouble.append("the cluster has not been read completely; what is shown may be out of date")
    if of.phase not in migration.RUNNING:
        trouble += served_otherwise(fleet, one)
    trouble += [f"{pod} gives no answer" for pod in fleet.silent]
    trouble += [f"{report.pod}: {sentence}" for report in fleet.reports for sentence in report.trouble]
    return answers.ServiceStatus(
        name=of.service,
        phase=of.phase,
        exposure=of.exposure,
        generation=of.generation,
        wish=one.wish,
        wished=one.wished,
        holds=one.holds,
        operation=of.operation,
        last=of.last,
        proxies=_proxies(fleet, of.service),
        expected=fleet.expected,
        served=_served(fleet, of, one),
        firing=firing,
        trouble=tuple(dict.fromkeys(trouble)),
        synced=world.cluster.view().synced,
        suppressed=_suppressed(fleet, one),
        journey=journey,
    )


async def history(world: outside.Outside, service: str) -> tuple[answers.Past, ...]:
    """Every change that is kept, newest first. Raises k8s.errors.ClusterError."""
    return tuple(audit_entry.past(revision) for revision in await world.records.history(service))


async def _firing(world: outside.Outside, service: str) -> tuple[tuple[str, ...], list[str]]:
    try:
        alerts = await world.alerts.firing(service)
    except errors.Away as error:
        return (), [str(error)]
    blind = await world.alerts.blind()
    told = tuple(f"{one.name} ({one.severity})" + (f": {one.summary}" if one.summary else "") for one in alerts)
    return told, [blind] if blind else []


def _proxies(fleet: views.Fleet, service: str) -> tuple[answers.ProxyLine, ...]:
    lines = []
    for report in fleet.reports:
        one = report.services.get(service)
        because = one.because if one else f"does not know {service}"
        lines.append(answers.ProxyLine(report.pod, report.ready, one.served if one else 0, one.generation if one else 0, because))
    lines += [answers.ProxyLine(pod, ready=False, served=None, generation=0, because="gives no answer") for pod in fleet.silent]
    return tuple(sorted(lines, key=lambda line: line.pod))


def _suppressed(fleet: views.Fleet, one: views.ServiceView) -> suppression.Suppressed | None:
    """What is finished has no breaker: there is no old to go to."""
    if one.record is not None and one.record.finished:
        return None
    return suppression.of(fleet, one.name)


def _served(fleet: views.Fleet, of: migration.Migration, one: views.ServiceView) -> str:
    """k of n proxies serve what is in force, in the words of the convergence verdict."""
    weight = 0 if one.holds else min(of.weight, one.wish)
    if of.generation == 0 and not one.holds:
        at_zero = sum(1 for report in fleet.reports if report.services.get(of.service) and not report.services[of.service].served)
        why = "; no record counts" if one.record_trouble or fleets.serves(fleet, one.name) else ": nothing was ever raised"
        return f"{at_zero} of {max(fleet.expected, len(fleet.reports))} proxies serve 0%{why}"
    if weight == 0:
        ids = [hold.id for hold in one.holds]
        return convergence.of_lowering(fleet, of.service, generation=of.generation, hold=ids[-1] if ids else "").sentence
    return convergence.of_raise(fleet, of.service, generation=of.generation, weight=weight).sentence


def _hosts(one: views.ServiceView) -> set[str]:
    exposures = [one.record.exposure if one.record else None, one.wished.exposure if one.wished else None]
    return {host for known in exposures if known for host in (known.old_host, known.new_host)}
