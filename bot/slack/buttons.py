"""What a button carries: which operation, as the clicker saw it, which service, which page, or which discovered hosts.

Nothing to decide by.

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
PAGE_VALUE = re.compile(r"pg1\|([1-9][0-9]{0,3})\|([a-z0-9.-]{0,253})")
FOUND_VALUE = re.compile(
    rf"fnd1\|(?P<seen>[0-9a-f]{{16}})\|(?P<name>{model.SERVICE_NAME.pattern})\|(?P<part>[a-z0-9.-]{{0,253}})"
)


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
    SHIFT = "ferry.shift"  # opens the shift form; of `all`: no service is chosen yet
    PAUSE = "ferry.pause"
    RESUME = "ferry.resume"
    SERVICES = "ferry.services"  # a page of the list
    PROPOSALS = "ferry.proposals"  # a page of what was discovered
    ADJUST = "ferry.adjust"  # opens the form of one proposal
    ACCEPT = "ferry.accept"  # one proposal as it was shown; of `all`: every one that nothing stops


ABOUT_SERVICE = frozenset({Action.HOLD, Action.RELEASE, Action.STATUS, Action.REFRESH, Action.SHIFT, Action.PAUSE, Action.RESUME})
PAGES = frozenset({Action.SERVICES, Action.PROPOSALS})
ABOUT_FOUND = frozenset({Action.ADJUST, Action.ACCEPT})
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


@dataclass(frozen=True, slots=True)
class PageClick:
    """`page` counts from 1. `part`: of the hosts or names that are shown; empty: all."""

    action: Action
    page: int
    part: str = ""


@dataclass(frozen=True, slots=True)
class FoundClick:
    """`seen`: `k8s.discovery.digest` of what the card showed. `name`: of a proposal, or `all` (of those with `part`)."""

    action: Action
    name: str
    seen: str
    part: str = ""


Click = OperationClick | ServiceClick | PageClick | FoundClick


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


def page_value(page: int, part: str = "") -> str:
    """The value of a button that shows a page. Raises ValueError for what `decode` would not read back."""
    return _checked(f"pg1|{page}|{part}", PAGE_VALUE)


def found_value(name: str, seen: str, part: str = "") -> str:
    """The value of a button about proposals. Raises ValueError for what `decode` would not read back."""
    return _checked(f"fnd1|{seen}|{name}|{part}", FOUND_VALUE)


def decode(action_id: object, value: object) -> Click:
    """What was clicked, from the payload's `action_id` and `value`. Raises ButtonError for anything else."""
    if not isinstance(action_id, str) or not isinstance(value, str):
        raise ButtonError
    try:
        action = Action(action_id)
    except ValueError:
        raise ButtonError from None
    pattern = OPERATION_VALUE
    if action in ABOUT_SERVICE:
        pattern = SERVICE_VALUE
    elif action in PAGES:
        pattern = PAGE_VALUE
    elif action in ABOUT_FOUND:
        pattern = FOUND_VALUE
    if not (found := pattern.fullmatch(value)):
        raise ButtonError
    if action in ABOUT_SERVICE:
        return ServiceClick(action, found[1])
    if action in PAGES:
        return PageClick(action, int(found[1]), found[2])
    if action in ABOUT_FOUND:
        return FoundClick(action, found["name"], found["seen"], found["part"])
    return OperationClick(action, found[1], int(found[2]))


def _checked(value: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(value):
        raise ValueError(f"{value!r} cannot stand in a button")
    return value
