"""The Home tab: what waits for this very person can be decided there, what runs and stands is seen there."""

from dataclasses import replace

import pytest

from bot.slack import buttons, home_view, words
from handlers import answers
from handlers.rules import migration
from tests.edges import card_checks
from tests.edges.test_bot_service_cards import EVERY_LANGUAGE, line
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
    assert card_checks.pressed(view["blocks"]).keys() == {Action.REFRESH, Action.HOLD}
    details = [block["accessory"] for block in view["blocks"] if "accessory" in block]
    assert len(details) == home_view.MOST_OPERATIONS
    assert {button["action_id"] for button in details} == {Action.DETAILS}
