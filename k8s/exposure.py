"""Is one exposure at most another? Anything not provably so is a raise.

Pure. The order is partial: two exposures that differ in target, TLS, sticky key or trusted proxies are incomparable,
whatever their weights, except that nothing is below weight 0.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import replace

from k8s import model


def at_most(one: model.Exposure, other: model.Exposure) -> bool:
    """True only if every request that `one` may send to new, `other` may send there too."""
    if one.weight == 0:
        return True
    if one.weight > other.weight or not _same_frame(one, other):
        return False
    return _rules_at_most(one, other)


def lower_of(one: model.Exposure, other: model.Exposure) -> model.Exposure:
    """The lower of two; of two incomparable ones, the first at the smaller weight of both."""
    if at_most(one, other):
        return one
    if at_most(other, one):
        return other
    return one.at(min(one.weight, other.weight))


def _same_frame(one: model.Exposure, other: model.Exposure) -> bool:
    """Everything but weight and rules is equal. An override that only one side has would admit somebody new."""
    if one.override_hash is not None and one.override_hash != other.override_hash:
        return False
    return _frame(one) == _frame(other)


def _frame(exposure: model.Exposure) -> model.Exposure:
    return replace(exposure, weight=0, strategy=model.Strategy.WEIGHT, header=None, cidrs=(), user=None, override_hash=None)


def _rules_at_most(one: model.Exposure, other: model.Exposure) -> bool:
    """Of exposures that draw clients alike: a rule takes some of the requests of which the weight alone takes all."""
    if other.strategy is model.Strategy.WEIGHT:
        # A listed user goes to new whatever was drawn, and others are drawn by another key: only all is more than that.
        return one.strategy is not model.Strategy.USER or other.weight == 100
    if one.strategy != other.strategy:
        return False
    match one.strategy:
        case model.Strategy.HEADER:
            mine, theirs = one.header, other.header
            if (
                mine is None or theirs is None or mine.name.lower() != theirs.name.lower()
            ):  # nginx knows no case in a header's name
                return False
            return set(mine.values) <= set(theirs.values)
        case model.Strategy.IP:
            return _within(one.cidrs, other.cidrs)
        case model.Strategy.USER:
            ours, yours = one.user, other.user
            return ours is not None and yours is not None and ours.source == yours.source and set(ours.ids) <= set(yours.ids)


def _within(some: Sequence[str], others: Sequence[str]) -> bool:
    """Whether every address of `some` networks is in one of the others."""
    return all(any(_contains(wide, narrow) for wide in _joined(others)) for narrow in map(ipaddress.ip_network, some))


def _joined(cidrs: Sequence[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Neighbours become one network, so that two halves contain the whole."""
    found = [ipaddress.ip_network(one) for one in cidrs]
    four = [one for one in found if isinstance(one, ipaddress.IPv4Network)]
    six = [one for one in found if isinstance(one, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]


def _contains(wide: ipaddress.IPv4Network | ipaddress.IPv6Network, narrow: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    if isinstance(wide, ipaddress.IPv4Network) and isinstance(narrow, ipaddress.IPv4Network):
        return narrow.subnet_of(wide)
    if isinstance(wide, ipaddress.IPv6Network) and isinstance(narrow, ipaddress.IPv6Network):
        return narrow.subnet_of(wide)
    return False
