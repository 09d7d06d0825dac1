"""What the rules read of an agent means what they take it for."""

from pathlib import Path

import pytest

from k8s import hold_document, model
from k8s.agent import safety_metrics
from tests.edges.protected_proxy import Proxy, view


@pytest.fixture
def proxy(tmp_path: Path) -> Proxy:
    one = Proxy(tmp_path)
    one.look(view(40))
    one.probed(True)
    return one


def told(proxy: Proxy, name: str) -> float:
    families = safety_metrics.SafetyMetrics(served=proxy.serving, protection=proxy.protection).collect()
    (value,) = (one.value for family in families for one in family.samples if one.name == name)
    return value


@pytest.mark.parametrize("for_whom", ["api", model.ALL_SERVICES])
def test_a_hold_because_of_the_document_is_no_latch_whose_alert_says_that_new_was_down(proxy: Proxy, for_whom: str) -> None:
    proxy.serving.hold(model.Hold(for_whom, hold_document.document_hold_id("7")))
    assert (told(proxy, "ferry_agent_held"), told(proxy, "ferry_agent_latched")) == (1, 0)


def test_a_breaker_that_is_down_for_long_makes_a_latch(proxy: Proxy) -> None:
    proxy.probed(False)
    proxy.time_passes(61)
    proxy.probed(False)
    assert (told(proxy, "ferry_agent_held"), told(proxy, "ferry_agent_latched")) == (1, 1)


def test_the_rule_about_a_breaker_that_stays_open_can_tell_open_from_steps_upwards(proxy: Proxy) -> None:
    def now() -> tuple[float, float]:
        return told(proxy, "ferry_agent_breaker_open"), told(proxy, "ferry_agent_suppression")

    proxy.tried(5, 503)
    assert now() == (1, 0)
    proxy.time_passes(10)
    proxy.probed(True)
    assert now() == (1, 1)
    proxy.tried(3, 200)
    proxy.time_passes(0.5)
    assert now() == (1, 10)


def test_a_breaker_that_takes_nothing_back_as_old_is_dead_does_not_look_open_to_that_rule(proxy: Proxy) -> None:
    proxy.tried(5, 504, cluster="old", seconds=0.5)
    proxy.tried(5, 503)
    assert (told(proxy, "ferry_agent_old_unusable"), told(proxy, "ferry_agent_suppression")) == (1, safety_metrics.UNCUT)
