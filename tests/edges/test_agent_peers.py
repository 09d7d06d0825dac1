"""What agents tell each other survives the journey and can only lower; keys, probes and limits say what is there."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s import errors, model, protocol, proxy_report, report_document, signing
from k8s.agent import links, memory_file, peers, pressure, serving, trusted_keys

EXPOSURE = model.Exposure(weight=40, old_host="api.old.example", new_host="api.new.example")


Orders = dict[str, tuple[model.Hold, ...]]


def remembering(*, generation: int = 3, holds: tuple[str, ...] = (), wishes: tuple[int, ...] = (40,)) -> protocol.Memory:
    record = protocol.Record(uid="u", service="api", generation=generation, exposure=EXPOSURE, operation="op")
    memory = protocol.see_record(protocol.Memory("api"), record, payload=record.encode(), uid="u")
    for number, wish in enumerate(wishes):
        memory = protocol.see_wish(memory, wish, version=number)
    for hold in holds:
        memory = protocol.push_hold(memory, hold)
    return memory


def told(memory: protocol.Memory, *, for_all: tuple[str, ...] = (), orders: Orders | None = None) -> peers.Told:
    holds = [protocol.RememberedHold(name, 0) for name in for_all]
    return peers.told_from(
        json.loads(json.dumps({"pod": "other", "memory": peers.document_of({"api": memory}, holds, orders or {})}))
    )


def agent(folder: Path) -> serving.Serving:
    files = links.Links(folder / "run")
    files.prepare()
    return serving.Serving(memory=memory_file.MemoryFolder(folder / "memory"), links=files)


def test_a_peer_tells_its_generation_weight_holds_and_lowest_wish() -> None:
    heard = told(remembering(holds=("h",), wishes=(40, 12, 40)), for_all=("night",))
    assert heard.services["api"] == protocol.Peer(
        generation=3, weight=40, holds=(protocol.RememberedHold("h", 3),), agreed_lowest=12
    )
    assert heard.for_all == (protocol.RememberedHold("night", 0),)


def test_a_wish_that_never_agreed_is_not_passed_on() -> None:
    assert told(remembering(wishes=(5,))).services["api"].agreed_lowest is None


def test_a_peer_that_knows_of_a_newer_record_by_hearsay_does_not_speak_of_that_ones_wish() -> None:
    behind = protocol.see_peer(remembering(wishes=(40, 12)), protocol.Peer(generation=9, weight=20))
    assert told(behind).services["api"] == protocol.Peer(generation=9, weight=20, agreed_lowest=None)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"pod": "x"},
        {"pod": "x", "memory": {"services": {"../etc": {}}, "all": []}},
        {"pod": "x", "memory": {"services": {"api": {"generation": -1}}, "all": []}},
        {"pod": "x", "memory": {"services": {"api": {"generation": 1, "weight": 101, "holds": [], "agreed_lowest": None}}}},
        {"pod": "x", "memory": {"services": {}, "all": [["h", "x"]]}},
        {"pod": "x", "memory": {"services": {}, "all": [["h"]]}},
        {"pod": "x", "memory": {"services": {}, "all": [], "orders": {"api": [{"id": "without a service"}]}}},
        {"pod": "x", "memory": {"services": {}, "all": [], "orders": [7]}},
    ],
)
def test_an_answer_that_is_not_understood_is_refused_whole(document: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        peers.told_from(document)


@given(
    generation=st.integers(0, 5),
    weight=st.integers(0, 100),
    holds=st.lists(st.sampled_from("abc"), max_size=2, unique=True),
    lowest=st.none() | st.integers(0, 100),
)
def test_nothing_a_peer_says_raises(generation: int, weight: int, holds: list[str], lowest: int | None) -> None:
    memory = remembering()
    peer = protocol.Peer(generation, weight, tuple(protocol.RememberedHold(name, generation) for name in holds), lowest)
    assert protocol.effective(protocol.see_peer(memory, peer)).weight <= protocol.effective(memory).weight


def test_a_hold_for_all_heard_of_holds_services_that_the_peer_did_not_know_and_no_others(tmp_path: Path) -> None:
    fresh = agent(tmp_path)
    heard = told(remembering(), for_all=("night",))
    fresh.meet(heard.services, heard.for_all)
    assert fresh.memories["api"].held == (), "it stands no more there: the peer would have said so"
    fresh.hold(model.Hold("web", "x"))
    assert fresh.memories["web"].held == ("night", "x")
    assert agent(tmp_path).holds_for_all == heard.for_all, "it is on disk"


def test_a_peer_tells_the_words_of_its_holds_and_an_older_one_only_their_ids(tmp_path: Path) -> None:
    burning, night = model.Hold("api", "h", reason="it burns", cause="fp-1"), model.Hold("all", "night", reason="the night")
    heard = told(remembering(holds=("h", "night")), for_all=("night",), orders={"api": (burning, night), "all": (night,)})
    fresh = agent(tmp_path)
    fresh.meet(heard.services, heard.for_all, {**heard.orders, "web": (model.Hold("api", "night", reason="not for web"),)})
    assert (fresh.orders["api"], fresh.orders["all"]) == ((burning, night), (night,))
    older = peers.document_of({"api": remembering(holds=("h",))}, [], {})
    del older["orders"]
    assert peers.told_from({"pod": "older", "memory": older}).orders == {}


def test_a_report_carries_the_words_of_holds_and_one_without_them_is_read_too() -> None:
    burning = model.Hold("api", "h", reason="it burns", by="ferry", since="now", cause="fp-1")
    report = proxy_report.ServiceReport("api", generation=1, served=0, holds=("h",), pushed=(burning,))
    document = json.loads(json.dumps(report_document.service_as_document(report)))
    assert report_document.service_from(document) == report
    del document["pushed"]
    assert report_document.service_from(document).pushed == ()
    with pytest.raises(errors.BadReply):
        report_document.service_from({**document, "pushed": [{"id": "h"}]})
    with pytest.raises(errors.BadReply):
        report_document.service_from({**document, "pushed": {}})


def test_raises_wait_until_the_peers_were_asked(tmp_path: Path) -> None:
    files = links.Links(tmp_path / "run")
    files.prepare()
    folder = memory_file.MemoryFolder(tmp_path / "memory")
    folder.save(remembering())
    fresh = serving.Serving(memory=folder, links=files, may_raise=False)
    fresh.nginx_serves({"api": EXPOSURE})
    assert files.served("api") == 0
    fresh.raise_from_now()
    assert files.served("api") == 40


class Names:
    """In place of DNS: what it says of the peers' name."""

    def __init__(self, found: tuple[str, ...] = (), failing: str = "") -> None:
        self.found, self.why = found, failing

    async def addresses(self, host: str, port: int) -> tuple[str, ...]:
        return self.found

    def failing(self, host: str) -> str:
        return self.why


@pytest.mark.parametrize(
    ("names", "alone"),
    [
        (Names(("10.0.0.1:9080",)), True),
        (Names(failing="NXDOMAIN"), True),
        (Names(failing="LifetimeTimeout"), False),
        (Names(("10.0.0.1:9080", "127.0.0.1:1")), False),  # nobody listens there: a peer that is silent
    ],
)
async def test_alone_is_who_has_no_peers_by_dns_and_not_who_hears_none(names: Names, alone: bool) -> None:
    asking = peers.Peers("agents", port=9080, own_address="10.0.0.1", pod="me", resolver=names)  # type: ignore[arg-type]  # in place of it
    assert not asking.opinion("api", since=0, now=0).alone, "DNS was not asked yet"
    assert await asking.ask() == []
    assert asking.opinion("api", since=0, now=0).alone is alone


def test_who_was_never_told_of_peers_is_alone() -> None:
    asking = peers.Peers("", port=9080, own_address="10.0.0.1", pod="me", resolver=Names())  # type: ignore[arg-type]  # in place of it
    assert asking.opinion("api", since=0, now=0) == peers.Opinion(alone=True)


def test_keys_come_and_go_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    first, second = signing.Signer.generate(), signing.Signer.generate()
    (tmp_path / "a.pem").write_bytes(first.public_pem())
    keys = trusted_keys.TrustedKeys(tmp_path)
    assert keys.look() is False
    (tmp_path / "b.pem").write_text("nothing")
    assert keys.look() is False
    assert "the ones read before still count" in keys.trouble
    assert keys.verifier.key_ids == (first.key_id,)
    (tmp_path / "b.pem").write_bytes(second.public_pem())
    assert keys.look() is True
    assert (keys.verifier.key_ids, keys.trouble) == (tuple(sorted([first.key_id, second.key_id])), "")
    (tmp_path / "a.pem").unlink()
    assert keys.look() is True
    assert keys.verifier.key_ids == (second.key_id,)


class Container:
    """What /proc shows of an nginx in a container of its own."""

    def __init__(self, folder: Path) -> None:
        self.run = folder
        (folder / "nginx.pid").write_text("41\n")
        for process, group in (("self", "cgroup:[1]"), ("41", "cgroup:[2]")):
            (folder / "proc" / process / "ns").mkdir(parents=True)
            (folder / "proc" / process / "ns" / "cgroup").symlink_to(group)
        self.group = folder / "proc" / "41" / "root" / "sys" / "fs" / "cgroup"
        self.group.mkdir(parents=True)
        self.says(cpu_max="200000 100000", cpu_stat="usage_usec 1000000\nuser_usec 1", memory_max="1000", memory_current="850")

    def says(self, **files: str) -> None:
        for name, text in files.items():
            (self.group / name.replace("_", ".")).write_text(text + "\n")

    def pressure(self) -> pressure.Pressure:
        return pressure.Pressure(self.run, processes=self.run / "proc")


def test_shares_of_the_limits_are_those_of_nginxs_own_container(tmp_path: Path) -> None:
    container = Container(tmp_path)
    limits = container.pressure()
    assert limits.memory() == pytest.approx(0.85)
    assert limits.cpu(now=10.0) is None, "a rate needs two looks"
    container.says(cpu_stat="usage_usec 4000000")
    assert limits.cpu(now=12.0) == pytest.approx(0.75), "3 s of CPU time in 2 s, of 2 CPUs"


@pytest.mark.parametrize("missing", ["limit", "container", "process", "cgroup"])
def test_nothing_is_said_of_limits_that_are_not_there(tmp_path: Path, missing: str) -> None:
    container = Container(tmp_path)
    if missing == "limit":
        container.says(cpu_max="max 100000", memory_max="max")
    elif missing == "container":
        (tmp_path / "proc" / "41" / "ns" / "cgroup").unlink()
        (tmp_path / "proc" / "41" / "ns" / "cgroup").symlink_to("cgroup:[1]")
    elif missing == "process":
        (tmp_path / "nginx.pid").unlink()
    else:
        for path in container.group.iterdir():
            path.unlink()
    limits = container.pressure()
    assert (limits.memory(), limits.cpu(now=1.0), limits.cpu(now=2.0)) == (None, None, None)


@pytest.mark.parametrize("read", [signing.Signer.from_pem, lambda pem: signing.Verifier.from_pems([pem])])
def test_a_key_that_cannot_be_read_names_the_command_that_makes_one(read: Callable[[bytes], object]) -> None:
    with pytest.raises(ValueError, match=r"`ferry keys`"):
        read(b"nothing")
