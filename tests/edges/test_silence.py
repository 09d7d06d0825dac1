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
