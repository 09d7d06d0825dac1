"""Addresses of what may be known."""

from typing import Annotated

import fastapi

from bot.api import caller, looks, shown, shown_looks, shown_operation, shown_waves
from k8s import entry_change

Caller = caller.Caller


def add(app: fastapi.FastAPI, at: looks.Looks) -> None:
    _services(app, at)
    _ahead(app, at)
    _waves(app, at)
    _behind(app, at)


def _services(app: fastapi.FastAPI, at: looks.Looks) -> None:
    @app.get("/services")
    async def services(by: Caller) -> shown.Overview:
        """Every service in one line."""
        return await at.services(by)

    @app.get("/services/{name}")
    async def service(name: str, by: Caller) -> shown.Service:
        """One service in full, with its way and old against new. `name`: its name, or its old host."""
        return await at.service(by, name)

    @app.get("/whoami")
    async def whoami(by: Caller) -> shown_looks.Self:
        """Who the token is to Ferry, and what they may do."""
        return await at.whoami(by)

    @app.get("/operations/{operation}")
    async def operation(operation: str, by: Caller) -> shown_operation.Operation:
        """One requested change, open or decided; its timeline grows until `outcome` is no longer `open`."""
        return await at.operation(by, operation)


def _ahead(app: fastapi.FastAPI, at: looks.Looks) -> None:
    @app.get("/discovery")
    async def discovery(by: Caller, part: Annotated[str, fastapi.Query(max_length=253)] = "") -> shown_looks.Found:
        """What the old cluster serves and migration.yaml does not name yet. `part`: only names and hosts with this in them."""
        return await at.discovery(by, part)

    @app.get("/services/{name}/preflight")
    async def preflight(name: str, by: Caller) -> shown_looks.Preflight:
        """Whether everything is there before traffic moves; takes some seconds."""
        return await at.preflight(by, name)

    @app.get("/services/{name}/arrangement/{stage}")
    async def arrangement(name: str, stage: entry_change.Stage, by: Caller) -> shown_looks.Arrangement:
        """Which objects prepare, bypass, finish (`forward`) or remove would change now, by a dry run; nothing is changed."""
        return await at.arrangement(by, name, stage)


def _waves(app: fastapi.FastAPI, at: looks.Looks) -> None:
    @app.get("/waves")
    async def waves(by: Caller) -> shown_waves.Waves:
        """Changes of several services in one plan that wait or are under way: who moves, and what the others wait for."""
        return await at.waves(by)

    @app.get("/waves/{wave}")
    async def wave(wave: str, by: Caller) -> shown_waves.Wave:
        """One of them, also one that is over. `wave`: its name (`wave.…`), or its operation's id."""
        return await at.wave(by, wave)


def _behind(app: fastapi.FastAPI, at: looks.Looks) -> None:
    @app.get("/services/{name}/history")
    async def history(name: str, by: Caller) -> shown_looks.History:
        """Every change that is kept, newest first."""
        return await at.history(by, name)

    @app.get("/audit")
    async def audit(
        by: Caller,
        service: Annotated[str, fastapi.Query(max_length=253)] = "",
        most: Annotated[int, fastapi.Query(ge=1, le=looks.MOST_EVENTS)] = 50,
    ) -> shown_looks.Events:
        """Who asked, decided and tried what, newest first; refusals too. Without `service`: of all."""
        return await at.audit(by, service, most)

    @app.get("/drift")
    async def drift(by: Caller, service: Annotated[str, fastapi.Query(max_length=253)] = "") -> shown_looks.Drift:
        """What somebody changed by hand: what differs from what was approved, and what was put back or accepted lately."""
        return await at.drift(by, service)
