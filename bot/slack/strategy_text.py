"""A strategy as people type it: `weight`, `header NAME=V1,V2`, `ip NET1,NET2`, `user cookie:NAME=ID1,ID2`. Pure.

Commands and the form read it here, so that both refuse the same things in the same sentences. What is allowed is the model's
business: a rule that comes out of here is one that an exposure takes.
"""

import difflib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.slack import escaping
from k8s import model

KINDS = ", ".join(model.Strategy)
EXAMPLES: Mapping[model.Strategy, str] = {
    model.Strategy.WEIGHT: "",
    model.Strategy.HEADER: "X-Canary=yes",
    model.Strategy.IP: "10.2.0.0/16",
    model.Strategy.USER: "cookie:uid=alice",
}
LONGEST_RULE = 1_500
_SHOWN = 60
_OLD, _NEW = "old.example", "new.example"  # any two hosts: only the rule is looked at


@dataclass(frozen=True, slots=True)
class StrategyAsked:
    """The rules somebody typed; what a strategy needs is there, the rest is empty."""

    kind: model.Strategy
    header: model.HeaderRule | None = None
    cidrs: tuple[str, ...] = ()
    user: model.UserRule | None = None


class RuleError(ValueError):
    """One sentence on what is wrong. `better`: what follows the word `strategy` in a command that works."""

    def __init__(self, sentence: str, better: str) -> None:
        super().__init__(sentence)
        self.better = better


def kind_of(word: str) -> model.Strategy:
    """Raises RuleError."""
    kind = word.lower()
    if kind not in list(model.Strategy):
        close = difflib.get_close_matches(kind, list(model.Strategy), n=1, cutoff=0.6)
        meant = f" Did you mean {close[0]}?" if close else ""
        better = model.Strategy(close[0]) if close else model.Strategy.HEADER
        raise RuleError(f"“{_shown(word)}” is no strategy; a strategy is one of {KINDS}.{meant}", _typed(better))
    return model.Strategy(kind)


def read(kind: model.Strategy, rule: str) -> StrategyAsked:
    """The rule of this strategy, from its text without spaces around commas. Raises RuleError."""
    if kind is model.Strategy.WEIGHT:
        if rule:
            raise RuleError("Strategy weight takes no rule: it is about every request.", _typed(kind))
        return StrategyAsked(kind)
    if len(rule) > LONGEST_RULE:
        raise RuleError(
            f"A rule has at most {LONGEST_RULE} characters, and this one has {len(rule)}; write it into migration.yaml.",
            _typed(kind),
        )
    if not rule:
        raise RuleError(f"Strategy {kind} needs to know which requests.", _typed(kind))
    match kind:
        case model.Strategy.HEADER:
            return _checked(StrategyAsked(kind, header=_header(rule)), rule)
        case model.Strategy.IP:
            return _checked(StrategyAsked(kind, cidrs=_networks(rule)), rule)
        case _:
            return _checked(StrategyAsked(kind, user=_user(rule)), rule)


def first_rule(words: Sequence[str]) -> tuple[str, list[str]]:
    """The rule at the start of these words, and what follows. `10.2.0.0/16, 10.3.0.0/16` is one: phones put a space after a
    comma.
    """
    rule, rest = "", list(words)
    while rest and (not rule or rule.endswith(",") or rest[0].startswith(",")):
        rule += rest.pop(0).strip("\"'`*")
    return rule, rest


def rule_of(one: StrategyAsked | model.Exposure) -> str:
    """The rule as it is typed: `X-Canary=yes,on`, `10.2.0.0/16,…`, `cookie:uid=alice`; empty for strategy weight."""
    match one.kind if isinstance(one, StrategyAsked) else one.strategy:
        case model.Strategy.HEADER if one.header:
            return f"{one.header.name}={','.join(one.header.values)}"
        case model.Strategy.IP:
            return ",".join(one.cidrs)
        case model.Strategy.USER if one.user:
            named = f"={','.join(one.user.ids)}" if one.user.ids else ""
            return f"{one.user.source}{named}"
        case _:
            return ""


def _header(rule: str) -> model.HeaderRule:
    name, values = _named(rule, model.Strategy.HEADER)
    if not values:
        better = f"{name}=yes" if model.HEADER_NAME.fullmatch(name) else EXAMPLES[model.Strategy.HEADER]
        sentence = f"“{_shown(rule)}” does not say which value the header must have; write NAME=VALUE."
        raise RuleError(sentence, _typed(model.Strategy.HEADER, better))
    try:
        return model.HeaderRule(name, values)
    except model.ModelError as error:
        raise _outside(model.Strategy.HEADER, error) from None


def _user(rule: str) -> model.UserRule:
    source, ids = _named(rule, model.Strategy.USER)
    try:
        return model.UserRule(model.sticky_from(source), ids)
    except model.ModelError as error:
        if error.field_name == "user.ids":
            raise _outside(model.Strategy.USER, error) from None
        sentence = f"“{_shown(source)}” does not say where a user's name stands; write cookie:NAME or header:NAME."
        raise RuleError(sentence, _typed(model.Strategy.USER)) from None


def _named(rule: str, kind: model.Strategy) -> tuple[str, tuple[str, ...]]:
    name, given, values = rule.partition("=")
    listed = tuple(dict.fromkeys(value for value in values.split(",") if value))
    if given and not listed:
        raise RuleError(f"“{_shown(rule)}” names nothing after the = sign.", _typed(kind))
    return name, listed


def _networks(rule: str) -> tuple[str, ...]:
    listed = [text for text in rule.split(",") if text]
    if not listed:
        raise RuleError("Strategy ip needs at least one network.", _typed(model.Strategy.IP))
    return tuple(dict.fromkeys(map(_network, listed)))


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        pass
    try:
        meant = str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise RuleError(f"“{_shown(text)}” is no network; write it like 10.2.0.0/16.", _typed(model.Strategy.IP)) from None
    sentence = f"“{_shown(text)}” is an address inside a network; the network itself is {meant}."
    raise RuleError(sentence, _typed(model.Strategy.IP, meant))


def _checked(asked: StrategyAsked, rule: str) -> StrategyAsked:
    """By the model, as if it were asked for: what is too wide for it is refused here already."""
    try:
        model.Exposure(0, _OLD, _NEW, strategy=asked.kind, header=asked.header, cidrs=asked.cidrs, user=asked.user)
    except model.ModelError as error:
        raise _outside(asked.kind, error) from None
    return asked


def _outside(kind: model.Strategy, error: model.ModelError) -> RuleError:
    return RuleError(f"Strategy {kind}: {_shown(error.sentence, 200)}.", _typed(kind))


def _typed(kind: model.Strategy, rule: str = "") -> str:
    return f"{kind} {rule or EXAMPLES[kind]}".strip()


def _shown(word: str, longest: int = _SHOWN) -> str:
    return escaping.plain(word, longest)
