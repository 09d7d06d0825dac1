"""Cards of what was changed by hand: what stands is never hidden by what was put back, and nothing foreign is live."""

from hypothesis import given, settings
from hypothesis import strategies as some

from bot.slack import drift_cards, words
from handlers import answers
from tests.edges import card_checks
from tests.edges.test_bot_service_cards import EVERY_LANGUAGE, texts
from tests.rules import builders

Became = answers.Became


def line(became: Became, **changes: str) -> answers.DriftLine:
    said = {"service": "shop", "what": "migration.yaml says the weight 75%", "by": "kubectl-edit", "todo": "Do `this`."} | changes
    return answers.DriftLine(said["service"], said["what"], builders.NOON, said["by"], became, said["todo"])


@EVERY_LANGUAGE
def test_each_outcome_says_who_what_and_what_to_do(say: words.Words) -> None:
    for became in Became:
        said = texts(drift_cards.drift_card(answers.Drift((line(became),)), say, "shop").blocks)
        assert say.live(f"drift.became_{became}") in said
        assert "kubectl-edit" in said
        assert "Do `this`." in said
        assert (say.live("drift.none") in said) is (became in (Became.PUT_BACK, Became.ACCEPTED))


@EVERY_LANGUAGE
def test_what_nobody_can_see_is_not_said_to_be_well(say: words.Words) -> None:
    card = drift_cards.drift_card(answers.Drift((), ("the ingresses cannot be watched",), synced=False), say)
    said = texts(card.blocks)
    assert "the ingresses cannot be watched" in said
    assert say.live("overview.not_synced") in said


@settings(max_examples=15, deadline=None)
@given(some.sampled_from(words.LOCALES), card_checks.HOSTILE)
def test_whatever_somebody_wrote_is_not_live_and_fits(locale: str, text: str) -> None:
    say = words.Words(locale)
    lines = tuple(line(became, what=text, by=text, todo=text) for became in Became) * 3
    card_checks.passes(drift_cards.drift_card(answers.Drift(lines, (text,)), say))
    card_checks.passes(drift_cards.notice_card("shop", [(builders.NOON, text)] * 6, say))
