"""`shift` and `plan` as they are typed: a service, a percentage, a strategy on either side of it, a reason. Pure."""

from collections.abc import Sequence

from bot.slack import strategy_text, typed_words, wanted
from bot.slack.typed_words import UsageError
from k8s import model

_REASON_MISSING = "Say why: whoever approves reads the reason."
_NO_SHARE = "Say how much of the traffic the new cluster should get, in percent."
_NO_MATCHING_SHARE = "Say how much of the matching requests the new cluster should get, in percent."
_WAVE = "/migrate shift api-name01,api-name02 25% reason"
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


def names_several(words: Sequence[str]) -> bool:
    """`a,b,c`, `a, b ,c`: the services of a wave."""
    return "," in _named(words)[0].strip(",")


def _named(words: Sequence[str]) -> tuple[str, list[str]]:
    """Names with the commas between them, and the words after them. A comma before a percentage is only a slip."""
    named, rest = "".join(words[:1]), list(words[1:])
    while rest and (named.endswith(",") or rest[0].startswith(",")) and not typed_words.PERCENT.fullmatch(rest[0]):
        named += rest.pop(0)
    return named, rest


def read_wave(words: Sequence[str], *, only_plan: bool) -> wanted.Wave:
    """The percentage of all, and a reason; each keeps the strategy that migration.yaml names."""
    named, rest = _named(words)
    several = tuple(typed_words.service([one], _WAVE) for one in named.split(",") if one)
    start = f"/migrate shift {','.join(several)}"
    if only_plan:
        raise UsageError("plan shows what one service would do; a wave shows its plan on its card.", f"{start} 25% reason")
    if not rest:
        raise UsageError(_NO_SHARE, f"{start} 25% reason")
    if rest[0].lower() == "strategy" or (len(rest) > 1 and rest[1].lower() == "strategy"):
        attempt = f"{start} {typed_words.percent_among(rest)} reason"
        raise UsageError("A wave takes each service's strategy from migration.yaml; name none.", attempt)
    weight = typed_words.percent(rest[0], f"{start} 25% reason")
    if not (reason := typed_words.reason(rest[1:])):
        raise UsageError(_REASON_MISSING, f"{start} {weight}% reason")
    return wanted.Wave(several, weight, reason)


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
