"""A service's whole way over HTTP: which message each address becomes, with whose rights, and how what is looked at is shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette import applications, routing

from bot.api import behind, callers, desk, routes
from bot.slack import people
from handlers import answers, discovering, journey_messages, messages
from handlers.rules import effects, gates, journeys, migration, refusals, waves
from k8s import discovery, entry_change, model, preflight

TOKEN, NOW = "t" * 32, datetime(2026, 5, 4, 12, tzinfo=UTC)
A_WEEK, NEW_YEAR = timedelta(days=7), datetime(2026, 12, 31, 18, tzinfo=UTC)
Stage = entry_change.Stage
Kind = migration.Kind
Mode = journey_messages.Mode
EXPOSURE = model.Exposure(weight=10, old_host="shop.old.example", new_host="shop.new.example")


def operation(kind: Kind = Kind.LOWER, **changes: Any) -> migration.Operation:
    plan = migration.Plan("shop", kind, before=EXPOSURE, after=EXPOSURE.at(5), generation=3, wish=10, **changes)
    return migration.Operation(
        id="op-1",
        plan=plan,
        requester="slack:T0/U0ANN",
        requester_shown="Ann",
        reason="why",
        requested_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        phase=migration.Phase.APPROVED,
        timeline=((NOW, "Ann asks"),),
    )


class Clock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, _seconds: float) -> None:
        raise AssertionError("nothing here waits")


class Front:
    """Knows the service shop; `said` answers every command; what it is asked stands in `heard`."""

    def __init__(self) -> None:
        self.heard: list[messages.Command] = []
        self.known: tuple[str, ...] = ("shop",)
        self.said = answers.Answer("It is asked for.")
        self.kind = Kind.LOWER
        self.operations: dict[str, migration.Operation] = {}
        self.accepted: list[discovering.Accept] = []
        self.no: refusals.Refusal | None = None
        self.under_way: tuple[waves.Wave, ...] = ()

    def names(self) -> tuple[str, ...]:
        return self.known

    def find(self, name: str) -> str | None:
        return name.partition(".")[0] if name.partition(".")[0] in self.known else None

    async def handle(self, message: messages.Command) -> answers.Answer:
        self.heard.append(message)
        return self.said

    async def operation(self, operation_id: str) -> migration.Operation | None:
        return self.operations.get(operation_id)

    def target(self, _service: str, weight: int, **_rules: Any) -> model.Exposure:
        return EXPOSURE.at(weight)

    async def past_exposure(self, service: str, generation: int) -> model.Exposure | refusals.Refusal:
        if generation != 3:
            return refusals.refuse(refusals.Reason.INVALID, service=service, why="No revision 4 of it is kept.")
        return EXPOSURE.at(7)

    async def preview(self, _service: str, target: model.Exposure, _actor: messages.Person) -> answers.Preview:
        plan = migration.Plan("shop", self.kind, before=EXPOSURE, after=target, generation=3, wish=10)
        return answers.Preview(plan, self.no)

    async def status(self, _service: str) -> answers.ServiceStatus:
        return answers.ServiceStatus(
            "shop", migration.Phase.STEADY, EXPOSURE, generation=3, wish=10, wished=None, holds=(), operation=None, last=None,
            proxies=(), expected=1, served="1 of 1", firing=(), trouble=(), journey=JOURNEY,
        )  # fmt: skip

    async def arrangement(self, service: str, stage: Stage) -> entry_change.Arrangement:
        change = entry_change.ObjectChange(entry_change.Verb.APPLY, "Ingress", "old", "shop", "d", "+ spec", "Helm owns it.")
        return entry_change.Arrangement(stage, service, (change,), ("A stays.",), ("B is in the way.",))

    async def preflight(self, service: str) -> preflight.Report:
        return preflight.Report(service, (preflight.Check("tls", preflight.Ok.NO, "It ended.", "Renew it."),), ("a → b",))

    async def discover(self) -> discovery.Found:
        found = [proposal("team-api"), proposal("team-chat", discovery.Level.STOP), proposal("web")]
        skipped = discovery.Skipped("x.example", "Ingress a/x", "It passes TLS through.", "Leave it.")
        return discovery.Found(tuple(found), (skipped,), ("half of it could not be read",))

    def drift(self, service: str | None = None) -> answers.Drift:
        became = (answers.Became.STANDS, answers.Became.PUT_BACK)
        lines = tuple(answers.DriftLine(service or "all", "50%", NOW, "kubectl", one, "Ask for it.") for one in became)
        return answers.Drift(lines, ("Ingress a/b cannot be read.",), synced=False)

    async def wave(self, name: str) -> waves.Wave | None:
        return next((one for one in self.under_way if name in (one.name, one.operation.id)), None)

    def waves(self) -> tuple[waves.Wave, ...]:
        return self.under_way

    async def accept(self, asked: discovering.Accept) -> discovering.Accepted:
        self.accepted.append(asked)
        return discovering.Accepted("refused", self.no) if self.no else discovering.Accepted("1 was added.", added=("api",))


def proposal(name: str, level: discovery.Level = discovery.Level.INFO) -> discovery.Proposal:
    exposure = model.Exposure(weight=0, old_host=f"{name}.old.example", new_host=f"{name}.new.example")
    service = model.Service(name=name, exposure=exposure, old_backend=model.Backend("app.team.svc.cluster.local", 8080))
    return discovery.Proposal(
        service, None, f"text of {name}", (discovery.Note(level, "gRPC", "It is.", "So."),), ("Ingress a/b",)
    )


GATE = gates.Gate("error rate", gates.Verdict.TOO_FEW, "1 of 10 failed.", 400)
SIDE = gates.Side(gates.Reading.of(10), gates.Reading.of(1), gates.Reading.of(0.2), gates.Reading())
RUN = journeys.Run("m1", Mode.AUTO, "slack:T0/U0ANN", "Ann", NOW, paused="an alert fires")
STANDING = journeys.Standing("op-9", "slack:T0/U0ANN", "Ann", "hash", (25, 50), NOW, EXPOSURE.at(0), (), used=(25,))
JOURNEY = answers.JourneyStatus(
    "shop", answers.Stage.MOVING, 10, journeys.Soak(10, 3, 60.0, NOW, "too few requests", 2), 3600.0, 25, ("the soak",),
    RUN, STANDING,
    entry_change.EntryView(entry_change.EntryState.ENTERED, "through the proxies", ("x changed",), 0),
    gates.Judgement((GATE,), gates.Measured(SIDE, SIDE, share=gates.Reading.of(0.1), window=600.0)), None,
    journeys.Journey("shop", 4, served=(5,), hundred=None),
)  # fmt: skip


class Persons:
    """`away`: Slack cannot be asked who may raise."""

    def __init__(self) -> None:
        self.away = False
        self.member = True

    async def person_of(self, user: str, team: str, channel: str, *, fresh: bool = False, shared: bool = False) -> people.Known:
        refused = "Slack could not be asked" if self.away else ""
        return people.Known(messages.Person(f"slack:{team}/{user}", "Ann", refused=refused))

    async def person_lowering(self, user: str, team: str) -> people.Known:
        return people.Known(messages.Person(f"slack:{team}/{user}", "Ann", member=self.member), "" if self.member else "a guest")


class Audit:
    def __init__(self) -> None:
        self.events: list[effects.AuditEvent] = []

    async def record(self, event: effects.AuditEvent) -> None:
        self.events.append(event)


class Served:
    def __init__(self) -> None:
        self.front, self.persons, self.audit, self.unread = Front(), Persons(), Audit(), ""
        told = behind.Behind(
            front=self.front,  # type: ignore[arg-type]  # only what these tests ask of it
            persons=self.persons, audit=self.audit, clock=Clock(), team="T0", channel="C0", unread=lambda: self.unread,
            events=self._events,
        )  # fmt: skip
        inner = routes.application(desk.Desk(told), callers.Callers([("U0ANN", TOKEN)]))
        self._app = applications.Starlette(routes=[routing.Mount("/api/v1", inner)])

    async def _events(self, service: str, most: int) -> list[tuple[datetime, effects.AuditEvent]]:
        event = effects.AuditEvent(effects.EventKind.REFUSED, "a", service, "", f"{most}", messages.Source.CLI)
        return [(NOW, event)]

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://ferry") as http:
            shown = {"Authorization": f"Bearer {TOKEN}", **headers}
            return await http.request(method, f"/api/v1/{path}", json=body, headers=shown)

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.ask(method, path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, status: int, path: str, body: Any = None) -> dict[str, str]:
        answer = await self.ask("POST", path, body)
        assert answer.status_code == status, answer.text
        told: dict[str, str] = answer.json()["error"]
        assert all(told[part] for part in ("kind", "what", "why", "remedy", "sentence"))
        return told


@pytest.fixture
def served() -> Served:
    return Served()


@pytest.mark.parametrize(
    ("path", "body", "kind", "fields"),
    [
        ("prepare", {"reason": "r"}, journey_messages.ProposeObjects, {"stage": Stage.PREPARE, "reason": "r"}),
        ("bypass", None, journey_messages.ProposeObjects, {"stage": Stage.BYPASS, "reason": ""}),
        ("remove", {"reason": "r"}, journey_messages.ProposeObjects, {"stage": Stage.REMOVE, "reason": "r"}),
        ("finish", {"reason": "r"}, journey_messages.ProposeFinish, {"reason": "r"}),
        ("run", None, journey_messages.ProposeRun, {"mode": Mode.ASK, "until": None, "reason": ""}),
        ("run", {"mode": "auto", "until": "7d"}, journey_messages.ProposeRun, {"mode": Mode.AUTO, "until": NOW + A_WEEK}),
        ("run", {"mode": "auto", "until": "2026-12-31T18:00Z"}, journey_messages.ProposeRun, {"until": NEW_YEAR}),
        ("skip", {"reason": "r"}, journey_messages.SkipSoak, {"reason": "r"}),
        ("pause", {"reason": "r"}, journey_messages.PauseRun, {"reason": "r"}),
        ("resume", None, journey_messages.ResumeRun, {"reason": ""}),
    ],
)  # fmt: skip
async def test_each_address_becomes_the_message_that_slack_sends(
    served: Served, path: str, body: Any, kind: type[messages.Command], fields: dict[str, Any]
) -> None:
    answer = await served.ask("POST", f"services/shop.old.example/{path}", body, **{"Idempotency-Key": "a-key-of-mine"})
    assert answer.json() == {"said": "It is asked for.", "operation": None}
    (heard,) = served.front.heard
    assert type(heard) is kind
    assert {name: getattr(heard, name) for name in fields} == fields
    assert (heard.service, heard.at, heard.actor.id, heard.actor.source) == ("shop", NOW, "slack:T0/U0ANN", messages.Source.API)
    assert heard.id == f"api:U0ANN:{path}:shop:a-key-of-mine"


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("run", {"until": "7d"}, "which only mode auto has"),
        ("run", {"mode": "auto", "until": "soon"}, "2026-12-31T18:00Z or 7d"),
        ("run", {"mode": "quick"}, "mode"),
        ("skip", {"reason": " "}, "reason"),
        ("rollback", {"percent": 5, "generation": 3}, "percent and generation are two goals"),
        ("rollback", {"percent": 101}, "percent"),
        ("rollback", {"generation": 4}, "No revision 4 of it is kept."),
        ("prepare", {"stage": "forward"}, "stage is not a known field. Use reason"),
        ("run", {"when": "now"}, "Use mode, until, reason"),
    ],
)
async def test_what_cannot_be_meant_is_refused_and_not_heard(served: Served, path: str, body: Any, says: str) -> None:
    assert says in (await served.refused(422, f"services/shop/{path}", body))["sentence"]
    assert served.front.heard == []


async def test_a_refusal_of_the_rules_comes_through_whole(served: Served) -> None:
    no = refusals.Refusal(refusals.Reason.BACKUP_RUNS, "It was not finished.", "6 d are left.", "Wait.")
    served.front.said = answers.Answer(no.sentence, no)
    told = await served.refused(409, "services/shop/finish")
    assert told == {
        "kind": "backup_runs", "what": "It was not finished.", "why": "6 d are left.", "remedy": "Wait.", "sentence": no.sentence,
    }  # fmt: skip
    unknown = await served.refused(404, "services/shp/finish")
    assert "did you mean shop?" in unknown["why"]
    assert [(one.service, one.source) for one in served.audit.events] == [("shp", messages.Source.API)]


async def test_what_leads_to_old_is_heard_while_nobody_can_say_who_may_raise(served: Served) -> None:
    served.persons.away = True
    served.front.operations = {"op-1": operation(Kind.BYPASS), "op-2": operation(Kind.PREPARE)}
    for path in ("services/shop/bypass", "services/shop/pause", "operations/op-1/confirm"):
        await served.done("POST", path)
    for path in ("services/shop/resume", "operations/op-2/confirm"):
        await served.done("POST", path)  # the rules refuse it: they are told why this person may not
    assert [one.actor.refused for one in served.front.heard] == ["", "", "", *["Slack could not be asked"] * 2]
    served.unread = "the cluster cannot be read."
    served.front.known = ()
    await served.done("POST", "services/other/bypass")
    await served.refused(404, "services/all/bypass")
    assert (await served.refused(503, "services/other/prepare"))["kind"] == "cluster_unread"


async def test_a_guest_looks_at_nothing_and_stops_nothing(served: Served) -> None:
    served.persons.member = False
    for method, path in (
        ("GET", "discovery"), ("GET", "audit"), ("GET", "services/shop/history"), ("GET", "services/shop/preflight"),
        ("GET", "services/shop/arrangement/prepare"), ("POST", "services/shop/pause"), ("POST", "services/shop/bypass"),
    ):  # fmt: skip
        assert (await served.ask(method, path)).json()["error"]["kind"] == "outsider", path
    assert (await served.refused(403, "discovery/accept", {"names": ["api"]}))["kind"] == "outsider"
    assert (served.front.heard, served.front.accepted) == ([], [])


@pytest.mark.parametrize(("body", "weight"), [({"percent": 5}, 5), ({"generation": 3}, 7)])
async def test_a_rollback_to_less_is_confirmed_by_asking(served: Served, body: Any, weight: int) -> None:
    served.front.said = answers.Answer("Going down.", operation=operation())
    told = await served.done("POST", "services/shop/rollback", {**body, "reason": "calmer"})
    asked, confirmed = served.front.heard
    assert isinstance(asked, messages.ProposeShift)
    assert isinstance(confirmed, messages.Confirm)
    assert (asked.target.weight, asked.reason, confirmed.operation) == (weight, "calmer", "op-1")
    assert told["operation"]["timeline"] == [{"at": "2026-05-04T12:00:00Z", "sentence": "Ann asks"}]


async def test_a_rollback_that_raises_is_only_asked_for_and_a_percentage_may_not(served: Served) -> None:
    served.front.said = answers.Answer("It waits.", operation=operation(Kind.RAISE))
    served.front.kind = Kind.RAISE
    told = await served.refused(409, "services/shop/rollback", {"percent": 50})
    assert (told["kind"], "ferry shift shop 50%" in told["remedy"], served.front.heard) == ("not_lower", True, [])
    await served.done("POST", "services/shop/rollback", {"generation": 3})
    assert [type(one) for one in served.front.heard] == [messages.ProposeShift]


async def test_a_plan_asks_for_nothing_and_says_what_would_be_refused(served: Served) -> None:
    served.front.no = refusals.refuse(refusals.Reason.NOTHING_TO_RELEASE, service="shop")
    told = await served.done("POST", "services/shop/plan", {"weight": 4})
    assert (told["after"]["weight"], told["refusal"]["kind"], served.front.heard) == (4, "nothing_to_release", [])


async def test_exactly_what_is_named_is_added(served: Served) -> None:
    found = await served.done("GET", "discovery?part=TEAM")
    assert [(one["name"], one["stops"]) for one in found["proposals"]] == [("team-api", False), ("team-chat", True)]
    assert found["seen"] == discovery.digest([proposal("team-api")])
    assert (found["trouble"], found["skipped"][0]["remedy"]) == (["half of it could not be read"], "Leave it.")
    added = await served.done(
        "POST", "discovery/accept", {"names": ["api"], "texts": {"web": "services: []"}, "seen": found["seen"]}
    )
    assert added == {"said": "1 was added.", "added": ["api"]}
    (asked,) = served.front.accepted
    assert (asked.names, asked.texts, asked.seen) == (("api",), {"web": "services: []"}, found["seen"])
    served.front.no = refusals.Refusal(refusals.Reason.INVALID, "Nothing was added.", "It is gone.", "Look again.")
    assert (await served.refused(422, "discovery/accept", {"names": ["gone"]}))["why"] == "It is gone."
    assert served.audit.events[-1].sentence == "Nothing was added. It is gone. Look again."


async def test_what_is_looked_at_is_shown(served: Served) -> None:
    events = (await served.done("GET", "audit?service=shop&most=7"))["events"]
    assert [(one["service"], one["sentence"], one["source"]) for one in events] == [("shop", "7", "cli")]
    report = await served.done("GET", "services/shop/preflight")
    assert (report["ok"], report["checks"][0]["remedy"], report["firewall"]) == ("no", "Renew it.", ["a → b"])
    planned = await served.done("GET", "services/shop/arrangement/remove")
    assert planned["changes"] == [{"verb": "apply", "object": "Ingress old/shop", "diff": "+ spec", "conflict": "Helm owns it."}]
    assert (planned["stage"], planned["left"], planned["troubles"]) == ("remove", ["A stays."], ["B is in the way."])


async def test_status_has_the_way_and_old_against_new(served: Served) -> None:
    way = (await served.done("GET", "services/shop"))["journey"]
    assert (way["stage"], way["next_step"], way["waits_for"], way["served"]) == ("moving", 25, ["the soak"], [5])
    assert way["soak"] == {"weight": 10, "seconds": 60.0, "needed": 3600.0, "missing": "too few requests", "resets": 2}
    assert (way["run"]["mode"], way["run"]["paused"], way["standing"]["left"]) == ("auto", "an alert fires", [50])
    assert (way["entry"]["state"], way["entry"]["drift"], way["entry"]["old_ready"]) == ("entered", ["x changed"], 0)
    assert way["judgement"]["verdict"] == "not enough data"
    assert way["judgement"]["gates"][0]["needed"] == 400
    assert way["judgement"]["numbers"]["old"]["p99"] == {"value": None, "trouble": "it was not measured"}
    assert way["judgement"]["numbers"]["share"]["value"] == 0.1


async def test_what_was_changed_by_hand_is_shown(served: Served) -> None:
    told = await served.done("GET", "drift?service=shop.old.example")
    line = {"service": "shop", "what": "50%", "since": "2026-05-04T12:00:00Z", "by": "kubectl", "todo": "Ask for it."}
    assert told["standing"] == [{**line, "became": "stands"}]
    assert told["lately"] == [{**line, "became": "put_back"}]
    assert (told["unseen"], told["synced"]) == (["Ingress a/b cannot be read."], False)
    assert (await served.done("GET", "drift"))["standing"][0]["service"] == "all"
    assert (await served.ask("GET", "drift?service=shp")).status_code == 404
    served.persons.member = False
    assert (await served.ask("GET", "drift")).json()["error"]["kind"] == "outsider"


async def test_whoever_calls_is_told_what_they_may(served: Served) -> None:
    me = {"id": "slack:T0/U0ANN", "shown": "Ann", "member": True, "asks": True, "approves": False, "why": ""}
    assert await served.done("GET", "whoami") == me
    served.persons.away = True
    assert await served.done("GET", "whoami") == me | {"asks": False, "why": "Slack could not be asked"}


async def test_a_wave_is_the_message_that_slack_sends(served: Served) -> None:
    members = (migration.Member("shop", "ab", 5, 25), migration.Member("cart", "cd", 0, 25))
    served.front.known = ("shop", "cart")
    served.front.said = answers.Answer("It is asked for.", operation=operation(Kind.WAVE, members=members))
    told = await served.done("POST", "waves", {"services": ["shop.old.example", "cart"], "weight": 25, "reason": "quiet"})
    assert told["operation"]["members"] == [
        {"service": "shop", "before": 5, "after": 25}, {"service": "cart", "before": 0, "after": 25},
    ]  # fmt: skip
    (heard,) = served.front.heard
    assert isinstance(heard, journey_messages.ProposeWave)
    assert (heard.services, heard.weight, heard.reason) == (("shop", "cart"), 25, "quiet")
    assert (heard.service, heard.actor.source) == (waves.name(heard.id), messages.Source.API)
    for body, says in (
        ({"services": ["shop", "shop"], "weight": 25, "reason": "r"}, "one alone is a shift"),
        ({"services": ["shop", "cart"], "weight": 25, "reason": " "}, "reason"),
        ({"services": ["shop", "cart"], "weight": 25, "reason": "r", "strategy": "ip"}, "Use services, weight, reason"),
    ):
        assert says in (await served.refused(422, "waves", body))["sentence"]
    assert (await served.refused(404, "waves", {"services": ["shop", "no"], "weight": 5, "reason": "r"}))[
        "kind"
    ] == "unknown_service"
    assert len(served.front.heard) == 1


async def test_how_far_a_wave_is_can_be_asked_by_its_name_and_by_its_operation(served: Served) -> None:
    assert await served.done("GET", "waves") == {"waves": []}
    asked = operation(Kind.WAVE, members=(migration.Member("shop", "ab", 5, 25), migration.Member("cart", "cd", 0, 25)))
    members = (
        waves.Member("shop", 5, 25, waves.State.DONE),
        waves.Member("cart", 0, 25, waves.State.WAITING, "others of its wave are before it"),
    )
    served.front.under_way = (waves.Wave(asked, members),)
    (listed,) = (await served.done("GET", "waves"))["waves"]
    assert [(one["service"], one["state"], one["why"]) for one in listed["members"]] == [
        ("shop", "done", ""), ("cart", "waiting", "others of its wave are before it"),
    ]  # fmt: skip
    assert listed["operation"]["diff"] == ""
    for name in (asked.id, asked.plan.service):
        told = await served.done("GET", f"waves/{name}")
        assert (told["name"], told["operation"]["id"], told["halted"]) == (asked.plan.service, asked.id, "")
        assert told["sentence"].startswith("1 of 2 are at")
    nobody_knows = await served.ask("GET", "waves/op-none")
    assert (nobody_knows.status_code, nobody_knows.json()["error"]["kind"]) == (404, "unknown_operation")
