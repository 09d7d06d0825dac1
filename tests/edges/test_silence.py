"""A new cluster that falls silent while its clients are there."""

import pytest

from k8s.agent import silence

Rates = dict[str, tuple[float, float]]


def heard_for(rates: Rates, seconds: int, *, heard: silence.Silence) -> dict[str, silence.Heard]:
    """Answers a second of new and old, by service, for so long; nothing is found meanwhile."""
    last: dict[str, silence.Heard] = {}
    for second in range(seconds + 1):
        for name, (new, old) in rates.items():
            last[name] = silence.Heard(float(int(new * second)), int(new * second), int(old * second))
        assert heard.look(last, now=float(second)) == (set(), set())
    return last


def test_a_cluster_that_answered_steadily_and_goes_silent_is_told_once() -> None:
    heard = silence.Silence()
    last = heard_for({"steady": (20, 0), "rare": (0.2, 20)}, 12, heard=heard)
    heard.look({**last, "young": silence.Heard(5.0, 500, 0)}, now=12.5)
    assert heard.look(last, now=13.9) == (set(), set())
    assert heard.look(last, now=14.0) == ({"steady"}, set())
    assert heard.look(last, now=60.0) == (set(), set())
    assert heard.look({**last, "steady": last["steady"]._replace(head=61.0)}, now=61.0) == (set(), set())


@pytest.mark.parametrize(
    ("rate", "still", "hangs_at"),
    [(20.0, 20.0, 3), (20.0, 11.0, 3), (20.0, 9.0, None), (20.0, 0.0, None), (2.0, 20.0, 10), (0.9, 20.0, None)],
)
def test_it_hangs_only_where_old_goes_on_answering(rate: float, still: float, hangs_at: int | None) -> None:
    heard = silence.Silence()
    last = heard_for({"api": (rate, 20)}, 20, heard=heard)["api"]
    found = []
    for second in range(1, 16):
        drained = last.new + second  # connections of long ago end now: those are no answers
        now = silence.Heard(last.head, drained, int(last.old + still * second))
        if heard.look({"api": now}, now=20.0 + second).hanging:
            found.append(second)
    assert found == ([] if hangs_at is None else [hangs_at])


def test_a_weight_or_a_rule_that_changed_makes_nobody_silent() -> None:
    """Narrowed to a network where nobody asks, for example: new gets nothing, and nothing is wrong with it."""
    heard = silence.Silence()
    last = heard_for({"api": (20, 20)}, 20, heard=heard)["api"]
    for second in range(1, 90):
        narrowed = last._replace(old=last.old + 40 * second, way=(10, "10.2.0.0/16"))
        assert heard.look({"api": narrowed}, now=20.0 + second) == (set(), set())


def test_where_a_rule_or_a_key_chooses_silence_is_a_hint_and_no_hang() -> None:
    heard = silence.Silence()
    last = heard_for({"api": (20, 20)}, 20, heard=heard)["api"]
    found = [
        heard.look({"api": last._replace(old=last.old + 20 * second, drawn=False)}, now=20.0 + second) for second in range(1, 30)
    ]
    assert [one.silent for one in found if one.silent] == [{"api"}]
    assert not any(one.hanging for one in found)


def test_where_the_clients_of_old_stop_a_little_later_nothing_hangs() -> None:
    heard = silence.Silence()
    last = heard_for({"api": (20, 20)}, 20, heard=heard)["api"]
    for second, old in enumerate((20, 40, 40, 40), start=1):
        assert heard.look({"api": last._replace(old=last.old + old)}, now=20.0 + second).hanging == set()


def test_at_a_weight_of_100_what_old_answers_for_a_new_cluster_that_is_full_tells_a_hang() -> None:
    heard = silence.Silence()
    last = heard_for({"api": (20, 0)}, 20, heard=heard)["api"]
    assert heard.look({"api": last}, now=23.0).hanging == set()
    assert heard.look({"api": last._replace(old=2)}, now=24.0).hanging == set()
    assert heard.look({"api": last._replace(old=5)}, now=25.0).hanging == {"api"}


@pytest.mark.parametrize(
    ("weight", "drawn", "slow", "hangs_at"),
    [
        (50, True, 3.0, 3),
        (5, True, 3.0, 19),
        (75, True, 3.0, 3),
        (50, True, 8.0, 8),
        (50, False, 3.0, None),
        (100, True, 3.0, 3),
    ],
)
def test_right_after_a_change_of_the_weight_what_old_answers_tells_a_hang(
    weight: int, drawn: bool, slow: float, hangs_at: int | None
) -> None:
    """Then new is most likely to fail, and nobody knows yet how often it answers. 20 requests a second come to old."""
    heard = silence.Silence()
    last = heard_for({"api": (2, 20)}, 20, heard=heard)["api"]
    changed = last._replace(way=(weight,), drawn=drawn, weight=weight, slow=slow)
    looks = (
        heard.look({"api": changed._replace(old=last.old + 20 * second)}, now=20.0 + second).hanging for second in range(1, 26)
    )
    found = [second for second, hanging in enumerate(looks) if hanging]
    assert found == ([] if hangs_at is None else [hangs_at])


def test_right_after_a_change_of_the_weight_answers_of_new_are_no_hang() -> None:
    heard = silence.Silence()
    last = heard_for({"api": (2, 20)}, 20, heard=heard)["api"]
    for second in range(1, 60):
        steady = last._replace(way=(50,), weight=50, old=last.old + 20 * second, head=last.head + 2 * (second // 2))
        assert heard.look({"api": steady}, now=20.0 + second) == (set(), set())


def test_right_after_everything_went_to_new_its_silence_is_worth_a_question() -> None:
    """Old answers nothing any more that could show that clients are there."""
    heard = silence.Silence()
    last = heard_for({"api": (2, 2), "quiet": (0.1, 0.1)}, 20, heard=heard)
    found = [heard.look({name: one._replace(way=(100,), weight=100) for name, one in last.items()}, now=20.0 + second)
             for second in range(1, 10)]  # fmt: skip
    assert [(second, one) for second, one in enumerate(found) if one != (set(), set())] == [(3, ({"api"}, set()))]
