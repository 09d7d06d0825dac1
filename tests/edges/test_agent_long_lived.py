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

        self.looks = 0

    async def outlived(self, now: float) -> set[str]:
        def standing() -> set[long_lived.End]:
            self.looks += 1
            return self.standing

        return set(await self.tracker.outlived(now, served=self.weights, ends=self.ends, standing=standing))


async def test_what_still_stands_after_the_grace_is_ended_once() -> None:
    world = World(api=0)
    assert [await world.outlived(at) for at in (0.0, 64.9)] == [set(), set()]
    assert await world.outlived(65.0) == {"api"}
    world.tracker.ended({"api"})
    assert await world.outlived(70.0) == set()
    world.weights["api"] = 5
    assert await world.outlived(80.0) == set()
    world.weights["api"] = 0
    assert [await world.outlived(at) for at in (90.0, 155.0)] == [set(), {"api"}]


async def test_where_nothing_stands_there_is_nothing_to_end() -> None:
    world = World(api=0)
    world.standing = {THERE}
    assert [await world.outlived(at) for at in (0.0, 65.0, 66.0)] == [set()] * 3
    world.standing = {HERE}
    assert await world.outlived(70.0) == set(), "at 0 nothing new can have begun"


async def test_an_address_that_another_service_may_still_use_is_left_alone_until_it_does_not() -> None:
    world = World(api=0, shop=5)
    assert [await world.outlived(at) for at in (0.0, 100.0)] == [set(), set()]
    world.weights["shop"] = 0
    assert await world.outlived(110.0) == set(), "its own connections have their grace too"
    assert await world.outlived(176.0) == {"api", "shop"}


async def test_a_service_that_never_reached_new_keeps_nobody_waiting() -> None:
    world = World(api=0)
    world.ends["planned"] = frozenset({HERE})
    assert [await world.outlived(at) for at in (0.0, 65.0)] == [set(), {"api"}]


async def test_services_with_addresses_of_their_own_do_not_wait_for_each_other() -> None:
    world = World(api=0, shop=5)
    world.ends["shop"] = frozenset({THERE})
    world.standing = {HERE, THERE}
    assert [await world.outlived(at) for at in (0.0, 65.0)] == [set(), {"api"}]


async def test_while_others_use_every_address_that_waits_nobody_looks_and_a_sentence_says_what_may_be_left() -> None:
    world = World(api=5, files=0, shop=5)
    assert await world.outlived(0.0) == set()
    world.weights["api"] = 0
    assert [await world.outlived(at) for at in (10.0, 75.0)] == [set(), set()]
    assert (world.looks, "connections of api " in world.tracker.trouble, "also that of shop," in world.tracker.trouble) == (
        0,
        True,
        True,
    )
    assert "files" not in world.tracker.trouble, "it has sent nobody there since nginx's workers began"
    world.ends["shop"] = frozenset({THERE})
    assert await world.outlived(80.0) == {"api", "files"}
    world.tracker.ended({"api", "files"})
    assert world.tracker.trouble == ""
    world.ends["shop"] = frozenset({HERE})
    assert await world.outlived(90.0) == set()
    assert world.tracker.trouble == ""


async def test_a_service_that_is_above_0_again_is_no_trouble() -> None:
    world = World(api=5, shop=5)
    await world.outlived(0.0)
    world.weights["api"] = 0
    await world.outlived(1.0)
    await world.outlived(70.0)
    assert world.tracker.trouble
    world.weights["api"] = 1
    await world.outlived(72.0)
    assert world.tracker.trouble == ""


def test_the_kernels_tables_name_the_other_ends_of_a_process_own_connections() -> None:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.create_server((address, 0), family=family) as server:
            end = (address, server.getsockname()[1])
            assert end not in processes.connections([os.getpid()])
            with socket.create_connection(end):
                assert end in processes.connections([os.getpid()])
            assert end not in processes.connections([1 << 22])
