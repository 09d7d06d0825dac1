"""What the agent plans for a finished service, and for one whose tester has a secret: sites as nginx is to have them."""

from collections.abc import Mapping

from k8s import model
from k8s.agent import sites

KNOWN = {"old.team.svc": "10.0.0.1", "api.new.example": "10.0.0.2"}
EXPOSURE = model.Exposure(100, "api.old.example", "api.new.example")
SERVICE = model.Service("api", EXPOSURE, model.Backend("old.team.svc", 80))


def planned(known: Mapping[str, str], *, finished: bool = True, secrets: Mapping[str, str] = sites.NO_SECRETS) -> sites.Plan:
    def look_up(host: str, port: int) -> tuple[str, ...]:
        return (f"{known[host]}:{port}",) if host in known else ()

    done = frozenset({"api"} if finished else ())
    return sites.plan({"api": SERVICE}, before={}, signed={"api": EXPOSURE}, known=look_up, finished=done, secrets=secrets)


def test_a_finished_service_is_whole_without_an_old_cluster() -> None:
    plan = planned({"api.new.example": "10.0.0.2"})
    assert plan.sites["api"].finished
    assert plan.reachable == plan.whole == frozenset({"api"})
    assert (plan.unreachable, plan.trouble) == ((), ())


def test_a_finished_service_whose_new_host_has_no_address_says_so() -> None:
    plan = planned({"old.team.svc": "10.0.0.1"})
    assert (plan.reachable, plan.whole) == (frozenset(), frozenset())
    assert "it is finished, and api.new.example has no known address" in plan.unreachable[0]


def test_one_that_is_not_finished_needs_its_old_cluster() -> None:
    plan = planned({"api.new.example": "10.0.0.2"}, finished=False)
    assert not plan.sites["api"].finished
    assert plan.reachable == frozenset()


def test_a_secret_reaches_its_own_service_only() -> None:
    assert planned(KNOWN, finished=False, secrets={"api": "a" * 32}).sites["api"].override_secret == "a" * 32
    assert planned(KNOWN, finished=False, secrets={"shop": "a" * 32}).sites["api"].override_secret is None
