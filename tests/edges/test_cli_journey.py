"""The verbs of a service's whole way: what is asked of the bot, what is refused before that, what is followed to its end."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.cli import following, verbs
from tests.edges import answering_api
from tests.edges.answering_api import answered, operation, timeline, typed

MARK = re.compile(r"[^\x20-\x7e\n→–…]")


@pytest.fixture
async def api() -> AsyncIterator[answering_api.AnsweringApi]:
    made = answering_api.AnsweringApi()
    await made.start()
    yield made
    await made.stop()


@pytest.mark.parametrize(
    ("line", "path", "body"),
    [
        ("run api", "run", {"mode": "ask", "until": "", "reason": ""}),
        ("run api auto --until 7d --reason ladder", "run", {"mode": "auto", "until": "7d", "reason": "ladder"}),
        ("run api skip --reason quiet", "skip", {"reason": "quiet"}),
        ("pause api --reason lunch", "pause", {"reason": "lunch"}),
        ("resume api", "resume", {"reason": ""}),
        ("prepare api --reason begin", "prepare", {"reason": "begin"}),
        ("finish api", "finish", {"reason": ""}),
        ("finish api --remove --reason tidy", "remove", {"reason": "tidy"}),
        ("bypass api", "bypass", {"reason": ""}),
        ("rollback api --to 5%", "rollback", {"percent": 5, "reason": ""}),
        ("rollback api --to 12 --reason calmer", "rollback", {"generation": 12, "reason": "calmer"}),
    ],
)
async def test_what_is_asked_of_the_bot(api: answering_api.AnsweringApi, line: str, path: str, body: dict[str, Any]) -> None:
    api.answers[f"POST services/api/{path}"] = answered()
    assert await api.ask(*line.split()) == (0, "It is asked for.\n", "")
    assert api.asked == [("POST", f"services/api/{path}", body)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("run api ask --until 7d", "only a standing approval has an end; write ferry run api auto --until 7d"),
        ("run api auto --until soon", "Try: ferry run api auto --until 7d"),
        ("run api skip", "ferry run api skip --reason why"),
        ("run api quickly", "quickly"),
        ("rollback api --to five", "ferry rollback api --to 5%, or --to 12 for generation 12"),
        ("rollback api --to 0", "is no share and no generation"),
        ("rollback api --to 101%", "is not a whole percentage"),
        ("shift api 5%", "ferry shift api 5% --reason why"),
        ("accept", "ferry accept api-name01"),
        ("accept api --all", "ferry accept --all --yes"),
    ],
)
async def test_what_is_typed_wrongly_is_said_and_not_sent(api: answering_api.AnsweringApi, line: str, says: str) -> None:
    code, printed, complaint = await api.ask(*line.split())
    assert (code, printed, api.asked) == (2, "", [])
    assert says in complaint


async def test_waiting_prints_each_line_once_until_the_outcome(
    api: answering_api.AnsweringApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "PAUSE", 0.0)
    steps = timeline("Ann asks", "Bob approved", "3 of 5 objects are made", "Ingress old/api: made\x1b[2J", "all 5 stand")
    api.answers["GET operations/op-1"] = [
        operation("prepare", timeline=steps[:1]),
        operation("prepare", timeline=steps[:3]),
        (503, {"error": {"kind": "away", "sentence": "Redis is away."}}),
        operation("prepare", timeline=steps[:3]),
        operation("prepare", timeline=steps, outcome="done", because="the entry stands"),
    ]
    api.answers["POST operations/op-1/confirm"] = answered("Started.", operation("prepare", timeline=steps[:1]))
    code, printed, complaint = await api.ask("confirm", "op-1", "--wait")
    assert code == 0
    assert "Redis is away. It goes on all the same" in complaint
    followed = printed.partition("Started.")[2]
    assert [followed.count(one["sentence"].replace("\x1b", " ")) for one in steps] == [0, 1, 1, 1, 1]
    assert printed.endswith("2026-05-04 12:00:04 UTC  all 5 stand\ndone: the entry stands\n")


@pytest.mark.parametrize("as_json", [True, False])
async def test_what_did_not_come_to_its_end_ends_with_one(
    api: answering_api.AnsweringApi, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    monkeypatch.setattr(following, "PAUSE", 0.0)
    failed = operation("finish", outcome="failed", because="Ingress old/api belongs to Helm")
    api.answers["GET operations/op-1"] = failed
    api.answers["POST services/api/finish"] = answered(of=operation("finish", objects=["apply Ingress old/api"]))
    code, printed, _ = await api.ask("finish", "api", "--wait", *(["--json"] if as_json else []))
    assert code == 1
    if as_json:
        assert json.loads(printed) == answered(of=failed)
    else:
        assert "finish: the old host forwards to the new cluster for good (1 object," in printed
        assert printed.endswith("failed: Ingress old/api belongs to Helm\n")


async def test_a_bypass_is_confirmed_at_once_only_when_that_is_said(api: answering_api.AnsweringApi) -> None:
    api.answers["POST services/api/bypass"] = answered(of=operation("bypass", approvals_needed=0))
    api.answers["POST operations/op-1/confirm"] = answered("Started.")
    assert (await api.ask("bypass", "api"))[0] == 0
    assert answering_api.paths(api) == ["POST services/api/bypass"]
    assert (await api.ask("bypass", "api", "--yes"))[1] == "Started.\n"
    assert answering_api.paths(api)[1:] == ["POST services/api/bypass", "POST operations/op-1/confirm"]


async def test_a_refusal_says_all_of_it(api: answering_api.AnsweringApi) -> None:
    api.answers["POST services/api/finish"] = told = answering_api.refusal("backup_runs", "Not done.", "6 d are left.", "Wait.")
    assert await api.ask("finish", "api") == (1, "", "Not done. 6 d are left. Wait.\n")
    code, printed, _ = await api.ask("finish", "api", "--json")
    assert (code, json.loads(printed)) == (1, told[1])


def proposal(name: str, *, stops: bool = False) -> dict[str, Any]:
    note = {"level": "stop" if stops else "info", "about": "gRPC", "sentence": "It speaks gRPC.", "remedy": "Leave it."}
    host = {"name": name, "old_host": f"{name}.old.example", "new_host": f"{name}.new.example", "text": "services: []"}
    return {**host, "notes": [note], "stops": stops, "sources": [f"Ingress old/{name}"]}


async def test_nothing_is_accepted_without_a_list_or_a_yes(api: answering_api.AnsweringApi) -> None:
    proposals = [proposal("api"), proposal("chat", stops=True), proposal("shop")]
    api.answers["GET discovery"] = {"proposals": proposals, "skipped": [], "trouble": [], "seen": "0" * 16}
    api.answers["POST discovery/accept"] = {"said": "2 services were added.", "added": ["api", "shop"]}
    code, printed, _ = await api.ask("discover")
    assert (code, "chat.old.example" in printed, "STOPS: gRPC: It speaks gRPC. Leave it." in printed) == (0, True, True)
    code, printed, complaint = await api.ask("accept", "--all")
    assert (code, "add --yes" in complaint) == (2, True)
    assert ("api.old.example" in printed, "chat.old.example" in printed) == (True, False)
    assert [one for one in api.asked if one[0] == "POST"] == []

    assert (await api.ask("accept", "--all", "--yes"))[:2] == (0, "2 services were added.\n")
    assert api.asked[-1] == ("POST", "discovery/accept", {"names": ["api", "shop"], "seen": "0" * 16})
    assert (await api.ask("accept", "chat"))[0] == 0
    assert api.asked[-1] == ("POST", "discovery/accept", {"names": ["chat"]})


async def test_accepting_all_of_nothing_is_refused(api: answering_api.AnsweringApi) -> None:
    api.answers["GET discovery?part=x%26y"] = {"proposals": [], "skipped": [], "trouble": [], "seen": "0" * 16}
    code, _, complaint = await api.ask("accept", "--all", "--yes", "--part", "x&y")
    assert (code, "Nothing was added" in complaint, len(api.asked)) == (1, True, 1)


@pytest.mark.parametrize(("ok", "code"), [("yes", 0), ("no", 1), ("unknown", 1)])
async def test_a_preflight_that_is_not_well_ends_with_one(api: answering_api.AnsweringApi, ok: str, code: int) -> None:
    remedy = "" if ok == "yes" else "Open the firewall."
    checks = [{"name": "tls", "ok": "yes", "sentence": "It is good.", "remedy": ""}]
    checks.append({"name": "tcp", "ok": ok, "sentence": "10.0.0.1:443 was tried.", "remedy": remedy})
    report = {"service": "api", "ok": ok, "checks": checks, "firewall": ["10.1.0.0/16 → 10.0.0.1:443"]}
    api.answers["GET services/api/preflight"] = report
    given, printed, _ = await api.ask("preflight", "api")
    assert (given, "10.1.0.0/16 → 10.0.0.1:443" in printed, remedy in printed) == (code, True, True)
    assert ("Next: ferry prepare api" in printed) is (ok == "yes")
    assert (await api.ask("preflight", "api", "--json"))[0] == code


async def test_history_audit_and_a_dry_run_are_read(api: answering_api.AnsweringApi) -> None:
    past = {
        "generation": 2, "at": "2026-05-04T12:00:00Z", "who": "ann", "sentence": "", "reason": "step", "before": 5, "weight": 25,
        "approved_by": ["bob"], "operation": "op-1", "plan_hash": "abc",
    }  # fmt: skip
    api.answers["GET services/api/history"] = {"service": "api", "changes": [past]}
    assert "5% → 25%  ann, approved by bob: step" in (await api.ask("history", "api"))[1]
    event = {
        "at": "2026-05-04T12:00:00Z", "kind": "refused", "who": "slack:T0/U0ANN", "service": "api", "operation": "",
        "sentence": "tried\x1b[1m it", "source": "cli",
    }  # fmt: skip
    api.answers["GET audit?service=api&most=5"] = {"events": [event]}
    code, printed, _ = await api.ask("audit", "show", "api", "--most", "5")
    assert (code, "refused   api: slack:T0/U0ANN (cli): tried [1m it" in printed) == (0, True)
    change = {"verb": "apply", "object": "Ingress old/api", "diff": "+  spec: {}\x1b[2J", "conflict": "Helm owns spec."}
    planned = {"service": "api", "stage": "remove", "changes": [change], "left": ["The Secret stays."], "troubles": []}
    api.answers["GET services/api/arrangement/remove"] = planned
    code, printed, _ = await api.ask("finish", "api", "--remove", "--plan")
    assert code == 0
    assert printed.splitlines()[:2] == ["apply Ingress old/api", "    +  spec: {} [2J"]
    assert "in the way: Helm owns spec." in printed


def number(value: float | None) -> dict[str, Any]:
    return {"value": value, "trouble": "" if value is not None else "no series"}


async def test_status_shows_the_way_and_old_against_new(api: answering_api.AnsweringApi) -> None:
    side = {"requests": number(20_000), "failed": number(2), "average": number(0.021), "p99": number(12.5)}
    new = {"requests": number(1053), "failed": number(1), "average": number(None), "p99": number(0.4)}
    numbers = {
        "window": 600,
        "old": side,
        "new": new,
        "requests": number(21_053),
        "share": number(0.05),
        "available": number(0.9995),
    }
    gate = {"name": "error rate", "verdict": "not enough data", "sentence": "1 of 1053 failed.", "needed": 4000}
    journey = {
        "stage": "moving", "next_step": 25, "waits_for": ["the soak is not served"], "served": [], "standing": None,
        "soak": {"weight": 5, "seconds": 720.0, "needed": 86_400.0, "missing": "too few requests", "resets": 1},
        "run": {"mode": "ask", "requester_shown": "ann", "began": "2026-05-04T12:00:00Z", "reason": "", "paused": "an alert"},
        "entry": {"state": "entered", "sentence": "through the proxies", "drift": ["Service api was changed"], "old_ready": 0},
        "judgement": {"verdict": "not enough data", "judged": True, "gates": [gate], "numbers": numbers},
        "backup_left": None, "hundred": None, "finished": None, "removed": None,
    }  # fmt: skip
    api.answers["GET services/api"] = {
        "name": "api", "phase": "steady", "weight": 5, "wish": 5, "exposure": None, "generation": 1, "holds": [],
        "operation": None, "last": None, "proxies": [], "expected": 2, "served": "2 of 2", "firing": [], "trouble": [],
        "synced": True, "suppressed": "the breaker keeps traffic from new", "journey": journey,
    }  # fmt: skip
    code, printed, _ = await api.ask("status", "api")
    assert code == 0
    for said in (
        "the breaker keeps traffic from new",
        "way: moving",
        "soak at 5%: 23 h 48 min of 1 d missing; nothing counts now: too few requests; it went back to 0 1 time",
        "paused: an alert",
        "25% waits: the soak is not served",
        "drift: Service api was changed",
        "there is nothing to go back to",
        "not enough data: 1 of 1053 failed. (4,000 requests more are needed)",
        "      20,000       1,053  requests",
        "       95.0%        5.0%  share",
        "       21 ms           –  average",
        "      12.5 s      400 ms  p99",
        "       0.01%       0.09%  errors",
        "                  99.95%  availability",
    ):
        assert said in printed, said


def test_run_alone_is_the_bot_and_with_a_service_a_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[str] = []
    loaded = verbs.loaded

    def noted(name: str) -> Any:
        began.append(name)
        return loaded(name)

    monkeypatch.setattr(verbs, "loaded", noted)
    assert typed("run", "--help")[1].count("--until") > 0
    assert typed("serve", "--help")[0] == 0
    assert typed("run")[0] == 1  # there are no settings here
    assert began[-2:] == ["serve", "serve"]


@pytest.mark.parametrize(
    ("verb", "says"), [("rollback", "for those on call"), ("safe-mode", "for those on call"), ("keys", "kubectl create -f")]
)
def test_help_says_what_is_so(verb: str, says: str) -> None:
    code, printed, _ = typed(verb, "--help")
    assert (code, says in " ".join(MARK.sub(" ", printed).split()), "approves reads" in printed) == (0, True, False)
    assert "apply -f" not in printed
