"""Every card, in every language: within Slack's limits, the right buttons, and nothing foreign that is live."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bot.slack import block_limits, buttons, card_parts, dialogs, effect_words, operation_cards, parsing, words
from deploy.playground.slack import form_state
from handlers import kubectl, messages
from handlers.rules import effects, health, migration
from k8s import model
from tests.edges import card_checks
from tests.rules import builders
from tests.rules import test_health as health_examples

Phase = migration.Phase
Outcome = migration.Outcome
Kind = migration.Kind
Action = buttons.Action
Block = dict[str, Any]
LINE = kubectl.hold_line("migration-system", "shop")
APPROVERS = "<!subteam^S0APPR> <@U0BOSS>"
ANN = messages.Person("slack:T0/U0ANN", "Ann", approver=True)
BOB = messages.Person("slack:T0/U0BOB", "Bob", approver=True)
ENGLISH = words.Words("en")
SHIFTS = [Kind.RAISE, Kind.LOWER, Kind.RELEASE]  # those of the whole way have tests of their own
UNDER_WAY = [Phase.PROPOSED, Phase.APPROVED, Phase.APPLYING, Phase.CONVERGING, Phase.VERIFYING, Phase.REVERTING]
EVERY_LANGUAGE = pytest.mark.parametrize("say", [words.Words(locale) for locale in words.LOCALES], ids=words.LOCALES)


def operation(phase: Phase, kind: Kind = Kind.RAISE, outcome: Outcome = Outcome.OPEN) -> migration.Operation:
    """In this phase, or ended from it; asked for by Ann and approved by Bob, both in Slack."""
    if kind is Kind.LOWER and phase is Phase.PROPOSED:
        phase = Phase.APPROVED
    if kind is not Kind.RAISE and phase is Phase.VERIFYING:
        phase = Phase.CONVERGING
    found = builders.the(builders.in_phase(phase, kind=kind))
    approval = effects.approval_id(found.id, BOB.id, found.plan.hash)
    by_slack = tuple(replace(one, id=approval, by=BOB.id) for one in found.approvals)
    found = replace(found, requester=ANN.id, reason="a canary", approvals=by_slack)
    if outcome is Outcome.OPEN:
        return found
    return found.moved(outcome=outcome, phase=Phase.STEADY, because="it ended so")


def card(of: migration.Operation, say: words.Words = ENGLISH) -> card_parts.Shown:
    return operation_cards.operation_card(of, say, take_back=LINE, approvers_shown=APPROVERS)


@EVERY_LANGUAGE
@pytest.mark.parametrize("kind", SHIFTS)
@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("phase", UNDER_WAY)
def test_every_card_and_its_details_fit(phase: Phase, outcome: Outcome, kind: Kind, say: words.Words) -> None:
    of = operation(phase, kind, outcome)
    shown = card(of, say)
    card_checks.passes(shown)
    card_checks.view_passes(dialogs.details_view(of, say))
    card_checks.nothing_foreign_is_live(
        iter([shown.text, *card_checks.live_texts(shown.blocks), *card_checks.live_texts(dialogs.details_view(of, say))])
    )
    values = {button["value"] for button in card_checks.pressed(shown.blocks).values()}
    assert values <= {buttons.operation_value(of.id, of.revision), buttons.service_value("shop")}
    assert all(block["block_id"].startswith(f"{of.id}:{of.revision}:") for block in shown.blocks)
    for action, button in card_checks.pressed(shown.blocks).items():
        buttons.decode(action, button["value"])


@pytest.mark.parametrize(
    ("phase", "kind", "offered"),
    [
        (Phase.PROPOSED, Kind.RAISE, [Action.APPROVE, Action.REJECT, Action.DETAILS]),
        (Phase.PROPOSED, Kind.RELEASE, [Action.APPROVE, Action.REJECT, Action.DETAILS]),
        (Phase.APPROVED, Kind.RAISE, [Action.CONFIRM, Action.WITHDRAW, Action.DETAILS]),
        (Phase.APPROVED, Kind.LOWER, [Action.CONFIRM, Action.WITHDRAW, Action.DETAILS]),
        (Phase.APPLYING, Kind.RAISE, [Action.HOLD, Action.DETAILS]),
        (Phase.CONVERGING, Kind.LOWER, [Action.HOLD, Action.DETAILS]),
        (Phase.VERIFYING, Kind.RAISE, [Action.HOLD, Action.DETAILS]),
        (Phase.REVERTING, Kind.RAISE, [Action.HOLD, Action.DETAILS]),
    ],
)
def test_each_phase_offers_what_may_be_done_in_it(phase: Phase, kind: Kind, offered: list[Action]) -> None:
    shown = card_checks.pressed(card(operation(phase, kind)).blocks)
    assert list(shown) == offered
    assert [action for action, button in shown.items() if button.get("style") == "primary"] == [
        action for action in offered if action in (Action.APPROVE, Action.CONFIRM)
    ]


@pytest.mark.parametrize("kind", SHIFTS)
@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.OPEN}))
@pytest.mark.parametrize("phase", UNDER_WAY)
def test_nothing_can_be_decided_on_a_card_that_is_over(phase: Phase, outcome: Outcome, kind: Kind) -> None:
    of = operation(phase, kind, outcome)
    offered = set(card_checks.pressed(card(of).blocks))
    left = effect_words.weight_left(of)
    assert offered == {Action.DETAILS, *([Action.HOLD] if left > 0 else [])}
    assert set(card_checks.pressed(card(replace(of, phase=Phase.HELD)).blocks)) == {Action.DETAILS}, "held: nothing to roll back"


def test_the_weight_that_an_ended_operation_left() -> None:
    ended = {outcome: effect_words.weight_left(operation(Phase.VERIFYING, outcome=outcome)) for outcome in Outcome}
    assert ended.pop(Outcome.DONE) == 50
    assert set(ended.values()) == {25}
    assert effect_words.weight_left(operation(Phase.CONVERGING, Kind.LOWER, Outcome.REVERTED)) == 5
    assert effect_words.weight_left(operation(Phase.CONVERGING, Kind.RELEASE, Outcome.DONE)) == 0


def test_the_approvers_are_pinged_once_in_the_first_form_of_a_request() -> None:
    first = operation(Phase.PROPOSED)
    assert "<!subteam^S0APPR>" in json.dumps(card(first).blocks)
    for later in (first.moved(), operation(Phase.APPROVED), operation(Phase.PROPOSED, outcome=Outcome.EXPIRED)):
        assert "<!subteam" not in json.dumps(card(later).blocks)
    assert all("<!subteam" not in card(one).text for one in (first, first.moved()))
    mixed = operation_cards.operation_card(first, ENGLISH, take_back=LINE, approvers_shown="<!channel> <@U0BOSS> <!here>")
    assert "<@U0BOSS>" in json.dumps(mixed.blocks)
    card_checks.nothing_foreign_is_live(card_checks.live_texts(mixed.blocks))


def test_only_a_slack_id_becomes_a_mention() -> None:
    assert card_parts.person("slack:T0/U0ANN", "Ann") == "<@U0ANN>"
    for person_id in ("cli:ann", "slack:T0/u0ann", "slack:T0/U0ANN>", "slack:T0/U0ANN|x", "api:slack:T0/U0ANN", ""):
        assert card_parts.person(person_id, "Ann <b>") == "Ann &lt;b&gt;"
    assert card_parts.person("", "") == "?"


@EVERY_LANGUAGE
def test_confirm_quotes_the_exact_effect(say: words.Words) -> None:
    for kind, weight in ((Kind.RAISE, "50%"), (Kind.LOWER, "5%")):
        dialog = card_checks.pressed(card(operation(Phase.APPROVED, kind), say).blocks)[Action.CONFIRM]["confirm"]
        for part in (weight, "shop.old.example.com", "shop.new.example.com"):
            assert part in dialog["text"]["text"]
    english = card_checks.pressed(card(operation(Phase.APPROVED)).blocks)[Action.CONFIRM]["confirm"]["text"]["text"]
    assert english.startswith("50% of requests for shop.old.example.com go to shop.new.example.com")


def test_approving_asks_twice_from_half_of_the_traffic_on() -> None:
    of = operation(Phase.PROPOSED)
    assert "confirm" in card_checks.pressed(card(of).blocks)[Action.APPROVE]
    smaller = replace(of, plan=replace(of.plan, after=of.plan.after.at(49)))
    assert "confirm" not in card_checks.pressed(card(smaller).blocks)[Action.APPROVE]


LONG_HOST = ".".join(["x" * 60] * 4)
EXPOSURES = [
    builders.exposure(60),
    builders.exposure(60, strategy=model.Strategy.HEADER, header=model.HeaderRule("X-" + "A" * 60, ("v" * 128, "w" * 128))),
    builders.exposure(60, strategy=model.Strategy.IP, cidrs=tuple(f"10.{octet}.0.0/16" for octet in range(200))),
    builders.exposure(60, strategy=model.Strategy.USER, user=model.UserRule(model.sticky_from("cookie:" + "c" * 64))),
    builders.exposure(
        60, strategy=model.Strategy.USER, user=model.UserRule(model.sticky_from("header:X-User"), ("a" * 128,) * 9)
    ),
    builders.exposure(0),
]


@EVERY_LANGUAGE
@pytest.mark.parametrize("exposure", EXPOSURES, ids=lambda one: f"{one.strategy} {one.weight}")
@pytest.mark.parametrize("phase", [Phase.PROPOSED, Phase.APPROVED])
def test_every_strategy_fits_with_the_longest_names(phase: Phase, exposure: model.Exposure, say: words.Words) -> None:
    after = replace(exposure, old_host=LONG_HOST, new_host=f"new.{LONG_HOST}")
    of = operation(phase)
    of = replace(of, plan=replace(of.plan, service="s" * 63, after=after))
    shown = card(of, say)
    card_checks.passes(shown)
    card_checks.view_passes(dialogs.details_view(of, say))
    assert LONG_HOST in json.dumps(shown.blocks), "the card has the whole host, also where a dialog has no room"
    asking = Action.APPROVE if phase is Phase.PROPOSED else Action.CONFIRM
    if "confirm" in card_checks.pressed(shown.blocks)[asking]:
        assert f"{exposure.weight}%" in card_checks.pressed(shown.blocks)[asking]["confirm"]["text"]["text"]


def test_an_approver_sees_what_else_changes() -> None:
    of = operation(Phase.PROPOSED)
    secret = "a" * 64
    after = replace(of.plan.after, new_port=8443, sticky=model.sticky_from("client_ip"), override_hash=secret)
    of = replace(of, plan=replace(of.plan, after=after))
    fields = [field["text"] for field in card(of).blocks[1]["fields"]]
    assert "*Also changes*\n`new_port, sticky, override_hash`" in fields
    details = json.dumps(dialogs.details_view(of, ENGLISH), ensure_ascii=False)
    assert "new_port: 443 → 8443" in details
    assert "override_hash: not set → set" in details
    assert secret not in details


@EVERY_LANGUAGE
def test_a_raise_that_nobody_could_judge_is_not_green(say: words.Words) -> None:
    """The words of the rules tell it, so they are taken from the rules."""
    quiet = health_examples.fleet(health_examples.counted(0, 0))
    verdict = health.verdict(quiet, quiet, service="shop", weight=50, gates=model.Gates())
    assert isinstance(verdict, health.TooFew)
    judged = operation(Phase.VERIFYING, outcome=Outcome.DONE)
    unjudged = replace(judged, because=f"2 of 2 proxies serve it; {verdict.sentence}")
    assert "🟢" in card(judged, say).text
    shown = card(unjudged, say)
    card_checks.passes(shown)
    assert "🟢" not in json.dumps(shown.blocks, ensure_ascii=False)
    assert say.plain("outcome.not_judged") in shown.text
    assert "🟢" in card(replace(operation(Phase.CONVERGING, Kind.LOWER, Outcome.DONE), because=verdict.sentence), say).text


@EVERY_LANGUAGE
def test_a_reason_that_is_missing_is_seen_to_be_missing(say: words.Words) -> None:
    of = replace(operation(Phase.PROPOSED, Kind.RELEASE), reason="")
    for blocks in (card(of, say).blocks, dialogs.details_view(of, say)["blocks"]):
        assert say.plain("operation.no_reason") in block_limits.texts_of(blocks)


def test_a_strategy_is_named_with_the_one_it_replaces() -> None:
    of = operation(Phase.PROPOSED)
    after = builders.exposure(50, strategy=model.Strategy.HEADER, header=model.HeaderRule("X-Canary", ("yes",)))
    of = replace(of, plan=replace(of.plan, after=after))
    shown = card(of)
    fields = [field["text"] for field in shown.blocks[1]["fields"]]
    assert "*Traffic on the new cluster*\n25% → 50%\nof header X-Canary=yes\nbefore: of every request" in fields
    assert "25% (weight) → 50% (header)" in shown.text
    assert effect_words.shift_command(of.plan, "why") == "/migrate shift shop 50% strategy header X-Canary=yes why"


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"strategy": model.Strategy.IP, "cidrs": ("10.2.0.0/16",)}, "50% of requests for {old} from 10.2.0.0/16 go to {new}"),
        (
            {"strategy": model.Strategy.HEADER, "header": model.HeaderRule("X-Canary", ("yes", "on"))},
            "50% of requests for {old} with header X-Canary=yes,on go to {new}, everything else to the old cluster",
        ),
        (
            {"strategy": model.Strategy.USER, "user": model.UserRule(model.sticky_from("cookie:uid"), ("ann",))},
            "50% of users of {old} by cookie:uid=ann (those named: always) go to {new}",
        ),
    ],
)
def test_what_the_percentage_is_a_share_of_is_said_for_every_strategy(rules: dict[str, Any], says: str) -> None:
    of = operation(Phase.PROPOSED)
    after = builders.exposure(50, **rules)
    shown = card(replace(of, plan=replace(of.plan, after=after)))
    words_of_it = "\n".join(block_limits.texts_of(shown.blocks))
    assert says.format(old=after.old_host, new=after.new_host) in words_of_it
    # The command that a plan offers is understood, and means the same exposure.
    asked = parsing.parse(effect_words.shift_command(replace(of.plan, after=after), "why"))
    assert isinstance(asked, parsing.Shift)
    assert asked.strategy is not None
    assert (asked.weight, asked.strategy.kind) == (50, after.strategy)
    assert (asked.strategy.header, asked.strategy.cidrs, asked.strategy.user) == (after.header, after.cidrs, after.user)


def test_a_change_of_the_strategy_alone_is_seen_in_the_title() -> None:
    of = operation(Phase.PROPOSED)
    before = builders.exposure(10, strategy=model.Strategy.IP, cidrs=("10.2.0.0/16",))
    plan = replace(of.plan, before=before, after=builders.exposure(10))
    assert "10% (ip) → 10% (weight)" in card(replace(of, plan=plan)).text
    assert effect_words.shift_command(plan, "why") == "/migrate shift shop 10% strategy weight why"


def test_the_progress_is_a_bar_a_sentence_and_what_was_measured() -> None:
    bars = {phase: re.findall("[▰▱]+", json.dumps(card(operation(phase)).blocks, ensure_ascii=False)) for phase in UNDER_WAY}
    assert bars[Phase.APPLYING] == ["▰▱▱▱"]
    assert bars[Phase.CONVERGING] == ["▰▰▱▱"]
    assert bars[Phase.VERIFYING] == ["▰▰▰▱"]
    assert bars[Phase.PROPOSED] == bars[Phase.APPROVED] == bars[Phase.REVERTING] == []
    measured = replace(operation(Phase.VERIFYING), because="asked 25.0%, measured 24.8% of 20000; errors 0.1%")
    assert measured.because in json.dumps(card(measured).blocks)
    assert [card_parts.weight_bar(weight).count("▰") for weight in (0, 1, 25, 50, 99, 100)] == [0, 1, 1, 2, 4, 5]


def test_a_card_that_moves_traffic_ends_with_the_line_that_takes_it_back() -> None:
    for phase in UNDER_WAY:
        last = card(operation(phase)).blocks[-1]
        assert last["type"] == "context"
        assert f"`{LINE}`" in last["elements"][0]["text"]
    done = card(operation(Phase.VERIFYING, outcome=Outcome.DONE)).blocks[-1]
    assert LINE in done["elements"][0]["text"]
    for phase in UNDER_WAY:
        assert "kubectl" not in json.dumps(card(operation(phase, Kind.RELEASE)).blocks), "a release moves no request"
    unmoved = replace(operation(Phase.PROPOSED, outcome=Outcome.REJECTED), generation=0)
    unmoved = replace(unmoved, plan=replace(unmoved.plan, before=builders.exposure(0)))
    assert "kubectl" not in json.dumps(card(unmoved).blocks), "0% before and nothing changed: nothing to take back"


def test_approvals_that_do_not_count_are_not_counted() -> None:
    of = operation(Phase.APPROVED)
    stale = replace(of, approvals=(replace(of.approvals[0], plan_hash="0" * 64),))
    counts = [
        next(field["text"] for field in card(one).blocks[1]["fields"] if "Approvals" in field["text"]) for one in (of, stale)
    ]
    assert counts[0].startswith("*Approvals*\n1 of 1\n<@U0BOB>, <!date^")
    assert counts[1] == "*Approvals*\n0 of 1"
    assert "does not count" in json.dumps(dialogs.details_view(stale, ENGLISH))


@EVERY_LANGUAGE
def test_a_long_diff_says_that_it_is_cut(say: words.Words) -> None:
    diff = "\n".join(f"+    set $weight {number};\t# `<!channel>`" for number in range(5_000))
    of = operation(Phase.PROPOSED)
    of = replace(of, plan=replace(of.plan, config_diff=diff, objects=tuple((f"Ingress/{n}", "a" * 64) for n in range(300))))
    of = replace(of, timeline=tuple((builders.NOON + timedelta(minutes=n), "said " + "x" * 400) for n in range(400)))
    view = dialogs.details_view(of, say)
    card_checks.view_passes(view)
    kept = len(re.findall(r"set \$weight", json.dumps(view)))
    assert 100 < kept < 5_000
    assert f"{5_000 - kept}" in json.dumps(view)
    assert "+    set $weight 7;" in json.dumps(view), "indentation stays"


def test_rejecting_asks_why_and_reads_the_answer_back() -> None:
    for locale in words.LOCALES:
        view = dialogs.reject_view("op-1", 3, words.Words(locale))
        card_checks.view_passes(view)
    state: Block = {"values": form_state.state_of(view["blocks"], {})}
    state["values"][dialogs.REASON_BLOCK][dialogs.REASON_INPUT]["value"] = "wait for\n the\u202e DB fix"
    click, reason = dialogs.rejection({**view, "state": state})
    assert (click, reason) == (buttons.OperationClick(Action.REJECT, "op-1", 3), "wait for the DB fix")
    assert dialogs.rejection(view)[1] == ""
    for change in ({"private_metadata": "svc1|shop"}, {"private_metadata": ""}, {"callback_id": "other"}):
        with pytest.raises(buttons.ButtonError):
            dialogs.rejection({**view, **change})


@settings(max_examples=40, deadline=None)
@given(
    card_checks.HOSTILE,
    some.sampled_from(UNDER_WAY),
    some.sampled_from(Kind),
    some.sampled_from(Outcome),
    some.sampled_from(words.LOCALES),
)
def test_foreign_text_in_an_operation_is_never_live(text: str, phase: Phase, kind: Kind, outcome: Outcome, locale: str) -> None:
    of = operation(phase, kind, outcome)
    approvals = (*of.approvals, *(replace(one, by=text, shown=text) for one in of.approvals))
    hostile = replace(
        of,
        requester=text,
        requester_shown=text,
        reason=text,
        because=text,
        rejected_by=text,
        approvals=approvals,
        timeline=((builders.NOON, text),) * 40,
        plan=replace(of.plan, service=text, clears=(text,) * 30, objects=((text, text),) * 60, config_diff=text * 3),
    )
    say = words.Words(locale)
    shown, view = card(hostile, say), dialogs.details_view(hostile, say)
    card_checks.passes(shown)
    card_checks.view_passes(view)
    card_checks.nothing_foreign_is_live(iter([shown.text, *card_checks.live_texts(shown.blocks), *card_checks.live_texts(view)]))
    readable = "".join([shown.text, *block_limits.texts_of(shown.blocks), *block_limits.texts_of(view)])
    assert not set("\u202e\u200b") & set(readable)


@settings(max_examples=40, deadline=None)
@given(card_checks.HOSTILE)
def test_foreign_text_in_an_operation_does_not_format(text: str) -> None:
    """As many marks as in the same card with calm text, so that the words around it look as they should."""

    def marks(said: str) -> list[int]:
        of = operation(Phase.CONVERGING)
        of = replace(of, because=said, requester="cli:x", requester_shown=said, plan=replace(of.plan, service=said))
        return [sum(shown.count(sign) for shown in card_checks.live_texts(card(of).blocks)) for sign in "*`~"]

    assert marks(text) == marks("calm")
