"""One question to the API, and what is printed and returned for it: 0 done, 1 refused or not reached, 2 asked wrongly."""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from bot.cli import api_access, following, remote_lines

Document = dict[str, Any]


def tell(
    ask: Callable[[], Document],
    lines: Callable[[Document], Iterable[str]],
    *,
    as_json: bool,
    then: Callable[[Document], Document] | None = None,
) -> Document:
    """Prints the answer, and returns it; ends the process where there is none.

    `then`: what follows the answer. It prints for people by itself; with `as_json` what it gives is printed instead.
    """
    try:
        document = ask()
        if not as_json:
            for line in lines(document):
                print(line, flush=True)
        document = then(document) if then is not None else document
    except api_access.NotDone as error:
        if as_json:
            print(json.dumps({"error": error.told}, ensure_ascii=False))
        else:
            print(remote_lines.clean(error.sentence), file=sys.stderr)
        raise SystemExit(1) from None
    except following.NotCompleted as ended:
        if as_json:
            print(json.dumps(ended.document, ensure_ascii=False))
        raise SystemExit(1) from None
    if as_json:
        print(json.dumps(document, ensure_ascii=False))
    return document


def quoted(name: str) -> str:
    """As one part of a path."""
    return quote(name, safe="")


def meant(at: api_access.Access, what: str) -> Document:
    """The operation of this id, or the one that waits for the service of this name. Raises NotDone."""
    if what.startswith("op-"):
        try:
            return at.get(f"operations/{quoted(what)}")
        except api_access.NotDone as error:
            if error.kind != "unknown_operation":
                raise
            unknown = error
        try:
            service = at.get(f"services/{quoted(what)}")  # a service may be called so, too
        except api_access.NotDone:
            raise unknown from None
    else:
        service = at.get(f"services/{quoted(what)}")
    if service["operation"] is None:
        raise api_access.NotDone(f"Nothing waits for {what}; ferry status {what} shows what is in force.", "nothing_waits")
    found: Document = service["operation"]
    return found
