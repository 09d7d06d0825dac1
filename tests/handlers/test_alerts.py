"""Alerts: a critical one for what is exposed is a hold, first of all; everything else is told."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from deploy.playground.kubernetes.faults import EVERYTHING
from handlers import messages
from handlers.rules import migration, refusals
from tests.handlers.test_taking_back import PATIENT, gone
from tests.handlers.world import NAMES, World

Reason = refusals.Reason
Outcome = migration.Outcome


async def test_a_critical_alert_in_the_verify_window_takes_the_raise_back(world: World) -> None:
    world.limits = PATIENT
    await world.restart()
    operation = await world.approved(5)
    await world.confirm(operation)
    await world.until(lambda: world.chat.phases[-1] == "verifying")
    heard = await world.front.alerts([world.alert()])
    assert (heard.acted, heard.lost) == (1, ())
    assert world.agents.served("shop") == [0, 0]
    closed = await world.closed(operation)
    assert closed.outcome is Outcome.REVERTED
    await world.settled()
    await world.until(lambda: any("NewClusterErrors" in page for page in world.chat.pages))
    assert [one.weight for one in await world.front.history("shop")] == [0, 5]


async def test_the_same_alert_again_and_its_neighbours_add_no_hold(world: World) -> None:
    await world.raised(5)
    alert = world.alert()
    first = await world.front.alerts([alert, world.alert(cause="fp2/start1"), world.alert(cause="fp3/start1")])
    assert first.acted == 3
    await world.until(lambda: len(world.standing()) == 1)
    assert (await world.front.alerts([alert])).acted == 1
    await world.settled()
    pages = len(world.chat.pages)
    assert (await world.front.alerts([world.alert(cause="fp4/start4")])).acted == 1  # held already: nobody is called twice
    assert (len(world.standing()), len(world.chat.pages)) == (1, pages)


async def test_an_alert_that_resolves_moves_nothing_and_its_hold_stays(world: World) -> None:
    await world.raised(5)
    alert = world.alert()
    world.alerts.fires = [alert]
    await world.front.alerts([alert])
    await world.settled()
    refused = await world.release()
    assert refused.refusal is not None
    assert refused.refusal.reason is Reason.CAUSE_FIRES
    world.alerts.fires = []
    heard = await world.front.alerts([world.alert(firing=False)])
    assert (heard.acted, heard.told, len(world.standing())) == (0, 1, 1)
    assert (await world.release()).refusal is None


async def test_an_alert_for_a_service_at_0_is_told_and_holds_nothing(world: World) -> None:
    heard = await world.front.alerts([world.alert()])
    assert (heard.acted, heard.told, world.agents.pushed) == (0, 1, [])
    assert (await world.front.alerts([world.alert()])).told == 1
    await world.until(lambda: world.chat.pages)
    assert "sends nothing to the new cluster" in world.chat.pages[0]
    assert len(world.chat.pages) == 1


async def test_no_alert_takes_users_into_an_old_cluster_that_is_dead_while_new_is_well(world: World) -> None:
    await world.raised(5)
    world.agents.dead_old = {"proxy-1", "proxy-2"}
    await world.front._alarms._fleets.ask()
    heard = await world.front.alerts([world.alert()])
    assert (heard.acted, heard.told, world.agents.served("shop"), world.standing()) == (0, 1, [5, 5], ())
    await world.until(lambda: any("mend the old cluster first" in page for page in world.chat.pages))
    world.agents.dead_old = {"proxy-1"}  # one of them reaches it again: Alertmanager repeats itself, and is obeyed
    assert (await world.front.alerts([world.alert()])).acted == 1
    assert world.agents.served("shop") == [0, 0]


@pytest.mark.parametrize("sign", ["new is down", "a proxy is silent", "nobody has asked before"])
async def test_what_is_not_proven_of_the_old_cluster_keeps_no_hold_back(world: World, sign: str) -> None:
    await world.raised(5)
    if sign != "nobody has asked before":
        world.agents.dead_old = {"proxy-1", "proxy-2"}
        world.agents.down = {"proxy-2"} if sign == "new is down" else set()
        world.agents.mute = {"proxy-2"} if sign == "a proxy is silent" else set()
        await world.front._alarms._fleets.ask()
    else:
        await world.front._alarms._fleets.ask()
        world.agents.dead_old = {"proxy-1", "proxy-2"}
    assert (await world.front.alerts([world.alert()])).acted == 1


async def test_a_person_may_hold_although_the_old_cluster_is_dead(world: World) -> None:
    await world.raised(5)
    world.agents.dead_old = {"proxy-1", "proxy-2"}
    await world.front._alarms._fleets.ask()
    await world.hold()
    assert world.agents.served("shop") == [0, 0]


async def test_an_alert_voids_a_raise_that_waits(world: World) -> None:
    operation = await world.approved(5)
    assert (await world.front.alerts([world.alert()])).acted == 1
    assert (await world.closed(operation)).outcome is Outcome.VOID


async def test_an_alert_from_before_the_first_exposure_is_shown_unless_it_is_about_new(world: World) -> None:
    await world.raised(5)
    await world.until(lambda: world.front._alarms._exposures.since("shop"))
    old = world.clock.now() - timedelta(hours=1)
    assert (await world.front.alerts([world.alert(started=old)])).told == 1
    assert world.agents.served("shop") == [5, 5]
    assert (await world.front.alerts([world.alert(started=old, cause="fp9/start9", about_new=True)])).acted == 1
    assert world.agents.served("shop") == [0, 0]


async def test_a_warning_and_an_unmapped_critical_are_told_only(world: World) -> None:
    await world.raised(5)
    warning = world.alert(severity=messages.Severity.WARNING, cause="w")
    heard = await world.front.alerts([warning, world.alert("", cause="u"), world.alert("nobody", cause="n")])
    assert (heard.acted, heard.told, world.agents.served("shop")) == (0, 3, [5, 5])
    await world.until(lambda: any("mapped to no service" in page for page in world.chat.pages))


async def test_an_unmapped_critical_holds_all_where_the_settings_say_so(world: World) -> None:
    await world.raised(5)
    await world.restart(unmapped_holds_all=True)
    for _ in range(2):
        assert (await world.front.alerts([world.alert("")])).acted == 1
    await world.until(lambda: all(len(world.standing(name)) == 1 for name in NAMES))
    assert world.agents.served("shop") == [0, 0]


async def test_an_alert_with_api_and_store_down_takes_traffic_back_by_push(world: World) -> None:
    await world.raised(25)
    world.pending.away = world.alerts.away = world.chat.broken = True
    rule = world.server.faults.refuse(gone(), EVERYTHING)
    heard = await world.front.alerts([world.alert()])
    assert (heard.acted, heard.lost, world.agents.served("shop")) == (1, (), [0, 0])
    rule.remove()
    await world.settled()


async def test_a_storm_of_alerts_is_one_key_a_service(world: World) -> None:
    await world.raised(5)
    await world.raised(5, service="cart")
    storm = [world.alert(name, cause=f"fp{number}") for number in range(500) for name in NAMES]
    heard = await world.front.alerts(storm)
    assert (heard.acted, heard.lost) == (1000, ())
    await asyncio.gather(*(world.settled(name) for name in NAMES))
    assert [len(world.standing(name)) for name in NAMES] == [1, 1]


async def test_an_alert_whose_hold_lands_nowhere_is_lost_and_asked_for_again(world: World) -> None:
    await world.raised(5)
    world.agents.mute.update(world.agents.pods)
    rule = world.server.faults.refuse(gone(), EVERYTHING)
    heard = await world.front.alerts([world.alert()])
    assert heard.lost == ("fp1/start1",)
    rule.remove()
    world.agents.mute.clear()
    assert (await world.front.alerts([world.alert()])).lost == ()
    await world.settled()


async def test_the_end_of_an_incident_is_a_card_when_the_last_alert_of_its_name_has_ended(world: World) -> None:
    ended, longer = world.alert(firing=False), world.alert(cause="longer window")
    await world.front.alerts([ended])  # nothing of it carries traffic: nobody heard of its beginning
    await world.raised(25)
    world.alerts.fires = [longer]
    await world.front.alerts([world.alert(firing=False, cause="8 seconds")])
    world.alerts.fires = []
    await world.front.alerts([replace(longer, firing=False)])
    await world.until(lambda: world.chat.alerts)
    assert [alert.cause for alert in world.chat.alerts] == ["longer window"]


async def test_two_alerts_of_one_incident_call_people_once(world: World) -> None:
    await world.raised(25)
    await asyncio.gather(*(world.front.alerts([world.alert(cause=cause)]) for cause in ("8 seconds", "2 minutes")))
    await world.settled()
    await world.until(lambda: world.chat.pages)
    assert len(world.chat.pages) == 1


async def test_a_warning_is_a_card_of_its_own_when_nothing_runs(world: World) -> None:
    warning = world.alert(severity=messages.Severity.WARNING, cause="w")
    unmapped = world.alert("", severity=messages.Severity.WARNING, cause="u")
    quiet = world.alert(severity=messages.Severity.OTHER, cause="o")
    for _ in range(2):
        await world.front.alerts([warning, unmapped, quiet, world.alert(cause="c")])
    await world.until(lambda: len(world.chat.alerts) == 2 and world.chat.pages)
    assert {alert.cause for alert in world.chat.alerts} == {"w", "u"}
    assert len(world.chat.pages) == 1
    operation = await world.approved(5)
    await world.front.alerts([replace(warning, cause="w2")])
    await world.until(lambda: any("(warning) fires" in line for line in world.chat.lines))
    assert (len(world.chat.alerts), operation.outcome) == (2, Outcome.OPEN)
