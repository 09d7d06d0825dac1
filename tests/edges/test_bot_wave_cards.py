"""The card of a wave: its members in their turns, in every phase and at every end; two hundred of them within Slack's limits."""

from dataclasses import replace

import pytest

from bot.slack import operation_cards, words
from handlers.rules import migration
from tests.edges import card_checks, journey_plans
from tests.edges.test_bot_service_cards import EVERY_LANGUAGE, LINE, texts
from tests.rules import builders

Phase, Outcome = migration.Phase, migration.Outcome
PHASES = (Phase.PROPOSED, Phase.APPROVED, Phase.CONVERGING)


def asked(members: int, phase: migration.Phase = Phase.PROPOSED) -> migration.Operation:
    return replace(builders.the(builders.in_phase(phase)), plan=journey_plans.wave(members))


@EVERY_LANGUAGE
@pytest.mark.parametrize("phase", PHASES)
def test_two_hundred_members_fit_and_are_counted(phase: migration.Phase, say: words.Words) -> None:
    shown = operation_cards.operation_card(asked(200, phase), say, take_back=LINE)
    card_checks.passes(shown)
    said = texts(shown.blocks)
    assert "shop" in said
    assert "25% → 50%" in said
    assert "200" in said
    assert str(200 - operation_cards.MOST_MEMBERS) in said
    assert LINE not in said  # no hold has the name of a wave


@EVERY_LANGUAGE
@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.OPEN])
def test_every_end_says_why_and_claims_no_weight(outcome: migration.Outcome, say: words.Words) -> None:
    ended = replace(asked(2), outcome=outcome, because="shop: it is held at 100% old by h1", phase=Phase.STEADY)
    shown = operation_cards.operation_card(ended, say, take_back=LINE)
    card_checks.passes(shown)
    said = texts(shown.blocks)
    assert "held at 100% old by h1" in said
    assert "0%。" not in said
    assert "gets 0%" not in said
