"""The sentence of a plan and of a request's details about keys, in every language."""

from dataclasses import replace

import pytest

from bot.slack import dialogs, effect_words, service_cards, words
from handlers import answers
from handlers.rules import key_outlook, migration
from k8s import model
from tests.edges import card_checks
from tests.rules import builders

EVERY_LANGUAGE = pytest.mark.parametrize("say", [words.Words(locale) for locale in words.LOCALES], ids=words.LOCALES)
ENGLISH = words.Words("en")
AFTER = builders.exposure(25, sticky=model.sticky_from("cookie:session"))
SEEN = key_outlook.Outlook("cookie:session", 25, 237, False, 2, 9_000, share=0.2214, low=0.156, high=0.286)


def test_it_says_how_many_keys_are_seen_and_how_far_the_share_may_be_off() -> None:
    assert effect_words.keys(SEEN, AFTER, ENGLISH) == (
        "Sticky `cookie:session`: about 240 keys seen by 2 proxies in the last minutes; 25% of the keys would be 22.1% of the"
        " requests (between 16% and 29%, as other keys are busy). A request without the key is drawn for itself and counted as"
        " one."
    )


def test_more_keys_than_can_be_told_are_called_more_and_an_address_is_never_missing() -> None:
    of = replace(AFTER, sticky=model.sticky_from("client_ip"))
    said = effect_words.keys(replace(SEEN, key="client_ip", keys=6_000, more=True), of, ENGLISH)
    assert said.startswith("Sticky `client_ip`: more than 6000 keys seen by 2 proxies")
    assert "without the key" not in said


def test_where_a_rule_selects_the_share_is_of_what_matches_and_a_request_without_a_user_is_no_key() -> None:
    ruled = replace(AFTER, strategy=model.Strategy.IP, cidrs=("10.2.0.0/16",))
    assert "22.1% of the requests that match" in effect_words.keys(SEEN, ruled, ENGLISH)
    users = replace(AFTER, strategy=model.Strategy.USER, user=model.UserRule(AFTER.sticky))
    assert "without the key" not in effect_words.keys(SEEN, users, ENGLISH)


@EVERY_LANGUAGE
@pytest.mark.parametrize(
    "seen", [SEEN, replace(SEEN, more=True), *(key_outlook.Unseen("header:X-<@U1>", why) for why in key_outlook.Why)]
)
def test_plan_and_details_have_it_and_a_release_or_a_draw_has_not(
    seen: key_outlook.Outlook | key_outlook.Unseen, say: words.Words
) -> None:
    operation = builders.the(builders.in_phase(migration.Phase.PROPOSED))
    plan = replace(operation.plan, after=AFTER)
    operation = replace(operation, plan=plan)
    said = effect_words.keys(seen, AFTER, say)
    card = service_cards.preview_card(answers.Preview(plan, None, seen), say, take_back="kubectl …")
    card_checks.passes(card)
    view = dialogs.details_view(operation, say, seen)
    for shown in (card.blocks, view["blocks"]):
        card_checks.nothing_foreign_is_live(card_checks.live_texts(shown))
        assert said in list(card_checks.live_texts(shown))
    without = [
        service_cards.preview_card(answers.Preview(plan, None), say).blocks,
        dialogs.details_view(operation, say)["blocks"],
    ]
    assert [said in list(card_checks.live_texts(shown)) for shown in without] == [False, False]
