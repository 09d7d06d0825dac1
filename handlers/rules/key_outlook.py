"""What a weight means where a key decides: a share of keys, and keys are not equally busy. Pure, over what proxies counted.

A bucket is the same at every proxy, so their counts add up. The expected share is that of the requests whose bucket goes to new.
How far it may be off follows from how unequal the buckets are: with few busy keys they differ much, with many they are alike.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from k8s import key_spread, model, proxy_report, views

SIGMAS = 2.33  # two-sided 98%
ALL = 100  # percent


@dataclass(frozen=True, slots=True)
class Outlook:
    """`keys`: about so many, or `more` than so many, at `proxies` proxies; a request without the key, which is drawn for itself,
    counts as one. `share`, of the requests that the key decides, goes to new at `weight` percent of keys, or `low` to `high` if
    other keys are busy then; of 1.
    """

    key: str
    weight: int
    keys: int
    more: bool
    proxies: int
    requests: int
    share: float
    low: float
    high: float


class Why(StrEnum):
    """Why nothing can be said: no proxy counts by a key, they count by another key or rule, or no request came lately."""

    NO_COUNTS = "no_counts"
    OTHER_KEY = "other_key"
    NO_REQUESTS = "no_requests"


@dataclass(frozen=True, slots=True)
class Unseen:
    key: str
    why: Why


class Due(NamedTuple):
    """Of `requests` that a key decided between two looks, `new` went to new; `due` had to, as their buckets say."""

    requests: int
    new: int
    due: int


def outlook(fleet: views.Fleet | None, service: str, exposure: model.Exposure) -> Outlook | Unseen | None:
    """At the exposure's weight. `fleet` None: nobody was asked yet. None: no key decides, or nothing goes to new."""
    key = key_spread.key_of(exposure)
    if not key or exposure.weight == 0:
        return None
    told = [one for report in (fleet.reports if fleet else ()) if (one := _spread(report, service)) is not None]
    same = [one for one in told if _is_of(one, exposure)]
    if not same:
        return Unseen(key, Why.OTHER_KEY if told else Why.NO_COUNTS)
    buckets = [sum(counts) for counts in zip(*(one.recent for one in same), strict=True)]
    total = sum(buckets)
    if total == 0:
        return Unseen(key, Why.NO_REQUESTS)
    share = sum(buckets[: exposure.weight]) / total
    off = SIGMAS * math.sqrt(exposure.weight / ALL * (1 - exposure.weight / ALL) * _concentration(buckets, _certain(exposure)))
    keys = _keys(same, buckets)
    return Outlook(
        key=key,
        weight=exposure.weight,
        keys=min(keys.number, total),
        more=keys.more,
        proxies=len(same),
        requests=total,
        share=share,
        low=max(0.0, share - off),
        high=min(1.0, share + off),
    )


def due(start: views.Fleet, now: views.Fleet, service: str, exposure: model.Exposure) -> Due | None:
    """None: no key decides, or a proxy does not count by it. Weights must not have changed between the looks.

    A proxy that was not there at the start, or began anew (numbers fell), counts from its own start.
    """
    if not key_spread.key_of(exposure):
        return None
    earlier = {report.pod: _spread(report, service) for report in start.reports}
    requests = new = should = 0
    for report in now.reports:
        later, before = _spread(report, service), earlier.get(report.pod)
        if later is None or not _is_of(later, exposure):
            return None
        counts, chosen = later.quick, later.quick_new
        if before is not None and _is_of(before, exposure) and all(b <= a for a, b in zip(counts, before.quick, strict=True)):
            counts = tuple(a - b for a, b in zip(counts, before.quick, strict=True))
            chosen -= before.quick_new
        requests += sum(counts)
        should += sum(counts[: exposure.weight])
        new += chosen
    return Due(requests, new, should)


def _spread(report: proxy_report.ProxyReport, service: str) -> key_spread.Spread | None:
    one = report.services.get(service)
    return one.spread if one is not None else None


def _is_of(spread: key_spread.Spread, exposure: model.Exposure) -> bool:
    return (spread.key, spread.rules) == (key_spread.key_of(exposure), key_spread.rules_of(exposure))


def _keys(spreads: list[key_spread.Spread], buckets: list[int]) -> key_spread.Keys:
    if spreads[0].key == key_spread.ADDRESS_KEY:
        addresses = 0
        for one in spreads:
            addresses |= one.addresses
        if addresses:
            return key_spread.distinct(addresses.bit_count(), key_spread.ADDRESS_PLACES)
    return key_spread.distinct(sum(1 for count in buckets if count), len(buckets))


def _certain(exposure: model.Exposure) -> int:
    """How many of the first buckets hold what goes to new at any weight: users who are listed have the first one."""
    return 1 if exposure.strategy is model.Strategy.USER and exposure.user is not None and exposure.user.ids else 0


def _concentration(buckets: list[int], certain: int) -> float:
    """The sum of the squares of the keys' shares, 1 / n for n keys that are equally busy: as the buckets' own squares tell it,
    less what as many buckets have that are all alike. Keys in the `certain` first buckets leave nothing to chance.
    """
    drawn = buckets[certain:]
    total, alike = sum(drawn), 1 / len(drawn)
    if total == 0:
        return 0.0
    found = (sum(count * count for count in drawn) / total**2 - alike) / (1 - alike)
    return min(1.0, max(found, 1 / total)) * (total / sum(buckets)) ** 2
