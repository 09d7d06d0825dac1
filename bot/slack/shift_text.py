"""`shift` and `plan` as they are typed: a service, a percentage, a strategy on either side of it, a reason. Pure."""

from collections.abc import Sequence

from bot.slack import strategy_text, typed_words, wanted
from bot.slack.typed_words import UsageError
from k8s import model

_REASON_MISSING = "Say why: whoever approves reads the reason."
_NO_SHARE = "Say how much of the traffic the new cluster should get, in percent."
_NO_MATCHING_SHARE = "Say how much of the matching requests the new cluster should get, in percent."
_HIDDEN = "The strategy stands right beside the percentage, before the reason."


def read(words: Sequence[str], verb: str, example: str, *, only_plan: bool) -> wanted.Shift:
    """The strategy may stand on either side of the percentage: `25% strategy ip NET`, `strategy ip NET 25%`."""
    service = typed_words.service(words, example)
    start, rest = f"/migrate {verb} {service}", list(words[1:])
    if not rest:
        raise UsageError(_NO_SHARE, f"{start} 25% reason")
    strategy: strategy_text.StrategyAsked | None = None
    if rest[0].lower() == "strategy":
        strategy, weight, rest = _strategy_first(rest[1:], start)
        said = f"{start} strategy {_again(strategy)} {weight}%"
    else:
        _demand_the_word(rest, start)
        weight = typed_words.percent(rest[0], f"{start} 25% reason")
        said, rest = f"{start} {weight}%", rest[1:]
        if rest and rest[0].lower() == "strategy":
            strategy, rest = _strategy(rest[1:], said, "reason")
            said = f"{said} strategy {_again(strategy)}"
    if strategy and rest and typed_words.WITH_SIGN.fullmatch(rest[0]):
        raise UsageError(f"There are two percentages, {weight}% and {rest[0]}; say one.", f"{said} reason")
    if hidden := _hidden_strategy(rest):
        raise UsageError(_HIDDEN, f"{said} strategy {hidden} reason")
    reason = typed_words.reason(rest)
    if not reason and not only_plan:
        raise UsageError(_REASON_MISSING, f"{said} reason")
    return wanted.Shift(service, weight, reason, strategy, only_plan)


def _strategy_first(words: list[str], start: str) -> tuple[strategy_text.StrategyAsked, int, list[str]]:
    strategy, rest = _strategy(words, start, f"{typed_words.percent_among(words)} reason")
    said = f"{start} strategy {_again(strategy)}"
    if not rest:
        raise UsageError(_NO_MATCHING_SHARE, f"{said} 25% reason")
    return strategy, typed_words.percent(rest[0], f"{said} {typed_words.percent_among(rest)} reason"), rest[1:]


def _demand_the_word(words: list[str], start: str) -> None:
    """`shift a ip 10.2.0.0/16 5%`: a rule without the word that announces it."""
    if words[0].lower() not in list(model.Strategy):
        return
    kind = model.Strategy(words[0].lower())
    typed = f"{kind} {strategy_text.EXAMPLES[kind]}".strip()
    attempt = f"{start} strategy {typed} {typed_words.percent_among(words)} reason"
    raise UsageError(f"The word strategy stands before {kind}.", attempt)


def _strategy(words: list[str], start: str, end: str) -> tuple[strategy_text.StrategyAsked, list[str]]:
    """What follows the word `strategy`, and the words after it. `start`, `end`: of a command to try instead."""
    try:
        kind = strategy_text.kind_of(words[0] if words else "")
        if kind is model.Strategy.WEIGHT:
            return strategy_text.read(kind, ""), words[1:]
        rule, rest = strategy_text.first_rule(words[1:])
        if typed_words.WITH_SIGN.fullmatch(rule):  # the percentage, where the rule was forgotten
            rule = ""
        return strategy_text.read(kind, rule), rest
    except strategy_text.RuleError as error:
        raise UsageError(str(error), f"{start} strategy {error.better} {end}") from None


def _again(strategy: strategy_text.StrategyAsked) -> str:
    """As it is typed."""
    return f"{strategy.kind} {strategy_text.rule_of(strategy)}".strip()


def _hidden_strategy(words: list[str]) -> str:
    """A strategy that somebody typed where only the reason is read; it must not be lost in silence."""
    for place, word in enumerate(words):
        named = place == 0 or words[place - 1].lower() == "strategy"
        if named and word.lower() in list(model.Strategy) and word.lower() != model.Strategy.WEIGHT:
            try:
                return _again(strategy_text.read(model.Strategy(word.lower()), strategy_text.first_rule(words[place + 1 :])[0]))
            except strategy_text.RuleError:
                continue
    return ""
