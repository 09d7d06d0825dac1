"""How the keys that keep a client on one side spread over the buckets: what agents count, and what can be told from it. Pure.

A bucket is all that nginx's log says of a key: cookies and headers are secrets. How many keys there are follows from how many
of the buckets they take (linear counting), as far as there are free ones; client addresses stand in the log and are counted over
more places of their own.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from k8s import errors, model, wish_change

BUCKETS = 100
ADDRESS_PLACES = 2_000
ADDRESS_KEY = str(model.StickyKind.CLIENT_IP)
_TELLS = 3  # keys for each place: with more of them nearly every place is taken, and their number cannot be told


@dataclass(frozen=True, slots=True)
class Spread:
    """Of one service at one agent. `key`, `rules`: by what it was counted, see `key_of` and `rules_of`.

    `recent`: requests of the last minutes (10 to 20, less after a start) by bucket, 100 numbers; without those no rule means.
    `quick`: by bucket, since it is counted by this key, those of them that did not last long, and so began after a change that
    was made a little before; `quick_new`: how many of these were chosen for new. `addresses`: where the key is the client's
    address, a bit for each of `ADDRESS_PLACES` that an address of the last minutes has.
    """

    key: str
    rules: str
    recent: tuple[int, ...]
    quick: tuple[int, ...]
    quick_new: int = 0
    addresses: int = 0


class Keys(NamedTuple):
    """About so many; `more`: than that, and how many cannot be told."""

    number: int
    more: bool


def key_of(exposure: model.Exposure) -> str:
    """`cookie:session`, `header:X-User`, `client_ip`; empty where each request is drawn for itself."""
    if exposure.strategy is model.Strategy.USER and exposure.user is not None:
        return str(exposure.user.source)
    return "" if exposure.sticky.kind is model.StickyKind.NONE else str(exposure.sticky)


def rules_of(exposure: model.Exposure) -> str:
    """Digest of what says which requests the key decides."""
    return wish_change.digest(exposure)


def address_place(address: str) -> int:
    """The same at every agent."""
    return int.from_bytes(hashlib.blake2b(address.encode(), digest_size=8).digest()) % ADDRESS_PLACES


def distinct(taken: int, places: int) -> Keys:
    """How many keys, each in a place of its own lot, take so many of the places: about as many, or more than can be told."""
    most = _TELLS * places
    if taken >= places:
        return Keys(most, more=True)
    found = round(math.log(1 - taken / places) / math.log(1 - 1 / places))
    return Keys(most, more=True) if found > most else Keys(found, more=False)


def as_document(spread: Spread) -> dict[str, Any]:
    return {
        "key": spread.key,
        "rules": spread.rules,
        "recent": list(spread.recent),
        "quick": list(spread.quick),
        "quick_new": spread.quick_new,
        "addresses": f"{spread.addresses:x}",
    }


def from_document(document: object) -> Spread | None:
    """None where the agent does not say (an older one, or a service without a key). Raises errors.BadReply."""
    if document is None:
        return None
    if not isinstance(document, Mapping):
        raise _bad("is no JSON object")
    texts = [document.get(name) for name in ("key", "rules", "addresses")]
    if not all(isinstance(one, str) for one in texts):
        raise _bad("names no key, rules or addresses")
    try:
        addresses = int(str(texts[2]) or "0", 16)
    except ValueError:
        raise _bad("has addresses that are no hexadecimal number") from None
    new = document.get("quick_new")
    if type(new) is not int or new < 0 or addresses < 0 or addresses.bit_length() > ADDRESS_PLACES:
        raise _bad("has numbers that cannot be")
    return Spread(str(texts[0]), str(texts[1]), _counts(document, "recent"), _counts(document, "quick"), new, addresses)


def _counts(document: Mapping[str, Any], name: str) -> tuple[int, ...]:
    found = document.get(name)
    if not isinstance(found, list) or len(found) != BUCKETS or any(type(one) is not int or one < 0 for one in found):
        raise _bad(f"has no {BUCKETS} whole numbers from 0 as {name}")
    return tuple(found)


def _bad(what: str) -> errors.BadReply:
    return errors.BadReply(f"the spread of keys in the agent's report {what}; is it of the bot's version?")
