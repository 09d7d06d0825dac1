"""New fails, and the proxies keep users away from it by themselves: nothing is raised onto that, and everybody is told why."""

from dataclasses import replace

import pytest

from handlers import answers, blockers, fleets
from handlers.rules import migration, refusals
from k8s import model, suppression, views
from tests.handlers.world import ANN, World

Reason = refusals.Reason
Outcome = migration.Outcome
FIVE = "5 tries at the new cluster failed in a row"
OPEN = (0, FIVE)
PROBE = "see why under Trouble in `/migrate status shop`, and wait until it answers"


async def impatient(world: World) -> None:
    """Limits of a raise that need not be waited for in a test."""
    world.limits = replace(world.limits, converge=6.0, verify=0.3)
    await world.restart()


def blocked(answer: answers.Answer) -> str:
    assert answer.refusal is not None, answer.sentence
    assert answer.refusal.reason is Reason.BLOCKED
    return answer.sentence


async def test_a_raise_is_refused_at_every_step_while_one_breaker_is_open(world: World) -> None:
    await world.raised(5)
    world.agents.breakers["proxy-2"] = OPEN
    said = f"the breaker at proxy-2 keeps traffic from new ({FIVE}); it ends by itself when the new cluster answers again"
    assert said in blocked(await world.ask(25))
    assert await world.front.waiting("shop") is None
    world.agents.breakers.clear()
    asked = await world.ask(25)
    assert asked.operation is not None
    world.agents.breakers["proxy-2"] = OPEN
    assert said in blocked(await world.approve(asked.operation))
    world.agents.breakers.clear()
    approved = await world.approve(asked.operation)
    assert approved.operation is not None
    world.agents.breakers["proxy-2"] = OPEN
    assert said in blocked(await world.confirm(approved.operation))
    assert (world.weight(), world.agents.served("shop")) == (5, [5, 0])
    world.agents.breakers.clear()
    await world.confirm(approved.operation)
    assert (await world.closed(approved.operation)).outcome is Outcome.DONE
    assert world.agents.served("shop") == [25, 25]


async def test_lowering_is_never_refused_for_a_breaker(world: World) -> None:
    await world.raised(25)
    world.agents.breakers = {"proxy-1": (1, "half open"), "proxy-2": OPEN}
    world.agents.down = {"proxy-1", "proxy-2"}
    asked = await world.ask(5)
    assert asked.operation is not None, asked.sentence
    await world.confirm(asked.operation)
    assert (await world.closed(asked.operation)).outcome is Outcome.DONE
    assert (await world.hold()).safe


async def test_a_first_raise_is_refused_while_a_probe_finds_new_down(world: World) -> None:
    world.agents.down.add("proxy-1")
    assert "does not answer the probe of proxy-1; see why under Trouble" in blocked(await world.ask(5))
    world.agents.down.clear()
    assert (await world.ask(5)).refusal is None


async def test_a_latch_is_not_released_while_new_is_still_down(world: World) -> None:
    await world.raised(25)
    latch = model.Hold("shop", "latch-0badcafe", reason="the new cluster has been down for 60 s", by="proxy-1", cause="breaker")
    world.agents.down.add("proxy-1")
    await world.agents.push(latch)  # by itself: that is how it is seen from here
    await world.until(
        lambda: any("by the proxies themselves (proxy-1): the new cluster has been" in one for one in world.chat.pages)
    )
    await world.settled()
    refused = await world.release()
    assert refused.refusal is not None, refused.sentence
    assert refused.refusal.reason is Reason.NOT_RELEASED
    assert "The hold of shop was not released." in refused.sentence
    assert "the probe of proxy-1" in refused.sentence
    assert "ask again with `/migrate safe-mode off shop`" in refused.sentence
    world.agents.down.clear()
    assert (await world.release(who=ANN)).operation is not None


async def test_a_raise_that_every_breaker_cuts_ends_long_before_the_limit_and_says_why(world: World) -> None:
    await impatient(world)
    await world.raised(5)
    operation = await world.approved(25)
    world.records.after_write = lambda: world.agents.breakers.update({"proxy-1": OPEN, "proxy-2": OPEN})
    await world.confirm(operation)
    closed = await world.closed(operation)
    assert closed.outcome is Outcome.REVERTED
    assert f"the breaker at proxy-1, proxy-2 keeps traffic from new ({FIVE})" in closed.because
    assert "within" not in closed.because, "no limit was waited for"
    assert (world.weight(), world.wish()) == (5, 5)


async def test_a_raise_onto_a_breaker_that_closes_in_time_is_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await impatient(world)
    await world.raised(5)
    operation = await world.approved(25)
    honest, looks = world.agents.fleet, []

    async def closes_after_many_looks() -> views.Fleet:
        fleet = await honest()
        if suppression.of(fleet, "shop"):
            looks.append(world.weight())
            if len(looks) == 10:
                world.agents.breakers.clear()
        return fleet

    monkeypatch.setattr(world.agents, "fleet", closes_after_many_looks)
    world.records.after_write = lambda: world.agents.breakers.update({"proxy-2": OPEN})
    await world.confirm(operation)
    assert (await world.closed(operation)).outcome is Outcome.DONE
    assert len(looks) == 10
    assert looks[-1] == 25


async def test_breakers_that_come_and_go_have_the_whole_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.limits = replace(world.limits, converge=0.6)
    await world.restart()
    operation = await world.approved(5)
    honest, looks = world.agents.fleet, iter(range(10_000))

    async def come_and_go() -> views.Fleet:
        world.agents.breakers = {"proxy-2": OPEN} if next(looks) % 3 == 0 else {"proxy-1": OPEN, "proxy-2": OPEN}
        return await honest()

    world.records.after_write = lambda: monkeypatch.setattr(world.agents, "fleet", come_and_go)
    await world.confirm(operation)
    closed = await world.closed(operation)
    assert closed.outcome is Outcome.REVERTED
    assert "not every proxy served it within 0.6 s" in closed.because


async def test_what_is_finished_is_not_kept_back_by_a_breaker_or_a_probe(world: World) -> None:
    await world.raised(5)
    world.agents.breakers["proxy-1"] = OPEN
    world.agents.down.add("proxy-2")
    asking = blockers.Blockers(world.outside, fleets.Fleets(world.agents))
    view = world.cluster.service("shop")
    assert view.record is not None
    against = (await asking.now(view)).sentences
    assert [one.split(" (")[0] for one in against] == [
        "the breaker at proxy-1 keeps traffic from new",
        f"the new cluster does not answer the probe of proxy-2; {PROBE}",
    ]
    finished = replace(view, record=replace(view.record, finished=True))
    assert (await asking.now(finished)).sentences == ()


async def test_a_breaker_that_opens_while_the_raise_is_watched_takes_it_back(world: World) -> None:
    await impatient(world)
    operation = await world.approved(5)
    await world.confirm(operation)
    await world.until(lambda: "verifying" in world.chat.phases)
    world.agents.breakers["proxy-1"] = OPEN
    closed = await world.closed(operation)
    assert closed.outcome is Outcome.REVERTED
    assert f"going back to 0%: the breaker at proxy-1 keeps traffic from new ({FIVE})" in closed.because


async def test_the_status_tells_what_is_kept_from_new(world: World) -> None:
    await world.raised(25)
    world.agents.breakers = {"proxy-1": OPEN, "proxy-2": OPEN}
    status = await world.front.status("shop")
    assert isinstance(status, answers.ServiceStatus)
    assert status.suppressed is not None
    assert (status.weight, status.suppressed.highest, status.suppressed.pods) == (25, 0, ("proxy-1", "proxy-2"))
    assert "the breaker at proxy-1, proxy-2 keeps traffic from new" in status.served
    assert status.trouble == ()


async def test_a_document_hold_of_the_proxies_is_told_once_for_all(world: World) -> None:
    await world.raised(25)
    why = "migration.yaml cannot be relied on for 30 s: line 3 is no YAML"
    await world.agents.push(model.Hold("all", "document-0123456789", reason=why, by="proxy-2", cause="document"))
    await world.settled()
    told = [one for one in world.chat.pages if "proxies themselves" in one]
    assert len(told) == 1, world.chat.pages
    assert f"All services are held at 100% old by the proxies themselves (proxy-2): {why}. Nothing goes forward" in told[0]
