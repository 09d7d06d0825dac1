"""Addresses of `/api/v1`, and what may be sent to and comes from each: the OpenAPI document is made of this."""

from collections.abc import Sequence
from typing import Any

import fastapi
import structlog
from fastapi import exceptions, security
from starlette import exceptions as starlette_exceptions
from starlette import requests, responses
from starlette.types import ASGIApp

from bot.api import asked, caller, callers, desk, errors_told, gate, routes_of_journeys, routes_of_looks, shown
from handlers import errors
from k8s import errors as cluster_errors

Caller = caller.Caller
_BODIES: dict[str, type[asked.Asked]] = {
    "shift": asked.Shift, "plan": asked.Plan, "approve": asked.Approval, "safe-mode": asked.SafeMode, "rollback": asked.Rollback,
    "run": asked.Run, "accept": asked.Accept,
    "waves": asked.Wave,
}  # fmt: skip
_log = structlog.get_logger("ferry.api")
_NOT_DONE: dict[int | str, dict[str, Any]] = {status: {"model": shown.Error} for status in (401, 403, 404, 409, 413, 422, 503)}
_ABOUT = (
    "What people of the team ask of Ferry. A raise needs another person's approval and the requester's confirmation; taking "
    f"traffic back needs neither. Send `{caller.KEY}` (8 to 64 of A-Z a-z 0-9 _ -) to make a request that is sent twice one."
)


def application(at: desk.Desk, known: callers.Callers) -> ASGIApp:
    """For mounting at `/api/v1`."""
    app = fastapi.FastAPI(
        title="Ferry",
        version="1",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=_NOT_DONE,
        dependencies=[fastapi.Security(security.HTTPBearer(auto_error=False))],  # said in the document; the gate has checked it
    )
    routes_of_looks.add(app, at.looks)
    _requests(app, at)
    routes_of_journeys.add(app, at.journey)
    _decisions(app, at)
    _errors(app)
    return gate.Gate(app, known, at.turned_away)


def _requests(app: fastapi.FastAPI, at: desk.Desk) -> None:
    @app.post("/services/{name}/shift")
    async def shift(name: str, body: asked.Shift, by: Caller) -> shown.Answer:
        """Ask for another exposure; nothing moves before it is confirmed."""
        return await at.shift(by, name, body)

    @app.post("/services/{name}/plan")
    async def plan(name: str, body: asked.Plan, by: Caller) -> shown.Preview:
        """What a shift would freeze, and whether it would be accepted now; nothing is asked for."""
        return await at.plan(by, name, body)

    @app.post("/services/{name}/rollback")
    async def rollback(name: str, by: Caller, body: asked.Rollback | None = None) -> shown.Placed | shown.Answer:
        """100% old, now, by a hold: no approval, no confirmation. To a lower percentage, or to what was in force at a generation:
        done at once where it provably lowers, asked for where it raises."""
        return await at.roll_back(by, name, body or asked.Rollback())

    @app.post("/safe-mode")
    async def safe_mode(body: asked.SafeMode, by: Caller) -> shown.Placed | shown.Releases:
        """On: 100% old, now, for a service or all. Off: ask for the release of what is held; the weight stays at 0."""
        if body.on:
            return await at.hold(by, body.service, body.reason)
        return await at.release(by, body.service, body.reason)


def _decisions(app: fastapi.FastAPI, at: desk.Desk) -> None:
    @app.post("/operations/{operation}/approve")
    async def approve(operation: str, by: Caller, body: asked.Approval | None = None) -> shown.Answer:
        """By an approver who did not ask for it."""
        return await at.approve(by, operation, body or asked.Approval())

    @app.post("/operations/{operation}/reject")
    async def reject(operation: str, by: Caller, body: asked.Reasoned | None = None) -> shown.Answer:
        """By an approver: rejected. By the requester: withdrawn."""
        return await at.reject(by, operation, body or asked.Reasoned())

    @app.post("/operations/{operation}/confirm")
    async def confirm(operation: str, by: Caller) -> shown.Answer:
        """By the requester: now it is carried out."""
        return await at.confirm(by, operation)


def _errors(app: fastapi.FastAPI) -> None:
    @app.exception_handler(errors_told.NotDone)
    async def not_done(_: requests.Request, error: errors_told.NotDone) -> responses.Response:
        return errors_told.answer(error)

    @app.exception_handler(exceptions.RequestValidationError)
    async def unreadable(request: requests.Request, error: exceptions.RequestValidationError) -> responses.Response:
        return errors_told.answer(errors_told.unreadable(error.errors(), lambda place: _fields(request, place)))

    @app.exception_handler(starlette_exceptions.HTTPException)
    async def no_such_address(request: requests.Request, error: starlette_exceptions.HTTPException) -> responses.Response:
        why = f"{request.method} {request.url.path[:200]} is nothing that can be asked."
        told = errors_told.NotDone(error.status_code, "no_such_address", "Nothing was done.", why=why, remedy=errors_told.SEE)
        return errors_told.answer(told)

    @app.exception_handler(errors.Away)
    @app.exception_handler(cluster_errors.ClusterError)
    async def away(_: requests.Request, error: Exception) -> responses.Response:
        return errors_told.answer(errors_told.away(str(error)))

    @app.exception_handler(Exception)
    async def failed(request: requests.Request, error: Exception) -> responses.Response:
        _log.error("a request to the API failed", path=request.url.path[:200], exc_info=error)
        what, why = "This failed inside Ferry, and may be done in part.", "The cause is in Ferry's log."
        return errors_told.answer(
            errors_told.NotDone(500, "failed", what, why=why, remedy="See ferry status before you try again.")
        )


def _fields(request: requests.Request, place: Sequence[Any]) -> list[str]:
    """Of the body that this address takes, or of the part of it where something stands."""
    parts: dict[Any, type[asked.Asked]] = {"header": asked.Header, "user": asked.User}
    if len(place) > 2 and (part := parts.get(place[-2])):
        return list(part.model_fields)
    verb = request.url.path.rstrip("/").rpartition("/")[2]
    return list(_BODIES.get(verb, asked.Reasoned).model_fields)
