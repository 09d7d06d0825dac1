"""Is one exposure at most another? Anything not provably so is a raise.

Pure. The order is partial: two exposures that differ in target, TLS, sticky key or trusted proxies are incomparable,
whatever their weights, except that nothing is below weight 0.
"""

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
    if one.strategy != other.strategy:
        return False
    match one.strategy:
        case model.Strategy.WEIGHT:
            return True
        case model.Strategy.HEADER:
            mine, theirs = one.header, other.header
            return mine is not None and theirs is not None and mine.name == theirs.name and set(mine.values) <= set(theirs.values)
        case model.Strategy.IP:
            return set(one.cidrs) <= set(other.cidrs)
        case model.Strategy.USER:
            ours, yours = one.user, other.user
            return ours is not None and yours is not None and ours.source == yours.source and set(ours.ids) <= set(yours.ids)
