"""What an agent remembers survives its death; what cannot be read or written never lets anything through."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s import model, protocol, views
from k8s.agent import links, memory_file, serving, traffic

EXPOSURE = model.Exposure(weight=40, old_host="api.old.example", new_host="api.new.example")
NOTHING = traffic.Tallies().traffic
BACKEND = model.Backend("app.team.svc.cluster.local", 8080)


def cluster(
    weight: int, *, generation: int = 1, wish: int | None = None, holds: tuple[model.Hold, ...] = ()
) -> views.ClusterView:
    exposure = EXPOSURE.at(weight)
    record = protocol.Record(uid="u", service="api", generation=generation, exposure=exposure, operation="op")
    wished = model.Service("api", exposure.at(weight if wish is None else wish), BACKEND)
    return views.ClusterView({"api": views.ServiceView("api", wished=wished, record=record, holds=holds)}, synced=True)


class Agent:
    def __init__(self, folder: Path) -> None:
        self.links = links.Links(folder / "run")
        self.links.prepare()
        self.serving = serving.Serving(memory=memory_file.MemoryFolder(folder / "memory"), links=self.links)

    def serves(self, view: views.ClusterView) -> int:
        self.serving.look(view)
        self.serving.nginx_serves({"api": EXPOSURE})
        return self.links.served("api")


def test_a_raise_waits_until_nginx_serves_the_approved_structure(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.serving.look(cluster(40))
    assert agent.links.served("api") == 0
    agent.serving.nginx_serves({"api": EXPOSURE.at(7)})
    assert agent.links.served("api") == 40


def test_another_target_in_nginx_lets_no_raise_through(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.serving.look(cluster(40))
    agent.serving.nginx_serves({"api": model.Exposure(weight=0, old_host="api.old.example", new_host="other.new.example")})
    assert agent.links.served("api") == 0
    assert agent.serving.reports(NOTHING)["api"].applied is False


def test_a_view_that_is_not_whole_yet_concludes_nothing(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    assert agent.serves(cluster(40)) == 40
    assert agent.serves(views.ClusterView()) == 40
    assert agent.serves(views.ClusterView(synced=True)) == 0


def test_a_hold_for_all_also_holds_services_that_come_later(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.serving.hold("all", "night")
    assert agent.serves(cluster(40)) == 0
    again = Agent(tmp_path)
    assert again.serves(cluster(40)) == 0
    assert again.serving.reports(NOTHING)["api"].holds == ("night",)


def test_a_hold_for_all_that_a_record_has_ended_holds_no_service_that_comes_later(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.serving.hold("all", "night")
    released = cluster(0, generation=2)
    record = released.services["api"].record
    assert record is not None
    ended = replace(released.services["api"], record=replace(record, clears=("night",)))
    agent.serves(views.ClusterView({"api": ended}, synced=True))
    agent.serving.hold("shop", "another")
    assert agent.serving.reports(NOTHING)["shop"].holds == ("another",)


def test_an_unreadable_memory_holds_its_service_until_a_record_clears_it(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.serves(cluster(40))
    (tmp_path / "memory" / "api.json").write_text('{"service": "api", "rec')
    assert Agent(tmp_path).serves(cluster(40)) == 0


def test_a_full_disk_stops_a_raise_but_never_a_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent(tmp_path)
    assert agent.serves(cluster(10)) == 10

    def full(_: memory_file.MemoryFolder, __: protocol.Memory) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(memory_file.MemoryFolder, "save", full)
    assert agent.serves(cluster(90, generation=2)) == 10
    with pytest.raises(OSError, match="No space left"):
        agent.serving.hold("api", "now")
    assert agent.links.served("api") == 0


def test_deleting_a_served_link_reads_as_nothing_served(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.serves(cluster(40))
    (tmp_path / "run" / "split" / "api").unlink()
    assert agent.links.served("api") == 0


@given(
    weight=st.integers(0, 100),
    wish=st.none() | st.integers(0, 100),
    holds=st.lists(
        st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=5), max_size=3, unique=True
    ),
)
def test_every_memory_survives_its_document(weight: int, wish: int | None, holds: list[str]) -> None:
    record = protocol.Record(uid="u", service="api", generation=3, exposure=EXPOSURE.at(weight), operation="op")
    memory = protocol.see_record(protocol.Memory("api"), record, payload=record.encode(), uid="u")
    memory = protocol.see_holds(protocol.see_wish(memory, wish, version=7), holds)
    assert memory_file.memory_from(memory_file.document_of(memory)) == memory


def test_a_memory_written_before_versions_were_known_is_still_read() -> None:
    record = protocol.Record(uid="u", service="api", generation=3, exposure=EXPOSURE, operation="op")
    memory = protocol.see_wish(protocol.see_record(protocol.Memory("api"), record, payload=record.encode(), uid="u"), 40)
    document = memory_file.document_of(memory)
    del document["version"], document["wishes"]
    assert memory_file.memory_from({**document, "wish": 40}) == memory
