"""The protocol as one agent lives it: whatever is lost, repeated, restored or late can only keep or lower the weight."""

from dataclasses import replace

import pytest
from hypothesis import given
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
