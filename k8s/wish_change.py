"""What a change writes into `migration.yaml`: a service's weight, its strategy and the rule that this uses. Pure."""

import hashlib
import json
from dataclasses import dataclass, replace

from k8s import model

_RULES = ("strategy", "header", "cidrs", "user")


@dataclass(frozen=True, slots=True)
class WishChange:
    """`exposure`: the one to be read there afterwards, as far as a shift writes it. `expected`: the number that must stand at
    `migration_percentage`.

    `over`: digest of the strategy and rules that must stand there and are written over; empty: the number alone is written.
    """

    service: str
    exposure: model.Exposure
    expected: int
    over: str = ""


def digest(exposure: model.Exposure) -> str:
    """Of strategy and rules, used or not: SHA-256, hex."""
    document = exposure.as_document()
    return hashlib.sha256(json.dumps({name: document[name] for name in _RULES}, sort_keys=True).encode()).hexdigest()


def merged(entry: model.Exposure, exposure: model.Exposure) -> model.Exposure:
    """`entry` with weight, strategy and the used rule of `exposure`. Rules that its strategy does not use stay: they select
    nothing, and the way back is easy.
    """
    match exposure.strategy:
        case model.Strategy.HEADER:
            entry = replace(entry, header=exposure.header)
        case model.Strategy.IP:
            entry = replace(entry, cidrs=exposure.cidrs)
        case model.Strategy.USER:
            entry = replace(entry, user=exposure.user)
        case model.Strategy.WEIGHT:
            pass
    return replace(entry, weight=exposure.weight, strategy=exposure.strategy)


def same_rules(entry: model.Exposure, exposure: model.Exposure) -> bool:
    """Whether `entry` selects requests as `exposure` does, whatever the weights."""
    return merged(entry, exposure.at(entry.weight)) == entry
