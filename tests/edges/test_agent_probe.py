"""Rounds of probes: when a service is down, when it is up again, who is asked sooner, and what is said of it."""

import asyncio
import random
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import prometheus_client
import pytest

from k8s import model
from k8s.agent import probe, probe_answer, probe_doors, probe_metrics, probe_trouble, probe_trust, resolving

GOOD = probe_answer.Answer(probe_answer.OK, seconds=0.25, certificate_expires=2_000_000_000.0)
BAD = probe_answer.Answer(probe_answer.TIMEOUT, "10.0.0.1:443: TLS is there, but no answer comes within 3 s")
DAY = 86400.0


class Scripted:
    """In place of the network: the answers in order, then none until `go_on`.

    `most`: questions that were open at a time; `reached` is set when `awaited` are.
    """

    def __init__(self, answers: Iterable[probe_answer.Answer] = ()) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.limits: list[float | None] = []
        self.open = self.most = 0
        self.go_on = asyncio.Event()
        self.awaited, self.reached = 1, asyncio.Event()

    async def ask(self, target: probe.Target, *, wanted: float, limit: float | None = None) -> probe_answer.Answer:
        assert wanted <= asyncio.get_running_loop().time()
        self.asked.append(target.host)
        self.limits.append(limit)
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            if not self.answers:
                if self.open >= self.awaited:
                    self.reached.set()
                await self.go_on.wait()
                return GOOD
            return self.answers.pop(0)
        finally:
            self.open -= 1


class Heard:
    """What `on_change` was told: the service, its verdict, and its failures in a row."""

    def __init__(self, probes: probe.Probes) -> None:
        self.probes = probes
        self.queue: asyncio.Queue[tuple[str, bool | None, int]] = asyncio.Queue()
        probes.on_change = self

    def __call__(self, name: str) -> None:
        self.queue.put_nowait((name, self.probes.up.get(name), self.probes.seen[name].failures_in_a_row))

    async def next(self) -> tuple[bool | None, int]:
        async with asyncio.timeout(30):
            return (await self.queue.get())[1:]


def target(host: str = "api.new.example", *, interval: float = 0.001, failures: int = 3) -> probe.Target:
    return probe.Target(host, 443, model.Tls(), model.Health(interval=interval, failures=failures))


@pytest.fixture
async def probes(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[probe.Probes]:
    one = probe.Probes(resolving.Resolver("127.0.0.1:9"), ca_folder=Path("/nowhere"), default_ca=Path("/nowhere/ca.pem"))
    monkeypatch.setattr(probe, "SOONEST", 0.01)
    try:
        yield one
    finally:
        await one.stop()


def scripted(probes: probe.Probes, *answers: probe_answer.Answer) -> tuple[Scripted, Heard]:
    script = Scripted(answers)
    probes._questions = script  # type: ignore[assignment] # the network is what this test decides
    return script, Heard(probes)


async def verdicts(probes: probe.Probes, *answers: probe_answer.Answer, failures: int = 3) -> list[bool | None]:
    _, heard = scripted(probes, *answers)
    probes.follow({"api": target(failures=failures)})
    return [(await heard.next())[0] for _ in answers]


async def test_one_good_answer_makes_up_what_was_never_asked(probes: probe.Probes) -> None:
    assert await verdicts(probes, GOOD) == [True]


async def test_down_takes_as_many_failures_in_a_row_as_the_service_says(probes: probe.Probes) -> None:
    assert await verdicts(probes, GOOD, BAD, BAD, GOOD, BAD, BAD, BAD) == [True, True, True, True, True, True, False]


async def test_what_never_answered_is_unknown_until_it_is_down(probes: probe.Probes) -> None:
    assert await verdicts(probes, BAD, BAD, failures=2) == [None, False]


async def test_up_again_takes_two_good_answers_in_a_row(probes: probe.Probes) -> None:
    assert await verdicts(probes, BAD, GOOD, BAD, GOOD, GOOD, failures=1) == [False, False, False, False, True]


async def test_a_hurried_service_is_asked_before_its_round(probes: probe.Probes) -> None:
    script, heard = scripted(probes, GOOD, BAD)
    probes.follow({"api": target(interval=3600.0)})
    probes.hurry(["api", "unknown"])
    assert await heard.next() == (True, 0)
    probes.hurry(["api"])
    assert await heard.next() == (True, 1)
    script.go_on.set()
    assert await heard.next() == (True, 0)  # without a hurry: it failed


async def test_while_requests_fail_questions_are_short_until_it_is_decided(probes: probe.Probes) -> None:
    script, heard = scripted(probes, GOOD, BAD, BAD, BAD, BAD, GOOD, GOOD, BAD, GOOD)
    probes.follow({"api": target(interval=3600.0)})
    probes.hurry(["api"])
    assert await heard.next() == (True, 0)
    probes.hurry(["api"])
    assert [await heard.next() for _ in range(3)] == [(True, 1), (True, 2), (False, 3)]
    # It is down: now the full time is given, or who answers late would never be up again.
    assert await heard.next() == (False, 4)
    probes.hurry(["api"])
    assert [await heard.next() for _ in range(2)] == [(False, 0), (True, 0)]
    probes.hurry(["api"])
    assert [await heard.next() for _ in range(2)] == [(True, 1), (True, 0)]
    short, full = probe_answer.HURRIED, probe_answer.LIMIT
    assert script.limits[:9] == [short, short, short, short, full, full, full, short, short]


async def test_who_takes_its_time_when_it_is_well_is_given_that_in_a_hurry_too(probes: probe.Probes) -> None:
    late, later = (probe_answer.Answer(probe_answer.OK, seconds=seconds) for seconds in (0.6, 2.0))
    script, heard = scripted(probes, late, later, GOOD)
    probes.follow({"api": target(interval=3600.0)})
    for _ in range(3):
        probes.hurry(["api"])
        await heard.next()
    assert script.limits == [probe_answer.HURRIED, pytest.approx(1.8), probe_answer.LIMIT]


async def test_dropped_packets_cost_no_pause_on_top_of_the_wait_for_them(probes: probe.Probes) -> None:
    dropped = probe_answer.Answer(probe_answer.TIMEOUT, "dropped", seconds=3600.0)
    _, heard = scripted(probes, GOOD, dropped, dropped, dropped)
    probes.follow({"api": target(interval=3600.0)})
    probes.hurry(["api"])
    assert await heard.next() == (True, 0)
    asked: list[float] = []
    wait = probes._pause

    async def told(one: object, seconds: float, *, least: float) -> None:
        asked.append(seconds)
        await wait(one, 0.0, least=0.0)  # type: ignore[arg-type]  # the watched service, whatever it is

    probes._pause = told  # type: ignore[method-assign]  # what it would wait is what this test wants to know
    probes.hurry(["api"])
    while (await heard.next())[0]:
        pass
    assert asked[:2] == [0.0, 0.0]


async def test_since_when_it_fails_is_since_the_first_failure_until_it_is_up_again(probes: probe.Probes) -> None:
    _, heard = scripted(probes, GOOD, BAD, GOOD, BAD, BAD, BAD, GOOD, GOOD)
    probes.follow({"api": target()})
    since: list[float | None] = []
    told = probes.on_change

    def note(name: str) -> None:
        since.append(probes.seen[name].failing_since)
        told(name)

    probes.on_change = note
    for _ in range(8):
        await heard.next()
    assert [one is None for one in since] == [True, False, True, False, False, False, False, True]
    assert since[3] == since[6] != since[1]


async def test_a_question_of_others_counts_like_any_other_and_a_bad_one_is_followed_up(probes: probe.Probes) -> None:
    script, heard = scripted(probes, GOOD, BAD)
    probes.follow({"api": target(interval=3600.0)})
    probes.hurry(["api"])
    assert await heard.next() == (True, 0)
    assert not await probes.ask("api")
    assert await heard.next() == (True, 1)
    script.go_on.set()
    assert await heard.next() == (True, 0)
    assert not await probes.ask("unknown")
    assert script.asked == ["api.new.example"] * 3


async def test_whoever_is_asked_no_more_is_forgotten_and_a_late_answer_is_nobodys(probes: probe.Probes) -> None:
    script, heard = scripted(probes, GOOD)
    probes.follow({"api": target()})
    assert await heard.next() == (True, 0)
    asking = asyncio.create_task(probes.ask("api"))
    await script.reached.wait()
    probes.follow({})
    script.go_on.set()
    await asking
    assert (probes.up, dict(probes.seen), probes.asked, probes.trouble) == ({}, {}, {}, [])


async def test_another_target_is_another_question(probes: probe.Probes) -> None:
    _, heard = scripted(probes, GOOD, BAD)
    probes.follow({"api": target()})
    assert await heard.next() == (True, 0)
    probes.follow({"api": target("other.new.example")})
    assert "api" not in probes.up
    assert await heard.next() == (None, 1)


async def test_a_watch_that_broke_begins_anew_and_says_nothing_meanwhile(probes: probe.Probes) -> None:
    _, heard = scripted(probes, GOOD, GOOD)
    told = heard.probes.on_change
    broken = asyncio.Event()

    def break_once(_: str) -> None:
        broken.set()
        raise RuntimeError("broken on purpose")

    probes.on_change = break_once
    probes.follow({"api": target()})
    await broken.wait()
    await asyncio.wait([one.task for one in probes._watched.values() if one.task is not None])
    probes.on_change = told
    probes.follow({"api": target()})
    assert "api" not in probes.up
    assert await heard.next() == (True, 0)


async def test_a_thousand_services_are_asked_a_few_at_a_time(probes: probe.Probes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "APART", 0.0)
    script, heard = scripted(probes)
    script.awaited = probe.AT_ONCE
    probes.follow({f"s{number}": target(f"s{number}.new.example", interval=3600.0) for number in range(1000)})
    await script.reached.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    assert script.open == probe.AT_ONCE
    script.go_on.set()
    for _ in range(1000):
        assert await heard.next() == (True, 0)
    assert script.most == probe.AT_ONCE
    assert len(set(script.asked)) == 1000


async def test_first_questions_are_spread_by_how_many_services_there_are(
    probes: probe.Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lots(random.Random):
        def uniform(self, a: float, b: float) -> float:
            assert a == 0
            bounds.append(b)
            return 3600.0

    bounds: list[float] = []
    monkeypatch.setattr(probe, "_LOTS", Lots())
    probes.follow({"api": target(interval=30.0)})
    probes.follow({f"s{number}": target(interval=30.0) for number in range(1000)})
    probes.follow({f"t{number}": target(interval=30.0) for number in range(5000)})
    assert set(bounds[:1]) == {probe.APART}
    assert set(bounds[1:1001]) == {1000 * probe.APART}
    assert set(bounds[1001:]) == {30.0}


async def test_who_is_down_for_long_is_asked_less_often_until_an_answer_is_good(probes: probe.Probes) -> None:
    _, heard = scripted(probes, BAD, GOOD)
    probes.follow({"api": target(interval=30.0, failures=1)})
    probes.hurry(["api"])
    assert await heard.next() == (False, 1)
    one = probes._watched["api"]
    assert probes._wait("api", one) == probe.SOONEST
    one.down_since -= probe.PATIENT_AFTER + 1
    assert probe.SOONEST < probes._wait("api", one) <= probe.PATIENT
    assert await probes.ask("api")
    assert probes._wait("api", one) == probe.SOONEST
    one.target = target(interval=0.001, failures=1)
    assert probes._wait("api", one) == 0.001


def test_a_closed_door_is_known_to_who_waited_until_somebody_finds_it_open() -> None:
    doors = probe_doors.Doors()
    doors.found_closed("10.0.0.1:443", probe_answer.TIMEOUT, "dropped", now=20.0)
    assert doors.closed("10.0.0.1:443", since=20.0) == (probe_answer.TIMEOUT, "dropped")
    assert doors.closed("10.0.0.1:443", since=20.1) is None
    assert doors.closed("10.0.0.2:443", since=0.0) is None
    doors.found_open("10.0.0.1:443")
    assert doors.closed("10.0.0.1:443", since=0.0) is None


async def test_a_bundle_is_read_beside_the_loop_and_once_for_all_that_want_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def reading(path: Path | None) -> ssl.SSLContext:
        threads.append(threading.get_ident())
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    bundle = tmp_path / "ca.pem"
    bundle.touch()
    trust = probe_trust.Trust(ca_folder=tmp_path, default_ca=bundle)
    monkeypatch.setattr(probe_trust, "_context", reading)
    found = await asyncio.gather(*(trust.context(model.Tls()) for _ in range(10)))
    assert len(threads) == len(set(found)) == 1
    assert threads[0] != threading.get_ident()


async def test_a_good_answer_whose_certificate_ends_soon_is_up_and_trouble(probes: probe.Probes) -> None:
    soon = probe_answer.Answer(probe_answer.OK, certificate_expires=time.time() + 3.5 * DAY)
    assert await verdicts(probes, soon) == [True]
    assert probes.trouble[0].startswith("api: the new cluster's certificate for api.new.example ends in 3 days, on ")


def test_a_certificate_is_told_of_two_weeks_before_its_end_and_what_is_well_is_not() -> None:
    def said(days: float, why: str = "") -> list[str]:
        return probe_trouble.sentences([probe_trouble.Fault("api", "api.new.example", why, 1e9 + days * DAY)], now=1e9)

    assert said(14.1) == []
    assert said(3.5)[0].startswith(
        "api: the new cluster's certificate for api.new.example ends in 3 days, on 2001-09-12 13:46 UTC;"
    )
    assert "ends in a day, on" in said(1.2)[0]
    assert "ends in less than a day, on" in said(0.2)[0]
    assert "ended on 2001-09-08" in said(-0.2)[0]
    down = said(-0.2, "10.0.0.1:443: its certificate is refused (certificate has expired)")
    assert down[0].startswith("api: the new cluster does not answer this proxy's probe: 10.0.0.1:443: its certificate is refused")
    assert "its certificate ended on 2001-09-08 20:58 UTC" in down[0]


def test_who_is_down_is_told_before_certificates_and_the_rest_is_counted() -> None:
    ending = [probe_trouble.Fault(f"s{number:03}", "x.example", "", 1e9 + number) for number in range(100)]
    down = [probe_trouble.Fault("zz", "zz.example", "zz.example does not resolve (NXDOMAIN)")]
    said = probe_trouble.sentences([*ending, *down], now=1e9 - DAY)
    assert len(said) == probe_trouble.SENTENCES + 1
    assert said[0].startswith("zz: the new cluster does not answer")
    assert said[1].startswith("s000: ")
    assert said[-1].startswith("93 more services")


async def test_one_failure_of_who_is_up_is_no_trouble_but_the_first_ever_is(probes: probe.Probes) -> None:
    _, heard = scripted(probes, BAD, GOOD, BAD, BAD)
    probes.follow({"api": target(failures=2)})
    said = []
    for _ in range(4):
        await heard.next()
        said.append([sentence.partition(":")[0] for sentence in probes.trouble])
    assert said == [["api"], [], [], ["api"]]


async def test_metrics_count_every_outcome_from_zero_and_keep_the_certificates_end(probes: probe.Probes) -> None:
    _, heard = scripted(probes, GOOD, BAD, BAD)
    probes.follow({"api": target(failures=2)})
    for _ in range(3):
        await heard.next()

    class Families:
        def collect(self) -> Iterable[prometheus_client.Metric]:
            return probe_metrics.probe_families(probes)

    registry = prometheus_client.CollectorRegistry()
    registry.register(Families())

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"service": "api", **labels})

    outcomes = {one: value("ferry_agent_probes_total", outcome=one) for one in probe_answer.OUTCOMES}
    assert outcomes == {"ok": 1, "dns": 0, "connect": 0, "tls": 0, "timeout": 2, "http": 0, "unasked": 0}
    assert value("ferry_agent_new_cluster_up") == 0
    assert value("ferry_agent_probe_seconds") == 0.0
    assert value("ferry_agent_new_cluster_certificate_expires") == 2_000_000_000.0
