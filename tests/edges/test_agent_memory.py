"""What an agent remembers survives its death; what cannot be read or written never lets anything through."""

import json
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


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


class Agent:
    def __init__(self, folder: Path) -> None:
        self.links = links.Links(folder / "run")
        self.links.prepare()
        self.seen: dict[str, views.ServiceView] = {}
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


def test_without_the_old_cluster_the_record_is_served_and_never_called_applied(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.serving.look(cluster(40))
    agent.serving.nginx_serves({"api": EXPOSURE}, without_old=frozenset({"api"}))
    report = agent.serving.reports(NOTHING)["api"]
    assert (agent.links.served("api"), report.served, report.applied) == (40, 40, False)


def test_a_view_that_is_not_whole_yet_concludes_nothing(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    assert agent.serves(cluster(40)) == 40
    assert agent.serves(views.ClusterView()) == 40
    assert agent.serves(views.ClusterView(synced=True)) == 0


def test_a_hold_for_all_also_holds_services_that_come_later(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.serving.hold(model.Hold("all", "night"))
    assert agent.serves(cluster(40)) == 0
    again = Agent(tmp_path)
    assert again.serves(cluster(40)) == 0
    assert again.serving.reports(NOTHING)["api"].holds == ("night",)


def test_a_hold_for_all_that_a_record_has_ended_holds_no_service_that_comes_later(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.serving.hold(model.Hold("all", "night"))
    released = cluster(0, generation=2)
    record = released.services["api"].record
    assert record is not None
    ended = replace(released.services["api"], record=replace(record, clears=("night",)))
    agent.serves(views.ClusterView({"api": ended}, synced=True))
    agent.serving.hold(model.Hold("shop", "another"))
    assert agent.serving.reports(NOTHING)["shop"].holds == ("another",)


def test_an_unreadable_memory_holds_its_service_until_a_record_clears_it(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.serves(cluster(40))
    (tmp_path / "memory" / "api.json").write_text('{"service": "api", "rec')
    assert Agent(tmp_path).serves(cluster(40)) == 0


def test_a_full_disk_stops_a_raise_but_never_a_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent(tmp_path)
    assert agent.serves(cluster(10)) == 10

    monkeypatch.setattr(memory_file.MemoryFolder, "save", full)
    assert agent.serves(cluster(90, generation=2)) == 10
    with pytest.raises(OSError, match="No space left"):
        agent.serving.hold(model.Hold("api", "now"))
    assert agent.links.served("api") == 0


@pytest.mark.parametrize("service", ["api", "all"])
def test_with_space_again_the_same_push_writes_the_hold_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    agent = Agent(tmp_path)
    agent.serves(cluster(10))
    with monkeypatch.context() as full_disk:
        full_disk.setattr(memory_file.MemoryFolder, "save", full)
        for _ in range(2):
            with pytest.raises(OSError, match="free some space"):
                agent.serving.hold(model.Hold(service, "now"))
    assert agent.serving.hold(model.Hold(service, "now")) == ("api",)
    assert agent.serving.trouble == {}
    again = Agent(tmp_path)
    assert again.serving.memories["api"].held == ("now",)
    assert [hold.id for hold in again.serving.holds_for_all] == (["now"] if service == "all" else [])


def test_with_space_again_everything_is_written_by_itself_and_the_raise_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Agent(tmp_path)
    agent.serves(cluster(10))
    with monkeypatch.context() as full_disk:
        full_disk.setattr(memory_file.MemoryFolder, "save", full)
        assert agent.serves(cluster(90, generation=2)) == 10
        agent.serving.meet({}, [protocol.RememberedHold("night", 0)])
    agent.serving.look(views.ClusterView())
    assert [hold.id for hold in Agent(tmp_path).serving.holds_for_all] == ["night"], "also while the API is away"
    agent.serving.look(cluster(90, generation=2))
    assert (agent.links.served("api"), agent.serving.trouble) == (90, {})


def test_a_link_that_cannot_be_moved_keeps_no_other_service_from_its_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Agent(tmp_path)
    both = {"api": EXPOSURE, "shop": EXPOSURE}
    for name in both:
        record = protocol.Record(uid="u", service=name, generation=1, exposure=EXPOSURE, operation="op")
        view = views.ServiceView(name, wished=model.Service(name, EXPOSURE, BACKEND), record=record)
        agent.serving.look(views.ClusterView({name: view, **agent.seen}, synced=True))
        agent.seen[name] = view
    agent.serving.nginx_serves(both)
    assert [agent.links.served(name) for name in both] == [40, 40]
    move = links.Links.serve

    def refuses(self: links.Links, service: str, weight: int) -> None:
        if service == "api":
            raise OSError(30, "Read-only file system")
        move(self, service, weight)

    with monkeypatch.context() as broken:
        broken.setattr(links.Links, "serve", refuses)
        with pytest.raises(OSError, match=r"link of api could not be moved.*40% to new, not 0%"):
            agent.serving.hold(model.Hold("all", "night"))
        assert [agent.links.served(name) for name in both] == [40, 0]
        agent.serving.look(views.ClusterView(agent.seen, synced=True))
        assert "Read-only" in agent.serving.reports(NOTHING)["api"].because
    assert all(one.serving.memories["api"].held == ("night",) for one in (agent, Agent(tmp_path))), "it is on disk all the same"
    agent.serving.look(views.ClusterView(agent.seen, synced=True))
    assert (agent.links.served("api"), agent.serving.trouble) == (0, {})


def test_the_words_of_a_hold_survive_the_agent_and_its_key_until_a_record_ends_it(tmp_path: Path) -> None:
    burning = model.Hold("api", "alert-1", reason="5xx", by="alertmanager", since="2024-05-01", cause="fp-1")
    night = model.Hold("all", "night", reason="the night")
    seen = model.Hold("api", "oncall", reason="it burns")
    agent = Agent(tmp_path)
    agent.serves(cluster(40, holds=(seen,)))
    agent.serving.hold(burning)
    agent.serving.hold(night)
    agent.serving.hold(model.Hold("api", "alert-1", reason="another word"))
    agent.serves(cluster(40))
    again = Agent(tmp_path)
    assert again.serving.reports(NOTHING)["api"].pushed == (burning, night, seen)
    again.serving.hold(model.Hold("shop", "bare"))
    assert again.serving.reports(NOTHING)["shop"].pushed == (night,), "no words are made up"
    released = cluster(0, generation=2).services["api"]
    assert released.record is not None
    ended = replace(released, record=replace(released.record, clears=("alert-1", "oncall")))
    again.serves(views.ClusterView({"api": ended}, synced=True))
    assert again.serving.reports(NOTHING)["api"].pushed == (night,)


def test_a_memory_written_before_words_were_known_is_still_read(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.serves(cluster(40))
    agent.serving.hold(model.Hold("api", "now", reason="why"))
    path = tmp_path / "memory" / "api.json"
    document = json.loads(path.read_text())
    for orders in ([{"id": "now"}], ["x"], None, 7):
        path.write_text(json.dumps({**document, "orders": orders}))
        again = Agent(tmp_path)
        assert (again.serving.memories["api"].held, again.serving.orders["api"]) == (("now",), ())
    del document["orders"]
    path.write_text(json.dumps(document))
    assert Agent(tmp_path).serving.memories["api"].held == ("now",)


def test_deleting_a_served_link_reads_as_nothing_served(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    agent.serves(cluster(40))
    (tmp_path / "run" / "allow" / "api").unlink()
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
