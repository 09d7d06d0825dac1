"""What a share of keys is expected to be of the requests, how far off it may be, and what it had to be."""

import random
from dataclasses import replace
from itertools import accumulate

import pytest

from handlers.rules import health, key_outlook
from k8s import key_spread, model, proxy_report, views

STICKY = model.Exposure(weight=25, old_host="a.example", new_host="b.example", sticky=model.sticky_from("cookie:session"))
USERS = replace(
    STICKY, sticky=model.Sticky(), strategy=model.Strategy.USER, user=model.UserRule(model.sticky_from("cookie:user"), ("ann",))
)


def spread(
    counts: dict[int, int], *, of: model.Exposure = STICKY, new: int | None = None, addresses: int = 0
) -> key_spread.Spread:
    """Requests by bucket, all of them quick; `new`: how many went there, all that had to if None."""
    buckets = tuple(counts.get(bucket, 0) for bucket in range(100))
    chosen = sum(buckets[: of.weight]) if new is None else new
    return key_spread.Spread(key_spread.key_of(of), key_spread.rules_of(of), buckets, buckets, chosen, addresses)


def fleet(*spreads: key_spread.Spread | None) -> views.Fleet:
    reports = []
    for place, one in enumerate(spreads):
        total, new = (sum(one.quick), one.quick_new) if one is not None else (0, 0)
        traffic = proxy_report.Traffic(new=new, old=total - new, attempts_new=new, answered_new=new, answered_old=total - new)
        said = proxy_report.ServiceReport("shop", generation=2, served=25, traffic=traffic, spread=one)
        reports.append(proxy_report.ProxyReport(f"pod-{place}", True, False, "c", {"shop": said}))
    return views.Fleet(expected=len(reports), reports=tuple(reports))


def seen(*spreads: key_spread.Spread | None, of: model.Exposure = STICKY) -> key_outlook.Outlook:
    found = key_outlook.outlook(fleet(*spreads), "shop", of)
    assert isinstance(found, key_outlook.Outlook)
    return found


def test_the_expected_share_is_that_of_the_requests_whose_buckets_go_to_new_at_all_proxies_together() -> None:
    found = seen(spread({0: 10, 24: 5, 25: 60}), spread({24: 5, 99: 20}))
    assert found.share == 20 / 100
    assert (found.weight, found.proxies, found.requests, found.more) == (25, 2, 100, False)
    assert found.keys == 4


def test_one_key_may_have_all_requests_or_none_at_new_and_everything_in_between_is_not_promised() -> None:
    found = seen(spread({60: 1_000}))
    assert (found.keys, found.share, found.low, found.high) == (1, 0.0, 0.0, 1.0)


def test_no_key_decides_or_nothing_goes_to_new_then_there_is_nothing_to_say() -> None:
    assert key_outlook.outlook(fleet(spread({1: 1})), "shop", replace(STICKY, sticky=model.Sticky())) is None
    assert key_outlook.outlook(fleet(spread({1: 1})), "shop", STICKY.at(0)) is None


def test_why_nobody_can_say_is_said() -> None:
    other = replace(STICKY, sticky=model.sticky_from("cookie:other"))
    ruled = replace(STICKY, strategy=model.Strategy.IP, cidrs=("10.2.0.0/16",))
    for told, why in (
        (None, key_outlook.Why.NO_COUNTS),
        (fleet(), key_outlook.Why.NO_COUNTS),
        (fleet(None, None), key_outlook.Why.NO_COUNTS),
        (fleet(spread({1: 9}, of=other), None), key_outlook.Why.OTHER_KEY),
        (fleet(spread({1: 9}, of=ruled)), key_outlook.Why.OTHER_KEY),
        (fleet(spread({})), key_outlook.Why.NO_REQUESTS),
    ):
        assert key_outlook.outlook(told, "shop", STICKY) == key_outlook.Unseen("cookie:session", why)
    assert seen(spread({1: 9}, of=other), spread({30: 9})).proxies == 1


def test_addresses_that_several_proxies_saw_are_counted_once() -> None:
    by_address = replace(STICKY, sticky=model.sticky_from("client_ip"))
    found = seen(
        spread(dict.fromkeys(range(100), 50), of=by_address, addresses=(1 << 500) - 1),
        spread(dict.fromkeys(range(100), 50), of=by_address, addresses=(1 << 500) - 1),
        of=by_address,
    )
    assert (found.keys, found.more) == (575, False)


def test_listed_users_leave_nothing_to_chance() -> None:
    listed = seen(spread({0: 10_000, **dict.fromkeys(range(1, 100), 10)}, of=USERS), of=USERS)
    assert listed.share == pytest.approx(10_240 / 10_990)
    assert listed.high - listed.low < 0.02
    drawn = replace(USERS, user=model.UserRule(model.sticky_from("cookie:user")))
    assert seen(spread({0: 10_000, **dict.fromkeys(range(1, 100), 10)}, of=drawn), of=drawn).high == 1.0


@pytest.mark.parametrize("weight", [5, 25, 60])
@pytest.mark.parametrize(("users", "steep"), [(40, 0.0), (240, 1.0), (3_000, 0.0), (3_000, 1.2)])
def test_the_share_that_was_promised_of_other_keys_just_as_busy_lies_mostly_in_its_range(
    users: int, steep: float, weight: int
) -> None:
    """Keys by a law of Zipf: a share predicted from some, looked at again when half of them are others."""
    lots = random.Random(users + weight)
    held = 0
    for _ in range(200):
        busy = list(accumulate(1 / (rank + 1) ** steep for rank in range(users)))
        buckets = [lots.randrange(100) for _ in range(users)]
        later = [lots.randrange(100) if lots.random() < 0.5 else bucket for bucket in buckets]
        found = seen(spread(_requests(lots, buckets, busy)), of=STICKY.at(weight))
        then = _requests(lots, later, busy)
        held += found.low <= sum(count for bucket, count in then.items() if bucket < weight) / sum(then.values()) <= found.high
    assert held >= 180


def _requests(lots: random.Random, buckets: list[int], busy: list[float]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for bucket in lots.choices(buckets, cum_weights=busy, k=3_000):
        counts[bucket] = counts.get(bucket, 0) + 1
    return counts


# What became of a raise.

ZERO = fleet(spread({}), spread({}))


def judged(now: views.Fleet, start: views.Fleet = ZERO) -> health.Verdict:
    return health.verdict(start, now, service="shop", weight=25, gates=model.Gates(), judge_share=False, keyed=STICKY)


@pytest.mark.parametrize("busy_at_new", [0, 180, 990])
def test_whatever_share_the_keys_make_due_is_right(busy_at_new: int) -> None:
    verdict = judged(fleet(spread({24: busy_at_new, 25: 1_000 - busy_at_new}), spread({25: 10})))
    assert isinstance(verdict, health.Healthy)
    assert f"{busy_at_new / 1_010:.1%} of 1010 requests that a key decided" in verdict.sentence


def test_a_proxy_that_does_not_send_what_is_due_is_found_though_the_share_would_be_the_weight() -> None:
    verdict = judged(fleet(spread({24: 500, 25: 500}), spread({24: 500, 25: 500}, new=0)))
    assert isinstance(verdict, health.Unhealthy)
    assert (
        "25.0% of 2000 requests that a key decided went to the new cluster, 50.0% had to: those of 25% of the keys"
        in verdict.sentence
    )


def test_what_went_before_the_change_is_not_judged() -> None:
    before = spread({24: 5_000, 25: 5_000}, new=0)
    after = spread({24: 5_200, 25: 5_300}, new=200)
    assert key_outlook.due(fleet(before), fleet(after), "shop", STICKY) == (500, 200, 200)
    assert isinstance(judged(fleet(after), fleet(before)), health.Healthy)


def test_a_proxy_that_began_anew_or_counts_by_this_key_only_since_then_counts_from_its_own_start() -> None:
    other = spread({24: 1}, of=replace(STICKY, sticky=model.sticky_from("cookie:other")))
    for before in (spread({24: 900, 25: 900}), other, None):
        assert key_outlook.due(fleet(before), fleet(spread({24: 100, 25: 300})), "shop", STICKY) == (400, 100, 100)


def test_where_a_proxy_does_not_count_by_the_key_nothing_is_judged_by_it() -> None:
    assert key_outlook.due(ZERO, fleet(spread({24: 100}), None), "shop", STICKY) is None
    assert isinstance(judged(fleet(spread({24: 500}, new=0), spread({24: 1}, of=USERS))), health.Healthy)


def test_a_handful_of_late_requests_is_no_wrong_share() -> None:
    assert isinstance(judged(fleet(spread({24: 100, 25: 100}, new=91))), health.Healthy)
    assert isinstance(judged(fleet(spread({24: 100, 25: 100}, new=80))), health.Unhealthy)
