"""Plans of a service's whole way as people see them on cards; whether rules would make exactly these is not their business."""

from dataclasses import replace

from handlers.rules import migration
from tests.rules import builders

Kind = migration.Kind
OBJECTS = tuple((f"apply Ingress team/shop-{number}", f"{number:064x}") for number in range(3))


def plan(kind: Kind) -> migration.Plan:
    """Of any kind; from 25%, or for what comes at the end from 100%."""
    if kind is Kind.WAVE:
        return wave(2)
    if kind not in migration.OBJECTS and kind is not Kind.RUN:
        return builders.the(builders.in_phase(migration.Phase.APPROVED, kind=kind)).plan
    made = builders.the(builders.in_phase(migration.Phase.APPROVED)).plan
    weight = 100 if kind in (Kind.FINISH, Kind.REMOVE) else 25
    before = builders.exposure(weight)
    if kind is Kind.RUN:
        until = "2026-12-31T18:00:00+00:00"
        return replace(made, kind=kind, before=before, after=builders.exposure(100), steps=(50, 75, 100), until=until)
    return replace(
        made, kind=kind, before=before, after=before, objects=OBJECTS, config_diff="# apply Ingress team/shop-0\n+ line\n"
    )


def wave(members: int) -> migration.Plan:
    """Of `shop`, `cart` and so many in all, from 25% to 50%."""
    made = builders.the(builders.in_phase(migration.Phase.APPROVED)).plan
    names = ["shop", "cart", *(f"a-service-with-a-long-name-{number:03}" for number in range(members - 2))]
    several = tuple(migration.Member(name, "ab" * 32, 25, 50) for name in names)
    until = "2026-12-31T18:00:00+00:00"
    return replace(made, service="wave.0123abcd", kind=Kind.WAVE, before=None, generation=0, wish=0, until=until, members=several)


def operation(phase: migration.Phase, kind: Kind) -> migration.Operation:
    """In this phase, where what is lowered is never proposed for approval."""
    if kind in migration.UNAPPROVED and phase is migration.Phase.PROPOSED:
        phase = migration.Phase.APPROVED
    return replace(builders.the(builders.in_phase(phase)), plan=plan(kind))
