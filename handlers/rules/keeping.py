"""The journey is moved on: the one way in which a rule writes what is to be kept beside the record."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from handlers.rules import effects, journeys, migration, soaking


def journey_of(of: migration.Migration) -> journeys.Journey:
    """As it is kept, or the empty one that every service begins with."""
    return of.journey or journeys.Journey(of.service)


def keep(of: migration.Migration, **changes: Any) -> effects.KeepJourney:
    """These changes, one revision on from what the decision was made from."""
    before = journey_of(of)
    return effects.KeepJourney(before.moved(**changes), before.revision)


def paused(journey: journeys.Journey, why: str) -> dict[str, Any]:
    """The change that pauses a ladder; none where none climbs, or where it is paused already: the first reason stays."""
    if journey.run is None or journey.run.paused:
        return {}
    return {"run": replace(journey.run, paused=why.strip().rstrip("."))}


def emptied(journey: journeys.Journey, why: str, now: datetime) -> dict[str, Any]:
    """The change that sends the soak back to 0; none where nothing would be lost."""
    if journey.soak is None or journey.soak.seconds <= 0:
        return {}
    return {"soak": soaking.emptied(journey.soak, why, now)}
