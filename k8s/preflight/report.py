"""A preflight's outcome: what was checked, and what stands in the way. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Ok(StrEnum):
    """UNKNOWN: nobody could look, or what is needed to look is not given. It is no yes."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """`name`: two or three words, the same at every run. `sentence`: what was found. `remedy`: what to do; empty only at YES."""

    name: str
    ok: Ok
    sentence: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """`firewall`: the openings that the proxies need, one a line."""

    service: str
    checks: tuple[Check, ...]
    firewall: tuple[str, ...] = ()

    @property
    def ok(self) -> Ok:
        """The worst of all; nothing checked is unknown."""
        found = {check.ok for check in self.checks}
        return next((worst for worst in (Ok.NO, Ok.UNKNOWN) if worst in found), Ok.YES if found else Ok.UNKNOWN)

    @property
    def against(self) -> tuple[Check, ...]:
        """What is not well, the plain noes first."""
        return tuple(one for wanted in (Ok.NO, Ok.UNKNOWN) for one in self.checks if one.ok is wanted)


def yes(name: str, sentence: str) -> Check:
    return Check(name, Ok.YES, sentence)


def no(name: str, sentence: str, remedy: str) -> Check:
    return Check(name, Ok.NO, sentence, remedy)


def unknown(name: str, sentence: str, remedy: str) -> Check:
    return Check(name, Ok.UNKNOWN, sentence, remedy)
