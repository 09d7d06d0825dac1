"""Waves as values: how far each member is, and whose turn it is. Pure.

A wave is read from the signed journeys of its members and from what is in force; nothing else need be kept of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from handlers.rules import effects, journeys, migration

MOST = 200  # members of one wave
_PREFIX = "wave."  # with a dot: no service can be called so


class State(StrEnum):
    PLANNED = "planned"  # it has not got its part of the approval yet
    WAITING = "waiting"  # for its turn
    MOVING = "moving"
    DONE = "done"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class Member:
    """`why`: of HALTED, a clause; of WAITING, what it waits for; otherwise empty."""

    service: str
    before: int
    after: int
    state: State
    why: str = ""


@dataclass(frozen=True, slots=True)
class Wave:
    """`operation`: what was asked for and approved, as it is now. `members`: in the order of their turns."""

    operation: migration.Operation
    members: tuple[Member, ...]

    @property
    def name(self) -> str:
        return self.operation.plan.service

    def of(self, *states: State) -> tuple[Member, ...]:
        return tuple(one for one in self.members if one.state in states)

    @property
    def halted(self) -> str:
        """Why nobody moves any more, a clause that names the member; empty: somebody may."""
        found = next(iter(self.of(State.HALTED)), None)
        return f"{found.service}: {found.why}" if found is not None else ""

    @property
    def sentence(self) -> str:
        """`3 of 20 are at 25%; on their way: cart, shop; 15 wait for their turn`."""
        said = f"{len(self.of(State.DONE))} of {len(self.members)} are at {self.operation.plan.after.weight}%"
        moving, waiting = self.of(State.MOVING), self.of(State.WAITING, State.PLANNED)
        if moving:
            said += f"; on their way: {', '.join(one.service for one in moving[:10])}"
        if waiting:
            said += f"; {len(waiting)} wait for their turn"
        return said


@dataclass(frozen=True, slots=True)
class Seen:
    """A member as it is now. `weight`: in force. `holds`: ids. `busy`: an operation is under way there."""

    journey: journeys.Journey | None = None
    weight: int = 0
    holds: tuple[str, ...] = ()
    busy: bool = False


def name(message_id: str) -> str:
    """The name under which a wave is asked for, decided and shown: derived, so that every delivery asks for the same."""
    return f"{_PREFIX}{effects.digest('wave', message_id)[:8]}"


def is_wave(service: str) -> bool:
    return service.startswith(_PREFIX)


def standing_id(wave: migration.Operation, service: str) -> str:
    """Of the member's part of the approval."""
    return f"{wave.id}/{service}"


def standing_of(journey: journeys.Journey | None, wave: str) -> journeys.Standing | None:
    """The part of this wave's approval that the member has."""
    standing = journey.standing if journey is not None else None
    return standing if standing is not None and standing.wave == wave else None


def takes_part(journey: journeys.Journey | None, wave: migration.Operation) -> bool:
    """Something of the wave is left in the member's journey."""
    if journey is None:
        return False
    climbs = journey.run is not None and journey.run.id == standing_id(wave, journey.service)
    return climbs or standing_of(journey, wave.plan.service) is not None


def read(operation: migration.Operation, seen: Mapping[str, Seen]) -> Wave:
    """How far it is."""
    members = operation.plan.members
    return Wave(operation, tuple(_member(operation, one, seen.get(one.service, Seen())) for one in members))


def _member(wave: migration.Operation, member: migration.Member, seen: Seen) -> Member:
    state, why = _state(wave, member, seen)
    return Member(member.service, member.before, member.after, state, why)


def _state(wave: migration.Operation, member: migration.Member, seen: Seen) -> tuple[State, str]:
    journey, standing = seen.journey, standing_of(seen.journey, wave.plan.service)
    if seen.holds:
        return State.HALTED, f"it is held at 100% old by {', '.join(seen.holds)}"
    run = journey.run if journey is not None else None
    if run is not None and run.paused and takes_part(journey, wave):
        return State.HALTED, run.paused
    if standing is None:
        return State.PLANNED, ""
    if member.after in standing.used:
        if seen.busy:
            return State.MOVING, ""
        if seen.weight >= member.after:
            return State.DONE, ""
        return (State.MOVING, "") if run is not None else (State.HALTED, f"it is at {seen.weight}% again")
    return (State.WAITING, "") if run is not None else (State.HALTED, "its part of the wave was ended")


def turns(waves: Iterable[Wave], traffic: Mapping[str, float], limits: migration.Together) -> dict[str, str]:
    """Of each member that waits: why it is not its turn, a clause; empty: it is. All waves share the limits.

    `traffic`: each service's share of all requests, 0 to 1; whose is not known is not in it, and counts as too much unless nobody
    else is on the way. In the order of the approvals and of the plans: every replica comes to the same.
    """
    found: dict[str, str] = {}
    whole = []
    for wave in waves:
        if why := _not_begun(wave):
            found |= {one.service: why for one in wave.of(State.WAITING)}
        else:
            whole.append(wave)
    whole.sort(key=lambda wave: (wave.operation.confirmed_at or wave.operation.requested_at, wave.operation.id))
    moving = [one for wave in whole for one in wave.of(State.MOVING)]
    for one in (one for wave in whole for one in wave.of(State.WAITING)):
        found[one.service] = why = _against(one, moving, traffic, limits)
        if why:
            break
        moving.append(one)
    behind = "others of its wave are before it"
    return {**{one.service: behind for wave in whole for one in wave.of(State.WAITING)}, **found}


def _not_begun(wave: Wave) -> str:
    if wave.halted:
        return f"its wave halted ({wave.halted})"
    if wave.operation.outcome is not migration.Outcome.OPEN:
        return f"its wave is {wave.operation.outcome}"
    missing = wave.of(State.PLANNED)
    return f"{missing[0].service} has not joined its wave yet" if missing else ""


def _against(one: Member, moving: Sequence[Member], traffic: Mapping[str, float], limits: migration.Together) -> str:
    if not moving:
        return ""
    if len(moving) >= limits.members:
        return f"{len(moving)} members are on their way, and at most {limits.members} may be at once"
    shares = [moved(each, traffic) for each in (*moving, one)]
    known = [share for share in shares if share is not None]
    if len(known) < len(shares):
        return "nobody knows how many requests it has, or those that are on their way have, so it waits for them"
    if sum(known) * 100 > limits.traffic:
        said = f"{sum(known) * 100:.1f}% of all requests would move at once with it"
        return f"{said}, and at most {limits.traffic}% may"
    return ""


def moved(one: Member, traffic: Mapping[str, float]) -> float | None:
    """The share of all requests that changes sides with this member, 0 to 1; None: nobody knows."""
    share = traffic.get(one.service)
    return share * (one.after - one.before) / 100 if share is not None else None
