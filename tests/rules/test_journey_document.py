"""A journey goes through JSON unchanged, keeps what a newer version wrote, and is refused where it is not understood."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handlers import journey_document, journey_messages, messages
from handlers.rules import approval, journeys
from k8s import entry_change, model

AT = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)
EXPOSURE = model.Exposure(weight=0, old_host="api.old.example", new_host="api.new.example")
WHOLE = journeys.Journey(
    service="api",
    revision=7,
    soak=journeys.Soak(25, 3, 61.5, AT, "too few requests", 2),
    served=(5,),
    run=journeys.Run("m1", journey_messages.Mode.AUTO, "slack:T0/ANN", "Ann", AT, messages.Place("C1", "1.2"), paused="by Bob"),
    standing=journeys.Standing(
        "op-1",
        "slack:T0/ANN",
        "Ann",
        "ab" * 32,
        (25, 50, 75, 100),
        AT + timedelta(days=30),
        EXPOSURE,
        (approval.Approval("ap-1", "slack:T0/BOB", "Bob", AT, "ab" * 32, messages.Source.CLI),),
        used=(25,),
        wave="blue",
        order=2,
        at=3,
    ),
    baseline=journeys.Baseline(0.012, 0.4, 12345, AT),
    hundred=AT,
    finished=AT + timedelta(days=8),
    removed=AT + timedelta(days=9),
    base=EXPOSURE,
    wave='{"id": "op-1"}',
    arranged=journeys.Arranged(entry_change.Stage.PREPARE, "op-0", (("apply Ingress team/api", "cd" * 32),)),
)


@pytest.mark.parametrize("journey", [WHOLE, journeys.Journey("api"), replace(WHOLE, standing=None, hundred=None)])
def test_it_comes_back_as_it_went(journey: journeys.Journey) -> None:
    text = json.dumps(journey_document.to_document(journey), allow_nan=False)
    assert journey_document.from_document(json.loads(text)) == journey


def test_every_field_of_a_journey_is_written() -> None:
    """Whoever adds a field to the values must add it here too: a whole journey has none that says nothing."""
    document = journey_document.to_document(WHOLE)
    assert [name for name, value in document.items() if value in (None, [], {}, "")] == []
    assert set(document) == set(journeys.Journey.__dataclass_fields__) - {"kept"} | {"version"}
    for name, kind in (("soak", journeys.Soak), ("run", journeys.Run), ("standing", journeys.Standing)):
        assert set(document[name]) == set(kind.__dataclass_fields__)


def test_what_a_newer_version_wrote_is_kept() -> None:
    document = {**journey_document.to_document(WHOLE), "weather": {"wind": [1, 2]}}
    read = journey_document.from_document(document)
    assert journey_document.to_document(read.moved(served=(5, 25)))["weather"] == {"wind": [1, 2]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "upgrade Ferry"),
        ({"revision": "7"}, "cannot be read"),
        ({"revision": True}, "cannot be read"),
        ({"soak": {"weight": 5}}, "cannot be read"),
        ({"soak": {**journey_document.to_document(WHOLE)["soak"], "seconds": float("nan")}}, "no number of seconds"),
        ({"soak": {**journey_document.to_document(WHOLE)["soak"], "seconds": -1}}, "no number of seconds"),
        ({"hundred": "2026-01-02T12:00:00"}, "names no time zone"),
        ({"served": "5"}, "no list"),
        ({"run": {**journey_document.to_document(WHOLE)["run"], "mode": "fast"}}, "cannot be read"),
        ({"standing": []}, "cannot be read"),
    ],
)
def test_what_is_not_understood_is_refused_in_words(change: dict[str, Any], says: str) -> None:
    with pytest.raises(journey_document.UnreadableJourneyError, match=says):
        journey_document.from_document({**journey_document.to_document(WHOLE), **change})
