"""What was not done, as an answer: one sentence for people and one word for programs, with the status that fits. Pure."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette import responses

from handlers.rules import refusals

Reason = refusals.Reason
SEE = "/api/v1/openapi.json says what may be asked"
STATUS: Mapping[Reason, int] = {
    Reason.PERSON: 403,
    Reason.OUTSIDER: 403,
    Reason.NOT_APPROVER: 403,
    Reason.OWN_REQUEST: 403,
    Reason.NOT_REQUESTER: 403,
    Reason.UNKNOWN_OPERATION: 404,
    Reason.INVALID: 422,
    Reason.STEP_TOO_LARGE: 422,
    Reason.UNREAD: 503,
}
OTHERWISE = 409  # everything else is about the state of things: it may be different in a moment


class NotDone(Exception):
    """Raised anywhere behind the gate; becomes the answer."""

    def __init__(self, status: int, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.kind = kind
        self.sentence = sentence


def of_refusal(refusal: refusals.Refusal) -> NotDone:
    return NotDone(STATUS.get(refusal.reason, OTHERWISE), str(refusal.reason), refusal.sentence)


def unknown_service(asked: str, names: Sequence[str]) -> NotDone:
    near = difflib.get_close_matches(asked, names, n=3, cutoff=0.5)
    offered = f"did you mean {' or '.join(near)}?" if near else "GET /api/v1/services lists them."
    return NotDone(404, "unknown_service", f"There is no service {asked[:80]!r} here; {offered}")


def unreadable(problems: Sequence[Mapping[str, Any]], known: Callable[[Sequence[Any]], Sequence[str]]) -> NotDone:
    """Of pydantic's findings about a body, the first; `known`: the fields that there are, where this one stands."""
    first = problems[0]
    path = ".".join(str(part) for part in first["loc"] if part != "body") or "the body"
    if first["type"] == "extra_forbidden":
        sentence = f"{path} is not a known field; use {', '.join(known(first['loc']))}."
    elif first["type"] == "missing":
        sentence = f"{path} is missing; {SEE}."
    elif first["type"] == "json_invalid":
        sentence = f"The body is no JSON; {SEE}."
    else:
        sentence = f"{path}: {first['msg'].removeprefix('Value error, ')}; {SEE}."
    return NotDone(422, "unreadable", sentence)


def answer(error: NotDone) -> responses.JSONResponse:
    headers = {"Cache-Control": "no-store"} | ({"WWW-Authenticate": "Bearer"} if error.status == 401 else {})
    body = {"error": {"sentence": error.sentence, "kind": error.kind}}
    return responses.JSONResponse(body, status_code=error.status, headers=headers)
