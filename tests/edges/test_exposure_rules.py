"""The order of exposures against what they mean: where one is at most another, what it sends to new the other may send too."""

import ipaddress
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import exposure, model

NETWORKS = ["10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "10.2.0.0/16", "10.2.3.0/24", "2001:db8::/32", "2001:db8:1::/48"]
VALUES = ["a", "A", "b"]
HASHES = {None: None, "s": "a" * 64, "t": "b" * 64}
COOKIE = model.sticky_from("cookie:id")


@st.composite
def exposures(draw: st.DrawFn) -> model.Exposure:
    return model.Exposure(
        weight=draw(st.sampled_from([0, 1, 50, 99, 100])),
        old_host="api.old.example",
        new_host="api.new.example",
        strategy=draw(st.sampled_from(list(model.Strategy))),
        header=model.HeaderRule(
            draw(st.sampled_from(["X-Canary", "x-canary", "X-Other"])),
            tuple(draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=2))),
        ),
        cidrs=tuple(draw(st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=2))),
        user=model.UserRule(COOKIE, tuple(draw(st.lists(st.sampled_from(VALUES), max_size=2)))),
        override_hash=HASHES[draw(st.sampled_from(list(HASHES)))],
    )


@dataclass(frozen=True)
class Request:
    """`drawn`: the bucket by the sticky key; `drawn_user`: by the user's id; `secret`: that its tester shows, asking for new."""

    headers: dict[str, str]
    address: str
    user: str
    drawn: int
    drawn_user: int
    secret: str | None


@st.composite
def requests(draw: st.DrawFn) -> Request:
    return Request(
        headers={draw(st.sampled_from(["x-canary", "x-other"])): draw(st.sampled_from(VALUES))},
        address=draw(
            st.sampled_from(["10.2.3.4", "10.2.4.4", "10.3.0.1", "10.200.0.1", "192.0.2.1", "2001:db8::1", "2001:db8:1::1"])
        ),
        user=draw(st.sampled_from([*VALUES, "c", ""])),
        drawn=draw(st.sampled_from([0, 1, 49, 50, 98, 99])),
        drawn_user=draw(st.sampled_from([0, 1, 49, 50, 98, 99])),
        secret=draw(st.sampled_from(list(HASHES))),
    )


def reaches_new(one: model.Exposure, request: Request) -> bool:
    """What nginx's text says, in words of its own."""
    if one.weight == 0:
        return False
    if request.secret is not None and one.override_hash == HASHES[request.secret]:
        return True
    drawn = request.drawn < one.weight
    match one.strategy:
        case model.Strategy.WEIGHT:
            return drawn
        case model.Strategy.HEADER:
            assert one.header is not None
            return drawn and request.headers.get(one.header.name.lower()) in one.header.values
        case model.Strategy.IP:
            address = ipaddress.ip_address(request.address)
            return drawn and any(address in ipaddress.ip_network(cidr) for cidr in one.cidrs)
        case model.Strategy.USER:
            assert one.user is not None
            return request.user in one.user.ids or (request.user != "" and request.drawn_user < one.weight)


@settings(max_examples=800, deadline=None)
@given(exposures(), exposures(), requests())
def test_what_is_at_most_another_sends_nothing_to_new_that_the_other_may_not(
    one: model.Exposure, other: model.Exposure, request_made: Request
) -> None:
    if exposure.at_most(one, other) and reaches_new(one, request_made):
        assert reaches_new(other, request_made)


@settings(max_examples=300, deadline=None)
@given(exposures(), exposures(), exposures())
def test_the_order_is_transitive_over_all_rules(one: model.Exposure, two: model.Exposure, three: model.Exposure) -> None:
    assert exposure.at_most(one, one)
    if exposure.at_most(one, two) and exposure.at_most(two, three):
        assert exposure.at_most(one, three)


def ip(*cidrs: str, weight: int = 25) -> model.Exposure:
    return model.Exposure(weight, "api.old.example", "api.new.example", strategy=model.Strategy.IP, cidrs=cidrs)


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (ip("10.2.3.0/24"), ip("10.2.0.0/16")),
        (ip("10.0.0.0/8"), ip("10.128.0.0/9", "10.0.0.0/9")),
        (ip("2001:db8:1::/48", "10.2.3.0/24"), ip("10.2.0.0/16", "2001:db8::/32")),
        (ip("10.2.0.0/16"), ip("10.2.0.0/16", weight=26)),
        (ip("10.2.0.0/16"), model.Exposure(25, "api.old.example", "api.new.example")),
    ],
)
def test_networks_within_networks_are_lower_and_not_the_other_way_round(narrow: model.Exposure, wide: model.Exposure) -> None:
    assert exposure.at_most(narrow, wide)
    assert exposure.lower_of(narrow, wide) == narrow
    alike = narrow.cidrs == ("10.0.0.0/8",)  # its halves are the same addresses
    assert exposure.at_most(wide, narrow) is alike


def test_a_user_who_is_listed_is_above_a_weight_that_did_not_draw_them() -> None:
    weight = model.Exposure(50, "api.old.example", "api.new.example")
    users = model.Exposure(
        1, "api.old.example", "api.new.example", strategy=model.Strategy.USER, user=model.UserRule(COOKIE, ("a",))
    )
    assert not exposure.at_most(users, weight)
    assert exposure.at_most(users, weight.at(100))
