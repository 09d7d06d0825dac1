"""The journey beside a service's record: read from the view, written by compare-and-set, remembered until the view shows it."""

import structlog

from handlers import journey_document, outside
from handlers.rules import journeys
from k8s import errors, views

_log = structlog.get_logger("ferry.journeys")
NOWHERE = "nothing keeps journeys here, so nothing soaks or climbs; upgrade Ferry's bot"


class Journeys:
    """`newest` is what counts: of the watch, or what this replica has written and the watch does not show yet."""

    def __init__(self, world: outside.Outside) -> None:
        self._world = world
        self._written: dict[str, journeys.Journey] = {}
        self._read: dict[str, tuple[object, journeys.Journey | None, str]] = {}  # document, and what it says

    def newest(self, view: views.ServiceView) -> journeys.Journey | None:
        """None: there is none yet, or none that can be read (`trouble`)."""
        shown, trouble = self._shown(view)
        written = self._written.get(view.name)
        if trouble or written is None:
            return shown
        if shown is not None and shown.revision >= written.revision:
            del self._written[view.name]
            return shown
        return written

    def trouble(self, view: views.ServiceView) -> str:
        """Why the one that stands there is not understood, one sentence; empty: it is, or there is none."""
        return self._shown(view)[1]

    async def keep(self, journey: journeys.Journey, expected_revision: int) -> bool:
        """False: somebody else wrote another one first. Raises errors.ClusterError."""
        if self._world.journeys is None:
            raise errors.Invalid(NOWHERE)
        document = journey_document.to_document(journey)
        try:
            kept = await self._world.journeys.keep(journey.service, document, expected_revision)
        except errors.Unreachable:
            kept = await self._world.journeys.keep(journey.service, document, expected_revision)  # the same again is once
        if kept:
            self._written[journey.service] = journey
        return kept

    def _shown(self, view: views.ServiceView) -> tuple[journeys.Journey | None, str]:
        """A document is read once: the ladder looks at all of them every second."""
        if view.journey is None:
            return None, ""
        known = self._read.get(view.name)
        if known is None or known[0] is not view.journey:
            known = self._read[view.name] = (view.journey, *_parsed(view))
        return known[1], known[2]


def _parsed(view: views.ServiceView) -> tuple[journeys.Journey | None, str]:
    try:
        journey = journey_document.from_document(view.journey or {})
    except journey_document.UnreadableJourneyError as error:
        return None, f"{view.name}: {error}"
    if journey.service != view.name:
        return None, f"{view.name}: the journey beside its record is of {journey.service}; it does not count"
    return journey, ""
