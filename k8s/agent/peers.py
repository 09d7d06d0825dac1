"""What agents tell each other: what each remembers of every service, as part of `/status`, and asking for it.

A fresh proxy learns from the others which holds stand, also when somebody has emptied `migration-holds`. What a peer says
can only lower: `protocol.see_peer` takes nothing else from it.
"""

import asyncio
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import aiohttp
import orjson

from k8s import errors, hold_document, model, protocol
from k8s.agent import resolving

NOTHING_SEEN: Mapping[str, float] = MappingProxyType({})
EVERY = 3.0  # seconds
LIMIT = 1.0  # seconds for one peer
FIRST_LIMIT = 2.0  # seconds for all of them at start
FRESH = 5.0  # seconds for which an answer of a peer says how things are now
LARGEST_ANSWER = 16 * 1024 * 1024
MOST_SERVICES = 10_000


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the others say of a new cluster that fails here. `alone`: there are no others. `confirmed_by`, `denied_by`: pods whose
    fresh answers say that it fails there, too, or that their probe was answered well since; empty: nobody says so.
    """

    alone: bool = False
    confirmed_by: str = ""
    denied_by: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What one peer remembers. `for_all`: its holds for every service, also those that come later. `orders`: the holds whose
    words it knows, by service or `all`. `seen_up`: how many seconds before it told so its own probe of new was answered well,
    by service. `turned_away`: services whose new cluster fails there, too, by its own probe or breaker. `heard`: monotonic
    seconds.
    """

    pod: str
    services: Mapping[str, protocol.Peer]
    for_all: tuple[protocol.RememberedHold, ...] = ()
    orders: Mapping[str, tuple[model.Hold, ...]] = field(default_factory=dict)
    seen_up: Mapping[str, float] = field(default_factory=dict)
    turned_away: frozenset[str] = frozenset()
    heard: float = 0.0


def document_of(
    memories: Mapping[str, protocol.Memory],
    for_all: Iterable[protocol.RememberedHold],
    orders: Mapping[str, tuple[model.Hold, ...]],
    seen_up: Mapping[str, float] = NOTHING_SEEN,
    turned_away: Iterable[str] = (),
) -> dict[str, Any]:
    """The field `memory` of `/status`."""
    return {
        "services": {name: _service_document(one) for name, one in memories.items()},
        "all": _hold_pairs(for_all),
        "orders": {name: [hold_document.as_document(one) for one in some] for name, some in orders.items() if some},
        "seen_up": {name: round(seconds, 1) for name, seconds in seen_up.items()},
        "turned_away": sorted(turned_away),
    }


def _service_document(memory: protocol.Memory) -> dict[str, Any]:
    return {
        "generation": memory.generation,
        "weight": min(memory.record.exposure.weight, memory.cap) if memory.record else 0,
        "holds": _hold_pairs(memory.holds),
        "agreed_lowest": memory.lowest_wish if memory.agreed else None,
        "agreed_at": memory.record.generation if memory.record else 0,
    }


def told_from(document: object) -> Told:
    """From a whole `/status`. Raises ValueError: nothing of an answer that is not understood is taken."""
    try:
        fields: Any = document
        services = fields["memory"]["services"]
        if len(services) > MOST_SERVICES or not all(model.SERVICE_NAME.fullmatch(name) for name in services):
            raise ValueError("it names what can be no service")
        return Told(
            pod=str(fields["pod"]),
            services={name: _peer_from(one) for name, one in services.items()},
            for_all=_holds_from(fields["memory"]["all"]),
            orders=_orders_from(fields["memory"].get("orders", {})),  # agents before words do not say them
            seen_up={str(name): _seconds(one) for name, one in fields["memory"].get("seen_up", {}).items()},  # nor older ones
            turned_away=frozenset(str(name) for name in fields["memory"].get("turned_away", ())),  # nor these
        )
    except errors.BadReply as error:
        raise ValueError(str(error)) from None
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _peer_from(fields: Mapping[str, Any]) -> protocol.Peer:
    generation, lowest = _whole(fields["generation"]), fields["agreed_lowest"]
    # Only a peer whose own record is the newest it knows of speaks about that record's wish.
    speaks = lowest is not None and fields["agreed_at"] == generation
    return protocol.Peer(
        generation=generation,
        weight=_percent(fields["weight"]),
        holds=_holds_from(fields["holds"]),
        agreed_lowest=_percent(lowest) if speaks else None,
    )


def _hold_pairs(holds: Iterable[protocol.RememberedHold]) -> list[list[Any]]:
    return [[hold.id, hold.seen_at] for hold in holds]


def _holds_from(pairs: Iterable[Any]) -> tuple[protocol.RememberedHold, ...]:
    return tuple(protocol.RememberedHold(str(name), _whole(seen_at)) for name, seen_at in pairs)


def _orders_from(fields: Mapping[str, Any]) -> dict[str, tuple[model.Hold, ...]]:
    return {name: tuple(hold_document.hold_from_document(one) for one in some) for name, some in fields.items()}


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no whole number from 0")
    return value


def _percent(value: object) -> int:
    if _whole(value) > 100:
        raise ValueError(f"{value!r} is no percentage")
    return _whole(value)


def _seconds(value: object) -> float:
    if type(value) not in {int, float} or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{value!r} is no time in seconds")
    return float(value)


class Peers:
    """The other agents behind one name. `own_address` and `pod` are this agent's: it never asks itself."""

    def __init__(self, name: str, *, port: int, own_address: str, pod: str, resolver: resolving.Resolver) -> None:
        self._name = name
        self._port = port
        self._own = own_address
        self._pod = pod
        self._resolver = resolver
        self.heard: dict[str, Told] = {}  # the last answers, by address
        self.others: int | None = 0 if not name else None  # how many there are by DNS; None: it has not said so

    @property
    def trouble(self) -> list[str]:
        """Why the others cannot be found, in sentences."""
        return self._resolver.trouble

    def opinion(self, service: str, *, since: float, now: float) -> Opinion:
        """Of a new cluster that fails here since that monotonic time. Whoever has not answered lately says nothing."""
        fresh = [told for told in self.heard.values() if now - told.heard <= FRESH]
        confirming = [told.pod for told in fresh if service in told.turned_away]
        denying = [told.pod for told in fresh if told.heard - told.seen_up.get(service, math.inf) > since]
        return Opinion(self.others == 0, next(iter(confirming), ""), next(iter(denying), ""))

    async def ask(self) -> list[Told]:
        """Everybody who answers now, in parallel. Never raises; without a name there are no peers."""
        if not self._name:
            return []
        found = await self._resolver.addresses(self._name, self._port)
        others = [address for address in found if address.rpartition(":")[0].strip("[]") != self._own]
        if found or self._resolver.failing(self._name) in resolving.ABSENT:
            self.others = len(others)
        timeout = aiohttp.ClientTimeout(total=LIMIT)
        async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
            answers = await asyncio.gather(*(self._ask_one(session, address) for address in others))
        self.heard = {address: told for address, told in zip(others, answers, strict=True) if told is not None}
        return list(self.heard.values())

    async def _ask_one(self, session: aiohttp.ClientSession, address: str) -> Told | None:
        asked = time.monotonic()  # whatever it says was so after that, less the time that it says has gone by
        try:
            async with session.get(f"http://{address}/status", allow_redirects=False) as answer:
                body = await answer.content.read(LARGEST_ANSWER)
                while chunk := await answer.content.read(LARGEST_ANSWER - len(body)):
                    body += chunk
            told = told_from(orjson.loads(body)) if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None  # it is just starting, ending or of another version: it is asked again
        return replace(told, heard=asked) if told is not None and told.pod != self._pod else None
