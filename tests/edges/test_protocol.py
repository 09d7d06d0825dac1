"""The protocol as one agent lives it: whatever is lost, repeated, restored or late can only keep or lower the weight."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from k8s import model, protocol

UID = "0b6a7f0e-uid"


def exposure(weight: int) -> model.Exposure:
    return model.Exposure(weight=weight, old_host="api.old.example", new_host="api.new.example")


def record(
    generation: int, weight: int, *, uid: str = UID, clears: tuple[str, ...] = (), finished: bool = False
) -> protocol.Record:
    return protocol.Record(
        uid=uid,
        service="api",
        generation=generation,
        exposure=exposure(weight),
        operation=f"op-{generation}",
        clears=clears,
        finished=finished,
    )


def seen(memory: protocol.Memory, what: protocol.Record, *, uid: str = UID) -> protocol.Memory:
    return protocol.see_record(memory, what, payload=what.encode(), uid=uid)


def served(memory: protocol.Memory) -> int:
    return protocol.effective(memory).weight


def at(weight: int, *, generation: int = 1) -> protocol.Memory:
    """An agent that serves this weight, record and wish agreed."""
    return protocol.see_wish(seen(protocol.Memory("api"), record(generation, weight)), weight)


def test_without_a_record_nothing_is_served_whatever_the_wish_says() -> None:
    assert served(protocol.see_wish(protocol.Memory("api"), 100)) == 0


def test_record_and_wish_together_are_served() -> None:
    assert served(at(25)) == 25


def test_a_record_alone_moves_nothing_until_the_wish_follows() -> None:
    waiting = seen(at(5), record(2, 25))
    assert served(waiting) == 5
    assert served(protocol.see_wish(waiting, 25)) == 25


def test_a_hand_edit_upwards_moves_nothing() -> None:
    assert served(protocol.see_wish(at(25), 80)) == 25


def test_a_hand_edit_downwards_is_obeyed_and_going_back_up_needs_a_new_record() -> None:
    lowered = protocol.see_wish(at(25), 10)
    assert served(lowered) == 10
    assert served(protocol.see_wish(lowered, 25)) == 10
    assert served(protocol.see_wish(seen(lowered, record(2, 25)), 25)) == 25


def wished(memory: protocol.Memory, weight: int | None, version: int | None) -> protocol.Memory:
    return protocol.see_wish(memory, weight, version=version)


def recorded(memory: protocol.Memory, what: protocol.Record, version: int) -> protocol.Memory:
    return protocol.see_record(memory, what, payload=what.encode(), uid=UID, version=version)


def test_a_wish_older_than_the_record_but_seen_after_it_bounds_only_while_it_stands() -> None:
    raced = recorded(wished(protocol.Memory("api"), 100, 90), record(1, 25), 100)
    late = wished(raced, 0, 95)
    assert served(late) == 0, "it is what the cluster asks for, as far as this agent knows"
    assert served(wished(late, 25, 105)) == 25


def test_a_wish_that_agreed_before_its_record_was_seen_still_makes_a_later_edit_down_stay() -> None:
    overtaken = wished(wished(wished(protocol.Memory("api"), 25, 102), 10, 105), 25, 110)
    assert served(recorded(overtaken, record(1, 25), 100)) == 10


def test_the_wish_of_a_lowering_is_older_than_its_record_and_agrees_with_it() -> None:
    lowered = recorded(wished(at(25), 5, 95), record(2, 5), 100)
    assert served(lowered) == 5
    assert served(wished(wished(lowered, 2, 105), 5, 110)) == 2


@pytest.mark.parametrize(("text", "number"), [("17", 17), ("", None), ("x9", None), ("-1", None), ("²", None), ("1.5", None)])
def test_only_whole_numbers_are_versions_that_can_be_compared(text: str, number: int | None) -> None:
    assert protocol.version_number(text) == number


def test_a_wish_of_unknown_version_counts_as_later() -> None:
    late = wished(recorded(wished(protocol.Memory("api"), 100, 90), record(1, 25), 100), 0, None)
    assert served(wished(late, 25, 105)) == 0


def test_a_restored_api_server_whose_versions_fell_does_not_make_later_edits_look_old() -> None:
    restored = recorded(recorded(wished(protocol.Memory("api"), 25, 9000), record(1, 25), 9001), record(1, 25), 40)
    assert served(wished(wished(restored, 10, 50), 25, 60)) == 10


def test_a_service_that_the_document_no_longer_names_is_all_old() -> None:
    assert served(protocol.see_wish(at(25), None)) == 0


def test_an_older_record_restored_by_hand_brings_nothing_back() -> None:
    down = protocol.see_wish(seen(at(50), record(2, 0)), 0)
    assert served(seen(protocol.see_wish(down, 50), record(1, 50))) == 0


def test_a_twin_of_the_same_generation_may_only_lower() -> None:
    assert served(seen(at(25), record(1, 60))) == 25
    assert served(seen(at(25), record(1, 10))) == 10


def test_a_record_signed_for_another_configmap_may_only_lower() -> None:
    assert served(seen(at(25), record(9, 80, uid="another"))) == 25
    assert served(seen(at(25), record(9, 5, uid="another"))) == 5
    fresh = protocol.see_wish(protocol.Memory("api"), 80)
    assert served(seen(fresh, record(9, 80, uid="another"))) == 0


def test_a_record_that_is_deleted_and_restored_under_a_new_uid_stays_at_nothing() -> None:
    gone = protocol.miss_record(at(25))
    assert served(gone) == 0
    assert served(seen(gone, record(1, 25), uid="new-uid")) == 0


def test_the_same_record_back_after_a_stale_list_is_served_again() -> None:
    assert served(seen(protocol.miss_record(at(25)), record(1, 25))) == 25


def test_a_key_that_stands_holds_and_deleting_it_brings_nothing_back() -> None:
    held = protocol.see_holds(at(25), ["a"])
    assert served(held) == 0
    assert served(protocol.see_holds(held, [])) == 0


def test_only_a_later_record_that_names_the_id_clears_a_hold() -> None:
    held = protocol.see_holds(protocol.see_holds(at(25), ["a"]), [])
    assert served(protocol.see_wish(seen(held, record(2, 25)), 25)) == 0
    assert served(protocol.see_wish(seen(held, record(2, 25, clears=("a",))), 25)) == 25


def test_a_key_that_is_still_to_be_taken_away_is_not_remembered_by_a_proxy_that_starts_just_then() -> None:
    started = protocol.see_holds(protocol.see_wish(seen(protocol.Memory("api"), record(2, 25, clears=("a",))), 25), ["a"])
    assert served(started) == 0, "while the key is there it holds"
    assert served(protocol.see_holds(started, [])) == 25


def test_a_push_and_a_peer_that_come_after_the_release_bring_nothing_back() -> None:
    released = protocol.see_wish(seen(protocol.see_holds(at(25), ["a"]), record(2, 25, clears=("a",))), 25)
    released = protocol.see_holds(released, [])
    late = protocol.Peer(generation=2, weight=25, holds=(protocol.RememberedHold("a", 2),))
    assert [served(released), served(protocol.push_hold(released, "a")), served(protocol.see_peer(released, late))] == [
        25,
        25,
        25,
    ]


def test_a_cleared_id_that_is_written_again_holds_again() -> None:
    cleared = protocol.see_wish(seen(protocol.see_holds(at(25), []), record(2, 25, clears=("a",))), 25)
    again = protocol.see_holds(cleared, ["a"])
    assert served(again) == 0
    assert served(protocol.see_holds(again, [])) == 0, "this record was written before the key came back"


def test_a_pushed_hold_is_kept_though_the_cluster_never_saw_it() -> None:
    assert served(protocol.see_holds(protocol.push_hold(at(25), "direct"), [])) == 0


def test_a_fresh_agent_learns_holds_lowest_wish_and_generation_from_a_peer() -> None:
    fresh = protocol.Memory("api")
    told = protocol.see_peer(fresh, protocol.Peer(generation=7, weight=0, holds=(protocol.RememberedHold("h", 6),)))
    assert served(protocol.see_wish(seen(told, record(5, 50)), 50)) == 0
    assert protocol.effective(told).held == ("h",)
    accepted = protocol.see_wish(seen(replace(told, holds=()), record(7, 30)), 30)
    assert served(accepted) == 30
    lower = protocol.see_peer(accepted, protocol.Peer(generation=7, weight=30, agreed_lowest=12))
    assert served(lower) == 12


@pytest.mark.parametrize("ordered", ["pushed", "in the cluster", "after it"])
def test_a_first_finished_record_does_not_outrank_a_hold_that_it_does_not_clear(ordered: str) -> None:
    before, end = at(100, generation=2), record(3, 100, finished=True)
    if ordered == "after it":  # it is the end by then; who wrote it takes it back
        assert served(protocol.push_hold(seen(before, end), "h")) == 100
        return
    held = protocol.push_hold(before, "h") if ordered == "pushed" else protocol.see_holds(before, {"h"})
    now = seen(held, end)
    assert served(now) == 0
    assert served(seen(protocol.see_holds(now, ()), end)) == 0  # a key that is gone ends no hold
    assert served(seen(now, record(4, 0))) == 0
    assert served(seen(held, record(3, 100, finished=True, clears=("h",)))) == 100


def test_who_was_away_or_begins_anew_follows_the_end_whatever_it_remembers() -> None:
    end = record(9, 100, finished=True)
    away = protocol.push_hold(seen(protocol.Memory("api"), record(2, 100)), "released-long-ago")
    assert served(seen(away, end)) == 100
    assert served(seen(protocol.see_holds(protocol.Memory("api"), {"h"}), end)) == 100
    known = protocol.push_hold(seen(protocol.Memory("api"), end), "h")
    assert served(seen(known, record(10, 100, finished=True))) == 100  # signed again by another key


def test_a_finished_service_never_falls_to_old() -> None:
    finished = seen(protocol.Memory("api"), record(3, 100, finished=True))
    assert served(protocol.see_wish(protocol.push_hold(finished, "h"), None)) == 100


@given(st.binary(max_size=200))
def test_bytes_that_are_no_record_are_refused_with_a_sentence(payload: bytes) -> None:
    with pytest.raises(protocol.ProtocolError, match=r"\w+ \w+"):
        protocol.decode_record(payload)


@given(weight=st.integers(0, 100), generation=st.integers(1, 10**9), clears=st.lists(st.text(max_size=9), max_size=3))
def test_a_record_survives_the_journey_through_its_bytes(weight: int, generation: int, clears: list[str]) -> None:
    one = record(generation, weight, clears=tuple(clears))
    assert protocol.decode_record(one.encode()) == one


class OneAgent(RuleBasedStateMachine):
    """Everything that can reach an agent, in any order, against what was ever approved and never cleared."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = protocol.Memory("api")
        self.newest = 0
        self.approved: dict[int, protocol.Record] = {}
        self.never_cleared: set[str] = set()
        self.next_hold = 0

    @rule(weight=st.integers(0, 100), clear=st.booleans())
    def the_bot_writes_a_record(self, weight: int, clear: bool) -> None:
        self.newest += 1
        ids = tuple(self.never_cleared) if clear else ()
        self.approved[self.newest] = record(self.newest, weight, clears=ids)
        if clear:
            self.memory = protocol.see_holds(self.memory, [])
            self.never_cleared = set()
        self.memory = seen(self.memory, self.approved[self.newest])

    @rule(back=st.integers(0, 5), uid=st.sampled_from([UID, "foreign"]))
    def an_older_record_is_seen(self, back: int, uid: str) -> None:
        if old := self.approved.get(self.newest - back):
            before = served(self.memory) if not self.memory.missing else 100
            self.memory = seen(self.memory, old, uid=uid)
            assert served(self.memory) <= before

    @rule(weight=st.none() | st.integers(0, 100))
    def somebody_edits_the_wish(self, weight: int | None) -> None:
        self.memory = protocol.see_wish(self.memory, weight)
        assert served(self.memory) <= (weight or 0)

    @rule(pushed=st.booleans())
    def a_hold_is_placed(self, pushed: bool) -> None:
        self.next_hold += 1
        name = f"h{self.next_hold}"
        self.never_cleared.add(name)
        if pushed:
            self.memory = protocol.push_hold(self.memory, name)
        else:
            self.memory = protocol.see_holds(self.memory, self.memory.present | {name})

    @rule()
    def the_holds_configmap_is_emptied_by_hand(self) -> None:
        self.memory = protocol.see_holds(self.memory, [])

    @rule()
    def the_record_is_deleted(self) -> None:
        self.memory = protocol.miss_record(self.memory)
        assert served(self.memory) == 0

    @invariant()
    def never_more_than_the_newest_record(self) -> None:
        newest = self.approved.get(self.newest)
        assert served(self.memory) <= (newest.exposure.weight if newest else 0)

    @invariant()
    def what_was_never_cleared_holds(self) -> None:
        assert set(self.memory.held) >= self.never_cleared
        assert not self.never_cleared or served(self.memory) == 0


TestOneAgent = OneAgent.TestCase


class TwoWatches(RuleBasedStateMachine):
    """One cluster with its versions, and an agent that hears of wishes and records through two watches, either one late."""

    def __init__(self) -> None:
        super().__init__()
        self.version = 0
        self.memory = protocol.Memory("api")
        self.history: list[tuple[int, int | None]] = []  # every wish ever written, by version
        self.records: list[tuple[int, protocol.Record]] = []
        self.wishes_under_way: list[tuple[int, int | None]] = []
        self.records_under_way: list[tuple[int, protocol.Record]] = []
        self.heard: tuple[int, int | None] = (0, None)
        self.known = 0
        self.holds = 0

    def _next(self) -> int:
        self.version += 1
        return self.version

    @rule(weights=st.lists(st.none() | st.sampled_from([10, 25]), min_size=1, max_size=4))
    def the_wish_is_edited(self, weights: list[int | None]) -> None:
        edits = [(self._next(), weight) for weight in weights]
        self.history += edits
        self.wishes_under_way += edits

    @rule(weight=st.sampled_from([0, 10, 25]), clear=st.booleans())
    def a_record_is_written(self, weight: int, clear: bool) -> None:
        ids = tuple(f"h{number}" for number in range(self.holds)) if clear else ()
        self.records.append((self._next(), record(len(self.records) + 1, weight, clears=ids)))
        self.records_under_way.append(self.records[-1])

    @rule()
    def a_hold_is_pushed(self) -> None:
        self.memory = protocol.push_hold(self.memory, f"h{self.holds}")
        self.holds += 1

    @rule()
    def the_next_wish_arrives(self) -> None:
        if self.wishes_under_way:
            self.heard = self.wishes_under_way.pop(0)
            self.memory = wished(self.memory, self.heard[1], self.heard[0])

    @rule()
    def the_next_record_arrives(self) -> None:
        if self.records_under_way:
            self.known, what = self.records_under_way.pop(0)
            self.memory = recorded(self.memory, what, self.known)

    @rule()
    def the_agent_looks_again_at_what_it_has_seen(self) -> None:
        before = self.memory
        if self.heard[0]:
            self.memory = wished(self.memory, self.heard[1], self.heard[0])
        if seen_records := [pair for pair in self.records if pair[0] == self.known]:
            self.memory = recorded(self.memory, seen_records[0][1], self.known)
        assert self.memory == before

    @rule()
    def everything_has_arrived(self) -> None:
        while self.wishes_under_way:
            self.the_next_wish_arrives()
        while self.records_under_way:
            self.the_next_record_arrives()
        if not self.records or not self.history:
            return
        written, newest = self.records[-1]
        approved = newest.exposure.weight
        later = [weight or 0 for version, weight in self.history if version > written]
        if not self.memory.held and (self.history[-1][1] or 0) == approved and min(later, default=100) >= approved:
            assert served(self.memory) == approved, "nobody asked for less since the record: it is served"
        assert served(self.memory) <= self.in_order(), "an edit down after the agreement stays, whatever came first"

    def in_order(self) -> int:
        """What an agent serves at most that heard everything in the order in which it was written."""
        written, newest = self.records[-1]
        before = [weight or 0 for version, weight in self.history if version < written][-1:]
        after = [weight or 0 for version, weight in self.history if version > written]
        approved, lowest, agreed = newest.exposure.weight, 100, False
        for weight, counts in [*((one, False) for one in before), *((one, True) for one in after)]:
            agreed = agreed or weight >= approved
            lowest = min(lowest, weight) if agreed and counts else lowest
        return min(approved, lowest, self.history[-1][1] or 0)

    @invariant()
    def never_above_the_wish_the_record_or_a_hold(self) -> None:
        known = [one.exposure.weight for version, one in self.records if version == self.known]
        assert served(self.memory) <= min(self.heard[1] or 0, known[0] if known else 0)
        assert not self.memory.held or served(self.memory) == 0


TestTwoWatches = TwoWatches.TestCase
TestTwoWatches.settings = settings(max_examples=300, stateful_step_count=40)
