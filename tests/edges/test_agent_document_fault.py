"""When a document that is missing or cannot be read becomes severe: by the time it was seen so, and not by anything else."""

import pytest

from k8s import model, views
from k8s.agent import document_fault

PATIENCE = 30.0


def whole(version: str = "7") -> views.ClusterView:
    return views.ClusterView(synced=True, document_version=version)


def broken(
    version: str = "8", *, synced: bool = True, state: views.DocumentState = views.DocumentState.UNREADABLE
) -> views.ClusterView:
    trouble = "migration.yaml is refused: no YAML"
    return views.ClusterView(synced=synced, document_version=version, document_trouble=trouble, document_state=state)


class Agent:
    def __init__(self) -> None:
        self.fault = document_fault.DocumentFault(patience=PATIENCE, by="proxy-0")
        self.standing: set[str] = set()

    def sees(self, view: views.ClusterView, now: float, *, recorded: bool = True) -> model.Hold | None:
        return self.fault.look(view, now, since="2026-01-01T00:00:00+00:00", recorded=recorded, standing=self.standing)


def test_it_is_severe_once_its_patience_is_over_and_only_once() -> None:
    agent = Agent()
    agent.sees(whole(), 0.0)
    assert [agent.sees(broken(), at) for at in (10.0, 20.0, 39.9)] == [None, None, None]
    order = agent.sees(broken("9"), 40.0)
    assert order is not None
    assert (order.service, order.by, order.cause) == (model.ALL_SERVICES, "proxy-0", "document")
    assert agent.sees(broken("9"), 400.0) is None


def test_every_agent_makes_the_same_hold_whatever_edit_it_sees_last() -> None:
    first, second = Agent(), Agent()
    for agent in (first, second):
        agent.sees(whole(), 0.0)
        agent.sees(broken("8"), 1.0)
    orders = first.sees(broken("9"), 31.0), second.sees(broken("11"), 33.0)
    assert orders[0] is not None
    assert orders[1] is not None
    assert orders[0].id == orders[1].id


def test_a_document_that_is_missing_again_is_another_hold() -> None:
    ids = []
    for version in ("7", "12"):
        agent = Agent()
        agent.sees(whole(version), 0.0)
        agent.sees(broken("", state=views.DocumentState.MISSING), 1.0)
        order = agent.sees(broken("", state=views.DocumentState.MISSING), 31.0)
        assert order is not None
        ids.append(order.id)
    assert ids[0] != ids[1]


@pytest.mark.parametrize("between", [whole("9"), broken("8", state=views.DocumentState.ENTRIES)])
def test_what_can_be_read_again_begins_anew(between: views.ClusterView) -> None:
    agent = Agent()
    agent.sees(broken(), 0.0)
    agent.sees(between, 29.0)
    assert not agent.fault.troubled
    assert [agent.sees(broken(), at) for at in (30.0, 59.0)] == [None, None]
    assert agent.sees(broken(), 60.0) is not None


def test_while_the_cluster_cannot_be_read_no_time_passes() -> None:
    agent = Agent()
    agent.sees(broken(), 0.0)
    agent.sees(broken(), 20.0)
    agent.sees(broken(synced=False), 21.0)
    assert [agent.sees(broken(), at) for at in (500.0, 509.0)] == [None, None]
    assert agent.sees(broken(), 510.0) is not None


def test_without_a_record_there_is_nothing_to_hold_until_there_is_one() -> None:
    agent = Agent()
    assert [agent.sees(broken(), at, recorded=False) for at in (0.0, 100.0)] == [None, None]
    assert agent.sees(broken(), 101.0) is not None


def test_one_hold_for_it_is_enough() -> None:
    agent = Agent()
    agent.standing = {"document-abc", "oncall"}
    assert [agent.sees(broken(), at) for at in (0.0, 100.0)] == [None, None]


def test_people_are_told_what_ends_it() -> None:
    agent = Agent()
    agent.sees(broken(), 0.0)
    assert agent.fault.sentence({"oncall"}) == ""
    assert "was not put back in 30 s" in agent.fault.sentence({"oncall", "document-abc"})
    agent.sees(whole(), 1.0)
    assert "can be read again; document-abc still holds" in agent.fault.sentence({"document-abc"})
