"""Two hundred services: the list, the Home tab and an order to hold all of them, in every language, within Slack's limits."""

from datetime import timedelta

from bot.slack import answer_cards, buttons, drift_cards, home_view, list_cards, shift_form, words
from handlers import answers, messages
from handlers.rules import effects, migration
from k8s import model, views
from tests.edges import card_checks
from tests.edges.test_bot_service_cards import ANN, EVERY_LANGUAGE, line, texts
from tests.rules import builders

NAMES = [f"api-name{number:03}" for number in range(200)]
KIND, SOURCE = effects.EventKind.CONFIRMED, messages.Source.SLACK


def overview(**changes: object) -> answers.Overview:
    return answers.Overview(tuple(line(name, **changes) for name in NAMES), (), synced=True)


@EVERY_LANGUAGE
def test_the_list_shows_each_once_over_its_pages(say: words.Words) -> None:
    said = ""
    for page in (1, 2, 3):
        shown = list_cards.overview_card(overview(weight=25, wish=25), say, page=page)
        card_checks.passes(shown)
        said += texts(shown.blocks)
        if buttons.Action.SERVICES not in card_checks.pressed(shown.blocks):
            break
    assert {name for name in NAMES if f" {name} " in said} == set(NAMES)
    beyond = list_cards.overview_card(overview(), say, page=99)
    card_checks.passes(beyond)


@EVERY_LANGUAGE
def test_the_home_tab_fits_with_everything_waiting_and_many_events(say: words.Words) -> None:
    waiting = builders.the(builders.in_phase(migration.Phase.PROPOSED))
    told = effects.AuditEvent(KIND, "slack:T0/U0ANN", "shop", "op-1", "why " * 80, SOURCE)
    events = tuple((builders.NOON - timedelta(minutes=number), told) for number in range(50))
    view = home_view.home(overview(operation=waiting, holds=("h1", "h2")), builders.BOB, say, at=builders.NOON, events=events)
    card_checks.view_passes(view)
    card_checks.nothing_foreign_is_live(card_checks.live_texts(view))
    assert buttons.Action.SHIFT in card_checks.pressed(view["blocks"])


@EVERY_LANGUAGE
def test_an_order_to_hold_all_tells_the_result_of_each_those_that_are_not_held_first(say: words.Words) -> None:
    long = "x" * 50  # so long that not all find room
    lines = (*(line(f"{name}-{long}", holds=("h1",), weight=25) for name in NAMES), line("zz-last", weight=50))
    each = list_cards.held_lines(answers.Overview(lines, (), synced=True), say)
    assert len(each) == 201
    assert "zz-last" in each[0]
    hold = model.Hold("all", "h1", reason="fire " * 50, by=ANN.id)
    pushes = tuple(
        views.PushAnswer(f"migration-proxy-{number}", held=number % 2 == 0, trouble="no answer " * 20) for number in range(40)
    )
    shown = answer_cards.placed_card(answers.Placed(hold, True, pushes, 0.04), say, actor=ANN, each=each)
    card_checks.passes(shown)
    said = texts(shown.blocks)
    assert "zz-last" in said
    told = sum(name in said for name in NAMES)
    assert 60 < told < 200
    assert str(201 - told - 1) in said, "what finds no room is counted"


@EVERY_LANGUAGE
def test_drift_of_all_and_the_form_fit(say: words.Words) -> None:
    stands = answers.Became.STANDS
    lines = tuple(
        answers.DriftLine(name, "x" * 300, builders.NOON, "kubectl-edit", stands, "do something " * 9) for name in NAMES
    )
    shown = drift_cards.drift_card(answers.Drift(lines), say)
    card_checks.passes(shown)
    assert "x" * 300 in texts(shown.blocks)
    card_checks.view_passes(shift_form.shift_view(NAMES, say))
