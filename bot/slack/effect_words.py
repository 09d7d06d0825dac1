"""A change in words: from where to where, which requests, and the command that would ask for it. Pure.

Rules are written as they are typed (`header X-Canary=yes`), so that what is shown can be typed again.
"""

from dataclasses import fields
from datetime import UTC, datetime

from bot.slack import escaping, strategy_text
from bot.slack.words import Live, Words, code, joined
from handlers.rules import key_outlook, migration, planning
from k8s import model

Kind = migration.Kind
# Whose title is no change of one service's weight.
NO_SHIFT = frozenset({Kind.RUN, Kind.PREPARE, Kind.FINISH, Kind.REMOVE, Kind.BYPASS, Kind.WAVE})
LONG = 253  # a whole host name
SHORT = 70  # what a dialog of 300 characters has room for


def effect(plan: migration.Plan, words: Words) -> Live:
    """Which share of which requests goes where, for a card."""
    return words.live(_effect_key(plan), **_effect_facts(plan, LONG, 200))


def effect_in_dialog(plan: migration.Plan, words: Words) -> str:
    """The same in plain text of at most 300 characters; long hosts and rules are cut there, the card has them whole."""
    return words.plain(_effect_key(plan), **_effect_facts(plan, SHORT, 40))


def change(plan: migration.Plan, words: Words) -> Live:
    """`5% → 25%`, with the strategy's rule where there is one and where it came from another."""
    if plan.kind is Kind.RELEASE:
        return words.live("change.release", after=plan.after.weight)
    if plan.kind in NO_SHIFT:
        return words.live(f"change_by.{plan.kind}", weight=plan.after.weight, steps=climb(plan), count=len(plan.members))
    lines = [words.live("change.shift", before=plan.from_weight, after=plan.after.weight)]
    moved = _other_strategy(plan)
    if moved or plan.after.strategy is not model.Strategy.WEIGHT:
        lines.append(words.live("change.rule", rule=_which(plan.after, words)))
        if moved and plan.before is not None:
            lines.append(words.live("change.rule_before", rule=_which(plan.before, words)))
    return Live("\n".join(lines))


def briefly(plan: migration.Plan) -> str:
    """For titles: `5% → 25%`, and `10% (weight) → 10% (ip)` where the strategy, or its rule, becomes another."""
    before, after = f"{plan.from_weight}%", f"{plan.after.weight}%"
    if plan.before is not None and _other_strategy(plan):
        return f"{before} ({plan.before.strategy}) → {after} ({plan.after.strategy})"
    return f"{before} → {after}" + ("" if plan.after.strategy is model.Strategy.WEIGHT else f" ({plan.after.strategy})")


def climb(plan: migration.Plan) -> str:
    """`5% → 25% → 50%`: from what is in force through every step of a ladder; empty for other plans."""
    return " → ".join(f"{weight}%" for weight in (plan.from_weight, *plan.steps)) if plan.steps else ""


def also_changes(plan: migration.Plan) -> tuple[str, ...]:
    """Names of the fields, besides weight and strategy with its rules, in which the target differs from what is in force."""
    before = plan.before
    if before is None:
        return ()
    told = {"weight", "strategy", "header", "cidrs", "user"}
    return tuple(
        one.name for one in fields(before) if one.name not in told and getattr(before, one.name) != getattr(plan.after, one.name)
    )


def shift_command(plan: migration.Plan, reason: str) -> str:
    """`/migrate shift shop 25% strategy header X-Canary=yes reason`; for a release `/migrate safe-mode off shop reason`."""
    if plan.kind is Kind.RELEASE:
        return f"/migrate safe-mode off {plan.service} {reason}"
    if plan.kind is Kind.RUN:
        return f"/migrate run {plan.service} auto until {plan.until[:10]} {reason}"
    if plan.kind is Kind.WAVE:
        return f"/migrate shift {','.join(one.service for one in plan.members)} {plan.after.weight}% {reason}"
    if plan.kind in NO_SHIFT:
        verb, last = ("finish", " remove") if plan.kind is Kind.REMOVE else (str(plan.kind), "")
        return f"/migrate {verb} {plan.service}{last} {reason}"
    every = plan.after.strategy is model.Strategy.WEIGHT and not _other_strategy(plan)
    strategy = "" if every else f" strategy {_strategy(plan.after)}"  # said in full: migration.yaml may name another one
    return f"/migrate shift {plan.service} {plan.after.weight}%{strategy} {reason}"


def keys(seen: key_outlook.Outlook | key_outlook.Unseen, after: model.Exposure, words: Words) -> Live:
    """How many keys the proxies see, and which share of the requests a share of the keys would be; or why nobody can say."""
    by = code(seen.key)
    if isinstance(seen, key_outlook.Unseen):
        match seen.why:
            case key_outlook.Why.NO_COUNTS:
                return words.live("keys.no_counts", by=by)
            case key_outlook.Why.OTHER_KEY:
                return words.live("keys.other_key", by=by)
            case key_outlook.Why.NO_REQUESTS:
                return words.live("keys.no_requests", by=by)
    counted = {"by": by, "keys": _about(seen.keys), "proxies": seen.proxies}
    between = {"share": f"{seen.share:.1%}", "low": f"{seen.low * 100:.0f}", "high": f"{seen.high * 100:.0f}"}
    ruled = after.strategy is not model.Strategy.WEIGHT
    parts = [
        words.live("keys.more", **counted) if seen.more else words.live("keys.about", **counted),
        words.live("keys.share_of_matching", weight=seen.weight, **between)
        if ruled
        else words.live("keys.share", weight=seen.weight, **between),
    ]
    if seen.key != str(model.StickyKind.CLIENT_IP) and after.strategy is not model.Strategy.USER:
        parts.append(words.live("keys.drawn"))
    return joined(parts, " ")


def _about(number: int) -> int:
    """Two digits of it: it is an estimate."""
    return round(number, 2 - len(str(number)))


def weight_left(operation: migration.Operation) -> int:
    """The service's weight as the operation's end left it, as far as the operation itself knows. 0 while a hold stood."""
    plan = operation.plan
    if operation.phase is migration.Phase.HELD or plan.kind is Kind.WAVE:  # a wave itself has none
        return 0
    match operation.outcome:
        case migration.Outcome.DONE if plan.kind is Kind.RUN:
            return plan.from_weight  # a standing approval moves nothing by itself
        case migration.Outcome.DONE if plan.kind is Kind.BYPASS:
            return 0
        case migration.Outcome.DONE:
            return plan.after.weight
        case migration.Outcome.REVERTED:
            return planning.lower_side(plan).weight
        case _:
            return plan.from_weight


def _strategy(exposure: model.Exposure) -> str:
    return f"{exposure.strategy} {strategy_text.rule_of(exposure)}".strip()


def _other_strategy(plan: migration.Plan) -> bool:
    return plan.before is not None and _strategy(plan.before) != _strategy(plan.after)


def _which(exposure: model.Exposure, words: Words) -> str:
    """Of which requests the percentage is a share; every request where no rule selects some."""
    return words.plain("change.every") if exposure.strategy is model.Strategy.WEIGHT else _strategy(exposure)


def _effect_key(plan: migration.Plan) -> str:
    if plan.kind is Kind.RELEASE or plan.kind in NO_SHIFT:
        return f"effect.{plan.kind}"
    if plan.after.weight == 0:
        return "effect.nothing"
    if plan.after.strategy is model.Strategy.USER and plan.after.user and plan.after.user.ids:
        return "effect.user_named"
    return f"effect.{plan.after.strategy}"


def _effect_facts(plan: migration.Plan, longest_host: int, longest_rule: int) -> dict[str, object]:
    after = plan.after
    return {
        "service": plan.service,
        "weight": after.weight,
        "count": len(plan.members),
        "steps": escaping.truncate(climb(plan), longest_rule * 2),
        "until": _until(plan),
        "old_host": escaping.truncate(after.old_host, longest_host),
        "new_host": escaping.truncate(after.new_host, longest_host),
        "rule": escaping.truncate(strategy_text.rule_of(after), longest_rule),
    }


def _until(plan: migration.Plan) -> str:
    """`2026-12-31 18:00 UTC`, the end of a standing approval; empty for other plans."""
    return f"{datetime.fromisoformat(plan.until).astimezone(UTC):%Y-%m-%d %H:%M} UTC" if plan.until else ""
