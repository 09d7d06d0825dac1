"""What a button carries: which operation, as the clicker saw it, or which service to bring home. Nothing to decide by.

A value is opaque: operation id and revision. Percent, target and people are looked up in the store, because a click can
come from a card that is hours old. A hold button carries only the service's name: it must work when nothing can be looked up.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from k8s import model

OPERATION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
OPERATION_VALUE = re.compile(rf"op1\|({OPERATION_ID.pattern})\|([1-9][0-9]{{0,8}})")
SERVICE_VALUE = re.compile(rf"svc1\|({model.SERVICE_NAME.pattern})")


class Action(StrEnum):
    """The action id of every button; the listeners subscribe to exactly these."""

    APPROVE = "ferry.approve"
    REJECT = "ferry.reject"
    CONFIRM = "ferry.confirm"
    WITHDRAW = "ferry.withdraw"
    DETAILS = "ferry.details"
    HOLD = "ferry.hold"  # roll back, safe mode on: one button, one meaning
    RELEASE = "ferry.release"
    STATUS = "ferry.status"  # of `all`: the list
    REFRESH = "ferry.refresh"  # the Home tab; always of `all`


ABOUT_SERVICE = frozenset({Action.HOLD, Action.RELEASE, Action.STATUS, Action.REFRESH})
ALL = model.ALL_SERVICES


class ButtonError(ValueError):
    """A click that cannot be understood: an older version's button, or not ours. The text is for the person."""

    def __init__(self) -> None:
        super().__init__(
            "This button is not one that Ferry understands (it may come from an older version), so nothing was done; "
            "ask for the card again with /migrate status.",
        )


@dataclass(frozen=True, slots=True)
class OperationClick:
    action: Action
    operation: str
    revision: int  # of the card that was clicked


@dataclass(frozen=True, slots=True)
class ServiceClick:
    """`service` is a service's name, or `all`."""

    action: Action
    service: str


def operation_value(operation: str, revision: int) -> str:
    """The value of a button about an operation. Raises ValueError for what `decode` would not read back."""
    value = f"op1|{operation}|{revision}"
    if not OPERATION_VALUE.fullmatch(value):
        raise ValueError(f"{value!r} cannot stand in a button: an operation id is 1 to 100 of A-Z a-z 0-9 _ . -")
    return value


def names_service(service: str) -> bool:
    """Whether a button can carry this name: a service's, or `all`."""
    return SERVICE_VALUE.fullmatch(f"svc1|{service}") is not None


def service_value(service: str) -> str:
    """The value of a button about a service (or `all`). Raises ValueError for what is no service name."""
    value = f"svc1|{service}"
    if not SERVICE_VALUE.fullmatch(value):
        raise ValueError(f"{service!r} cannot stand in a button: it is not a service name")
    return value


def decode(action_id: object, value: object) -> OperationClick | ServiceClick:
    """What was clicked, from the payload's `action_id` and `value`. Raises ButtonError for anything else."""
    if not isinstance(action_id, str) or not isinstance(value, str):
        raise ButtonError
    try:
        action = Action(action_id)
    except ValueError:
        raise ButtonError from None
    if action in ABOUT_SERVICE:
        if not (found := SERVICE_VALUE.fullmatch(value)):
            raise ButtonError
        return ServiceClick(action, found[1])
    if not (found := OPERATION_VALUE.fullmatch(value)):
        raise ButtonError
    return OperationClick(action, found[1], int(found[2]))
