"""`ferry playground --story real-alert`: new fails, and rules, Prometheus, Alertmanager and bot take it back."""

import pytest

from deploy.playground.stories import running, scene

pytestmark = [pytest.mark.stories, pytest.mark.xdist_group("playground-real-alert"), pytest.mark.timeout(240)]


async def test_new_starts_failing_and_ends_without_traffic_though_nobody_did_anything() -> None:
    told = await running.tell("real-alert")
    assert told.held, told.why
    assert told.measured["failed_tries_at_new"] > 0
    assert "FerryNewClusterErrors" in told.measured["alerts"]
    assert told.verdict.broken == ()
    assert told.verdict.checked["I3"] == 1


async def test_with_prometheus_frozen_new_goes_on_failing_and_the_story_says_so() -> None:
    told = await running.tell("real-alert", sizes=scene.Sizes(limit=8.0), sabotage="frozen-prometheus")
    assert not told.held
    assert any(sentence.startswith("I3: api-name01: a request reached the new cluster") for sentence in told.verdict.broken)
    assert "no proxy holds api-name01" in told.why
