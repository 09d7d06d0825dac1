"""`ferry playground --story journey`: the whole way of a service while people use it; where new fails, nothing climbs."""

from dataclasses import replace

import pytest

from deploy.playground.stories import cluster_list, running, scene
from tests.stories.keeps_idle import keeps_idle

pytestmark = [pytest.mark.stories, pytest.mark.long, pytest.mark.xdist_group("playground-journey"), pytest.mark.timeout(400)]
SHORT = scene.Sizes(ladder=(50, 100), window=6.0)  # `--story journey` climbs all five steps


async def test_one_service_goes_the_whole_way_and_nobody_who_uses_it_notices() -> None:
    told = await running.tell("journey", sizes=replace(SHORT, writing=await keeps_idle()))
    assert told.held, told.why
    measured, verdict = told.measured, told.verdict
    assert [one["weight"] for one in measured["shares"]] == [0, 50, 100, 100, 100], "prepared, each step, forward, removal"
    assert [one["old"] for one in measured["shares"][-3:]] == [0, 0, 0]
    assert measured["requests"] > 0
    assert measured["failed_requests"] == 0
    assert measured["objects"] == sorted(cluster_list.FINISHED)
    assert set(measured["refused"]) == {"shift before its soak", "finish before 100%", "finish before the backup time"}
    assert measured["processes_of_old_that_ended"] == 2
    assert verdict.broken == ()
    assert verdict.checked["I1"] == len(SHORT.ladder) + 1, "each step, and the end"
    assert verdict.checked["I18"] > 0


async def test_a_failing_new_cluster_gets_no_second_step_and_the_story_says_so() -> None:
    told = await running.tell("journey", sabotage="failing-new", sizes=SHORT)
    assert not told.held
    assert {one["weight"] for one in told.measured["shares"]} <= {0, 50}


def test_one_object_too_many_one_too_few_and_one_that_differs_are_seen() -> None:
    found = {**cluster_list.FINISHED, "Service team/left-over": "ClusterIP"}
    gone = f"Service {cluster_list.HOME}/new-cluster-proxy"
    other = f"Ingress {cluster_list.HOME}/bbdm-api"
    del found[gone]
    found[other] = {cluster_list.APP.old_host: "/ bbdm-api:8078"}
    wrong = cluster_list.differences(found, cluster_list.FINISHED)
    assert len(wrong) == 3
    for part in (f"{gone} is missing", "Service team/left-over should not be there", f"{other} is"):
        assert any(sentence.startswith(part) for sentence in wrong)
