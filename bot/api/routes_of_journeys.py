"""Addresses of a service's whole way: its objects, its ladder, its end. Nothing moves before it is confirmed."""

import fastapi

from bot.api import asked, caller, journey_desk, shown, shown_looks
from k8s import entry_change

Caller = caller.Caller
Stage = entry_change.Stage


def add(app: fastapi.FastAPI, at: journey_desk.JourneyDesk) -> None:
    _found(app, at)
    _objects(app, at)
    _ladder(app, at)
    _waves(app, at)


def _found(app: fastapi.FastAPI, at: journey_desk.JourneyDesk) -> None:
    @app.post("/discovery/accept")
    async def accept(body: asked.Accept, by: Caller) -> shown_looks.Accepted:
        """Add what was discovered to migration.yaml at weight 0: exactly what is named, all or nothing."""
        return await at.accept(by, body)


def _objects(app: fastapi.FastAPI, at: journey_desk.JourneyDesk) -> None:
    @app.post("/services/{name}/prepare")
    async def prepare(name: str, by: Caller, body: asked.Reasoned | None = None) -> shown.Answer:
        """Ask that the old ingress hands the host to the proxies. Needs another person's approval."""
        return await at.arrange(by, name, Stage.PREPARE, _reason(body))

    @app.post("/services/{name}/bypass")
    async def bypass(name: str, by: Caller, body: asked.Reasoned | None = None) -> shown.Answer:
        """Restore the original entry, without the proxies. Towards old: one confirmation, no approval."""
        return await at.arrange(by, name, Stage.BYPASS, _reason(body))

    @app.post("/services/{name}/finish")
    async def finish(name: str, by: Caller, body: asked.Reasoned | None = None) -> shown.Answer:
        """Ask for the end: the entry forwards to new for good. Needs 100%, the whole backup time, and approval."""
        return await at.finish(by, name, _reason(body))

    @app.post("/services/{name}/remove")
    async def remove(name: str, by: Caller, body: asked.Reasoned | None = None) -> shown.Answer:
        """Ask that the old application goes, after the end. Needs approval."""
        return await at.arrange(by, name, Stage.REMOVE, _reason(body))


def _ladder(app: fastapi.FastAPI, at: journey_desk.JourneyDesk) -> None:
    @app.post("/services/{name}/run")
    async def run(name: str, by: Caller, body: asked.Run | None = None) -> shown.Answer:
        """Climb the ladder: each step asked for when it is due, or all of them on one standing approval."""
        return await at.run(by, name, body or asked.Run())

    @app.post("/services/{name}/skip")
    async def skip(name: str, body: asked.Because, by: Caller) -> shown.Answer:
        """Ask for the ladder's next step now, although its soak is not served."""
        return await at.skip(by, name, body.reason)

    @app.post("/services/{name}/pause")
    async def pause(name: str, by: Caller, body: asked.Reasoned | None = None) -> shown.Answer:
        """No step until somebody resumes; any member may."""
        return await at.pause(by, name, _reason(body))

    @app.post("/services/{name}/resume")
    async def resume(name: str, by: Caller, body: asked.Reasoned | None = None) -> shown.Answer:
        """The ladder goes on, in the name of whoever resumes it."""
        return await at.resume(by, name, _reason(body))


def _waves(app: fastapi.FastAPI, at: journey_desk.JourneyDesk) -> None:
    @app.post("/waves")
    async def wave(body: asked.Wave, by: Caller) -> shown.Answer:
        """Ask for one weight of several services, in one plan and one approval; they go in turns, and a hold halts them."""
        return await at.wave(by, body)


def _reason(body: asked.Reasoned | None) -> str:
    return body.reason if body else ""
