"""The Home tab: what waits for this very person can be decided there, what runs and stands is seen there."""

from dataclasses import replace

import pytest

from bot.slack import buttons, home_view, operation_cards, words
from handlers import answers
from handlers.rules import migration
from tests.edges import card_checks
from tests.edges.test_bot_service_cards import EVERY_LANGUAGE, line, texts
from tests.rules import builders

Phase = migration.Phase
Action = buttons.Action


def test_home_shows_what_waits_for_this_very_person() -> None:
    proposed, approved = builders.the(builders.in_phase(Phase.PROPOSED)), builders.the(builders.in_phase(Phase.APPROVED))
    running = builders.the(builders.in_phase(Phase.VERIFYING))
    needs = {
        who.shown: [home_view.needs(one, who) for one in (proposed, approved, running)]
        for who in (builders.ANN, builders.BOB, builders.LAY, builders.GUEST)
    }
    assert needs == {
        "Ann": [False, True, False],  # she asked: she confirms, and does not approve
        "Bob": [True, False, False],
        "Lay": [False, False, False],
        "Guy": [False, False, False],
    }
    twice = replace(proposed, approvals_needed=2, approvals=approved.approvals)
    assert not home_view.needs(twice, builders.BOB), "Bob has approved already"
    assert home_view.needs(twice, builders.CYD)


@EVERY_LANGUAGE
@pytest.mark.parametrize("phase", [Phase.PROPOSED, Phase.APPROVED, Phase.CONVERGING])
def test_home_fits_when_everything_waits_and_runs(phase: Phase, say: words.Words) -> None:
    one = builders.the(builders.in_phase(phase))
    many = tuple(line(f"s{n:03}" + "x" * 58, operation=one, holds=("h",)) for n in range(200))
    asker = builders.BOB if phase is Phase.PROPOSED else builders.ANN
    view = home_view.home(answers.Overview(many, ("t" * 400,) * 20, synced=False), asker, say, at=builders.NOON)
    card_checks.view_passes(view)
    shown = str(view["blocks"]).count(repr(str(Action.DETAILS)))
    assert shown == home_view.MOST_OPERATIONS
    decisions = {
        Phase.PROPOSED: {Action.APPROVE, Action.REJECT, Action.DETAILS},
        Phase.APPROVED: {Action.CONFIRM, Action.WITHDRAW, Action.DETAILS},
    }
    assert card_checks.pressed(view["blocks"]).keys() == {Action.SHIFT, Action.REFRESH, Action.HOLD} | decisions.get(phase, set())


@EVERY_LANGUAGE
def test_what_waits_for_somebody_is_decided_at_home_with_the_buttons_of_its_card(say: words.Words) -> None:
    for phase, asker in ((Phase.PROPOSED, builders.BOB), (Phase.APPROVED, builders.ANN)):
        one = builders.the(builders.in_phase(phase))
        overview = answers.Overview((line("shop", operation=one),), (), synced=True)
        at_home = home_view.home(overview, asker, say, at=builders.NOON)["blocks"]
        on_card = card_checks.pressed(operation_cards.operation_card(one, say, take_back="").blocks)
        assert on_card.items() <= card_checks.pressed(at_home).items()
        assert len(on_card) == 3
        said = texts(at_home)
        assert one.plan.after.new_host in said, "what is decided stands beside the buttons"
        elsewhere = card_checks.pressed(home_view.home(overview, builders.LAY, say, at=builders.NOON)["blocks"])
        assert elsewhere.keys() == {Action.SHIFT, Action.REFRESH, Action.HOLD}
