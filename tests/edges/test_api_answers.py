"""What the API answers when something behind it is away or fails, and which status belongs to which refusal."""

from typing import Any

import httpx
import pytest
from starlette import applications, routing

from bot import clock
from bot.api import callers, desk, errors_told, routes
from bot.slack import people
from handlers import answers, errors, messages
from handlers.rules import effects, refusals
from k8s import errors as cluster_errors
from k8s import model, views

TOKEN = "t" * 32
Reason = refusals.Reason


class Front:
    """Raises `error` whatever it is asked; while `unread`, it knows no service."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.unread = ""
        self.placed: list[messages.PlaceHold] = []
        self.safe = True

    def names(self) -> tuple[str, ...]:
        return () if self.unread else ("shop",)

    def find(self, name: str) -> str | None:
        return name if name in self.names() else None

    async def overview(self) -> answers.Overview:
        if self.error is not None:
            raise self.error
        return answers.Overview((), (), synced=not self.unread)

    async def hold(self, message: messages.PlaceHold) -> answers.Placed:
        self.placed.append(message)
        pushes = (views.PushAnswer("pod-1", self.safe),)
        return answers.Placed(model.Hold(message.service, "h1"), self.safe, pushes, 0.02, "" if self.safe else "nobody answers")


class Persons:
    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []

    async def person_of(self, user: str, team: str, channel: str, *, fresh: bool = False, shared: bool = False) -> people.Known:
        self.asked.append((user, fresh))
        return people.Known(messages.Person(f"slack:{team}/{user}", "Ann"))

    async def person_lowering(self, user: str, team: str) -> people.Known:
        return people.Known(messages.Person(f"slack:{team}/{user}", "Ann"))


class Audit:
    def __init__(self) -> None:
        self.events: list[effects.AuditEvent] = []

    async def record(self, event: effects.AuditEvent) -> None:
        self.events.append(event)


class Served:
    def __init__(self, front: Front) -> None:
        self.front = front
        self.audit = Audit()
        behind = desk.Behind(
            front=front,  # type: ignore[arg-type]  # only what these tests ask of it
            persons=Persons(),
            audit=self.audit,
            clock=clock.SystemClock(),
            team="T0",
            channel="C0",
            unread=lambda: front.unread,
        )
        inner = routes.application(desk.Desk(behind), callers.Callers([("U0ANN", TOKEN)]))
        app = applications.Starlette(routes=[routing.Mount("/api/v1", inner)])
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://ferry")

    async def ask(self, method: str, path: str, body: Any = None, token: str = TOKEN, **headers: str) -> httpx.Response:
        shown = {"Authorization": f"Bearer {token}", **headers}
        async with self.http:
            return await self.http.request(method, f"/api/v1/{path}", json=body, headers=shown)


@pytest.mark.parametrize(
    ("error", "status", "kind", "says"),
    [
        (errors.Away("Redis does not answer"), 503, "away", "Redis does not answer. Try again in a moment; taking traffic back"),
        (cluster_errors.Unreachable("the API server does not answer."), 503, "away", "The API server does not answer. Try again"),
        (RuntimeError("a secret detail"), 500, "failed", "The cause is in Ferry's log"),
    ],
)
async def test_what_is_away_and_what_fails_is_a_sentence(error: Exception, status: int, kind: str, says: str) -> None:
    answer = await Served(Front(error)).ask("GET", "services")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (status, kind)
    assert says in answer.json()["error"]["sentence"]
    assert "secret detail" not in answer.text


async def test_while_the_cluster_cannot_be_read_a_hold_takes_a_name_at_its_word_and_nothing_else_does() -> None:
    front = Front()
    front.unread = "the API server has not answered yet."
    raised = await Served(front).ask("POST", "services/shop/shift", {"weight": 5, "reason": "x"})
    assert (raised.status_code, raised.json()["error"]["kind"]) == (503, "cluster_unread")
    assert (await Served(front).ask("GET", "services/shop")).status_code == 503
    assert (await Served(front).ask("POST", "safe-mode", {"on": False})).status_code == 503
    assert (await Served(front).ask("POST", "services/shop/rollback")).json()["safe"] is True
    assert [one.service for one in front.placed] == ["shop"]
    assert (await Served(front).ask("POST", "services/No..Name/rollback")).status_code == 404


async def test_a_hold_that_nobody_confirmed_is_no_success() -> None:
    front = Front()
    front.safe = False
    answer = await Served(front).ask("POST", "safe-mode", {"on": True, "service": "all", "reason": "fire"})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "not_confirmed")
    assert "Nobody answers." in answer.json()["error"]["sentence"]
    assert [(one.service, one.reason, one.actor.source) for one in front.placed] == [("all", "fire", messages.Source.API)]


async def test_a_key_names_one_request_of_one_person_and_one_verb() -> None:
    front = Front()
    for key, client in (("a-key-of-mine", "cli"), ("a-key-of-mine", "cli"), ("another-key", "cli"), ("", ""), ("", "")):
        sent = {"Idempotency-Key": key, "X-Ferry-Client": client}
        assert (await Served(front).ask("POST", "services/shop/rollback", **sent)).status_code == 200
    ids = [one.id for one in front.placed]
    assert ids[0] == ids[1] == "cli:U0ANN:hold:shop:a-key-of-mine"
    assert len(set(ids)) == 4
    assert (await Served(front).ask("POST", "services/shop/rollback", **{"Idempotency-Key": "a b"})).status_code == 422


async def test_a_flood_of_strangers_does_not_fill_the_audit() -> None:
    served = Served(Front())
    async with served.http:
        for _ in range(15):
            answer = await served.http.get("/api/v1/services", headers={"Authorization": "Bearer guessed"})
            assert answer.status_code == 401
    assert len(served.audit.events) == desk.MOST_REFUSALS
    assert "guessed" not in served.audit.events[0].sentence


@pytest.mark.parametrize("reason", Reason)
def test_every_refusal_has_a_status_of_its_kind(reason: refusals.Reason) -> None:
    told = errors_told.of_refusal(refusals.Refusal(reason, "What.", "Why.", "Remedy."))
    assert told.status in (403, 404, 409, 422, 503)
    assert (told.kind, told.sentence) == (str(reason), "What. Why. Remedy.")
