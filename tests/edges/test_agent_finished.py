"""What the agent plans for a finished service, and for one whose tester has a secret: sites as nginx is to have them."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from k8s import model, nginx
from k8s.agent import sites

KNOWN = {"old.team.svc": "10.0.0.1", "api.new.example": "10.0.0.2"}
EXPOSURE = model.Exposure(100, "api.old.example", "api.new.example")
SERVICE = model.Service("api", EXPOSURE, model.Backend("old.team.svc", 80))

CONFIG = nginx.ProxyConfig("/run/ferry", "127.0.0.1:8080", "127.0.0.1:8081", (1, 27, 4), "/ca", "/ca/default.pem")


def planned(
    known: Mapping[str, str],
    *,
    wished: Mapping[str, model.Service] = MappingProxyType({"api": SERVICE}),
    before: Mapping[str, model.Service] = MappingProxyType({}),
    finished: bool = True,
    secrets: Mapping[str, str] = sites.NO_SECRETS,
) -> sites.Plan:
    def look_up(host: str, port: int) -> tuple[str, ...]:
        return (f"{known[host]}:{port}",) if host in known else ()

    done = frozenset({"api"} if finished else ())
    return sites.plan(wished, before=before, signed={"api": EXPOSURE}, known=look_up, finished=done, secrets=secrets)


def test_a_finished_service_is_whole_without_an_old_cluster() -> None:
    plan = planned({"api.new.example": "10.0.0.2"})
    assert plan.sites["api"].finished
    assert plan.reachable == frozenset({"api"})
    assert (plan.unreachable, plan.trouble) == ((), ())


def test_a_finished_service_whose_new_host_has_no_address_says_so() -> None:
    plan = planned({"old.team.svc": "10.0.0.1"})
    assert (plan.reachable, plan.sites["api"].new_addresses) == (frozenset(), ())
    assert "it is finished, and api.new.example has no known address" in plan.unreachable[0]


def test_one_that_is_not_finished_needs_its_old_cluster() -> None:
    plan = planned({"api.new.example": "10.0.0.2"}, finished=False)
    assert not plan.sites["api"].finished
    assert plan.reachable == frozenset()


def test_a_secret_reaches_its_own_service_only() -> None:
    assert planned(KNOWN, finished=False, secrets={"api": "a" * 32}).sites["api"].override_secret == "a" * 32
    assert planned(KNOWN, finished=False, secrets={"shop": "a" * 32}).sites["api"].override_secret is None


def test_a_finished_service_that_nobody_describes_is_served_by_its_record_alone() -> None:
    plan = planned(KNOWN, wished={})
    site = plan.sites["api"]
    assert (site.finished, site.exposure, site.new_addresses) == (True, EXPOSURE.at(0), ("10.0.0.2:443",))
    assert (plan.by_record, plan.reachable, plan.unreachable) == (frozenset({"api"}), frozenset({"api"}), ())
    [said] = plan.trouble
    assert "with the default timeouts" in said
    assert "migration-record-api" in said
    text = nginx.render(CONFIG, [site]).text
    assert 'server_name "api.old.example";' in text
    assert "old_cluster_backend" not in text


def test_a_finished_services_last_entry_still_gives_its_times() -> None:
    plan = planned(KNOWN, wished={}, before={"api": replace(SERVICE, timeout=7.0)})
    assert (plan.sites["api"].service.timeout, plan.by_record) == (7.0, frozenset())
    assert "of its last known entry" in plan.trouble[0]


def test_one_that_is_not_finished_is_never_served_without_an_entry() -> None:
    plan = planned(KNOWN, wished={}, finished=False)
    assert (plan.sites, plan.by_record) == ({}, frozenset())
    assert "put its entry back" in plan.trouble[0]


def test_the_host_of_a_finished_service_is_given_to_no_other_by_an_entry_alone() -> None:
    for before in ({}, {"api": SERVICE}):
        other = model.Service("other", EXPOSURE, SERVICE.old_backend)
        plan = planned(KNOWN, wished={"other": other}, before=before)
        assert set(plan.sites) == {"api"}
        assert plan.trouble[-1] == "other is left out: its host api.old.example is api's; give one of them another host"
