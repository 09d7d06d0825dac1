"""What somebody typed, as a value: the one grammar of every verb. Pure: text in; what is wanted, or one kind sentence, out.

The text of `/migrate …`, a mention's whole text, and what follows `ferry` in a shell are read here. Nothing here knows which
services exist or who may ask.
"""

import difflib
import re
from collections.abc import Callable, Mapping

from bot.slack import shift_text, typed_words, wanted
from bot.slack.typed_words import LONGEST_REASON, PERCENT, TRY_SHIFT, UsageError, normalise
from bot.slack.wanted import (
    ApproveAsked,
    Asked,
    Audit,
    ConfirmAsked,
    Discover,
    Drift,
    Finish,
    Help,
    History,
    ListServices,
    Objects,
    Pause,
    Preflight,
    Resume,
    Rollback,
    Run,
    SafeMode,
    Shift,
    Skip,
    Status,
    Wave,
    WhoAmI,
)
from k8s import model

__all__ = [
    "EXAMPLES", "LONGEST_REASON", "PERCENT", "TRY_SHIFT", "VERBS", "ApproveAsked", "Asked", "Audit", "ConfirmAsked", "Discover",
    "Drift", "Finish", "Help", "History", "ListServices", "Objects", "Pause", "Preflight", "Resume", "Rollback", "Run",
    "SafeMode", "Shift", "Skip", "Status", "UsageError", "Wave", "WhoAmI", "normalise", "parse",
]  # fmt: skip

LONGEST_TEXT = 4_000
_RUN_WORDS = ("ask", "auto", "until", "skip")
_REMOVE = "remove"
_Reader = Callable[[list[str]], wanted.Asked]


def parse(text: str) -> wanted.Asked:
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
    if verb == _REMOVE:
        raise UsageError("Removing the old application is the last part of finish.", EXAMPLES[_REMOVE])
    close = difflib.get_close_matches(verb, VERBS, n=1, cutoff=0.6)
    meant = f" Did you mean {close[0]}?" if close else ""
    attempt = EXAMPLES.get(close[0], TRY_SHIFT) if close else "/migrate help"
    raise UsageError(f"“{typed_words.shown(words[0])}” is not a command.{meant}", attempt)


def _help(words: list[str]) -> Help:
    verb = typed_words.bare(words[0]).lower() if words else ""
    return Help(verb if verb in EXAMPLES else "")


def _shift(words: list[str]) -> Shift | Wave:
    if shift_text.names_several(words):
        return shift_text.read_wave(words, only_plan=False)
    return shift_text.read(words, "shift", EXAMPLES["shift"], only_plan=False)


def _plan(words: list[str]) -> Shift | Wave:
    if shift_text.names_several(words):
        return shift_text.read_wave(words, only_plan=True)
    return shift_text.read(words, "plan", EXAMPLES["plan"], only_plan=True)


def _rollback(words: list[str]) -> Rollback:
    """`to 5%` is a share, `to 5` the generation of that number in the history."""
    service = typed_words.service(words, EXAMPLES["rollback"])
    rest = words[1:]
    # Only a number makes it a step down. Whoever types `to be safe` in an emergency gives a reason, and gets 100% old.
    if len(rest) < 2 or rest[0].lower() != "to" or not typed_words.bare(rest[1])[:1].isdigit():
        return Rollback(service, None, typed_words.reason(rest))
    number, reason = typed_words.bare(rest[1]), typed_words.reason(rest[2:])
    if not number.endswith("%") and number.isascii() and number.isdecimal() and 0 < int(number) < 10**9:
        return Rollback(service, None, reason, generation=int(number))
    return Rollback(service, typed_words.percent(number, f"/migrate rollback {service} to 5%"), reason)


def _safe_mode(words: list[str]) -> SafeMode:
    if not words or words[0].lower() not in ("on", "off"):
        raise UsageError("Say on or off: safe mode sends everything of a service to the old cluster.", EXAMPLES["safe-mode"])
    rest = words[1:]
    everything = (model.ALL_SERVICES,)
    service = typed_words.service(rest, EXAMPLES["safe-mode"], also=everything) if rest else model.ALL_SERVICES
    return SafeMode(words[0].lower() == "on", service, typed_words.reason(rest[1:]))


def _history(words: list[str]) -> History:
    if not words:
        raise UsageError("Say whose history.", EXAMPLES["history"])
    return History(_only_service(words, "history"))


def _list(words: list[str]) -> ListServices:
    if words:
        name = typed_words.bare(words[0]).lower()
        named = name != model.ALL_SERVICES and model.SERVICE_NAME.fullmatch(name)
        attempt = f"/migrate status {name}" if named else EXAMPLES["list"]
        raise UsageError("list shows every service and takes no word after it.", attempt)
    return ListServices()


def _preflight(words: list[str]) -> Preflight:
    typed_words.service(words, EXAMPLES["preflight"])
    return Preflight(_only_service(words, "preflight"))


def _discover(words: list[str]) -> Discover:
    if len(words) > 1:
        raise UsageError("discover takes one word at most: a part of the hosts or names to show.", EXAMPLES["discover"])
    part = typed_words.bare(words[0]).lower() if words else ""
    if not re.fullmatch(r"[a-z0-9.-]{0,253}", part):
        raise UsageError(
            f"“{typed_words.shown(part)}” is no part of a host or name (letters, digits, dots and -).", EXAMPLES["discover"]
        )
    return Discover(part)


def _objects(stage: wanted.Stage) -> _Reader:
    def read(words: list[str]) -> Objects:
        return Objects(stage, typed_words.service(words, EXAMPLES[stage]), typed_words.reason(words[1:]))

    return read


def _finish(words: list[str]) -> Finish | Objects:
    """With `remove` after the name: the old application goes."""
    service = typed_words.service(words, EXAMPLES["finish"])
    rest = words[1:]
    if rest and typed_words.bare(rest[0]).lower() == _REMOVE:
        return Objects(wanted.Stage.REMOVE, service, typed_words.reason(rest[1:]))
    if rest:
        typed_words.not_meant(rest[0], (_REMOVE,), f"/migrate finish {service} {{word}} reason")
    return Finish(service, typed_words.reason(rest))


def _run(words: list[str]) -> Run | Skip:
    """`run shop [ask|auto] [until DATE] [reason…]`, `run shop skip reason…`."""
    service = typed_words.service(words, EXAMPLES["run"])
    start, rest = f"/migrate run {service}", words[1:]
    if rest and rest[0].lower() == "skip":
        if not (reason := typed_words.reason(rest[1:])):
            raise UsageError("Say why the rest of the soak may be skipped: whoever approves reads it.", f"{start} skip reason")
        return Skip(service, reason)
    mode = wanted.Mode.ASK
    if rest and rest[0].lower() in list(wanted.Mode):
        mode, rest = wanted.Mode(rest[0].lower()), rest[1:]
    until, lasts = None, None
    if rest and rest[0].lower() == "until":
        attempt = f"{start} auto until 7d reason"
        if mode is wanted.Mode.ASK:
            raise UsageError("Only a standing approval has an end; without auto every step is asked for.", attempt)
        until, lasts = typed_words.end(rest[1:], attempt)
        rest = rest[2:]
    elif rest:
        attempt = f"{start} {{word}} 7d reason" if mode is wanted.Mode.AUTO else f"{start} {{word}} reason"
        known = _RUN_WORDS if mode is wanted.Mode.ASK else ("until",)
        typed_words.not_meant(rest[0], known, attempt)
    return Run(service, mode, until, lasts, typed_words.reason(rest))


def _pause(words: list[str]) -> Pause:
    return Pause(typed_words.service(words, EXAMPLES["pause"]), typed_words.reason(words[1:]))


def _resume(words: list[str]) -> Resume:
    return Resume(typed_words.service(words, EXAMPLES["resume"]), typed_words.reason(words[1:]))


def _only_service(words: list[str], verb: str) -> str:
    return typed_words.only_service(words, verb, EXAMPLES[verb])


VERBS: Mapping[str, _Reader] = {
    "help": _help,
    "whoami": lambda _words: WhoAmI(),  # what follows it is ignored, since nobody can mean harm by it
    "list": _list,
    "status": lambda words: Status(_only_service(words, "status")),
    "discover": _discover,
    "preflight": _preflight,
    "prepare": _objects(wanted.Stage.PREPARE),
    "plan": _plan,
    "shift": _shift,
    "run": _run,
    "pause": _pause,
    "resume": _resume,
    "approve": lambda words: ApproveAsked(_only_service(words, "approve")),
    "confirm": lambda words: ConfirmAsked(_only_service(words, "confirm")),
    "rollback": _rollback,
    "safe-mode": _safe_mode,
    "bypass": _objects(wanted.Stage.BYPASS),
    "finish": _finish,
    "history": _history,
    "audit": lambda words: Audit(_only_service(words, "audit")),
    "drift": lambda words: Drift(_only_service(words, "drift")),
}
EXAMPLES: Mapping[str, str] = {
    "help": "/migrate help",
    "whoami": "/migrate whoami",
    "list": "/migrate list",
    "status": "/migrate status api-name01",
    "discover": "/migrate discover",
    "preflight": "/migrate preflight api-name01",
    "prepare": "/migrate prepare api-name01 reason",
    "plan": "/migrate plan api-name01 25%",
    "shift": TRY_SHIFT,
    "run": "/migrate run api-name01 auto until 7d reason",
    "pause": "/migrate pause api-name01 reason",
    "resume": "/migrate resume api-name01",
    "approve": "/migrate approve api-name01",
    "confirm": "/migrate confirm api-name01",
    "rollback": "/migrate rollback api-name01 reason",
    "safe-mode": "/migrate safe-mode on api-name01 reason",
    "bypass": "/migrate bypass api-name01 reason",
    "finish": "/migrate finish api-name01 reason",
    "remove": "/migrate finish api-name01 remove reason",
    "history": "/migrate history api-name01",
    "audit": "/migrate audit api-name01",
    "drift": "/migrate drift api-name01",
}
