"""Text as people type it, undone of what phones and Slack make of it, and read word by word. Pure.

Smart quotes, non-breaking spaces, hosts turned into links, people into `<@U…|name>`: all of that is undone before anything is
read. Each reader takes words and answers a value, or raises UsageError with one kind sentence and a text that works.
"""

import difflib
import html
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from bot.slack import escaping
from k8s import model

TRY_SHIFT = "/migrate shift api-name01 25% reason"
LONGEST_REASON = 300
LINK = re.compile(r"<(?:https?|mailto|tel):(?://)?([^<>|]*)(?:\|([^<>|]*))?>")
PERSON_OR_CHANNEL = re.compile(r"<([@#!])([^<>|]+)(?:\|([^<>|]*))?>")
LEADING_MENTIONS = re.compile(r"\s*(?:<@[A-Z0-9]+(?:\|[^<>|]*)?>[\s,:]*)+")
SMART = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "％": "%", "—": "-", "–": "-"})
SPLIT_PERCENT = re.compile(r"(?<=\d)\s+%")
PERCENT = re.compile(r"([0-9]{1,3})%?")
WITH_SIGN = re.compile(r"[0-9]{1,3}%")
SPAN = re.compile(r"([1-9][0-9]{0,3})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}
_AROUND = "\"'`*,"


class UsageError(ValueError):
    """The text is no command. The message is one sentence; `attempt` is what to type instead."""

    def __init__(self, sentence: str, attempt: str = TRY_SHIFT) -> None:
        super().__init__(f"{sentence} Try: {attempt}")
        self.sentence = sentence
        self.attempt = attempt


def normalise(text: str) -> str:
    """Slack's and the phone's decoration undone: links become what was typed, people become @name, escapes signs."""
    text = LEADING_MENTIONS.sub("", text, count=1) if LEADING_MENTIONS.match(text) else text
    text = LINK.sub(lambda link: (link[2] or link[1]).rstrip("/"), text)
    text = PERSON_OR_CHANNEL.sub(lambda who: ("#" if who[1] == "#" else "@") + (who[3] or who[2]).lstrip("@#"), text)
    text = html.unescape(text).translate(SMART)
    text = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in text)
    return SPLIT_PERCENT.sub("%", "\n".join(escaping.INVISIBLE.sub("", line) for line in text.splitlines()))


def service(words: Sequence[str], example: str, *, also: tuple[str, ...] = ()) -> str:
    """The first word as a service's name or old host, lower-case."""
    if not words:
        raise UsageError("Say which service.", example)
    name = words[0].strip(_AROUND).lower()
    if name in also:
        return name
    if name == model.ALL_SERVICES:
        raise UsageError("“all” works only with safe-mode.", "/migrate safe-mode on api-name01 reason")
    if not (model.SERVICE_NAME.fullmatch(name) or model.HOST_NAME.fullmatch(name)):
        raise UsageError(f"“{shown(words[0])}” is not a service's name (small letters, digits and -).", example)
    return name


def only_service(words: Sequence[str], verb: str, example: str) -> str:
    """The one word, as a service; empty where there is none."""
    if len(words) > 1:
        raise UsageError(f"“{shown(' '.join(words[1:]))}” is one word too many for {verb}.", example)
    return service(words, example) if words else ""


def percent(word: str, attempt: str) -> int:
    found = PERCENT.fullmatch(word.strip(_AROUND))
    if not found or int(found[1]) > 100:
        raise UsageError(f"“{shown(word)}” is not a whole percentage from 0 to 100.", attempt)
    return int(found[1])


def bare(word: str) -> str:
    """Without quotes and commas around it."""
    return word.strip(_AROUND)


def percent_among(words: Sequence[str]) -> str:
    """The first percentage with its sign, for a command to try instead: what somebody typed stays theirs. Otherwise 25%."""
    marked = (bare(word) for word in words)
    return next((word for word in marked if WITH_SIGN.fullmatch(word) and int(word[:-1]) <= 100), "25%")


def end(words: Sequence[str], attempt: str) -> tuple[datetime | None, timedelta | None]:
    """A day (its end, UTC), a moment (UTC unless it says another zone), or how long from now: `7d`, `36h`."""
    word = bare(words[0]) if words else ""
    if span := SPAN.fullmatch(word.lower()):
        return None, timedelta(hours=int(span[1]) * _HOURS[span[2]])
    try:
        read = datetime.fromisoformat(word.upper())
        # The end of a day that was named alone; a moment without a zone is one of UTC, as all times here.
        whole_day = "T" not in word.upper()
        read = datetime.combine(read.date(), time(23, 59, 59)) if whole_day else read
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC), None
    except (ValueError, OverflowError):
        said = f"“{shown(word)}” is no date" if word else "The word until stands before a date"
        raise UsageError(f"{said}; write it like 2026-12-31, 2026-12-31T18:00Z or 7d.", attempt) from None


def not_meant(word: str, known: Sequence[str], attempt: str) -> None:
    """Raises UsageError for a word that nearly is one of `known`: a misspelt order must not become a reason in silence."""
    typed = word.strip(_AROUND).lower()
    close = difflib.get_close_matches(typed, known, n=1, cutoff=0.75)
    if close and typed not in known:
        raise UsageError(f"“{shown(word)}” is not understood. Did you mean {close[0]}?", attempt.format(word=close[0]))


def reason(words: Sequence[str]) -> str:
    """The rest of the line, without a word `reason:` or quotes around it, cut to what a card can show."""
    text = escaping.clean(" ".join(words))
    text = re.sub(r"^reason\s*[:=]\s*", "", text, flags=re.IGNORECASE)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return escaping.truncate(text, LONGEST_REASON)


def shown(word: str) -> str:
    return escaping.plain(word, 60)
