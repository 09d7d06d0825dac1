"""One person's yes to one plan, as a value. Whether it counts: `handlers.rules.approvals`."""

from dataclasses import dataclass
from datetime import datetime

from handlers import messages


@dataclass(frozen=True, slots=True)
class Approval:
    """`id` is consumed with the plan hash it names; `by` is a person other than the requester."""

    id: str
    by: str
    shown: str
    at: datetime
    plan_hash: str
    source: messages.Source = messages.Source.SLACK
