"""Connections that outlive a hold are ended once, after their grace, and never at another service's cost."""

import os
import socket

from k8s.agent import long_lived, processes

HERE, THERE = ("10.1.0.1", 443), ("10.1.0.2", 443)
GRACE = 65.0


class World:
    def __init__(self, **weights: int) -> None:
        self.tracker = long_lived.LongLived(grace=GRACE)
        self.weights = weights
        self.ends = {name: frozenset({HERE}) for name in weights}
        self.standing: set[long_lived.End] = {HERE}

    def outlived(self, now: float) -> set[str]:
        return set(self.tracker.outlived(now, served=self.weights, ends=self.ends, standing=lambda: self.standing))


def test_what_still_stands_after_the_grace_is_ended_once() -> None:
    world = World(api=0)
    assert [world.outlived(at) for at in (0.0, 64.9)] == [set(), set()]
    assert world.outlived(65.0) == {"api"}
    world.tracker.ended({"api"})
    assert world.outlived(70.0) == set()
    world.weights["api"] = 5
    assert world.outlived(80.0) == set()
    world.weights["api"] = 0
    assert [world.outlived(at) for at in (90.0, 155.0)] == [set(), {"api"}]


def test_where_nothing_stands_there_is_nothing_to_end() -> None:
    world = World(api=0)
    world.standing = {THERE}
    assert [world.outlived(at) for at in (0.0, 65.0, 66.0)] == [set()] * 3
    world.standing = {HERE}
    assert world.outlived(70.0) == set(), "at 0 nothing new can have begun"


def test_an_address_that_another_service_may_still_use_is_left_alone_until_it_does_not() -> None:
    world = World(api=0, shop=5)
    assert [world.outlived(at) for at in (0.0, 100.0)] == [set(), set()]
    world.weights["shop"] = 0
    assert world.outlived(110.0) == set(), "its own connections have their grace too"
    assert world.outlived(176.0) == {"api", "shop"}


def test_a_service_that_never_reached_new_keeps_nobody_waiting() -> None:
    world = World(api=0)
    world.ends["planned"] = frozenset({HERE})
    assert [world.outlived(at) for at in (0.0, 65.0)] == [set(), {"api"}]


def test_services_with_addresses_of_their_own_do_not_wait_for_each_other() -> None:
    world = World(api=0, shop=5)
    world.ends["shop"] = frozenset({THERE})
    world.standing = {HERE, THERE}
    assert [world.outlived(at) for at in (0.0, 65.0)] == [set(), {"api"}]


def test_the_kernels_tables_name_the_other_ends_of_a_process_own_connections() -> None:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.create_server((address, 0), family=family) as server:
            end = (address, server.getsockname()[1])
            assert end not in processes.connections([os.getpid()])
            with socket.create_connection(end):
                assert end in processes.connections([os.getpid()])
            assert end not in processes.connections([1 << 22])
