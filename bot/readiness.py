"""Whether this replica may get traffic, in words.

A part that is *demanded* keeps the replica out of the Service until it was there once: a rollout with a wrong token stops at
its first pod. What is lost afterwards is said, and does not take the replica out: alerts must still reach it, and lowering
works without Slack, without Redis and, by direct push, without the API server.
"""

from collections.abc import Callable
from dataclasses import dataclass

Ask = Callable[[], str]  # a sentence on what is missing; empty: nothing is


@dataclass(frozen=True, slots=True)
class Answer:
    """`missing`: why the replica is not ready. `notes`: what is wrong although it is."""

    ready: bool
    missing: tuple[str, ...]
    notes: tuple[str, ...]


class Readiness:
    """`demanded`: by name; `noted`: parts whose absence never makes the replica unready."""

    def __init__(self, *, demanded: dict[str, Ask], noted: dict[str, Ask]) -> None:
        self._demanded = dict(demanded)
        self._noted = dict(noted)
        self._seen: set[str] = set()
        self.stopping = False

    def answer(self) -> Answer:
        missing, notes = [], []
        for name, ask in self._demanded.items():
            sentence = ask()
            if not sentence:
                self._seen.add(name)
            elif name in self._seen:
                notes.append(sentence)
            else:
                missing.append(sentence)
        if self.stopping:
            missing.append("this replica is stopping; ask another one")
        notes += [sentence for ask in self._noted.values() if (sentence := ask())]
        return Answer(not missing, tuple(missing), tuple(notes))
