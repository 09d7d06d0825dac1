"""Waves as they are answered over HTTP: how far each member is, and what it waits for."""

from collections.abc import Sequence

from bot.api import shown_operation, shown_value
from handlers.rules import waves


class Member(shown_value.Shown):
    """`state`: planned, waiting, moving, done or halted. `why`: what it waits for, or why it halted; otherwise empty."""

    service: str
    before: int
    after: int
    state: str
    why: str


class Wave(shown_value.Shown):
    """`name`: what its operation's `service` is. `operation`: what was asked for and approved. `members`: in their turns.

    `sentence`: how far it is. `halted`: why nobody moves any more; empty: somebody may.
    """

    name: str
    sentence: str
    halted: str
    members: list[Member]
    operation: shown_operation.Operation


class Waves(shown_value.Shown):
    """All that wait or are under way, the newest first."""

    waves: list[Wave]


def wave(of: waves.Wave, *, whole: bool = True) -> Wave:
    """`whole` False: without the diff, which may be long."""
    members = [
        Member(service=one.service, before=one.before, after=one.after, state=str(one.state), why=one.why) for one in of.members
    ]
    operation = shown_operation.operation(of.operation, whole=whole)
    return Wave(name=of.name, sentence=of.sentence, halted=of.halted, members=members, operation=operation)


def waves_of(found: Sequence[waves.Wave]) -> Waves:
    return Waves(waves=[wave(one, whole=False) for one in found])
