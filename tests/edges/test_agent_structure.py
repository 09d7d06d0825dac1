"""What the agent plans for nginx, and what it keeps on disk of it: the way to the old cluster is never given up."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.playground.world import names
from k8s import model
from k8s.agent import last_good, resolving, sites

ADDRESSES = {"old.team.svc": ("10.0.0.1",), "files.team.svc": ("10.0.0.2",), "api.new.example": ("10.1.0.1", "fd00::1")}


def known(host: str, port: int) -> tuple[str, ...]:
    return tuple(f"{address}:{port}" for address in ADDRESSES.get(host, ()))


def service(name: str = "api", *, host: str = "api.old.example", backend: str = "old.team.svc") -> model.Service:
    exposure = model.Exposure(weight=40, old_host=host, new_host="api.new.example")
    return model.Service(name, exposure, model.Backend(backend, 80), timeout=7.5, breaker=model.Breaker(3, 2.5))


def named(*services: model.Service) -> dict[str, model.Service]:
    return {one.name: one for one in services}


def planned(wished: dict[str, model.Service], **more: dict[str, model.Service]) -> sites.Plan:
    return sites.plan(wished, before=more.get("before", {}), signed={}, known=known)


def test_a_service_with_all_addresses_is_served_without_a_word() -> None:
    plan = planned(named(service()))
    assert (plan.reachable, plan.trouble, plan.unreachable) == (frozenset({"api"}), (), ())
    assert plan.sites["api"].old_addresses == ("10.0.0.1:80",)
    assert plan.sites["api"].new_addresses == ("10.1.0.1:443", "fd00::1:443")


def test_without_an_address_of_new_old_is_served_and_no_raise_relies_on_it() -> None:
    unborn = replace(service(), exposure=replace(service().exposure, new_host="unborn.new.example"))
    plan = planned(named(unborn))
    assert (plan.reachable, plan.sites["api"].new_addresses) == (frozenset({"api"}), ())


def test_a_backend_that_was_never_resolved_is_replaced_by_the_one_before_paths_and_all() -> None:
    plan = planned(named(service(backend="typo.team.svc")), before=named(service()))
    assert plan.sites["api"].service == service()
    assert (plan.reachable, len(plan.trouble)) == (frozenset({"api"}), 1)
    split = replace(service(), paths=(model.PathBackend("/files", model.Backend("typo.team.svc", 80)),))
    plan = planned(named(split), before=named(service()))
    assert (plan.sites["api"].path_addresses, plan.reachable) == ((), frozenset({"api"}))
    alone = planned(named(split))
    assert alone.reachable == frozenset()
    assert "typo.team.svc has no known address" in alone.unreachable[0]


def test_a_service_not_named_any_more_keeps_its_last_entry_and_its_signed_host() -> None:
    signed = {"api": replace(service().exposure, old_host="signed.old.example")}
    plan = sites.plan({}, before=named(service()), signed=signed, known=known)
    assert plan.sites["api"].exposure.old_host == "signed.old.example"
    assert "does not name api any more" in plan.trouble[0]
    assert sites.plan({}, before=named(service()), signed=signed, known=known, refused=True).trouble == ()


def test_a_renamed_service_is_served_once_under_its_new_name() -> None:
    plan = planned(named(service("zebra")), before=named(service("api")))
    assert (set(plan.sites), plan.trouble) == ({"zebra"}, ())


def test_a_renamed_service_with_a_backend_that_is_mistyped_goes_to_old_as_before() -> None:
    plan = planned(named(service("zebra", backend="typo.team.svc")), before=named(service("api")))
    assert plan.sites["zebra"].old_addresses == ("10.0.0.1:80",)
    assert (plan.sites["zebra"].service.name, plan.reachable) == ("zebra", frozenset({"zebra"}))
    assert "its requests go to old.team.svc:80 as before" in plan.trouble[0]


def test_a_record_is_served_although_the_old_cluster_has_no_address_any_more() -> None:
    plan = planned(named(service(backend="gone.team.svc")))
    assert (plan.reachable, plan.sites["api"].new_addresses) == (frozenset(), ("10.1.0.1:443", "fd00::1:443"))


def test_of_two_services_with_one_host_the_signed_one_is_served_and_the_other_keeps_nobody_back() -> None:
    both, other = named(service("api"), service("zebra")), service("shop", host="shop.old.example")
    plan = sites.plan({**both, "shop": other}, before={}, signed={"zebra": service().exposure}, known=known)
    assert set(plan.sites) == {"zebra", "shop"}
    assert plan.trouble == ("api is left out: its host api.old.example is zebra's; give one of them another host",)


def test_a_record_whose_service_nobody_knows_is_spoken_of() -> None:
    plan = sites.plan({}, before={}, signed={"api": service().exposure}, known=known)
    assert (plan.sites, len(plan.trouble)) == ({}, 1)
    assert "put its entry back" in plan.trouble[0]


def test_what_was_served_last_survives_the_agent(tmp_path: Path) -> None:
    split = replace(service(), paths=(model.PathBackend("/files", model.Backend("files.team.svc", 81)),))
    entry = replace(split, exposure=split.exposure.at(0))
    kept = last_good.Kept("g1", {"api": entry.exposure}, {"api": entry}, ADDRESSES)
    last_good.LastGood(tmp_path).write(kept)
    assert last_good.LastGood(tmp_path).read() == kept


@pytest.mark.parametrize("text", ["", "[]", '{"generation": "g", "exposures": {}, "addresses": {"a.b": ["no address"]}}'])
def test_what_cannot_be_understood_is_nothing_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / last_good.FILE).write_text(text)
    assert last_good.LastGood(tmp_path).read() == last_good.Kept()


def test_what_an_older_agent_kept_is_still_read(tmp_path: Path) -> None:
    (tmp_path / last_good.FILE).write_text('{"generation": "g1", "exposures": {}}')
    assert last_good.LastGood(tmp_path).read() == last_good.Kept("g1")


@pytest.fixture
async def server() -> AsyncIterator[names.NameServer]:
    one = names.NameServer()
    await one.start()
    yield one
    await one.stop()


async def test_names_keep_their_last_addresses_while_dns_fails_and_the_trouble_says_which(server: names.NameServer) -> None:
    server.put("a.example", ["10.0.0.1"])
    resolver = resolving.Resolver(f"127.0.0.1:{server.port}")
    await resolver.look_up(["a.example", "b.example"])
    assert resolver.known("a.example", 80) == ("10.0.0.1:80",)
    assert ["never known an address" in sentence for sentence in resolver.trouble] == [True]
    assert not resolver.unanswered(["a.example", "b.example"]), "it was said that b.example does not exist"
    server.failing = True
    resolver.remember({"b.example": ("10.0.0.9",), "a.example": ("10.0.0.8",)})
    await resolver.look_up(["a.example", "b.example"])
    assert (resolver.known("a.example", 80), resolver.known("b.example", 80)) == (("10.0.0.1:80",), ("10.0.0.9:80",))
    assert [sentence.endswith("last known addresses stay") for sentence in resolver.trouble] == [True, True]
    assert resolver.unanswered(["b.example"])
    await resolver.look_up([f"n{number}.example" for number in range(20)])
    assert resolver.trouble[-1] == "17 more names do not resolve now; look at the cluster's DNS"
    server.failing = False
    server.put("b.example", ["10.0.0.2"])
    await resolver.look_up(["a.example", "b.example"])
    resolver.forget_others(["b.example"])
    assert (resolver.trouble, dict(resolver.last_good)) == ([], {"b.example": ("10.0.0.2",)})


async def test_a_silent_dns_server_keeps_nobody_waiting_for_each_name_in_turn(
    server: names.NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "ROUND", 0.2)
    monkeypatch.setattr(resolving, "AT_ONCE", 2)
    server.silent = True
    resolver = resolving.Resolver(f"127.0.0.1:{server.port}", limit=60.0)
    resolver.remember({"n7.example": ("10.0.0.7",)})
    await resolver.look_up([f"n{number}.example" for number in range(50)])
    assert resolver.known("n7.example", 443) == ("10.0.0.7:443",)
    assert server.asked < 50
    assert len(resolver.trouble) == resolving.SENTENCES + 1
