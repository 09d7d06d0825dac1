"""Logs: one JSON object a line, the same for structlog and for every library that uses `logging`; secrets never get in.

Secrets are found three ways: by their shape (Slack tokens, bearer headers, passwords in URLs, keys, response URLs), by the
name they stand under (`token`, `password`, `response_url`, …), and, for those without a shape, by their exact text as
given to `configure`.
"""

import json
import logging
import math
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping, Set
from datetime import date
from typing import Any, TextIO
from urllib.parse import quote

import structlog

HIDDEN = "[redacted]"
_DEEPEST = 12
_SHORTEST_EXACT = 8  # characters: a shorter text would blot out ordinary words
_NAMES = (
    r"(?:password|passwd|secret|token|authorization|api[_-]?key|private[_-]?key|signing[_-]?key|response[_-]?url|trigger[_-]?id"
    r"|cookie|ticket|credential)s?"
)
_SECRET_NAME = re.compile(rf"(?i){_NAMES}$")
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"), HIDDEN),
    (re.compile(r"(?i)https?://hooks\.slack(?:-gov)?\.com/[^\s\"'<>|]*"), HIDDEN),
    (re.compile(r"(?i)(://)(?:[^\s\"<>/@:]*:[^\s\"]*|[^\s\"<>/@]+)@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(?i)(?:xox[a-z](?:\.xox[a-z])?|xapp|xwfp)-[A-Za-z0-9_-]+"), HIDDEN),
    (re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"), HIDDEN),
    (re.compile(r"(?<![0-9])[0-9]{6,}\.[0-9]{6,}\.[0-9a-f]{20,}"), HIDDEN),  # Slack's trigger_id
    (re.compile(rf"(?is)({_NAMES}[\"']?\s*[:=]\s*)([\"'])(?:\\.|(?!\2).)*"), rf"\1\2{HIDDEN}"),
    (re.compile(rf"(?is)({_NAMES}(?:\\+[\"'])?\s*[:=]\s*)(\\+[\"'])(?:(?!\2).)*"), rf"\1\2{HIDDEN}"),  # quoted in a quoted text
    (re.compile(rf"(?i)({_NAMES}\s*[:=]\s*(?:(?:bearer|basic)\s+)?)(?!(?:bearer|basic)\s)[^\s\"',;&<>]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer\s+)(?!tokens?\b)[A-Za-z0-9._~+/=-]+"), rf"\1{HIDDEN}"),
)
_QUIET = ("slack_sdk", "slack_bolt")  # at DEBUG they write tokens, payloads and response URLs
_exact: tuple[str, ...] = ()


def redact(text: str) -> str:
    """The text without secrets, safe to encode. Doing it again changes nothing."""
    clean = text.encode("utf-8", "replace").decode()
    for secret in _exact:
        clean = clean.replace(secret, HIDDEN)
    for shape, instead in _SHAPES:
        clean = shape.sub(instead, clean)
    return clean


def redacted(value: Any, depth: int = 0) -> Any:
    """Plain JSON values of anything, without secrets, whatever it is nested in."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case str() | bytes() | bytearray():
            return redact(value if isinstance(value, str) else bytes(value).decode("utf-8", "replace"))
        case Mapping() | list() | tuple() | Set() if depth >= _DEEPEST:
            return "…"
        case Mapping():
            return {redact(_text(name)): _named(_text(name), inner, depth + 1) for name, inner in value.items()}
        case list() | tuple() | Set():
            return [redacted(inner, depth + 1) for inner in value]
    return redact(_text(value))


def _named(name: str, value: Any, depth: int) -> Any:
    telling = value is not None and not isinstance(value, bool) and not (isinstance(value, str) and not value)
    return HIDDEN if telling and _SECRET_NAME.search(name) else redacted(value, depth)


def _text(value: object) -> str:
    try:
        return value.isoformat() if isinstance(value, date) else str(value)
    except Exception:  # noqa: BLE001 - a broken __str__ of a foreign object must not lose the line it stands in
        return f"(a {type(value).__name__} that cannot be shown)"


def configure(stream: TextIO | None = None, *, secrets: Iterable[str] = ()) -> None:
    """All logs of this process, from INFO on, to `stream` (standard output), replacing what was configured before.

    `secrets`: texts to hide wherever they stand, also percent-encoded.
    """
    global _exact  # noqa: PLW0603 - logging itself is one thing a process; so is what must never be in it
    known = {text for secret in secrets for text in (secret, quote(secret, safe="")) if len(secret) >= _SHORTEST_EXACT}
    _exact = tuple(sorted(known, key=lambda text: (-len(text), text)))
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.addFilter(_not_too_chatty)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.StackInfoRenderer(),
                structlog.processors.format_exc_info,
                _line,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.INFO)


def _not_too_chatty(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG or record.name.split(".")[0] not in _QUIET


def _line(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> str:
    first = {name: fields.pop(name) for name in ("time", "level", "event", "logger") if name in fields}
    return json.dumps(redacted({**first, **fields}), ensure_ascii=False)
