"""`ferry playground --story new-cluster-dies`: whoever reads notices no fault, and each ends by itself; without old it fails.

The service waits 1.5 s for an answer here, not 30, and asks more often whether new is well; everything else is as shipped.
"""

import pytest

from deploy.playground.stories import new_cluster_dies, running, scene
from deploy.playground.world import traffic

pytestmark = [pytest.mark.stories, pytest.mark.xdist_group("playground-new-cluster-dies"), pytest.mark.timeout(240)]
QUICK = (
    "timeout: 1500ms",
    "connect_timeout: 500ms",
    "breaker: {failures: 5, pause: 1s}",
    "health: {interval: 1s, failures: 2}",
)
SIZES = scene.Sizes(requests=4_000, service=QUICK)


async def test_each_fault_is_seen_and_survived_by_the_proxies_alone_and_its_end_brings_the_share_back() -> None:
    told = await running.tell("new-cluster-dies", sizes=SIZES)
    assert told.held, told.why
    measured, verdict = told.measured, told.verdict
    assert [one["fault"] for one in measured["faults"]] == [
        "down", "hanging", "slow", "unavailable", "resetting", "dropped",
    ]  # fmt: skip
    for one in measured["faults"]:
        assert one["reads"] > 0
        assert one["failed_reads"] == 0
        assert one["longest_read_s"] <= measured["deadline_of_a_client_s"] == traffic.DEADLINE
        assert one["seconds"]["until_every_breaker_is_open"] <= measured["limit_to_open_s"]
        assert one["seconds"]["from_repair_to_the_whole_share"] <= new_cluster_dies.BACK_WITHIN
    by_name = {one["fault"]: one for one in measured["faults"]}
    assert by_name["hanging"]["reads_over_1_s"] > 0, "somebody must have met the fault"
    assert by_name["unavailable"]["seconds"]["until_the_last_request_at_new"] is not None
    assert measured["share_at_last"]["weight"] == new_cluster_dies.WEIGHT
    assert measured["share_at_last"]["failed"] == 0
    assert verdict.broken == ()
    assert verdict.checked["I13"] > 100
    assert verdict.checked["I14"] > 100
    assert verdict.checked["I10"] == measured["reads"] + SIZES.requests


async def test_without_the_old_cluster_readers_fail_and_the_story_says_so() -> None:
    told = await running.tell("new-cluster-dies", sizes=scene.Sizes(limit=3.0, service=QUICK), sabotage="no-old")
    assert not told.held
    assert any(sentence.startswith("down: ") and sentence.endswith("readers failed") for sentence in told.why)
    assert any("GET, HEAD and OPTIONS failed" in sentence for sentence in told.why)


async def test_agents_that_do_nothing_open_no_breaker_and_the_story_says_so() -> None:
    told = await running.tell("new-cluster-dies", sizes=scene.Sizes(limit=3.0, service=QUICK), sabotage="frozen-agents")
    assert not told.held
    assert any(sentence.startswith("down: not every breaker was open after 3 s") for sentence in told.why)
