"""`ferry playground --story alert`: a critical alert takes every request back; with frozen agents or a wrong token it cannot."""

import pytest

from deploy.playground.stories import running, scene

pytestmark = [pytest.mark.stories, pytest.mark.xdist_group("playground-alert"), pytest.mark.timeout(240)]
ROUNDS = 6


async def test_each_alert_takes_all_traffic_back_and_each_way_up_again_is_a_new_approved_plan() -> None:
    told = await running.tell("alert", sizes=scene.Sizes(rounds=ROUNDS))
    assert told.held, told.why
    measured, verdict = told.measured, told.verdict
    assert measured["n"] == ROUNDS
    assert 0 <= measured["last_at_new_ms"]["p50"] <= measured["last_at_new_ms"]["p99"] <= measured["last_at_new_ms"]["max"]
    assert measured["requests"] > 0
    assert measured["failed_requests"] == 0
    assert verdict.broken == ()
    assert verdict.checked["I3"] == ROUNDS
    assert verdict.checked["I1"] == 2 * ROUNDS, "each shift and each safe-mode off"
    assert verdict.checked["I17"] >= ROUNDS


async def test_agents_that_do_nothing_are_seen_as_a_broken_promise() -> None:
    told = await running.tell("alert", sizes=scene.Sizes(rounds=2), sabotage="frozen-agents")
    assert not told.held
    assert any(sentence.startswith("I3: api-name01: a request reached the new cluster") for sentence in told.verdict.broken)


async def test_an_alert_with_a_wrong_token_moves_nothing_and_fails_the_story() -> None:
    told = await running.tell("alert", sizes=scene.Sizes(rounds=2), sabotage="wrong-token")
    assert not told.held
    assert told.why[0] == "the alert was answered with HTTP 401"
    assert told.measured["n"] == 0
    assert not any("put to the test" in sentence for sentence in told.why), "it broke off early, and says so"
