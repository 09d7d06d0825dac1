"""What a story has in its hands while it is played."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.playground import laptop
from deploy.playground.stories import people, recording


@dataclass(frozen=True, slots=True)
class Sizes:
    """`requests`: asked where a share is measured. `rounds`: of `alert`. `limit`: seconds that `real-alert` may take, and until
    a breaker is open. `agent`: variables of the agents, `service`: lines of
    every service in migration.yaml, where the shipped patience would only make a test longer. `ladder`: of a service's whole
    way; `window`: seconds that the gates look at there; `writing`: whether some of its users write (an nginx before 1.27.4 closes
    idle connections when it reloads, and what is written into one at that moment is lost, on a busy machine now and then).
    """

    requests: int = 20_000
    rounds: int = 50
    limit: float = 20.0
    agent: Mapping[str, str] = field(default_factory=dict)
    service: tuple[str, ...] = ()
    ladder: tuple[int, ...] = ()
    window: float = 0.0
    writing: bool = True


@dataclass(slots=True)
class Scene:
    """`measured`: what the story reports. `why`: what did not hold."""

    playground: laptop.Playground
    persons: people.Persons
    notes: recording.Recording
    sizes: Sizes
    sabotage: str
    say: Callable[[str], None]
    measured: dict[str, Any] = field(default_factory=dict)
    why: list[str] = field(default_factory=list)

    def demand(self, holds_true: bool, sentence: str) -> bool:
        """Notes the sentence unless it holds; the answer, for stories that cannot go on without."""
        if not holds_true:
            self.why.append(sentence)
        return holds_true

    def broke(self, sentence: str) -> None:
        """It did not hold."""
        self.why.append(sentence)
