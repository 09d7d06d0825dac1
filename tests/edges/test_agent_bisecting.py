"""Which services' change is refused: only they are held back, by what stood in for them, and the others are served."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s import model, nginx
from k8s.agent import bisecting, refusals

EXPOSURE = model.Exposure(weight=0, old_host="a.old.example", new_host="a.new.example", tls=model.Tls(ca="own.pem"))
NAMES = [f"s{number}" for number in range(12)]


def site(name: str, *, timeout: float = 30.0, finished: bool = False) -> nginx.Site:
    exposure = model.Exposure(weight=0, old_host=f"{name}.old.example", new_host="a.new.example", tls=EXPOSURE.tls)
    service = model.Service(name, exposure, model.Backend("old.team.svc", 80), timeout=timeout, retries=0)
    return nginx.Site(service, exposure, ("10.0.0.1:80",), ("10.1.0.1:443",), finished=finished)


class Nginx:
    """Refuses whatever has a timeout of `bad` services, and pairs in `apart` together."""

    def __init__(self, bad: set[str], apart: frozenset[frozenset[str]] = frozenset()) -> None:
        self.bad, self.apart, self.asked = bad, apart, 0

    async def refuses(self, sites: Mapping[str, nginx.Site]) -> str:
        self.asked += 1
        wanted = {name for name, one in sites.items() if one.service.timeout == 7.0}
        if wrong := wanted & self.bad:
            return f"{sorted(wrong)} refused"
        return "together refused" if any(pair <= wanted for pair in self.apart) else ""


def wanted() -> dict[str, nginx.Site]:
    return {name: site(name, timeout=7.0) for name in NAMES}


def instead() -> dict[str, list[nginx.Site]]:
    return {name: [site(name)] for name in NAMES}


@given(bad=st.sets(st.sampled_from(NAMES)))
async def test_exactly_the_refused_ones_are_found_and_every_other_is_served_as_wanted(bad: set[str]) -> None:
    judge = Nginx(bad)
    verdict = await bisecting.Bisection(wanted(), instead=instead(), refuses=judge.refuses).run(NAMES)
    assert (set(verdict.culprits), verdict.hopeless) == (bad, "")
    assert {name for name, one in verdict.sites.items() if one.service.timeout == 7.0} == set(NAMES) - bad
    assert set(verdict.sites) == set(NAMES)
    assert await judge.refuses(verdict.sites) == ""


async def test_one_among_a_thousand_is_found_in_a_few_tests() -> None:
    names = [f"s{number}" for number in range(1000)]
    judge = Nginx({"s617"})
    many = {name: site(name, timeout=7.0) for name in names}
    verdict = await bisecting.Bisection(many, instead={"s617": [site("s617")]}, refuses=judge.refuses).run(names)
    assert set(verdict.culprits) == {"s617"}
    assert judge.asked < 30


async def test_of_two_that_only_do_not_go_together_one_is_served() -> None:
    judge = Nginx(set(), frozenset({frozenset({"s3", "s4"})}))
    verdict = await bisecting.Bisection(wanted(), instead=instead(), refuses=judge.refuses).run(NAMES)
    assert set(verdict.culprits) == {"s4"}


async def test_what_did_not_change_is_looked_at_only_when_the_change_is_not_to_blame() -> None:
    judge = Nginx({"s2"})
    verdict = await bisecting.Bisection(wanted(), instead=instead(), refuses=judge.refuses).run(["s9"])
    assert set(verdict.culprits) == {"s2"}
    assert verdict.sites["s9"].service.timeout == 7.0


async def test_where_nothing_is_accepted_nobody_is_blamed() -> None:
    async def refuses(_: Mapping[str, nginx.Site]) -> str:
        return "the disk is on fire"

    verdict = await bisecting.Bisection(wanted(), instead=instead(), refuses=refuses).run(NAMES)
    assert (verdict.hopeless, verdict.culprits, verdict.sites) == ("the disk is on fire", {}, {})


async def test_when_too_many_are_refused_the_undecided_wait_and_the_rest_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bisecting, "MOST_TESTS", 12)
    judge = Nginx(set(NAMES[6:]))
    verdict = await bisecting.Bisection(wanted(), instead=instead(), refuses=judge.refuses).run(NAMES)
    assert bisecting.UNDECIDED in verdict.culprits.values()
    assert {name for name, one in verdict.sites.items() if one.service.timeout == 7.0} == set(NAMES) - set(verdict.culprits)
    assert set(verdict.sites) == set(NAMES), "whoever waits is served as before"
    assert await judge.refuses(verdict.sites) == ""


def known(host: str, port: int) -> tuple[str, ...]:
    return {"old.team.svc": (f"10.9.9.9:{port}",)}.get(host, ())


def test_what_stands_in_is_first_what_was_served_and_then_everything_to_old() -> None:
    before, plain = refusals.instead_of(site("s1", timeout=7.0), site("s1"), known)
    assert (before.service.timeout, before.old_addresses, before.new_addresses) == (30.0, ("10.9.9.9:80",), ("10.1.0.1:443",))
    assert (plain.new_addresses, plain.exposure.tls, plain.exposure.old_host) == ((), model.Tls(), "s1.old.example")
    assert plain.service.retries == 1, "so that what was meant for new falls back"
    assert refusals.instead_of(site("s1", finished=True), None, known) == (), "there is no old to go to"


def test_a_refused_structure_is_tried_again_when_it_changes_or_after_some_rounds() -> None:
    told, asked = refusals.Refusals(), {"s1": site("s1", timeout=7.0), "s2": site("s2")}
    told.found(bisecting.Verdict({"s1": site("s1"), "s2": site("s2")}, {"s1": "no such file"}), asked)
    for _ in range(refusals.ROUNDS):
        assert told.stand_in(asked, known)["s1"].service.timeout == 30.0
        assert "s1: nginx refuses what is asked for it (no such file); its last good structure stays" in told.sentences[0]
    assert told.stand_in(asked, known) == asked
    assert told.sentences, "it is not known yet what becomes of it"
    told.served()
    assert told.sentences == ()
    told.found(bisecting.Verdict({"s2": site("s2")}, {"s1": "no such file"}), asked)
    assert set(told.stand_in(asked, known)) == {"s2"}
    changed = {**asked, "s1": site("s1", timeout=8.0)}
    assert told.stand_in(changed, known) == changed
