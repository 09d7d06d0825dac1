"""An operation goes into JSON and comes back the same; what is not understood is kept or refused, never dropped."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import messages, operation_document
from handlers.rules import migration
from tests.rules import builders
from tests.rules.builders import NOON, Phase

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
TIMES = st.integers(0, 10**9).map(lambda microseconds: NOON + timedelta(microseconds=microseconds))
APPROVALS = st.builds(migration.Approval, TEXTS, TEXTS, TEXTS, TIMES, TEXTS, st.sampled_from(messages.Source))
EXPOSURES = st.integers(0, 100).map(builders.exposure)
PLANS = st.builds(
    migration.Plan,
    service=TEXTS,
    kind=st.sampled_from(migration.Kind),
    before=st.none() | EXPOSURES,
    after=EXPOSURES,
    generation=st.integers(0, 9),
    wish=st.integers(0, 100),
    clears=st.lists(TEXTS, max_size=2).map(tuple),
    objects=st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple),
    config_diff=TEXTS,
    steps=st.lists(st.integers(0, 100), max_size=3).map(tuple),
    until=TEXTS,
    skips=TEXTS,
    members=st.lists(st.builds(migration.Member, TEXTS, TEXTS, st.integers(0, 99), st.integers(1, 100)), max_size=2).map(tuple),
)
OPERATIONS = st.builds(
    migration.Operation,
    id=TEXTS,
    plan=PLANS,
    requester=TEXTS,
    requester_shown=TEXTS,
    reason=TEXTS,
    requested_at=TIMES,
    expires_at=TIMES,
    phase=st.sampled_from(Phase),
    place=st.builds(messages.Place, TEXTS, TEXTS),
    source=st.sampled_from(messages.Source),
    approvals=st.lists(APPROVALS, max_size=2).map(tuple),
    approvals_needed=st.integers(0, 3),
    confirmed_at=st.none() | TIMES,
    generation=st.integers(0, 9),
    outcome=st.sampled_from(migration.Outcome),
    because=TEXTS,
    rejected_by=TEXTS,
    card=st.builds(migration.Card, TEXTS, TEXTS),
    revision=st.integers(1, 99),
    timeline=st.lists(st.tuples(TIMES, TEXTS), max_size=3).map(tuple),
    run=TEXTS,
    standing=TEXTS,
)


@given(OPERATIONS)
def test_what_goes_in_comes_out(operation: migration.Operation) -> None:
    text = json.dumps(operation_document.to_document(operation))
    again = operation_document.from_document(json.loads(text))
    assert again == operation
    assert again.plan.hash == operation.plan.hash


def test_every_field_of_an_operation_is_in_the_document() -> None:
    document = operation_document.to_document(builders.the(builders.in_phase(Phase.VERIFYING)))
    assert set(document) == {*migration.Operation.__dataclass_fields__, "version"} - {"kept"}


def test_fields_of_a_newer_version_are_kept_through_changes() -> None:
    document = operation_document.to_document(builders.the(builders.in_phase(Phase.PROPOSED))) | {"weather": {"steps": [5, 25]}}
    read = operation_document.from_document(document)
    again = operation_document.to_document(read.moved(because="later"))
    assert again["weather"] == {"steps": [5, 25]}
    assert again["because"] == "later"


def test_a_document_of_before_ladders_is_read_and_its_plan_keeps_its_hash() -> None:
    operation = builders.the(builders.in_phase(Phase.PROPOSED))
    document = operation_document.to_document(operation)
    del document["run"], document["standing"]
    assert not {"steps", "until", "skips"} & set(document["plan"])
    read = operation_document.from_document(document)
    assert read == operation
    assert read.plan.hash == operation.plan.hash


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 2},
        {"phase": "flying"},
        {"requested_at": "2026-01-02T12:00:00"},
        {"generation": "1"},
        {"plan": None},
        {"card": []},
        {"approvals": [{}]},
        {"standing": {"steps": [5, 25]}},
    ],
)
def test_what_is_not_understood_is_refused_in_words(wrong: dict[str, object]) -> None:
    document = operation_document.to_document(builders.the(builders.in_phase(Phase.PROPOSED))) | wrong
    with pytest.raises(operation_document.UnreadableOperationError, match="the operation"):
        operation_document.from_document(document)


def test_an_unknown_field_never_overrides_a_known_one() -> None:
    operation = replace(builders.the(builders.in_phase(Phase.PROPOSED)), kept='{"id":"forged"}')
    assert operation_document.to_document(operation)["id"] == operation.id
