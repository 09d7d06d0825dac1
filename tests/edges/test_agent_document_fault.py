"""When a document that cannot be read becomes severe: by the time it was seen so, and not by anything else."""

from dataclasses import replace
from pathlib import Path

import pytest

from k8s import hold_document, model, protocol, views
from k8s.agent import document_fault, links, memory_file, own_hold, serving

PATIENCE = 30.0
SINCE = "2026-01-01T00:00:00+00:00"


def whole(version: str = "7") -> views.ClusterView:
    return views.ClusterView(synced=True, document_version=version)


def broken(
    version: str = "8", *, synced: bool = True, state: views.DocumentState = views.DocumentState.UNREADABLE
) -> views.ClusterView:
    trouble = "migration.yaml is refused: no YAML"
    return views.ClusterView(synced=synced, document_version=version, document_trouble=trouble, document_state=state)


MISSING = broken("", state=views.DocumentState.MISSING)


def approved(weight: int, *, finished: bool = False, clears: tuple[str, ...] = ()) -> protocol.Record:
    exposure = model.Exposure(weight, old_host="x.old.example", new_host="x.new.example")
    generation = 2 if clears else 1
    return protocol.Record("uid", "", generation, exposure, "op", finished=finished, clears=clears)


class Agent:
    """By default `api` and `cart` are approved for 40%, and nothing holds them."""

    def __init__(self, folder: Path, **records: protocol.Record | None) -> None:
        moved = links.Links(folder / "run")
        moved.prepare()
        self.fault = document_fault.DocumentFault(patience=PATIENCE, by="proxy-0")
        self.serving = serving.Serving(memory=memory_file.MemoryFolder(folder / "memory"), links=moved)
        self.records = records or {"api": approved(40), "cart": approved(40)}
        self.follows()

    def follows(self, holds: tuple[model.Hold, ...] = (), **records: protocol.Record | None) -> None:
        """The cluster says this; `holds` stand in `migration-holds`."""
        self.records |= records
        seen = {
            name: views.ServiceView(
                name,
                record=None if record is None else replace(record, service=name),
                holds=tuple(one for one in holds if one.service in {name, model.ALL_SERVICES}),
            )
            for name, record in self.records.items()
        }
        self.serving.look(views.ClusterView(seen, synced=True))

    def held(self, service: str, hold_id: str) -> None:
        self.serving.hold(model.Hold(service, hold_id, reason="broken", by="ferry", since=SINCE))

    def sees(self, view: views.ClusterView, now: float) -> model.Hold | None:
        return self.fault.look(view, now, since=SINCE, served=self.serving)

    def decides(self, view: views.ClusterView | None = None) -> model.Hold | None:
        """What it makes of this (unreadable) document once the patience is over."""
        seen = view or broken()
        assert self.sees(seen, 0.0) is None
        return self.sees(seen, PATIENCE)

    @property
    def said(self) -> str:
        return self.fault.sentence(self.serving)


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


def test_it_is_severe_once_its_patience_is_over_and_only_once(agent: Agent) -> None:
    agent.sees(whole(), 0.0)
    assert [agent.sees(broken(), at) for at in (10.0, 20.0, 39.9)] == [None, None, None]
    order = agent.sees(broken("9"), 40.0)
    assert order is not None
    assert (order.service, order.by, order.cause) == (model.ALL_SERVICES, "proxy-0", "document")
    assert agent.sees(broken("9"), 400.0) is None


def test_every_agent_makes_the_same_hold_whatever_edit_it_sees_last(tmp_path: Path) -> None:
    first, second = Agent(tmp_path / "0"), Agent(tmp_path / "1")
    for agent in (first, second):
        agent.sees(whole(), 0.0)
        agent.sees(broken("8"), 1.0)
    orders = first.sees(broken("9"), 31.0), second.sees(broken("11"), 33.0)
    assert orders[0] is not None
    assert orders[1] is not None
    assert orders[0].id == orders[1].id


def test_a_missing_document_holds_nothing_however_long(agent: Agent) -> None:
    agent.sees(whole(), 0.0)
    assert [agent.sees(MISSING, at) for at in (1.0, 40.0, 4000.0)] == [None, None, None]


@pytest.mark.parametrize("between", [whole("9"), broken("8", state=views.DocumentState.ENTRIES), MISSING])
def test_what_asks_for_something_again_begins_anew(agent: Agent, between: views.ClusterView) -> None:
    agent.sees(broken(), 0.0)
    agent.sees(between, 29.0)
    assert [agent.sees(broken("10"), at) for at in (30.0, 59.0)] == [None, None]
    order = agent.sees(broken("11"), 60.0)
    assert order is not None
    assert order.id != hold_document.document_hold_id("8")
    assert order.id == hold_document.document_hold_id("10")


def test_while_the_cluster_cannot_be_read_no_time_passes(agent: Agent) -> None:
    agent.sees(broken(), 0.0)
    agent.sees(broken(), 20.0)
    agent.sees(broken(synced=False), 21.0)
    assert [agent.sees(broken(), at) for at in (500.0, 509.0)] == [None, None]
    assert agent.sees(broken(), 510.0) is not None


@pytest.mark.parametrize("nothing", [None, approved(0), approved(100, finished=True)])
def test_where_nothing_may_be_taken_back_there_is_nothing_to_hold_until_there_is(
    tmp_path: Path, nothing: protocol.Record | None
) -> None:
    agent = Agent(tmp_path, api=nothing)
    assert agent.decides() is None
    agent.follows(cart=approved(1))
    assert agent.sees(broken(), 101.0) is not None


def test_a_record_that_is_gone_serves_nothing_that_could_be_held(tmp_path: Path) -> None:
    agent = Agent(tmp_path, api=approved(40))
    agent.follows(api=None)
    assert agent.decides() is None


def test_one_hold_for_all_is_enough(agent: Agent) -> None:
    agent.held(model.ALL_SERVICES, "document-abc")
    assert agent.decides() is None


def test_one_hold_for_all_is_enough_though_it_came_by_the_cluster_alone(agent: Agent) -> None:
    agent.follows(holds=(model.Hold(model.ALL_SERVICES, "document-abc", reason="broken", by="ferry"),))
    assert agent.serving.holds_for_all == ()
    assert agent.decides() is None


@pytest.mark.parametrize("pushed", [True, False])
def test_a_hold_of_one_service_keeps_nobody_from_holding_all(agent: Agent, *, pushed: bool) -> None:
    if pushed:
        agent.held("api", "document-abc")
    else:
        agent.follows(holds=(model.Hold("api", "document-abc", reason="broken", by="ferry"),))
    order = agent.decides()
    assert order is not None
    own_hold.place(agent.serving, order)
    assert [order.id in agent.serving.memories[name].held for name in ("api", "cart")] == [True, True]


def test_a_hold_for_all_that_was_released_for_one_service_is_not_enough_for_the_next_broken_document(agent: Agent) -> None:
    agent.held(model.ALL_SERVICES, "document-abc")
    agent.follows(api=approved(40, clears=("document-abc",)))
    assert agent.serving.memories["cart"].held == ("document-abc",)
    assert "cart: held at old by document-abc" in agent.said
    assert "everything" not in agent.said
    assert agent.decides() is not None


def test_people_are_told_what_ends_it(agent: Agent) -> None:
    agent.held(model.ALL_SERVICES, "oncall")
    assert agent.said == ""
    agent.held(model.ALL_SERVICES, "document-abc")
    assert agent.said.startswith("document-abc holds everything at old until"), "nothing is known of the document yet"
    agent.sees(broken(), 0.0)
    assert "everything goes to old by document-abc" in agent.said
    assert "was not put back in 30 s" in agent.said
    agent.sees(MISSING, 1.0)
    assert "is missing now; document-abc still holds everything" in agent.said
    agent.sees(whole(), 2.0)
    assert "can be read again; document-abc still holds everything" in agent.said


def test_of_a_hold_of_one_service_people_are_told_the_service_and_never_that_everything_is_held(agent: Agent) -> None:
    agent.held("api", "document-abc")
    for view in (whole(), broken(), MISSING):
        agent.sees(view, 0.0)
        assert "api: held at old by document-abc" in agent.said
        assert "`/migrate safe-mode off api`" in agent.said
        assert "everything" not in agent.said


def test_many_holds_of_single_services_are_counted_and_not_listed(tmp_path: Path) -> None:
    agent = Agent(tmp_path, **{f"s{number}": approved(1) for number in range(8)})
    for number in range(7):
        agent.held(f"s{number}", f"document-{number}")
    assert agent.said.count("held at old by") == document_fault.NAMED
    assert "4 more such holds stand" in agent.said
