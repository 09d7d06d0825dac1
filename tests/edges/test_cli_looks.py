"""Who asks, what was changed by hand, what a shift would be; and a shift of several services."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.edges import answering_api


@pytest.fixture
async def api() -> AsyncIterator[answering_api.AnsweringApi]:
    made = answering_api.AnsweringApi()
    await made.start()
    yield made
    await made.stop()


def person(**changes: Any) -> dict[str, Any]:
    return {"id": "slack:T0/U0ANN", "shown": "ann", "member": True, "asks": True, "approves": True, "why": ""} | changes


@pytest.mark.parametrize(
    ("told", "says", "says_not"),
    [
        (person(), ["may ask for more at new", "may approve what"], "may not"),
        (person(approves=False), ["may ask for more at new", "may not approve"], "may not ask"),
        (person(asks=False, approves=False, why="only\x1b[2J those"), ["may not ask for more at new: only [2J those"], "\x1b"),
        (person(member=False, asks=False, approves=False, why="a guest"), ["may do nothing here: a guest"], "may look"),
    ],
)
async def test_whoami_says_what_one_may(
    api: answering_api.AnsweringApi, told: dict[str, Any], says: list[str], says_not: str
) -> None:
    api.answers["GET whoami"] = told
    code, printed, _ = await api.ask("whoami")
    assert (code, printed.splitlines()[0]) == (0, "ann (slack:T0/U0ANN)")
    assert [one for one in says if one not in printed] == []
    assert says_not not in printed
    assert json.loads((await api.ask("whoami", "--json"))[1]) == told


def by_hand(became: str, **changes: Any) -> dict[str, Any]:
    line = {
        "service": "api",
        "what": "the weight 50%",
        "since": "2026-05-04T12:00:00Z",
        "by": "kubectl",
        "became": became,
        "todo": "",
    }
    return line | changes


def differs(*standing: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"standing": list(standing), "lately": [], "unseen": [], "synced": True} | changes


@pytest.mark.parametrize(
    ("told", "code", "says"),
    [
        (differs(), 0, "Nothing differs from what was approved.\n"),
        (
            differs(by_hand("stands", todo="Ask for it.")),
            1,
            "api: the weight 50% (last written by kubectl). It stands, and no proxy",
        ),
        (differs(by_hand("stands", todo="Ask for it.")), 1, "what was approved. Ask for it.\n"),
        (differs(lately=[by_hand("put_back", by="")]), 0, "lately:\n  2026-05-04 12:00:00 UTC  api: the weight 50%. Put back.\n"),
        (differs(unseen=["Ingress\x1b old/api."]), 1, "not known: Ingress  old/api.\nNothing that is known differs"),
        (differs(synced=False), 1, "cannot be read completely"),
    ],
)
async def test_drift_ends_well_only_where_all_is_known_and_as_approved(
    api: answering_api.AnsweringApi, told: dict[str, Any], code: int, says: str
) -> None:
    api.answers["GET drift"] = api.answers["GET drift?service=api.old.example"] = told
    given, printed, _ = await api.ask("drift")
    assert (given, says in printed) == (code, True), printed
    given, printed, _ = await api.ask("drift", "api.old.example", "--json")
    assert (given, json.loads(printed)) == (code, told)


async def test_a_plan_is_a_shift_that_nobody_asks_for(api: answering_api.AnsweringApi) -> None:
    exposure = {"weight": 25, "strategy": "ip", "cidrs": ["10.2.0.0/16"]}
    preview = {"service": "api", "kind": "raise", "before": None, "after": exposure, "refusal": None}
    api.answers["POST services/api/plan"] = preview
    typed = ("api", "25%", "--cidr", "10.2.0.0/16")
    first = await api.ask("plan", *typed)
    assert (first[0], "It would be accepted: ferry shift api 25%" in first[1]) == (0, True)
    assert await api.ask("shift", *typed, "--plan") == first
    assert api.asked[0] == api.asked[1]
    assert json.loads((await api.ask("plan", *typed, "--json"))[1]) == preview
    code, printed, complaint = await api.ask("plan", "api", "most")
    assert (code, printed, "whole percentage" in complaint) == (2, "", True)


async def test_several_services_are_one_request(api: answering_api.AnsweringApi) -> None:
    members = [{"service": "api", "before": 5, "after": 25}, {"service": "shop", "before": 0, "after": 25}]
    wave = answering_api.operation("wave", service="wave.0123abcd", after=exposure(25), members=members)
    api.answers["POST waves"] = answering_api.answered(of=wave)
    code, printed, _ = await api.ask("shift", "api, shop,api", "25%", "--reason", "quiet ones")
    assert (code, "wave.0123abcd: 2 services to 25%: api from 5%, shop from 0%" in printed) == (0, True), printed
    assert api.asked == [("POST", "waves", {"services": ["api", "shop"], "weight": 25, "reason": "quiet ones"})]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("api,shop", "25%"), "ferry shift api,shop 25% --reason why"),
        (("api,shop", "25%", "--plan"), "a plan says what one service would do"),
        (("api,shop", "25%", "--reason", "x", "--cidr", "10.2.0.0/16"), "takes each service's strategy from migration.yaml"),
        (("api,api", "25%", "--reason", "x"), "two services at least; for one: ferry shift api 25%"),
        (("api,shop", "most", "--reason", "x"), "whole percentage"),
    ],
)
async def test_a_wave_that_is_typed_wrongly_is_not_sent(
    api: answering_api.AnsweringApi, arguments: tuple[str, ...], says: str
) -> None:
    code, printed, complaint = await api.ask("shift", *arguments)
    assert (code, printed, api.asked, says in complaint) == (2, "", [], True), complaint


def exposure(weight: int) -> dict[str, Any]:
    return {"weight": weight, "strategy": "weight"}
