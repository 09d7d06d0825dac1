"""A button says which operation or service, as the clicker saw it; anything else is refused with one sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bot.slack import buttons
from handlers.rules import effects

ABOUT_OPERATION = sorted(set(buttons.Action) - buttons.ABOUT_SERVICE - buttons.PAGES - buttons.ABOUT_FOUND)
DIGEST = "0123456789abcdef"
OPERATION_IDS = some.from_regex(buttons.OPERATION_ID, fullmatch=True)
REVISIONS = some.integers(1, 999_999_999)


@given(some.sampled_from(ABOUT_OPERATION), OPERATION_IDS, REVISIONS)
def test_a_click_on_an_operation_reads_back_what_the_card_wrote(action: str, operation: str, revision: int) -> None:
    click = buttons.decode(action, buttons.operation_value(operation, revision))
    assert click == buttons.OperationClick(buttons.Action(action), operation, revision)


@pytest.mark.parametrize("service", ["api-name01", "a", "all", "9-to-5"])
@pytest.mark.parametrize("action", sorted(buttons.ABOUT_SERVICE))
def test_a_click_on_a_service_reads_back_its_name(action: str, service: str) -> None:
    assert buttons.decode(action, buttons.service_value(service)) == buttons.ServiceClick(buttons.Action(action), service)
    assert buttons.names_service(service)


@pytest.mark.parametrize(("page", "part"), [(1, ""), (12, "team.example-1")])
@pytest.mark.parametrize("action", sorted(buttons.PAGES))
def test_a_click_on_a_page_reads_back_which(action: str, page: int, part: str) -> None:
    assert buttons.decode(action, buttons.page_value(page, part)) == buttons.PageClick(buttons.Action(action), page, part)


@pytest.mark.parametrize(("name", "part"), [("api-name01", ""), ("all", ""), ("all", "dev.example")])
@pytest.mark.parametrize("action", sorted(buttons.ABOUT_FOUND))
def test_a_click_on_what_was_discovered_reads_back_what_was_seen(action: str, name: str, part: str) -> None:
    click = buttons.decode(action, buttons.found_value(name, DIGEST, part))
    assert click == buttons.FoundClick(buttons.Action(action), name, DIGEST, part)


@pytest.mark.parametrize("value", ["pg1|0|", "pg1|1|<!channel>", "fnd1|xyz|all|", f"fnd1|{DIGEST}|Shop|", "svc1|shop"])
def test_a_page_or_proposal_that_nobody_made_is_refused(value: str) -> None:
    for action in (buttons.Action.SERVICES, buttons.Action.ACCEPT):
        with pytest.raises(buttons.ButtonError):
            buttons.decode(action, value)
    with pytest.raises(ValueError, match="cannot stand in a button"):
        buttons.page_value(0)


@pytest.mark.parametrize("service", ["", "Shop", "a|b", "a b", "-a", "x" * 64, "<!channel>", "shop\n"])
def test_what_is_no_service_gets_no_button(service: str) -> None:
    assert not buttons.names_service(service)
    with pytest.raises(ValueError, match="cannot stand in a button"):
        buttons.service_value(service)


@pytest.mark.parametrize(
    ("operation", "revision"), [("", 1), ("a|b", 1), ("a", 0), ("a", -1), ("x" * 101, 1), ("é", 1), ("a\n", 1)]
)
def test_what_would_not_read_back_is_not_written(operation: str, revision: int) -> None:
    with pytest.raises(ValueError, match="cannot stand in a button"):
        buttons.operation_value(operation, revision)


def test_the_ids_that_the_rules_make_fit() -> None:
    operation = effects.operation_id("Ev0123")
    assert buttons.operation_value(operation, 1) == f"op1|{operation}|1"
    assert len(buttons.operation_value("x" * 100, 999_999_999)) < 2_000


@pytest.mark.parametrize(
    ("action", "value"),
    [
        ("ferry.approve", "svc1|shop"),
        ("ferry.hold", "op1|op-1|1"),
        ("ferry.approve", "op2|op-1|1"),
        ("ferry.approve", "op1|op-1|1|25%"),
        ("ferry.approve", "op1|op-1|01"),
        ("ferry.approve", "op1|op-1|1\n"),
        ("ferry.approve", None),
        ("ferry.unknown", "op1|op-1|1"),
        (None, "op1|op-1|1"),
        (7, {"op": 1}),
    ],
)
def test_a_foreign_or_older_button_is_refused_in_words(action: object, value: object) -> None:
    with pytest.raises(buttons.ButtonError, match="nothing was done"):
        buttons.decode(action, value)


@given(some.one_of(some.sampled_from(sorted(buttons.Action)), some.text()), some.text())
def test_no_text_whatever_raises_anything_else(action: str, value: str) -> None:
    try:
        click = buttons.decode(action, value)
    except buttons.ButtonError:
        return
    assert isinstance(click, buttons.Click)
