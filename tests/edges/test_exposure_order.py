"""The order of exposures: what is provably at most what, and that the lower of two never raises anything."""

from hypothesis import given
from hypothesis import strategies as st

from k8s import exposure, model

EXPOSURES = st.builds(
    model.Exposure,
    weight=st.sampled_from([0, 1, 50, 100]),
    old_host=st.just("api.old.example"),
    new_host=st.sampled_from(["a.new.example", "b.new.example"]),
    strategy=st.sampled_from([model.Strategy.WEIGHT, model.Strategy.IP]),
    cidrs=st.sampled_from([("10.0.0.0/8",), ("10.0.0.0/8", "192.168.0.0/16")]),
    override_hash=st.sampled_from([None, "a" * 64]),
)


@given(EXPOSURES)
def test_every_exposure_is_at_most_itself(one: model.Exposure) -> None:
    assert exposure.at_most(one, one)


@given(EXPOSURES, EXPOSURES, EXPOSURES)
def test_the_order_is_transitive(one: model.Exposure, two: model.Exposure, three: model.Exposure) -> None:
    if exposure.at_most(one, two) and exposure.at_most(two, three):
        assert exposure.at_most(one, three)


@given(EXPOSURES, EXPOSURES)
def test_weight_zero_is_below_all_and_a_greater_weight_below_none(one: model.Exposure, two: model.Exposure) -> None:
    assert exposure.at_most(one.at(0), two)
    if one.weight > two.weight or (one.weight and one.new_host != two.new_host):
        assert not exposure.at_most(one, two)


@given(EXPOSURES, EXPOSURES)
def test_the_lower_of_two_is_at_most_both_when_they_compare(one: model.Exposure, two: model.Exposure) -> None:
    lower = exposure.lower_of(one, two)
    assert lower.weight <= min(one.weight, two.weight)
    if exposure.at_most(one, two) or exposure.at_most(two, one):
        assert exposure.at_most(lower, one)
        assert exposure.at_most(lower, two)
