"""`ferry playground --story control-plane-gone`: the proxies alone take the traffic back, and only people bring it there again.

The agents hold after 4 s of a dead new cluster here, not after 60; everything else is as shipped.
"""

import pytest

from deploy.playground.stories import control_plane_gone, running, scene

pytestmark = [pytest.mark.stories, pytest.mark.xdist_group("playground-control-plane-gone"), pytest.mark.timeout(400)]
QUICK = ("breaker: {failures: 5, pause: 1s}", "health: {interval: 1s, failures: 2}")
SIZES = scene.Sizes(requests=4_000, agent={"FERRY_LATCH_AFTER": "4"}, service=QUICK)


async def test_with_everything_gone_a_dead_new_cluster_costs_no_reader_anything_and_ends_in_a_hold_for_people() -> None:
    told = await running.tell("control-plane-gone", sizes=SIZES)
    assert told.held, told.why
    measured, verdict = told.measured, told.verdict
    assert measured["seconds_from_death_to_the_last_request_at_new"] <= control_plane_gone.LIMIT
    assert measured["seconds_from_death_to_suppression_on_both"] <= control_plane_gone.LIMIT
    assert measured["seconds_from_death_to_latch"] >= measured["latch_after_s"] == 4.0
    assert [key.rpartition("-")[0] for key in measured["adopted"]] == ["hold.api-name01.latch"], "one outage is one hold"
    assert measured["seconds_from_return_of_the_api_to_settled"] > 0
    assert measured["requests_at_new_after_it_was_healed"] == 0
    assert measured["share_at_last"]["weight"] == control_plane_gone.WEIGHT
    assert measured["failed_reads"] == 0
    assert measured["reads"] > 0
    assert verdict.broken == ()
    assert verdict.checked["I1"] == 3, "shift, release, shift"
    assert verdict.checked["I13"] > 100
    assert {"I5", "I17"} <= verdict.checked.keys()


async def test_frozen_agents_go_on_sending_to_a_dead_cluster_and_the_story_says_so() -> None:
    told = await running.tell("control-plane-gone", sizes=SIZES, sabotage="frozen-agents")
    assert not told.held
    assert told.why[0].startswith("5 s after the new cluster's death not every proxy kept away from it")
    assert told.measured["seconds_from_death_to_suppression_on_both"] is None
