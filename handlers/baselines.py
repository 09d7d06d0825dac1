"""How old answered when it last carried traffic and was well: what new is measured against once old carries none."""

from dataclasses import replace
from datetime import datetime

from handlers.rules import gates, journeys, judging, soaking

_WELL = frozenset({gates.Verdict.PASS, gates.Verdict.TOO_FEW})


class Baselines:
    """In memory until a journey is kept; what a journey has is only followed by a later one of a healthy look."""

    def __init__(self) -> None:
        self._newest: dict[str, journeys.Baseline] = {}

    def noted(
        self, journey: journeys.Journey, sight: soaking.Sight, judgement: gates.Judgement, at: datetime
    ) -> journeys.Journey:
        """With the newest one. A look at which old was slow itself must not become the measure of what is usual."""
        measured = judgement.measured
        if 0 < sight.weight < 100 and measured is not None and judgement.verdict in _WELL and not sight.quiet:
            old = measured.old
            requests, average, p99 = old.requests.value, old.average.value, old.p99.value
            if requests is not None and requests >= judging.LEAST_FOR_P99 and average is not None and p99 is not None:
                self._newest[journey.service] = journeys.Baseline(average, p99, round(requests), at)
        known = self._newest.get(journey.service)
        return replace(journey, baseline=known) if known is not None and sight.weight > 0 else journey
