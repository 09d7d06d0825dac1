"""What the page shows as the share of now: over as many seconds as the weights have stood, and none of the time before."""

import pytest

from deploy.playground import figures, fleets
from deploy.playground.stories import history
from k8s import proxy_report, views


def points(*new: int) -> list[figures.Json]:
    """Of a hundred requests in each second."""
    return [{"t": float(second), "old": 100 - part, "new": part, "errors": 0, "fallback": 0} for second, part in enumerate(new)]


@pytest.mark.parametrize(
    ("steady", "share"),
    [
        (1.0, 20.0),  # three seconds at the least: 10, 20, 30
        (6.2, 22.0),  # the second in which it was changed does not count
        (60.0, 20.0),  # twelve at the most
    ],
)
def test_the_share_is_taken_since_the_weights_were_changed(steady: float, share: float) -> None:
    shown = points(99, 99, 25, 15, 20, 15, 15, 20, 20, 25, 25, 10, 20, 30)
    assert figures.latest(shown, steady=steady, served=True)["share_new"] == pytest.approx(share)


@pytest.mark.parametrize(
    ("usual", "served", "share"),
    [
        (50, True, 0.0),  # so many are not left out by chance: new is gone
        (4, True, 3.0),  # a second without any is nothing special
        (4, False, 0.0),  # nothing is sent there any more
    ],
)
def test_a_second_without_new_is_the_end_only_where_chance_is_no_reason(usual: int, served: bool, share: float) -> None:
    shown = figures.latest(points(usual, usual, usual, 0), steady=60.0, served=served)
    assert shown["share_new"] == pytest.approx(share)


class Nobody:
    async def fleet(self) -> views.Fleet:
        return views.Fleet(expected=0, reports=())


def seen(*weights: int) -> views.Fleet:
    """One proxy a weight."""
    reports = []
    for number, weight in enumerate(weights):
        service = proxy_report.ServiceReport(service="api", generation=1, served=weight)
        reports.append(
            proxy_report.ProxyReport(pod=f"p{number}", ready=True, terminating=False, config="", services={"api": service})
        )
    return views.Fleet(expected=len(weights), reports=tuple(reports))


def test_weights_stand_since_the_last_look_that_saw_others() -> None:
    watch = fleets.FleetWatch(Nobody())
    for at, fleet in ((10.0, seen(5, 5)), (11.0, seen(5, 25)), (12.0, seen(25, 25)), (13.0, seen(25, 25))):
        watch.samples.append(history.Sample(at, fleet))
        watch.latest = fleet
    assert watch.steady(20.0) == 8.0
    watch.latest = seen(0, 0)
    assert watch.steady(20.0) == 0.0
