"""What the page shows beside the conversation, and who provides it: the playground's live figures and its knobs."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

Kind = Literal["toggle", "choice", "action"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """Something to turn. `toggle`: value "on" or "off"; `choice`: one of `options`; `action`: a button, value ignored."""

    id: str
    label: str
    kind: Kind
    options: tuple[str, ...] = ()
    value: str = ""
    help: str = ""


class SidePanel(Protocol):
    def snapshot(self) -> dict[str, Any]:
        """
        {"series": [{"t": unix seconds, "old": rps, "new": rps, "errors": rps, "fallback": rps}, ...the last 120 s],
         "now": {"share_new": percent, "old": rps, "new": rps, "errors": rps, "waiting": requests without an answer yet},
         "services": [{"name", "weight", "held"}], "notes": [sentence]}
        """
        ...

    def knobs(self) -> list[Knob]: ...

    async def turn(self, knob: str, value: str) -> str:
        """Turns it and returns a sentence for the person who did."""
        ...
