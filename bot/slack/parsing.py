"""What somebody typed, as a value. Pure: the text of `/migrate …`, or of a mention, in; a command or one kind sentence out.

Phones and Slack decorate text: smart quotes, non-breaking spaces, hosts turned into links, people into `<@U…|name>`.
All of that is undone first. Nothing here knows which services exist or who may ask.
"""

import difflib
import html
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.slack import escaping, strategy_text
from k8s import model

TRY_SHIFT = "/migrate shift api-name01 25% reason"
LONGEST_TEXT = 4_000
LONGEST_REASON = 300
LINK = re.compile(r"<(?:https?|mailto|tel):(?://)?([^<>|]*)(?:\|([^<>|]*))?>")
PERSON_OR_CHANNEL = re.compile(r"<([@#!])([^<>|]+)(?:\|([^<>|]*))?>")
LEADING_MENTIONS = re.compile(r"\s*(?:<@[A-Z0-9]+(?:\|[^<>|]*)?>[\s,:]*)+")
SMART = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "％": "%", "—": "-", "–": "-"})
SPLIT_PERCENT = re.compile(r"(?<=\d)\s+%")
PERCENT = re.compile(r"([0-9]{1,3})%?")
WITH_SIGN = re.compile(r"[0-9]{1,3}%")


class UsageError(ValueError):
    """The text is no command. The message is one sentence; `attempt` is what to type instead."""

    def __init__(self, sentence: str, attempt: str = TRY_SHIFT) -> None:
        super().__init__(f"{sentence} Try: {attempt}")
        self.sentence = sentence
        self.attempt = attempt


@dataclass(frozen=True, slots=True)
class Help:
    pass


@dataclass(frozen=True, slots=True)
class WhoAmI:
    pass


@dataclass(frozen=True, slots=True)
class ListServices:
    pass


@dataclass(frozen=True, slots=True)
class Status:
    """`service` empty: all of them. Everywhere here a service may be given by name or by its old host."""

    service: str = ""


@dataclass(frozen=True, slots=True)
class Shift:
    """`weight` in percent. `strategy` None: as migration.yaml says. `only_plan`: show it, ask for nothing."""

    service: str
    weight: int
    reason: str
    strategy: strategy_text.StrategyAsked | None = None
    only_plan: bool = False


@dataclass(frozen=True, slots=True)
class Rollback:
    """`to` None: 100% old, by a hold. A number: down to that percent."""

    service: str
    to: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SafeMode:
    """`service` is a service or `all`."""

    on: bool
    service: str = model.ALL_SERVICES
    reason: str = ""


@dataclass(frozen=True, slots=True)
class History:
    service: str


@dataclass(frozen=True, slots=True)
class ConfirmAsked:
    """`service` empty: the operation of the thread it was typed in."""

    service: str = ""


@dataclass(frozen=True, slots=True)
class ApproveAsked:
    """`service` empty: the operation of the thread it was typed in."""

    service: str = ""


Asked = Help | WhoAmI | ListServices | Status | Shift | Rollback | SafeMode | History | ConfirmAsked | ApproveAsked


def parse(text: str) -> Asked:
    """The command in `text` (what follows `/migrate`, or a mention's whole text). Raises UsageError and nothing else."""
    if len(text) > LONGEST_TEXT:
        raise UsageError(f"That is {len(text)} characters long; a command has at most {LONGEST_TEXT}.")
    words = normalise(text).split()
    if words and words[0].lower() == "/migrate":
        words = words[1:]
    if not words:
        return Help()
    verb, rest = words[0].lower(), words[1:]
    if verb in VERBS:
        return VERBS[verb](rest)
    close = difflib.get_close_matches(verb, VERBS, n=1, cutoff=0.6)
    meant = f" Did you mean {close[0]}?" if close else ""
    attempt = EXAMPLES.get(close[0], TRY_SHIFT) if close else "/migrate help"
    raise UsageError(f"“{_shown(words[0])}” is not a command.{meant}", attempt)


def normalise(text: str) -> str:
    """Slack's and the phone's decoration undone: links become what was typed, people become @name, escapes signs."""
    text = LEADING_MENTIONS.sub("", text, count=1) if LEADING_MENTIONS.match(text) else text
    text = LINK.sub(lambda link: (link[2] or link[1]).rstrip("/"), text)
    text = PERSON_OR_CHANNEL.sub(lambda who: ("#" if who[1] == "#" else "@") + (who[3] or who[2]).lstrip("@#"), text)
    text = html.unescape(text).translate(SMART)
    text = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in text)
    return SPLIT_PERCENT.sub("%", "\n".join(escaping.INVISIBLE.sub("", line) for line in text.splitlines()))


def _shift(words: list[str]) -> Shift:
    return _shift_or_plan(words, "shift", only_plan=False)


def _plan(words: list[str]) -> Shift:
    return _shift_or_plan(words, "plan", only_plan=True)


def _shift_or_plan(words: list[str], verb: str, *, only_plan: bool) -> Shift:
    """The strategy may stand on either side of the percentage: `25% strategy ip NET`, `strategy ip NET 25%`."""
    service = _service(words, EXAMPLES[verb])
    start, rest = f"/migrate {verb} {service}", words[1:]
    if not rest:
        sentence = "Say how much of the traffic the new cluster should get, in percent."
        raise UsageError(sentence, f"{start} 25% reason")
    strategy: strategy_text.StrategyAsked | None = None
    if rest[0].lower() == "strategy":
        strategy, rest = _strategy(rest[1:], start, "25% reason")
        said = f"{start} strategy {_again(strategy)}"
        if not rest:
            raise UsageError(
                "Say how much of the matching requests the new cluster should get, in percent.", f"{said} 25% reason"
            )
        weight = _percent(rest[0], f"{said} 25% reason")
        said, rest = f"{said} {weight}%", rest[1:]
    else:
        if rest[0].lower() in list(model.Strategy):
            kind = model.Strategy(rest[0].lower())
            attempt = f"{start} strategy {f'{kind} {strategy_text.EXAMPLES[kind]}'.strip()} 25% reason"
            raise UsageError(f"The word strategy stands before {kind}.", attempt)
        weight = _percent(rest[0], f"{start} 25% reason")
        said, rest = f"{start} {weight}%", rest[1:]
        if rest and rest[0].lower() == "strategy":
            strategy, rest = _strategy(rest[1:], said, "reason")
            said = f"{said} strategy {_again(strategy)}"
    if strategy and rest and WITH_SIGN.fullmatch(rest[0]):
        raise UsageError(f"There are two percentages, {weight}% and {rest[0]}; say one.", f"{said} reason")
    if hidden := _hidden_strategy(rest):
        raise UsageError(
            "The strategy stands right beside the percentage, before the reason.", f"{said} strategy {hidden} reason"
        )
    reason = _reason(rest)
    if not reason and not only_plan:
        raise UsageError("Say why: whoever approves reads the reason.", f"{said} reason")
    return Shift(service, weight, reason, strategy, only_plan)


def _rollback(words: list[str]) -> Rollback:
    service = _service(words, EXAMPLES["rollback"])
    rest = words[1:]
    to: int | None = None
    # Only a number makes it a step down. Whoever types `to be safe` in an emergency gives a reason, and gets 100% old.
    if len(rest) > 1 and rest[0].lower() == "to" and rest[1].strip("\"'`*,")[:1].isdigit():
        to = _percent(rest[1], f"/migrate rollback {service} to 5%")
        rest = rest[2:]
    return Rollback(service, to, _reason(rest))


def _safe_mode(words: list[str]) -> SafeMode:
    if not words or words[0].lower() not in ("on", "off"):
        raise UsageError("Say on or off: safe mode sends everything of a service to the old cluster.", EXAMPLES["safe-mode"])
    rest = words[1:]
    service = _service(rest, EXAMPLES["safe-mode"], also=(model.ALL_SERVICES,)) if rest else model.ALL_SERVICES
    return SafeMode(words[0].lower() == "on", service, _reason(rest[1:]))


def _status(words: list[str]) -> Status:
    return Status(_only_service(words, "status"))


def _history(words: list[str]) -> History:
    if not words:
        raise UsageError("Say whose history.", EXAMPLES["history"])
    return History(_only_service(words, "history"))


def _list(words: list[str]) -> ListServices:
    if words:
        name = words[0].strip("\"'`*,").lower()
        named = name != model.ALL_SERVICES and model.SERVICE_NAME.fullmatch(name)
        attempt = f"/migrate status {name}" if named else EXAMPLES["list"]
        raise UsageError("list shows every service and takes no word after it.", attempt)
    return ListServices()


def _confirm(words: list[str]) -> ConfirmAsked:
    return ConfirmAsked(_only_service(words, "confirm"))


def _approve(words: list[str]) -> ApproveAsked:
    return ApproveAsked(_only_service(words, "approve"))


def _only_service(words: list[str], verb: str) -> str:
    if len(words) > 1:
        raise UsageError(f"“{_shown(' '.join(words[1:]))}” is one word too many for {verb}.", EXAMPLES[verb])
    return _service(words, EXAMPLES[verb]) if words else ""


def _service(words: list[str], example: str, *, also: tuple[str, ...] = ()) -> str:
    """The first word as a service's name or old host, lower-case."""
    if not words:
        raise UsageError("Say which service.", example)
    name = words[0].strip("\"'`*,").lower()
    if name in also:
        return name
    if name == model.ALL_SERVICES:
        raise UsageError("“all” works only with safe-mode.", EXAMPLES["safe-mode"])
    if not (model.SERVICE_NAME.fullmatch(name) or model.HOST_NAME.fullmatch(name)):
        raise UsageError(f"“{_shown(words[0])}” is not a service's name (small letters, digits and -).", example)
    return name


def _percent(word: str, attempt: str) -> int:
    found = PERCENT.fullmatch(word.strip("\"'`*,"))
    if not found or int(found[1]) > 100:
        raise UsageError(f"“{_shown(word)}” is not a whole percentage from 0 to 100.", attempt)
    return int(found[1])


def _strategy(words: list[str], start: str, end: str) -> tuple[strategy_text.StrategyAsked, list[str]]:
    """What follows the word `strategy`, and the words after it. `start`, `end`: of a command to try instead."""
    try:
        kind = strategy_text.kind_of(words[0] if words else "")
        if kind is model.Strategy.WEIGHT:
            return strategy_text.read(kind, ""), words[1:]
        rule, rest = strategy_text.first_rule(words[1:])
        if WITH_SIGN.fullmatch(rule):  # the percentage, where the rule was forgotten
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


def _reason(words: list[str]) -> str:
    """The rest of the line, without a word `reason:` or quotes around it, cut to what a card can show."""
    text = escaping.clean(" ".join(words))
    text = re.sub(r"^reason\s*[:=]\s*", "", text, flags=re.IGNORECASE)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return escaping.truncate(text, LONGEST_REASON)


def _shown(word: str) -> str:
    return escaping.plain(word, 60)


def _no_more(make: Callable[[], Asked]) -> Callable[[list[str]], Asked]:
    """A verb that takes no words; what follows it is ignored, since nobody can mean harm by it."""
    return lambda _words: make()


VERBS: Mapping[str, Callable[[list[str]], Asked]] = {
    "help": _no_more(Help),
    "whoami": _no_more(WhoAmI),
    "list": _list,
    "status": _status,
    "plan": _plan,
    "shift": _shift,
    "rollback": _rollback,
    "safe-mode": _safe_mode,
    "history": _history,
    "confirm": _confirm,
    "approve": _approve,
}
EXAMPLES: Mapping[str, str] = {
    "help": "/migrate help",
    "whoami": "/migrate whoami",
    "list": "/migrate list",
    "status": "/migrate status api-name01",
    "plan": "/migrate plan api-name01 25%",
    "shift": TRY_SHIFT,
    "rollback": "/migrate rollback api-name01 reason",
    "safe-mode": "/migrate safe-mode on api-name01 reason",
    "history": "/migrate history api-name01",
    "confirm": "/migrate confirm api-name01",
    "approve": "/migrate approve api-name01",
}
