"""What forbids any raise of a service now, in sentences: unknown is not healthy, and no eyes is no shift. Only asks."""

import asyncio
from dataclasses import dataclass, field

from handlers import adopting, errors, fleets, judged, messages, outside
from handlers.rules import migration
from k8s import convergence, model, suppression, views


@dataclass(frozen=True, slots=True)
class Against:
    """`reported`: holds that agents have beside those of the cluster; they count. `still_firing`: ids of holds whose cause fires.

    `generation`: the highest that an agent reports; above the record's, the record was restored by hand. `firing`: the loud
    alerts. `blind`: why nobody watches, or can say what fires; empty: somebody does. `open_ends`: proxies that
    do not report the service as finished, a clause each. `ended`: at least one does.
    """

    sentences: tuple[str, ...] = ()
    reported: tuple[model.Hold, ...] = ()
    still_firing: tuple[str, ...] = ()
    generation: int = 0
    firing: judged.Loud = field(default_factory=judged.Loud)
    blind: str = ""
    open_ends: tuple[str, ...] = migration.NOBODY_ASKED
    ended: bool = False


NOTHING = Against()


class Blockers:
    def __init__(self, world: outside.Outside, asked: fleets.Fleets) -> None:
        self._world = world
        self._fleets = asked

    async def now(self, view: views.ServiceView, away: str = "") -> Against:
        """`away`: why the store cannot be reached; empty: it can."""
        fleet, firing, blind = await asyncio.gather(self._fleets.ask(), self._firing(view), self._world.alerts.blind())
        sentences = [away] if away else []
        sentences += cluster_trouble(self._world.cluster.view(), view)
        if isinstance(firing, str):
            sentences.append(firing)
            alerts: tuple[messages.Alert, ...] = ()
        else:
            alerts = tuple(alert for alert in firing if alert.firing)
        sentences += [f"the alert {alert.name} ({alert.severity}) fires" for alert in alerts if alert.severity in judged.LOUD]
        if blind:
            sentences.append(blind)
        sentences += fleet_trouble(fleet, view.name)
        if view.record is None or not view.record.finished:  # what is finished has no breaker: there is no old to go to
            sentences += suppression.against_raising(fleet, view.name)
        reported = adopting.only_reported(fleet, view, self._world.clock, cluster=self._world.cluster.view())
        causes = {alert.cause for alert in alerts}
        still = tuple(hold.id for hold in (*view.holds, *reported) if hold.cause and hold.cause in causes)
        return Against(
            tuple(_plain(one) for one in sentences),
            reported,
            still,
            fleets.highest_generation(fleet, view.name),
            judged.loud(alerts),
            blind or (firing if isinstance(firing, str) else ""),
            tuple(f"{pod} {why}" for pod, why in convergence.not_finished(fleet, view.name)),
            fleets.ended(fleet, view.name),
        )

    async def _firing(self, view: views.ServiceView) -> tuple[messages.Alert, ...] | str:
        """Also those that belong to no service, where one of them holds all."""
        names = {view.name} | ({""} if any(hold.service == model.ALL_SERVICES and hold.cause for hold in view.holds) else set())
        try:
            found = await asyncio.gather(*(self._world.alerts.firing(name) for name in sorted(names)))
        except errors.Away as error:
            return str(error)
        return tuple({alert.cause: alert for some in found for alert in some}.values())


def cluster_trouble(view: views.ClusterView, one: views.ServiceView) -> list[str]:
    """Of the whole cluster. What is wrong with another service is none of its business; a record of its own that was damaged
    or restored by hand is mended by the very shift that this would refuse."""
    sentences = list(view.whole)
    if not view.synced and not sentences:
        sentences.append("the cluster has not been read completely")
    if one.refused and not view.whole:
        sentences.append(one.refused)
    if one.wished is not None and not one.wished.enabled:
        sentences.append(f"migration.yaml says enabled: false for {one.name}; set enabled: true first")
    return sentences


def fleet_trouble(fleet: views.Fleet, service: str) -> list[str]:
    """Every proxy that is expected must be there, answer and be ready."""
    if fleet.silent:
        return [f"no answer from {', '.join(fleet.silent)}"]
    ready = [report for report in fleet.reports if report.ready and not report.terminating]
    if fleet.expected < 1 or len(ready) < fleet.expected:
        return [f"{len(ready)} of {fleet.expected} proxies are ready"]
    strangers = [report.pod for report in ready if service not in report.services]
    return [f"{pod} does not know {service} yet" for pod in strangers]


def _plain(sentence: str) -> str:
    """Blockers are joined into one sentence: without a full stop of their own."""
    return sentence.strip().rstrip(".")
