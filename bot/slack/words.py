"""The words of every card, one file a language, and the one rule of how facts get into them.

A fact is foreign unless it is `Live`: in mrkdwn (`Words.live`) it is escaped, in plain text (`Words.plain`) it is cleaned.
So a card is safe by how it is made, not by remembering to escape.
"""

import bisect
import functools
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from bot.slack import escaping
from handlers.rules import refusals

LOCALES = ("en", "zh-CN")
LONGEST_FACT = 300


class WordsError(ValueError):
    """A language without a file, a file that is no tree of texts, or a word that is missing or lacks a fact."""


class Live(str):
    """mrkdwn made here, from words, escaped facts and trusted ids: it is shown as it is."""

    __slots__ = ()


def foreign(text: str, most: int = LONGEST_FACT) -> Live:
    """Text that somebody else wrote, for mrkdwn: one line, at most `most` long; nothing in it is live or formats."""
    return _bounded(escaping.quoted, text, most)


def sentence(text: str, most: int = LONGEST_FACT) -> Live:
    """A sentence of the rules: as `foreign`, but its backticks still mark commands. Nothing in it is live."""
    return _bounded(escaping.escape, text, most)


def code(text: str, most: int = 500) -> Live:
    """Something to copy and type. Inside backticks nothing formats, so only backticks are replaced."""
    return Live(f"`{_bounded(escaping.escape, text, most).replace('`', 'ˋ') or '-'}`")


def joined(parts: Sequence[Live], by: str = "\n") -> Live:
    return Live(by.join(parts))


@dataclass(frozen=True, slots=True)
class Words:
    """One language. Raises WordsError for one that has no file."""

    locale: str

    def __post_init__(self) -> None:
        _words(self.locale)

    def live(self, key: str, **facts: object) -> Live:
        """The words for mrkdwn; every fact that is not Live is escaped. Raises WordsError."""
        return Live(self._filled(key, {name: _escaped(fact) for name, fact in facts.items()}))

    def plain(self, key: str, **facts: object) -> str:
        """The words for a plain_text object, where nothing is live. Raises WordsError; Live facts are a TypeError."""
        if mixed := [name for name, fact in facts.items() if isinstance(fact, Live)]:
            raise TypeError(f"{key} is plain text: {', '.join(mixed)} would show its markup")
        return self._filled(key, {name: escaping.plain(str(fact), LONGEST_FACT) for name, fact in facts.items()})

    def _filled(self, key: str, facts: Mapping[str, str]) -> str:
        known = _words(self.locale)
        if key not in known:
            raise WordsError(f"{self.locale}.yaml has no word {key}; add it to every file in templates/messages")
        if lacking := placeholders(known[key]) - facts.keys():
            raise WordsError(f"{key} in {self.locale}.yaml needs {', '.join(sorted(lacking))}, which the code does not give")
        return known[key].format_map(facts)


def refused(refusal: refusals.Refusal, locale: str) -> tuple[str, str, str]:
    """What, why and the remedy in this language; as the rules say them where it is theirs, or nobody knows the facts."""
    told = (refusal.what, refusal.why, refusal.remedy)
    known = _refusals(locale).get(refusal.reason)
    if known is None:
        return told
    try:
        what, why, remedy = (text.format_map(refusal.facts) for text in known)
    except KeyError:  # a refusal with sentences of its own
        return told
    return what, why, remedy


def nearest(locale: str) -> Words:
    """The words for a person's locale (`zh-CN`, `zh-TW`, `en-GB`, anything): Chinese for any Chinese, English otherwise."""
    return Words("zh-CN" if locale.lower().startswith("zh") else "en")


def keys(locale: str) -> Mapping[str, str]:
    """Every word of a language by its dotted key. Raises WordsError."""
    return _words(locale)


def placeholders(text: str) -> frozenset[str]:
    """Names of the facts that a word wants."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def _bounded(escape: Callable[[str, int], str], text: str, most: int) -> Live:
    """Escaping makes text longer, so it is cut before, by as much as it takes for the result to fit."""
    clean = escaping.clean(text)[: most + 1]
    whole = escape(clean, most)
    if len(whole) <= most:
        return Live(whole)
    signs = bisect.bisect_right(range(most), most, key=lambda signs: len(escape(clean, signs))) - 1
    return Live(escape(clean, max(signs, 0)))


def _escaped(fact: object) -> str:
    return fact if isinstance(fact, Live) else foreign(str(fact))


@functools.cache
def _refusals(locale: str) -> Mapping[str, tuple[str, str, str]]:
    """By reason; empty for the language of the rules."""
    if locale == LOCALES[0]:
        return {}
    text = resources.files("templates").joinpath("messages", f"refusals.{locale}.yaml").read_text(encoding="utf-8")
    return {reason: (what, why, remedy) for reason, (what, why, remedy) in yaml.safe_load(text).items()}


@functools.cache
def _words(locale: str) -> Mapping[str, str]:
    if locale not in LOCALES:
        raise WordsError(f"there are no words for the language {locale!r}; use one of {', '.join(LOCALES)}")
    text = resources.files("templates").joinpath("messages", f"{locale}.yaml").read_text(encoding="utf-8")
    flat: dict[str, str] = {}
    _flatten(yaml.safe_load(text), "", flat, locale)
    return flat


def _flatten(part: Any, path: str, flat: dict[str, str], locale: str) -> None:
    if isinstance(part, str):
        flat[path] = part
    elif isinstance(part, dict) and part and all(isinstance(name, str) for name in part):
        for name, inner in part.items():
            _flatten(inner, f"{path}.{name}" if path else name, flat, locale)
    else:
        raise WordsError(f"{locale}.yaml: {path or 'the file'} must be a text or a tree of texts (quote words such as on and no)")
