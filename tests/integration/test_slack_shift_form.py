"""The global shortcut, through the real Bolt app: a form whose submission is a request like any other."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.slack import block_limits, shift_form, strategy_text, words
from deploy.playground.slack import block_rules, people, records
from handlers import errors, messages
from k8s import model
from tests.integration import slack_house
from tests.integration.slack_house import House, a_card, cards, heard, told
from tests.rules import builders

GOOD = {"service": "shop", "weight": "25%", "reason": "the new build is ready"}


@pytest.fixture(params=["socket", "http"])
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with slack_house.house(mode=request.param) as made:
        yield made


@pytest.fixture
async def socket() -> AsyncIterator[House]:
    async with slack_house.house(mode="socket") as made:
        yield made


async def opened(house: House, user: str) -> records.View:
    assert (await house.slack.driver.shortcut(user, "shift")).acknowledged
    return await house.slack.driver.wait_for(lambda: house.slack.driver.open_view(user))


async def chosen(house: House, view: records.View, action: str, value: str, **filled: str) -> records.View:
    """The form after Ann chose `value` in one of its menus."""
    await house.slack.driver.click(people.U_ANN, view, f"ferry.form.{action}", value=value, filled=filled)

    def redrawn() -> records.View | None:
        now = house.slack.driver.open_view(people.U_ANN)
        return now if now is not None and now.hash != view.hash else None

    return await house.slack.driver.wait_for(redrawn)


def stands(view: records.View, name: str) -> object:
    """What a person sees in the field."""
    (entry,) = view.state[block(view, name)["block_id"]].values()
    return entry["selected_option"]["value"] if "selected_option" in entry else entry["value"]


def block(view: records.View, name: str) -> records.Json:
    return next(one for one in view.blocks if one["block_id"].partition(":")[0] == name)


async def test_the_form_asks_for_a_shift_that_another_person_approves(house: House) -> None:
    view = await opened(house, people.U_ANN)
    assert (await house.slack.driver.submit(people.U_ANN, view, GOOD)).closed
    shift = await heard(house, messages.ProposeShift)
    assert isinstance(shift, messages.ProposeShift)
    assert (shift.service, shift.target.weight, shift.reason) == ("shop", 25, GOOD["reason"])
    assert (shift.actor.id, shift.actor.refused) == (f"slack:{people.TEAM_ID}/{people.U_ANN}", "")
    card = await a_card(house, offers="ferry.approve")
    assert card.channel == people.C_MIGRATION
    await house.slack.driver.click(people.U_BOB, card, "ferry.approve")
    await heard(house, messages.Approve)


@pytest.mark.parametrize(
    ("field", "value"), [("weight", "101"), ("weight", "-1"), ("weight", "1.5"), ("weight", "some"), ("reason", "   ")]
)
async def test_what_cannot_be_asked_for_is_said_under_its_field_and_the_form_stays(socket: House, field: str, value: str) -> None:
    view = await opened(socket, people.U_ANN)
    submitted = await socket.slack.driver.submit(people.U_ANN, view, {**GOOD, field: value})
    assert not submitted.closed
    assert set(submitted.errors) == {field}
    assert (socket.front.heard, cards(socket)) == ([], [])


RULES = [
    ("ip", "10.2.0.0/16, 10.3.0.0/16", {"cidrs": ("10.2.0.0/16", "10.3.0.0/16")}),
    ("header", "X-Canary=yes", {"header": model.HeaderRule("X-Canary", ("yes",))}),
    ("user", "cookie:uid=ann,bob", {"user": model.UserRule(model.sticky_from("cookie:uid"), ("ann", "bob"))}),
]


@pytest.mark.parametrize(("kind", "typed", "rules"), RULES)
async def test_a_strategy_is_chosen_and_its_rule_has_a_field_of_its_own(
    house: House, kind: str, typed: str, rules: dict[str, object]
) -> None:
    view = await chosen(house, await opened(house, people.U_ANN), "service", "shop")
    assert [one["block_id"].partition(":")[0] for one in view.blocks] == ["service", "strategy", "weight", "reason"]
    view = await chosen(house, view, "strategy", kind, service="shop", weight="25")
    field = block(view, "rule")
    assert field["element"]["placeholder"]["text"] == strategy_text.EXAMPLES[model.Strategy(kind)]
    assert view.state["weight"]["value"]["value"] == "25"  # what was typed before stays
    filled = {**GOOD, field["block_id"]: typed}
    assert (await house.slack.driver.submit(people.U_ANN, view, filled)).closed
    shift = await heard(house, messages.ProposeShift)
    assert isinstance(shift, messages.ProposeShift)
    assert (shift.target.weight, shift.target.strategy) == (25, kind)
    assert {name: getattr(shift.target, name) for name in rules} == rules


async def test_the_form_is_filled_with_the_strategy_in_force(socket: House) -> None:
    exposure = builders.exposure(10, strategy=model.Strategy.IP, cidrs=("10.2.0.0/16", "10.3.0.0/16"))
    socket.front.of = replace(socket.front.of, exposure=exposure)
    view = await chosen(socket, await opened(socket, people.U_ANN), "service", "shop")
    assert (stands(view, "strategy"), stands(view, "rule")) == ("ip", "10.2.0.0/16,10.3.0.0/16")
    back = await chosen(socket, view, "strategy", "weight", service="shop")
    assert "rule" not in {one["block_id"].partition(":")[0] for one in back.blocks}
    other = await chosen(socket, back, "strategy", "header", service="shop")
    assert (stands(other, "strategy"), stands(other, "rule")) == ("header", None)
    again = await chosen(socket, other, "strategy", "ip", service="shop", **{block(other, "rule")["block_id"]: "X-Canary=yes"})
    assert (stands(again, "strategy"), stands(again, "rule")) == ("ip", "10.2.0.0/16,10.3.0.0/16")
    assert (await socket.slack.driver.submit(people.U_ANN, again, GOOD)).closed
    shift = await heard(socket, messages.ProposeShift)
    assert isinstance(shift, messages.ProposeShift)
    assert shift.target == exposure.at(25)


@pytest.mark.parametrize(
    ("kind", "typed", "says"),
    [
        ("ip", "10.2.0.1/16", "the network itself is 10.2.0.0/16. Try: 10.2.0.0/16"),
        ("ip", "0.0.0.0/0", "too wide"),
        ("header", "X-Canary", "Try: X-Canary=yes"),
        ("user", "uid", "Try: cookie:uid=alice"),
    ],
)
async def test_a_wrong_rule_is_said_under_its_field_with_one_that_works(socket: House, kind: str, typed: str, says: str) -> None:
    view = await chosen(socket, await opened(socket, people.U_ANN), "strategy", kind)
    field = block(view, "rule")["block_id"]
    submitted = await socket.slack.driver.submit(people.U_ANN, view, {**GOOD, field: typed})
    assert set(submitted.errors) == {field}
    assert says in submitted.errors[field]
    assert (socket.front.heard, cards(socket)) == ([], [])


async def test_submitted_before_the_field_for_the_rule_is_there_the_form_stays(socket: House) -> None:
    view = await opened(socket, people.U_ANN)
    submitted = await socket.slack.driver.submit(people.U_ANN, view, {**GOOD, "ferry.form.strategy": "ip"})
    assert set(submitted.errors) == {"strategy:"}
    assert "needs to know which requests" in submitted.errors["strategy:"]


async def test_where_nobody_can_say_what_is_in_force_the_form_asks_for_no_other_strategy(socket: House) -> None:
    socket.front.failing_status = errors.Away("Redis does not answer")
    view = await chosen(socket, await opened(socket, people.U_ANN), "service", "shop")
    assert block(view, "strategy")["element"]["initial_option"]["value"] == shift_form.AS_IT_IS
    assert shift_form.asked({"state": {"values": {**view.state, **_typed(GOOD)}}}, words.Words("en")).strategy is None


def _typed(values: dict[str, str]) -> dict[str, object]:
    return {name: {"value": {"type": "plain_text_input", "value": value}} for name, value in values.items()}


@pytest.mark.parametrize(("who", "because"), [(people.U_GUEST, "guests"), (people.U_STRANGER, "another workspace")])
async def test_guests_and_other_companies_get_no_form_but_the_reason(socket: House, who: str, because: str) -> None:
    view = await opened(socket, who)
    assert because in view.words
    assert "shop" not in view.words


async def test_a_form_that_was_filled_in_while_its_service_went_away_is_answered(socket: House) -> None:
    view = await opened(socket, people.U_ANN)
    socket.front.unread = "The cluster cannot be read completely: the API server has not answered yet"
    await socket.slack.driver.submit(people.U_ANN, view, GOOD)
    await told(socket, people.U_ANN, says="the API server has not answered yet")


async def test_without_a_service_to_choose_the_shortcut_says_how_to_ask(socket: House) -> None:
    socket.front.unread = "The cluster cannot be read completely"
    view = await opened(socket, people.U_ANN)
    assert "/migrate shift" in view.words


@pytest.mark.parametrize("locale", words.LOCALES)
@pytest.mark.parametrize("count", [1, 100, 1000])
def test_the_form_keeps_slacks_limits_however_many_services_there_are(locale: str, count: int) -> None:
    view = shift_form.shift_view([f"{'a' * 59}{number}" for number in range(count)], words.Words(locale))
    block_limits.check_view(view)
    assert view["blocks"][0]["element"]["type"] == ("static_select" if count <= 100 else "plain_text_input")


@pytest.mark.parametrize("locale", words.LOCALES)
@pytest.mark.parametrize("kind", model.Strategy)
def test_the_form_keeps_slacks_limits_for_every_strategy(locale: str, kind: model.Strategy) -> None:
    view = shift_form.shift_view(["shop"], words.Words(locale), shift_form.Chosen("a" * 63, None, kind))
    block_limits.check_view(view)
    assert block_rules.check_view(view) == []


@pytest.mark.parametrize("state", [None, {}, {"values": {}}, {"values": {"service": {"value": {"value": 7}}}}])
def test_a_state_that_is_not_ours_is_refused_by_name(state: object) -> None:
    with pytest.raises(shift_form.FormError):
        shift_form.asked({"state": state}, words.Words("en"))


@pytest.mark.parametrize("rule", ["X Canary", "X Canary=yes"])
def test_all_that_is_wrong_in_the_form_is_said_at_once_and_as_it_was_typed(rule: str) -> None:
    state = {
        "service:": {"s": {"selected_option": {"value": "shop"}}},
        "strategy:shop": {"s": {"selected_option": {"value": "header"}}},
        "rule:shop:header": {"t": {"value": rule}},
        "weight": {"t": {"value": "a lot"}},
        "reason": {"t": {"value": ""}},
    }
    with pytest.raises(shift_form.FormError) as caught:
        shift_form.asked({"state": {"values": state}}, words.Words("en"))
    assert caught.value.wrong.keys() == {"rule:shop:header", "weight", "reason"}
    assert "X,Canary" not in caught.value.wrong["rule:shop:header"]
