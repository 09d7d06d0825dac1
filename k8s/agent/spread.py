"""Requests by the bucket that a service's key fell in, counted from nginx's log; only of services that have a key.

What nginx has served so far says which key that is. Memory is bounded: some arrays of 100 numbers a service, and, where the
key is the client's address, two maps of places.
"""

from array import array
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from k8s import key_spread, model

TURN = 600.0  # seconds; what is recent reaches back over the last whole turn and the one that runs
QUICK = 2.0  # seconds that a request may last, to tell what a change has done that is a little older
REMEMBERED = 8_192  # addresses whose place need not be computed anew
_PLACES = {str(bucket): bucket for bucket in range(key_spread.BUCKETS)}  # without "none": no key decided those
_FREE, _TAKEN = ord("0"), ord("1")  # a map of places reads as a number of base 2

_place = lru_cache(maxsize=REMEMBERED)(key_spread.address_place)


class Counting:
    """Of one service, by the key of this exposure."""

    __slots__ = (
        "_addresses",
        "_addresses_before",
        "_all",
        "_before",
        "_exposure",
        "_key",
        "_quick",
        "_quick_new",
        "_rules",
        "_turned",
    )

    def __init__(self, exposure: model.Exposure) -> None:
        self._exposure = exposure
        self._key, self._rules = key_spread.key_of(exposure), key_spread.rules_of(exposure)
        self._all, self._quick, self._quick_new = _nothing(), _nothing(), 0
        self._turned, self._before = _nothing(), _nothing()  # `_all` as it was at the last turn and the one before
        self._addresses, self._addresses_before = _free(), _free()

    def is_of(self, exposure: model.Exposure) -> bool:
        return exposure == self._exposure or (self._key, self._rules) == (
            key_spread.key_of(exposure),
            key_spread.rules_of(exposure),
        )

    def add(self, entry: Mapping[str, Any]) -> None:
        """One line of the log."""
        place = _PLACES.get(entry["slot"])
        if place is None:
            return
        self._all[place] += 1
        if entry["time"] <= QUICK:
            self._quick[place] += 1
            self._quick_new += entry["cluster"] != "old"
        if self._key == key_spread.ADDRESS_KEY:
            self._addresses[_place(entry["ip"])] = _TAKEN

    def turn(self) -> None:
        self._before, self._turned = self._turned, self._all[:]
        self._addresses_before, self._addresses = self._addresses, _free()

    def spread(self) -> key_spread.Spread:
        return key_spread.Spread(
            key=self._key,
            rules=self._rules,
            recent=tuple([now - then for now, then in zip(self._all, self._before, strict=True)]),
            quick=tuple(self._quick),
            quick_new=self._quick_new,
            addresses=int(self._addresses, 2) | int(self._addresses_before, 2),
        )


class Spreads:
    """Of all services that have a key. `follow` also lets time pass."""

    def __init__(self) -> None:
        self._counting: dict[str, Counting] = {}
        self._turned: float | None = None

    def follow(self, served: Mapping[str, model.Exposure], *, now: float) -> None:
        """`served`: by what nginx decides, by service. `now`: seconds of a clock that never goes back.

        Another key, or another rule, begins anew: what was counted says nothing about it.
        """
        counting = {}
        for name, exposure in served.items():
            if key_spread.key_of(exposure):
                one = self._counting.get(name)
                counting[name] = one if one is not None and one.is_of(exposure) else Counting(exposure)
        self._counting = counting
        if self._turned is None:
            self._turned = now
        while now - self._turned >= TURN:
            self._turned += TURN
            for one in counting.values():
                one.turn()

    def get(self, service: str) -> Counting | None:
        return self._counting.get(service)

    def of(self, service: str) -> key_spread.Spread | None:
        """None: it has no key, or nobody has said which."""
        one = self._counting.get(service)
        return one.spread() if one is not None else None


def _nothing() -> "array[int]":
    return array("Q", bytes(8 * key_spread.BUCKETS))


def _free() -> bytearray:
    return bytearray([_FREE]) * key_spread.ADDRESS_PLACES
