"""What `migration.yaml` says above the record, whoever wrote it: no proxy serves it. Pure.

Weight, strategy and rules can be put back to what the record says. The target cannot: nothing but the document can name
another one, so that it stands as a wish until somebody asks for it.
"""

from dataclasses import dataclass, replace

from k8s import exposure, model, views, wish_change


@dataclass(frozen=True, slots=True)
class Above:
    """`what`: a clause. `change`: what puts it back; None: Ferry cannot. `asks`: the command that asks for it properly."""

    what: str
    change: wish_change.WishChange | None
    asks: str


def above(one: views.ServiceView) -> Above | None:
    """None: nothing of it is above the record, or nobody can tell: then it is not touched."""
    unknown = one.refused or one.record_trouble or one.stale or one.wished is None
    if unknown or one.wished is None or (one.record is not None and one.record.finished):
        return None
    entry, record, wish = one.wished.exposure, one.in_force, one.wish
    weight = record.weight if record is not None else 0
    if wish < weight:
        return None  # a lowering: the record follows it first
    rules = target = False
    if record is not None and weight > 0:
        rules = not _at_most(_with_rules_of(record, entry), record)
        target = not _at_most(_with_rules_of(entry.at(weight), record), record)
    said = [
        f"the weight {wish}%, and the approved record {weight}%" if wish > weight else "",
        f"the strategy {_words(entry)}, and the approved record {_words(record)}" if rules and record is not None else "",
        "another target, or other TLS, keys or proxies than the approved record" if target else "",
    ]
    if not any(said):
        return None
    asks = f"`/migrate shift {one.name} {wish}%`"
    change = None
    if wish > weight or rules:
        lower = record if rules and record is not None else entry.at(weight)
        change = wish_change.WishChange(one.name, lower, entry.weight, wish_change.digest(entry) if rules else "")
    return Above("migration.yaml says " + ", and ".join(part for part in said if part), change, asks)


def lowered(one: views.ServiceView) -> str:
    """How the document was lowered below the record, a clause."""
    weight = one.in_force.weight if one.in_force is not None else 0
    if one.wished is None and not one.refused:
        return f"the entry of {one.name} was taken out of migration.yaml, at {weight}%"
    if one.wished is not None and not one.wished.enabled:
        return f"{one.name} was switched off in migration.yaml (enabled: false), at {weight}%"
    return f"{one.name} was lowered by hand in migration.yaml from {weight}% to {one.wish}%"


def _with_rules_of(one: model.Exposure, other: model.Exposure) -> model.Exposure:
    return replace(one, strategy=other.strategy, header=other.header, cidrs=other.cidrs, user=other.user)


def _at_most(one: model.Exposure, other: model.Exposure) -> bool:
    """The same is at most itself, also where a comparison could not prove it."""
    return one == other or exposure.at_most(one, other)


def _words(one: model.Exposure) -> str:
    match one.strategy:
        case model.Strategy.HEADER if one.header is not None:
            return f"header {one.header.name}={','.join(one.header.values)}"
        case model.Strategy.IP:
            return f"ip {', '.join(one.cidrs)}"
        case model.Strategy.USER if one.user is not None:
            return f"user {one.user.source}" + (f" with {len(one.user.ids)} listed" if one.user.ids else "")
        case _:
            return str(one.strategy)
