"""What was not done, as an answer: what, why and what next for people, one word for programs, a status that fits. Pure."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette import responses

from handlers.rules import refusals

Reason = refusals.Reason
SEE = "See /api/v1/openapi.json: it says what may be asked."
STATUS: Mapping[Reason, int] = {
    Reason.PERSON: 403,
    Reason.OUTSIDER: 403,
    Reason.NOT_APPROVER: 403,
    Reason.OWN_REQUEST: 403,
    Reason.NOT_REQUESTER: 403,
    Reason.UNKNOWN_OPERATION: 404,
    Reason.INVALID: 422,
    Reason.NO_REASON: 422,
    Reason.STEP_TOO_LARGE: 422,
    Reason.STEPS_TOO_LARGE: 422,
    Reason.STANDING_TOO_LONG: 422,
    Reason.NOT_ADDED: 422,
    Reason.NOT_ADDED_NOW: 503,
    Reason.UNREAD: 503,
}
OTHERWISE = 409  # everything else is about the state of things: it may be different in a moment


class NotDone(Exception):
    """Raised anywhere behind the gate; becomes the answer. `what`, `why`, `remedy`: a sentence each, none empty."""

    def __init__(self, status: int, kind: str, what: str, *, why: str, remedy: str) -> None:
        super().__init__(f"{what} {why} {remedy}")
        self.status = status
        self.kind = kind
        self.what = what
        self.why = why
        self.remedy = remedy

    @property
    def sentence(self) -> str:
        return f"{self.what} {self.why} {self.remedy}"


def of_refusal(refusal: refusals.Refusal) -> NotDone:
    status = STATUS.get(refusal.reason, OTHERWISE)
    return NotDone(status, str(refusal.reason), refusal.what, why=refusal.why, remedy=refusal.remedy)


def away(why: str) -> NotDone:
    remedy = "Try again in a moment; taking traffic back (rollback, safe-mode) stays open."
    return NotDone(503, "away", "This was not done.", why=whole(why), remedy=remedy)


def whole(clause: str) -> str:
    """As a sentence of its own."""
    return f"{clause[:1].upper()}{clause[1:].rstrip('.')}."


def unknown_service(asked: str, names: Sequence[str]) -> NotDone:
    near = difflib.get_close_matches(asked, names, n=3, cutoff=0.5)
    what = f"Nothing was done for {asked[:80]!r}."
    why = "There is no service of this name or old host here" + (f"; did you mean {' or '.join(near)}?" if near else ".")
    return NotDone(404, "unknown_service", what, why=why, remedy="Use a name of GET /api/v1/services, or of ferry list.")


def unknown_operation(asked: str) -> NotDone:
    why = f"No operation is called {asked[:80]!r}: it is too old, or the store that kept it came back empty."
    return NotDone(404, str(Reason.UNKNOWN_OPERATION), "Nothing was done.", why=why, remedy="ferry status shows what waits.")


def unreadable(problems: Sequence[Mapping[str, Any]], known: Callable[[Sequence[Any]], Sequence[str]]) -> NotDone:
    """Of pydantic's findings about what was sent, the first; `known`: the fields that there are, where this one stands."""
    first = problems[0]
    path = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path")) or "the body"
    remedy = SEE
    if first["type"] == "extra_forbidden":
        why, remedy = f"{path} is not a known field.", f"Use {', '.join(known(first['loc']))}."
    elif first["type"] == "missing":
        why = f"{path} is missing."
    elif first["type"] == "json_invalid":
        why = "The body is no JSON."
    else:
        why = f"{path}: {first['msg'].removeprefix('Value error, ').rstrip('.')}."
    return NotDone(422, "unreadable", "What was sent was not read, and nothing was done.", why=why, remedy=remedy)


def answer(error: NotDone) -> responses.JSONResponse:
    headers = {"Cache-Control": "no-store"} | ({"WWW-Authenticate": "Bearer"} if error.status == 401 else {})
    told = {"kind": error.kind, "what": error.what, "why": error.why, "remedy": error.remedy, "sentence": error.sentence}
    return responses.JSONResponse({"error": told}, status_code=error.status, headers=headers)
