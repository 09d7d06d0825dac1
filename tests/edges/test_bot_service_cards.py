"""Cards about services, short answers and the Home tab: within limits in every language, nothing foreign is live."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bot.slack import answer_cards, block_limits, buttons, history_cards, home_view, list_cards, parsing, service_cards, words
from handlers import answers, messages
from handlers.rules import migration, refusals
from k8s import model, views
from tests.edges import card_checks, journey_plans
from tests.rules import builders

Phase = migration.Phase
Action = buttons.Action
ENGLISH = words.Words("en")
LINE = "kubectl -n ferry patch configmap migration-holds --type merge -p '{}'"
ANN = messages.Person("slack:T0/U0ANN", "Ann", approver=True)
EVERY_LANGUAGE = pytest.mark.parametrize("say", [words.Words(locale) for locale in words.LOCALES], ids=words.LOCALES)
LOCALES = some.sampled_from(words.LOCALES)


def status(weight: int = 25, **changes: Any) -> answers.ServiceStatus:
    proxies = tuple(answers.ProxyLine(f"migration-proxy-{n}", True, weight, 3, "record 3") for n in range(2))
    known = answers.ServiceStatus(
        name="shop",
        phase=Phase.STEADY,
        exposure=builders.exposure(weight),
        generation=3,
        wish=weight,
        wished=model.Service("shop", builders.exposure(weight), model.Backend("shop.team.svc", 80)),
        holds=(),
        operation=None,
        last=None,
        proxies=proxies,
        expected=2,
        served="2 of 2 proxies serve it",
        firing=(),
        trouble=(),
    )
    return replace(known, **changes)


def line(name: str, **changes: Any) -> answers.ServiceLine:
    known = answers.ServiceLine(
        name=name, phase=Phase.STEADY, weight=0, wish=0, old_host=f"{name}.old.example.com", holds=(), operation=None
    )
    return replace(known, **changes)


def past(number: int, **changes: Any) -> answers.Past:
    known = answers.Past(
        generation=number,
        at=builders.NOON - timedelta(days=number),
        who="slack:T0/U0ANN",
        sentence="0% → 25% confirmed",
        before=0,
        weight=25,
        approved_by=("Bob",),
        operation="op-1",
        hash="a" * 64,
    )
    return replace(known, **changes)


def hold(reason: str = "errors", service: str = "shop") -> model.Hold:
    return model.Hold(service, "h-1", reason=reason, by="slack:T0/U0BOB", since="2026-01-02T12:00:00Z")


def next_page(blocks: list[card_checks.Block]) -> str:
    return str(card_checks.pressed(blocks)[Action.SERVICES]["value"])


def texts(blocks: list[card_checks.Block]) -> str:
    return "\n".join(block_limits.texts_of(blocks))


@EVERY_LANGUAGE
def test_the_status_names_what_is_served_held_wished_and_wrong(say: words.Words) -> None:
    waits = builders.the(builders.in_phase(Phase.PROPOSED))
    silent = answers.ProxyLine("migration-proxy-9", True, None, 2, "timeout")
    starting = answers.ProxyLine("migration-proxy-8", False, 0, 1, "no record yet")
    full = status(
        wish=50,
        holds=(hold("too many errors"),),
        operation=waits,
        last=builders.the(builders.in_phase(Phase.VERIFYING)).moved(outcome=migration.Outcome.DONE, because="all is well"),
        proxies=(*status().proxies, silent, starting),
        expected=4,
        firing=("NewClusterErrors is firing",),
        trouble=("migration.yaml:4 is refused",),
    )
    shown = service_cards.status_card(full, say, take_back=LINE, at=builders.NOON)
    card_checks.passes(shown)
    said = texts(shown.blocks)
    for part in ("25%", "50%", "2 of 2 proxies", "too many errors", "h-1", "NewClusterErrors", "migration.yaml:4", "all is well"):
        assert part in said
    for part in ("migration-proxy-9", "timeout", "no record yet", "shop.new.example.com", LINE, "/migrate safe-mode off shop"):
        assert part in said
    assert card_checks.pressed(shown.blocks).keys() == {Action.HOLD, Action.STATUS}


def test_what_is_not_known_of_the_proxies_is_no_proxy() -> None:
    blind = answers.ProxyLine("(not all proxies are known: no answer)", False, None, 0, "gives no answer")
    known = status(trouble=("(not all proxies are known: no answer) gives no answer",))
    said = texts(
        service_cards.status_card(
            replace(known, proxies=(blind, *known.proxies)), ENGLISH, take_back=LINE, at=builders.NOON
        ).blocks
    )
    assert said.count("not all proxies are known") == 1, "under what is wrong, and only there"


def test_the_status_offers_the_button_that_fits() -> None:
    def offered(of: answers.ServiceStatus) -> dict[str, Any]:
        buttons_shown = card_checks.pressed(service_cards.status_card(of, ENGLISH, take_back=LINE, at=builders.NOON).blocks)
        return {action: button["text"]["text"] for action, button in buttons_shown.items()}

    assert offered(status(25)) == {Action.HOLD: "Roll back", Action.STATUS: "Refresh"}
    assert offered(status(0)) == {Action.HOLD: "Safe mode", Action.STATUS: "Refresh"}
    assert offered(status(0, holds=(hold(),))) == {Action.STATUS: "Refresh", Action.RELEASE: "Ask for release"}
    danger = card_checks.pressed(service_cards.status_card(status(25), ENGLISH, take_back=LINE, at=builders.NOON).blocks)[
        Action.HOLD
    ]
    assert danger["style"] == "danger"
    assert "100% of the requests of shop go to the old cluster" in danger["confirm"]["text"]["text"]


@pytest.mark.parametrize(
    ("weight", "changes", "command"),
    [
        (0, {}, "/migrate shift shop 5% reason"),
        (25, {}, "/migrate shift shop 50% reason"),
        (100, {}, "/migrate history shop"),
        (0, {"holds": (hold(),)}, "/migrate safe-mode off shop reason"),
        (0, {"wished": None, "exposure": None}, "/migrate shift shop 5% reason"),
    ],
)
def test_the_status_says_what_to_type_next(weight: int, changes: dict[str, Any], command: str) -> None:
    shown = service_cards.status_card(status(weight, **changes), ENGLISH, take_back=LINE, at=builders.NOON)
    assert f"Next: `{command}`" in texts(shown.blocks)
    assert parsing.parse(command)


def test_nothing_is_taken_back_where_nothing_is() -> None:
    assert LINE not in texts(service_cards.status_card(status(0), ENGLISH, take_back=LINE, at=builders.NOON).blocks)


@EVERY_LANGUAGE
def test_two_hundred_services_fit_whole(say: words.Words) -> None:
    many = tuple(line(f"api-name{n:03}", weight=n % 101, wish=n % 101) for n in range(200))
    shown = list_cards.overview_card(answers.Overview(many, (), synced=True), say)
    card_checks.passes(shown)
    said = texts(shown.blocks)
    assert [one.name for one in many if one.name not in said] == []
    view = home_view.home(answers.Overview(many, (), synced=True), ANN, say, at=builders.NOON)
    card_checks.view_passes(view)
    assert [one.name for one in many if one.name not in texts(view["blocks"])] == []


@EVERY_LANGUAGE
def test_what_finds_no_room_is_counted_and_what_needs_a_look_comes_first(say: words.Words) -> None:
    many = [line(f"{n:04}" + "x" * 59, wish=3) for n in range(500)]
    many += [line("z" * 63, holds=("h1", "h2")), line("y" * 63, operation=builders.the(builders.in_phase(Phase.PROPOSED)))]
    many += [line("calm"), line("moving", weight=1, wish=1)]
    shown = list_cards.overview_card(answers.Overview(tuple(many), ("trouble " * 40,) * 9, synced=False), say)
    card_checks.passes(shown)
    pages: list[str] = []
    while (page := len(pages) + 1) < 100:
        shown = list_cards.overview_card(answers.Overview(tuple(many), ("trouble " * 40,) * 9, synced=False), say, page=page)
        card_checks.passes(shown)
        pages.append(texts(shown.blocks))
        if buttons.decode(Action.SERVICES, next_page(shown.blocks)) == buttons.PageClick(Action.SERVICES, 1):
            break  # the last leads to the first
    assert 5 < len(pages) < 20
    assert [sum(f" {one.name} " in said for said in pages) for one in many] == [1] * len(many)
    few = list_cards.overview_card(answers.Overview(tuple(many[-4:]), (), synced=True), say)
    places = [texts(few.blocks).index(name) for name in ("y" * 63, "z" * 63, "moving", "calm")]
    assert places == sorted(places)


def test_the_list_says_when_it_may_be_old_and_when_it_is_empty() -> None:
    shown = list_cards.overview_card(answers.Overview((), ("the API server is away",), synced=False), ENGLISH)
    assert "cannot be read completely" in texts(shown.blocks)
    assert "the API server is away" in texts(shown.blocks)
    assert "No service is named" in texts(shown.blocks)
    assert card_checks.pressed(shown.blocks)[Action.HOLD]["value"] == buttons.service_value("all")


@EVERY_LANGUAGE
@pytest.mark.parametrize("count", [0, 1, 20, 400])
def test_history_is_in_order_and_capped(count: int, say: words.Words) -> None:
    changes = tuple(past(n + 1000, operation=f"op-{n + 1000}", sentence="why " * 60) for n in range(count))
    shown = history_cards.history_card("shop", changes, say)
    card_checks.passes(shown)
    said = texts(shown.blocks)
    kept = [one.operation for one in changes if f"`{one.operation}`" in said]
    assert kept == [one.operation for one in changes][: len(kept)]
    assert kept == [] if count == 0 else len(kept) > min(count, 10) - 1
    assert (str(count - len(kept)) in said) or len(kept) == count


def test_a_change_that_nobody_dated_is_shown_all_the_same() -> None:
    said = texts(history_cards.history_card("shop", (past(2, at=None, before=None, approved_by=()),), ENGLISH).blocks)
    assert "• *→ 25%* by <@U0ANN>, time not known\n" in said


def test_the_past_says_from_where_by_whom_and_what_was_said_then() -> None:
    said = texts(history_cards.history_card("shop", (past(1, before=None, at=None),), ENGLISH).blocks)
    assert said.split("\n")[1:] == [
        "• *0% → 25%* by <@U0ANN>, time not known (approved by Bob)",
        "    When it was written: 0% → 25% confirmed",
        "    Generation 1, record `aaaaaaaa`, `op-1`",
    ]


def test_the_list_shows_the_holds_also_while_something_waits() -> None:
    release = builders.the(builders.in_phase(Phase.PROPOSED, kind=migration.Kind.RELEASE))
    shift = builders.the(builders.in_phase(Phase.PROPOSED))
    lines = (
        line("a", operation=release, holds=("h1", "h2")),
        line("b", operation=shift, holds=("h1",)),
        line("c", holds=("h1",)),
    )
    said = texts(list_cards.overview_card(answers.Overview(lines, (), synced=True), ENGLISH).blocks).split("\n")
    assert "▱▱▱▱▱ a 0% · 🔒 holds: 2 · 🟡 Approval needed: release" in said
    assert "▱▱▱▱▱ b 0% · 🔒 holds: 1 · 🟡 Approval needed 25% → 50%" in said
    assert "▱▱▱▱▱ c 0% · 🔒 holds: 1" in said


@EVERY_LANGUAGE
@pytest.mark.parametrize("kind", migration.Kind)
def test_a_plan_can_be_typed_as_a_request(kind: migration.Kind, say: words.Words) -> None:
    plan = replace(journey_plans.plan(kind), config_diff="+ line\n" * 3_000)
    refusal = refusals.refuse(refusals.Reason.BLOCKED, service="shop", blockers="<!channel> fires")
    for preview in (answers.Preview(plan, None), answers.Preview(plan, refusal)):
        shown = service_cards.preview_card(preview, say, take_back=LINE)
        card_checks.passes(shown)
        card_checks.nothing_foreign_is_live(card_checks.live_texts(shown.blocks))
        assert ("fires" in texts(shown.blocks)) == (preview.refusal is not None)
    command = texts(shown.blocks).split("/migrate ", 1)[1]
    shifts = {
        "raise": "shift shop 50% ",
        "lower": "shift shop 5% ",
        "release": "safe-mode off shop ",
        "run": "run shop auto until ",
        "wave": "shift shop,cart 50% ",
    }
    expected = shifts.get(kind, "finish shop remove " if kind is migration.Kind.REMOVE else f"{kind} shop ")
    assert f"/migrate {expected}" in texts(shown.blocks), command


@EVERY_LANGUAGE
@pytest.mark.parametrize("reason", refusals.Reason)
def test_every_refusal_is_shown_whole(reason: refusals.Reason, say: words.Words) -> None:
    facts = {name: "<!channel>" for text in refusals.WORDS[reason] for name in words.placeholders(text)}
    refusal = refusals.refuse(reason, **{**facts, "service": "shop"})
    shown = answer_cards.answer_card(answers.Answer("not this", refusal), say)
    card_checks.passes(shown)
    card_checks.nothing_foreign_is_live(iter([shown.text, *card_checks.live_texts(shown.blocks)]))
    said = shown.text.replace("&lt;", "<").replace("&gt;", ">").replace("ˋ", "`").replace("ˍ", "_")
    for part in words.refused(refusal, say.locale):
        assert part in said


@EVERY_LANGUAGE
def test_usage_errors_say_what_to_type(say: words.Words) -> None:
    for typed in ("shift shop 101% x", "frobnicate", "shift <!channel> 5% x", "safe-mode maybe", "shift shop 5% strategy moon x"):
        with pytest.raises(parsing.UsageError) as caught:
            parsing.parse(typed)
        shown = answer_cards.usage_card(caught.value, say)
        card_checks.passes(shown)
        card_checks.nothing_foreign_is_live(iter([shown.text, *card_checks.live_texts(shown.blocks)]))
        assert f"`{caught.value.attempt}`" in shown.text


@EVERY_LANGUAGE
def test_help_names_every_verb_with_an_example(say: words.Words) -> None:
    shown = answer_cards.help_card(say)
    card_checks.passes(shown)
    assert [verb for verb in parsing.VERBS if f"`{parsing.EXAMPLES[verb]}`" not in texts(shown.blocks)] == []


def test_an_unknown_service_gets_near_names() -> None:
    known = ["api-name01", "api-name02", "shop"]
    assert "`api-name01`" in answer_cards.unknown_service_card("api-nam01", known, ENGLISH).text
    assert "`shop`" in answer_cards.unknown_service_card("zzz", known, ENGLISH).text
    nothing = answer_cards.unknown_service_card("<!channel>", [], ENGLISH)
    card_checks.passes(nothing)
    assert "none" in nothing.text


@EVERY_LANGUAGE
def test_whoami_tells_rights_and_channel(say: words.Words) -> None:
    people = [ANN, replace(ANN, approver=False), replace(ANN, refused="guests cannot change traffic")]
    told = set()
    for person in people:
        for channel_ok in (True, False):
            shown = answer_cards.whoami_card(person, say, channel_ok=channel_ok, channels=("C0OPS", "<!here>"))
            card_checks.passes(shown)
            card_checks.nothing_foreign_is_live(card_checks.live_texts(shown.blocks))
            told.add(texts(shown.blocks))
            assert ("<#C0OPS>" in texts(shown.blocks)) != channel_ok
            assert ("guests" in texts(shown.blocks)) == bool(person.refused)
    assert len(told) == 6


@EVERY_LANGUAGE
def test_an_order_to_hold_says_whether_it_is_obeyed(say: words.Words) -> None:
    pushes = (views.PushAnswer("proxy-0", True), views.PushAnswer("proxy-1", False, "connection refused"))
    safe = answers.Placed(hold(), True, pushes, 0.0123)
    lost = answers.Placed(hold(service="all"), False, pushes, 2.5, trouble="the API server is away")
    shown = answer_cards.placed_card(safe, say, actor=ANN, take_back=LINE)
    card_checks.passes(shown)
    for part in ("<@U0ANN>", "12", "proxy-1", "connection refused", "errors", LINE):
        assert part in texts(shown.blocks)
    assert card_checks.pressed(shown.blocks).keys() == {Action.STATUS}
    shown = answer_cards.placed_card(lost, say, take_back=LINE)
    card_checks.passes(shown)
    assert "the API server is away" in texts(shown.blocks)
    again = card_checks.pressed(shown.blocks)[Action.HOLD]
    assert (again["value"], again["style"]) == (buttons.service_value("all"), "danger")


def test_a_card_without_confirmation_never_looks_safe() -> None:
    for pushes in ((), (views.PushAnswer("p", False),)):
        shown = answer_cards.placed_card(answers.Placed(hold(), False, pushes, 1.0), ENGLISH, actor=ANN)
        assert "NOT CONFIRMED" in shown.text


@EVERY_LANGUAGE
def test_a_page_mentions_whom_the_settings_name(say: words.Words) -> None:
    shown = answer_cards.page_card("shop", "shop: see `/migrate status shop`.", say, mention="<!subteam^S0APPR>", take_back=LINE)
    card_checks.passes(shown)
    assert "<!subteam^S0APPR> shop: see `/migrate status shop`." in texts(shown.blocks)
    assert LINE in texts(shown.blocks[-1:])
    assert card_checks.pressed(shown.blocks).keys() == {Action.HOLD, Action.STATUS}
    everything = answer_cards.page_card("", "<!channel>", say)
    card_checks.passes(everything)
    card_checks.nothing_foreign_is_live(card_checks.live_texts(everything.blocks))
    assert card_checks.pressed(everything.blocks) == {}


@settings(max_examples=30, deadline=None)
@given(card_checks.HOSTILE, LOCALES)
def test_foreign_text_about_services_is_never_live(text: str, locale: str) -> None:
    say = words.Words(locale)
    of = replace(builders.the(builders.in_phase(Phase.PROPOSED)), because=text, requester=text, requester_shown=text)
    of = replace(of, plan=replace(of.plan, service=text, config_diff=text))
    held = model.Hold("shop", text, reason=text, by=text, since=text)
    proxies = tuple(answers.ProxyLine(text, ready, served, 1, text) for ready in (True, False) for served in (None, 3)) * 20
    known: dict[str, Any] = {"holds": (held,) * 30, "operation": of, "last": of, "proxies": proxies, "served": text}
    everything = answers.Overview((line(text, operation=of), line(text, holds=(text,), wish=3)), (text,) * 30, synced=True)
    shown = [
        service_cards.status_card(
            status(name=text, firing=(text,) * 30, trouble=(text,) * 30, **known), say, take_back=LINE, at=builders.NOON
        ),
        list_cards.overview_card(everything, say),
        history_cards.history_card(text, (past(1, who=text, sentence=text, approved_by=(text,) * 9, operation=text),) * 30, say),
        service_cards.preview_card(answers.Preview(of.plan, refusals.Refusal(refusals.Reason.HELD, text, text, text)), say),
    ]
    view = home_view.home(everything, builders.BOB, say, at=builders.NOON)
    card_checks.view_passes(view)
    card_checks.nothing_foreign_is_live(card_checks.live_texts(view))
    for one in shown:
        card_checks.passes(one)
        card_checks.nothing_foreign_is_live(iter([one.text, *card_checks.live_texts(one.blocks)]))


@settings(max_examples=30, deadline=None)
@given(card_checks.HOSTILE, LOCALES)
def test_foreign_text_in_short_answers_is_never_live(text: str, locale: str) -> None:
    say = words.Words(locale)
    person = messages.Person(text, text, refused=text)
    held = model.Hold(text, text, reason=text, by=text)
    placed = answers.Placed(held, False, (views.PushAnswer(text, False, text),) * 30, 1.0, trouble=text)
    alert = messages.Alert(
        id="a",
        at=builders.NOON,
        service=text,
        name=text,
        cause="c/1",
        severity=messages.Severity.WARNING,
        firing=True,
        started=builders.NOON,
        summary=text,
    )
    shown = [
        answer_cards.sentence_card(text, say),
        answer_cards.refusal_card(refusals.Refusal(refusals.Reason.INVALID, text, text, text), say),
        answer_cards.usage_card(parsing.UsageError(text, text), say),
        answer_cards.unknown_service_card(text, [text, "shop"], say),
        answer_cards.whoami_card(person, say, channel_ok=False, channels=(text,)),
        answer_cards.placed_card(placed, say, actor=person, take_back=text),
        answer_cards.page_card(text, text, say, mention="<@U0BOSS>", take_back=text),
        answer_cards.alert_card(alert, say, take_back=text),
        answer_cards.alert_card(replace(alert, firing=False, service="", summary=""), say),
    ]
    for one in shown:
        card_checks.passes(one)
        card_checks.nothing_foreign_is_live(iter([one.text, *card_checks.live_texts(one.blocks)]))


def test_views_and_cards_hold_plain_json() -> None:
    of = builders.the(builders.in_phase(Phase.PROPOSED))
    shown = list_cards.overview_card(answers.Overview((line("shop", operation=of),), (), synced=True), ENGLISH)
    assert json.loads(json.dumps(shown.blocks)) == shown.blocks


def test_history_names_the_plan_that_people_approved_and_their_reason() -> None:
    approved = past(2, reason="second step", plan="b" * 64)
    shown = texts(history_cards.history_card("shop", (approved, past(1)), ENGLISH).blocks)
    assert "plan `bbbbbbbb`" in shown
    assert "Reason: second step" in shown
    assert "record `aaaaaaaa`" in shown


def test_a_status_that_may_be_old_says_so_and_recommends_no_raise() -> None:
    said = texts(service_cards.status_card(status(synced=False), ENGLISH, take_back=LINE, at=builders.NOON).blocks)
    assert "The cluster cannot be read completely" in said
    assert "/migrate rollback shop" in said
    assert "/migrate shift" not in said
