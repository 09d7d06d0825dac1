"""What the breakers of proxies do to a raise: it is not there while one cuts it, and no proxy is called late for that."""

from dataclasses import replace
from typing import Any

import pytest

from handlers import queries
from handlers.rules import health
from k8s import convergence, model, protocol, proxy_report, report_document, suppression, views
from tests.rules import builders

FIVE = "5 tries at the new cluster failed in a row"
SHOP = proxy_report.ServiceReport("shop", generation=2, served=25, because="record 2", traffic=proxy_report.Traffic())


PROBE = "see why under Trouble in `/migrate status shop`, and wait until it answers"


def proxy(pod: str, **changes: Any) -> proxy_report.ProxyReport:
    return proxy_report.ProxyReport(
        pod, ready=True, terminating=False, config="c", services={"shop": replace(SHOP, **changes)}
    )  # fmt: skip


def cut(pod: str, reason: str = FIVE, *, to: int = 0, **changes: Any) -> proxy_report.ProxyReport:
    return proxy(pod, served=to, suppression=to, because=f"suppressed by the breaker ({reason})", **changes)


def fleet(*reports: proxy_report.ProxyReport, silent: tuple[str, ...] = ()) -> views.Fleet:
    return views.Fleet(expected=len(reports), reports=reports, silent=silent)


def waiting(of: views.Fleet, *, weight: int = 25) -> convergence.Waiting:
    verdict = convergence.of_raise(of, "shop", generation=2, weight=weight)
    assert isinstance(verdict, convergence.Waiting), verdict
    return verdict


def test_a_raise_to_the_very_percent_that_a_half_open_breaker_lets_through_is_not_there() -> None:
    assert isinstance(convergence.of_raise(fleet(proxy("p", served=1)), "shop", generation=2, weight=1), convergence.Converged)
    half = waiting(fleet(cut("p", "half open", to=1)), weight=1)
    assert (half.done, half.lagging, half.suppressed, half.all_suppressed) == (0, (), ("p",), True)


def test_a_breaker_is_no_lag_of_its_proxy_and_the_sentence_names_it_and_why() -> None:
    both = waiting(fleet(cut("p1"), cut("p2")))
    assert both.lagging == ()
    assert both.sentence == f"0 of 2 proxies serve generation 2 at 25%: the breaker at p1, p2 keeps traffic from new ({FIVE})"
    one = waiting(fleet(proxy("p1"), cut("p2")))
    assert (one.done, one.all_suppressed) == (1, False), "where one serves it the others may yet"
    behind = waiting(fleet(cut("p1"), cut("p2", generation=1)))
    assert (behind.lagging, behind.suppressed, behind.all_suppressed) == ((("p2", "serves generation 1"),), ("p1",), False)
    assert not waiting(fleet(cut("p1"), silent=("p2",))).all_suppressed
    more = replace(fleet(proxy("p1"), proxy("p2"), cut("p3")), expected=2)
    assert waiting(more).suppressed == ("p3",), "more than the expected ones are not enough while one is cut"


def test_lowering_does_not_ask_about_breakers() -> None:
    for reached in (cut("p"), cut("p", to=5)):
        verdict = convergence.of_lowering(fleet(reached), "shop", generation=2, weight=5)
        assert isinstance(verdict, convergence.Converged), verdict


def test_the_reason_is_the_agents_own_and_reads_as_what_it_really_says() -> None:
    record = protocol.Record("uid", "shop", 2, builders.exposure(25), "op-1")
    seen = protocol.see_record(protocol.Memory("shop"), record, payload=record.encode(), uid="uid")
    real = protocol.effective(protocol.see_wish(seen, 25), suppression=0)
    assert real.because == suppression.BY_THE_BREAKER
    for because, why in (
        (f"{real.because} ({FIVE})", FIVE),
        (f"{real.because} (half open: no answer (tls))", "half open: no answer (tls)"),
        (f"{real.because} ({FIVE}); nginx does not serve the approved hosts", FIVE),
        (real.because, "it does not say why"),
        ("", "it does not say why"),
        ("the link could not be\nmoved", "the link could not be moved"),
    ):
        assert suppression.why(replace(SHOP, because=because)) == why
    assert len(suppression.why(replace(SHOP, because="x" * 5_000))) <= 200


def test_what_is_suppressed_is_summed_over_the_live_proxies() -> None:
    leaving = replace(cut("p3", "something else"), terminating=True)
    seen = suppression.of(
        fleet(
            cut("p1", suppressed_since="2026-01-02T21:14:00Z"),
            cut("p2", suppressed_since="2026-01-02T21:13:00Z"),
            leaving,
            proxy("p4"),
        ),
        "shop",
    )
    assert seen == suppression.Suppressed(("p1", "p2"), 3, 0, 25, FIVE, since="2026-01-02T21:13:00Z")
    assert seen.sentence == f"the breaker at 2 of 3 proxies keeps traffic from new ({FIVE})"
    assert suppression.of(fleet(proxy("p1"), leaving), "shop") is None
    assert suppression.of(fleet(cut("p1")), "cart") is None


@pytest.mark.parametrize(
    ("reports", "said"),
    [
        ((proxy("p1", new_up=True), proxy("p2", new_up=None)), []),
        ((replace(cut("p1"), terminating=True), replace(proxy("p2", new_up=False), terminating=True)), []),
        (
            (proxy("p1"), cut("p2", new_up=False)),
            [f"the breaker at p2 keeps traffic from new ({FIVE}); it ends by itself when the new cluster answers again"],
        ),
        (
            (proxy("p1", served=0, new_up=False), proxy("p2", served=0, new_up=False)),
            [f"the new cluster does not answer the probe of p1, p2; {PROBE}"],
        ),
    ],
)
def test_what_speaks_against_raising_names_the_proxy_why_and_what_to_do(
    reports: tuple[proxy_report.ProxyReport, ...], said: list[str]
) -> None:
    assert suppression.against_raising(fleet(*reports), "shop") == said


def test_a_breaker_that_opens_while_a_raise_is_watched_is_not_healthy_whatever_was_counted() -> None:
    start = fleet(proxy("p1"), proxy("p2"))
    many = proxy_report.Traffic(new=250, old=750, attempts_new=250, answered_new=250, answered_old=750)

    def judged(now: views.Fleet) -> health.Verdict:
        return health.verdict(start, now, service="shop", weight=25, gates=model.Gates())

    assert isinstance(judged(fleet(proxy("p1", traffic=many), proxy("p2"))), health.Healthy)
    for now in (
        fleet(proxy("p1", traffic=many), cut("p2")),
        fleet(proxy("p1", traffic=many), cut("p2"), silent=("p3",)),
        fleet(proxy("p1"), cut("p2")),
    ):
        verdict = judged(now)
        assert isinstance(verdict, health.Unhealthy), verdict
        assert verdict.sentence == f"the breaker at p2 keeps traffic from new ({FIVE})"


def test_a_proxy_that_began_after_the_change_proves_nothing_by_being_careful() -> None:
    start = fleet(proxy("p1"))
    many = proxy_report.Traffic(new=250, old=750, attempts_new=250, answered_new=250, answered_old=750)
    fresh = cut("p9", "the new cluster has not answered this proxy's probe yet")
    for now in (fleet(proxy("p1", traffic=many), fresh), fleet(proxy("p1", traffic=many), replace(cut("p1"), terminating=True))):
        assert isinstance(health.verdict(start, now, service="shop", weight=25, gates=model.Gates()), health.Healthy)


def test_the_list_says_who_is_suppressed_and_does_not_call_it_a_disagreement() -> None:
    record = protocol.Record("uid", "shop", 2, builders.exposure(25), "op-1")
    shop = replace(builders.view(builders.exposure(25), generation=2), record=record)
    view = views.ClusterView({"shop": shop}, synced=True)
    overview = queries.overview(view, {}, fleet(cut("p1"), cut("p2")))
    assert overview.trouble == ()
    assert overview.services[0].suppressed == suppression.Suppressed(("p1", "p2"), 2, 0, 0, FIVE)
    stuck = queries.overview(view, {}, fleet(cut("p1"), proxy("p2", served=0))).trouble
    assert stuck == ("shop: 1 of 2 proxies serve 0%, and the cluster says 25%; `/migrate status shop` says why",)
    above = queries.overview(view, {}, fleet(cut("p1", to=60))).trouble
    assert "`/migrate rollback shop` takes it all back" in above[0]
    finished = replace(shop, record=replace(record, finished=True, exposure=builders.exposure(100)))
    ended = queries.overview(views.ClusterView({"shop": finished}, synced=True), {}, fleet(cut("p1")))
    assert ended.services[0].suppressed is None
    assert queries.overview(view, {}).services[0].suppressed is None


def test_what_an_agent_says_of_its_breaker_and_probe_survives_json_and_may_be_missing() -> None:
    said = replace(SHOP, suppression=1, suppressed_since="2026-01-02T21:14:00Z", new_up=False)
    document = report_document.service_as_document(said)
    assert report_document.service_from(document) == said
    older = {name: value for name, value in document.items() if name not in {"suppression", "suppressed_since", "new_up"}}
    assert report_document.service_from(older) == SHOP
