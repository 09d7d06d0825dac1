"""Where a request, a hold or an operation left its traces in one proxy: access log, error log and journal, rotated ones too.

Reads files only, so that it works beside a running agent, and without one.
"""

import datetime
import math
import os
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import orjson

from k8s.agent import journal

ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
SLACK = 0.1  # seconds: nginx looks at the clock now and then, and not for each log anew
_ERROR = re.compile(r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>\w+)\] \d+#\d+: \*(?P<conn>\d+) (?P<text>.*)")
_REQUEST = re.compile(r', request: "(?P<method>[A-Z]+) (?P<path>[^ ?]*)')
_ROTATED = re.compile(r"access\.log\.[0-9]+")
_QUERY = re.compile(r'\?\S*?(?P<rest>"?,?)(?=\s|$)')
_USER = re.compile(r"//[^/@\s\"]+@")
_SECRET = re.compile(
    r"(?P<name>[\w-]*(?:authorization|cookie|token|secret|password|api-?key)[\w-]*\"?\s*[:=]\s*|\b(?:bearer|basic)\s+)[^\",]+",
    re.IGNORECASE,
)


def traces(run: Path, wanted: str) -> list[dict[str, Any]]:
    """Everything about this id, oldest first: each has `kind` (access, error, audit or timing) and `t` in epoch seconds.

    nginx's errors name no request: they are joined by connection, time, method and path. Raises OSError.
    """
    with ExitStack() as opened:
        access = list(_open(run, "access.log", _ROTATED, opened))
        errors = list(_open(run, "error.log", re.compile(r"error\.log\.1"), opened))
        decided = list(_open(run, journal.NAME, re.compile(re.escape(f"{journal.NAME}.1")), opened))
        requests = [one for one in _mentioning(access, wanted) if one.get("id") == wanted]
        found = [{"kind": "access", **one} for one in requests]
        found += _errors_of(requests, errors) if requests else []
        found += [one for one in _mentioning(decided, wanted) if _names(one, wanted)]
    return sorted(found, key=lambda one: one["t"])


def _open(run: Path, name: str, rotated: re.Pattern[str], opened: ExitStack) -> Iterator[IO[bytes]]:
    """The current file first: one that is put aside meanwhile is met again under its other name."""
    seen = set()
    for path in (run / name, *(path for path in run.glob(f"{name}.*") if rotated.fullmatch(path.name))):
        try:
            file = opened.enter_context(path.open("rb"))
        except FileNotFoundError:
            continue  # not written yet, or the oldest one, which has just gone
        found = os.fstat(file.fileno())
        if (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            yield file


def _mentioning(files: Iterable[IO[bytes]], wanted: str) -> Iterator[dict[str, Any]]:
    """Lines of JSON in which this text is; a last one that is not whole yet is no line."""
    needle = wanted.encode()
    for file in files:
        for line in file:
            if needle not in line:
                continue
            try:
                found = orjson.loads(line.decode(errors="replace"))
            except orjson.JSONDecodeError:
                continue
            if isinstance(found, dict) and isinstance(found.get("t"), int | float):
                yield found


def _names(line: Mapping[str, Any], wanted: str) -> bool:
    """As a whole value, not as a part of some sentence."""
    return any(value == wanted or (isinstance(value, list) and wanted in value) for value in line.values())


def _errors_of(requests: Iterable[Mapping[str, Any]], files: Iterable[IO[bytes]]) -> Iterator[dict[str, Any]]:
    by_connection: dict[str, list[Mapping[str, Any]]] = {}
    for one in requests:
        by_connection.setdefault(str(one.get("conn", "")), []).append(one)
    for file in files:
        for line in file:
            match = _ERROR.match(line.decode(errors="replace").rstrip())
            if match is None or match["conn"] not in by_connection:
                continue
            # nginx writes local time; this runs in the same pod.
            second = datetime.datetime.strptime(match["time"], "%Y/%m/%d %H:%M:%S").astimezone().timestamp()
            if any(_is_of(one, second, match["text"]) for one in by_connection[match["conn"]]):
                yield {
                    "kind": "error",
                    "t": second,
                    "level": match["level"],
                    "conn": int(match["conn"]),
                    "message": without_secrets(match["text"]),
                }


def _is_of(request: Mapping[str, Any], second: float, text: str) -> bool:
    """Errors are told in whole seconds: one of the request's own, on its connection, about its method and path."""
    ended = float(request["t"])
    if not math.floor(ended - float(request.get("time", 0)) - SLACK) <= second <= ended + SLACK:
        return False
    asked = _REQUEST.search(text)
    if asked is None:
        return True
    path, uri = urllib.parse.unquote(asked["path"], errors="replace"), request.get("uri")
    return asked["method"] == request.get("method") and (path == uri or "/." in path)  # the access log has dots resolved


def without_secrets(text: str) -> str:
    """A line of nginx's error log without query strings, user names in addresses, and values of headers that grant something."""
    return _SECRET.sub(r"\g<name>…", _USER.sub("//…@", _QUERY.sub(r"?…\g<rest>", text)))
