"""What the agent remembers, on disk: written before it answers anybody, read again when it starts.

One small JSON file a service, replaced atomically. A file that cannot be read is not trusted to say that anything may
reach new: the service starts from nothing, held by the unreadable file itself, until a signed record clears that.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from k8s import errors, hold_document, model, protocol

UNREADABLE = "agent-memory-unreadable"


@dataclass(frozen=True, slots=True)
class Remembered:
    """`orders`: its standing holds with their words (reason, by, since, cause), as far as they are known."""

    memory: protocol.Memory
    orders: tuple[model.Hold, ...] = ()


class MemoryFolder:
    """`folder` is made if missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def load(self) -> dict[str, Remembered]:
        """Every remembered service by name."""
        found: dict[str, Remembered] = {}
        for path in sorted(self._folder.glob("*.json")):
            try:
                document = json.loads(path.read_text())
                found[path.stem] = Remembered(memory_from(document), _orders_from(document))
            except (OSError, ValueError, KeyError, TypeError) as error:
                why = f"the memory of {path.stem} cannot be read ({type(error).__name__}); release it when the service is well"
                held = protocol.push_hold(protocol.Memory(path.stem), UNREADABLE)
                found[path.stem] = Remembered(held, (model.Hold(path.stem, UNREADABLE, reason=why, by="ferry-agent"),))
        return found

    def save(self, memory: protocol.Memory, orders: Iterable[model.Hold] = ()) -> None:
        """Atomic and synced. Raises OSError (disk full): the caller must then not answer that it remembers."""
        path = self._folder / f"{memory.service}.json"
        fresh = path.with_suffix(".new")
        with fresh.open("w") as file:
            json.dump({**document_of(memory), "orders": [hold_document.as_document(one) for one in orders]}, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


def document_of(memory: protocol.Memory) -> dict[str, Any]:
    """Plain JSON values, every field present."""
    return {
        "service": memory.service,
        "record": memory.record.encode().decode() if memory.record else None,
        "digest": memory.digest,
        "version": memory.version,
        "generation": memory.generation,
        "missing": memory.missing,
        "cap": memory.cap,
        "agreed": memory.agreed,
        "lowest_wish": memory.lowest_wish,
        "wishes": [[wish.weight, wish.version] for wish in memory.wishes],
        "holds": [[hold.id, hold.seen_at] for hold in memory.holds],
        "present": sorted(memory.present),
        "looked": memory.looked,
    }


def memory_from(document: Mapping[str, Any]) -> protocol.Memory:
    """The inverse of `document_of`; also reads what agents before versions wrote. Raises ValueError, KeyError or TypeError."""
    wishes = document["wishes"] if "wishes" in document else [[document["wish"], None]]
    return protocol.Memory(
        service=document["service"],
        record=protocol.decode_record(document["record"].encode()) if document["record"] else None,
        digest=document["digest"],
        version=_number(document.get("version")),
        generation=int(document["generation"]),
        missing=bool(document["missing"]),
        cap=int(document["cap"]),
        agreed=bool(document["agreed"]),
        lowest_wish=int(document["lowest_wish"]),
        wishes=tuple(protocol.SeenWish(_number(weight), _number(version)) for weight, version in wishes),
        holds=tuple(protocol.RememberedHold(name, int(seen_at)) for name, seen_at in document["holds"]),
        present=frozenset(document["present"]),
        looked=bool(document.get("looked", True)),  # an agent that did not write this had looked before it wrote
    )


def _orders_from(document: Mapping[str, Any]) -> tuple[model.Hold, ...]:
    """Words are welcome, not needed: of what cannot be read, and of agents that did not write them, there are none."""
    try:
        return tuple(hold_document.hold_from_document(one) for one in document.get("orders", ()))
    except (errors.BadReply, TypeError, AttributeError):
        return ()


def _number(value: Any) -> int | None:
    return None if value is None else int(value)
