"""What proxies see of a new host, as checks: all must see it well, a silent one makes it unknown, each no says what to do."""

from dataclasses import replace

import pytest

from k8s import model
from k8s.preflight import Ok, Report, agents, seen
from k8s.preflight.report import no, unknown, yes

NOW, DAY = 1_800_000_000.0, 86400.0
TARGET = seen.Target("api", "api.new.example", path="/healthz")
GOOD = seen.At(
    "192.0.2.1:443",
    seen.OK,
    version="TLSv1.3",
    certificate=seen.Certificate("CN=new", NOW + 90 * DAY, ("api.new.example",)),
    status=200,
    wrong_host=404,
)
WELL = seen.Seen("api", ("192.0.2.1:443",), 0.004, at=(GOOD,))
DNS, TCP, TLS, CERTIFICATE, HTTP = agents.NAMES


def at(**changes: object) -> seen.Seen:
    return replace(WELL, at=(replace(GOOD, **changes),))  # type: ignore[arg-type]  # fields of At


def judged(*answers: seen.Seen | str, target: seen.Target = TARGET) -> dict[str, Ok]:
    by_pod = {f"proxy-{number}": (one,) if isinstance(one, seen.Seen) else one for number, one in enumerate(answers)}
    found = agents.checks(target, by_pod, now=NOW)
    assert [one.name for one in found] == list(agents.NAMES)
    assert all(one.sentence.endswith(".") and (one.remedy.endswith(".") or one.ok is Ok.YES) for one in found)
    return {one.name: one.ok for one in found}


def test_all_is_well_when_every_proxy_sees_it_well() -> None:
    assert set(judged(WELL, WELL).values()) == {Ok.YES}
    assert agents.checks(TARGET, {"proxy-0": (WELL,)}, now=NOW)[-1].sentence == (
        "GET /healthz is answered with 200; a Host that nobody has gets 404."
    )


def test_no_proxy_or_a_silent_one_is_unknown_and_never_well() -> None:
    assert set(judged().values()) == {Ok.UNKNOWN}
    assert set(judged(WELL, "no answer within 8 s").values()) == {Ok.UNKNOWN}
    assert set(judged(WELL, replace(WELL, service="another")).values()) == {Ok.UNKNOWN}
    assert judged(at(outcome=seen.CONNECT, why="Connection refused", status=0), "no answer")[TCP] is Ok.NO


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (seen.Seen("api", dns_why="NXDOMAIN"), (Ok.NO, Ok.UNKNOWN, Ok.UNKNOWN, Ok.UNKNOWN, Ok.UNKNOWN)),
        (
            at(outcome=seen.CONNECT, why="refused", version="", certificate=None, status=0),
            (Ok.YES, Ok.NO, Ok.UNKNOWN, Ok.UNKNOWN, Ok.UNKNOWN),
        ),
        (at(outcome=seen.UNASKED, why="its turn", certificate=None, status=0), (Ok.YES, *[Ok.UNKNOWN] * 4)),
        (at(outcome=seen.TLS, why="its certificate is refused", status=0), (Ok.YES, Ok.YES, Ok.NO, Ok.UNKNOWN, Ok.UNKNOWN)),
        (at(outcome=seen.HTTP, why="no answer comes", status=0), (Ok.YES, Ok.YES, Ok.YES, Ok.YES, Ok.NO)),
        (at(status=503), (Ok.YES, Ok.YES, Ok.YES, Ok.YES, Ok.NO)),
        (at(status=404), (Ok.YES, Ok.YES, Ok.YES, Ok.YES, Ok.UNKNOWN)),
        (at(status=404, wrong_host=421), (Ok.YES, Ok.YES, Ok.YES, Ok.YES, Ok.UNKNOWN)),
        (at(status=405), (Ok.YES, Ok.YES, Ok.YES, Ok.YES, Ok.UNKNOWN)),
        (at(status=401), (Ok.YES,) * 5),
        (at(status=302), (Ok.YES,) * 5),
    ],
)
def test_each_stage_is_a_check_and_what_nobody_came_to_is_unknown(one: seen.Seen, expected: tuple[Ok, ...]) -> None:
    assert tuple(judged(one).values()) == expected
    assert tuple(judged(WELL, one).values())[:3] == expected[:3]  # one proxy is enough to stand in the way


def test_one_bad_address_of_several_stands_in_the_way() -> None:
    two = replace(WELL, at=(GOOD, replace(GOOD, address="192.0.2.2:443", outcome=seen.CONNECT, why="refused", status=0)))
    assert judged(two)[TCP] is Ok.NO


@pytest.mark.parametrize(("days", "ok"), [(90, Ok.YES), (15, Ok.YES), (13, Ok.NO), (0, Ok.NO), (-3, Ok.NO)])
def test_a_certificate_that_ends_soon_stands_in_the_way(days: int, ok: Ok) -> None:
    shown = seen.Certificate("CN=new", NOW + days * DAY + 1.0 * (days > 0), ())
    assert judged(at(certificate=shown))[CERTIFICATE] is ok


def test_what_nobody_verifies_is_unknown() -> None:
    lax = replace(TARGET, tls=model.Tls(verify=False))
    assert judged(WELL, target=lax)[CERTIFICATE] is Ok.UNKNOWN


def test_a_front_page_that_promises_nothing_may_be_missing_but_not_as_for_nobodys_host() -> None:
    front = replace(TARGET, path="/")
    assert judged(at(status=404, wrong_host=421), target=front)[HTTP] is Ok.YES
    assert judged(at(status=404, wrong_host=404), target=front)[HTTP] is Ok.UNKNOWN


def test_the_firewall_is_told_every_address_or_the_name() -> None:
    six = replace(WELL, addresses=("192.0.2.1:443", "[2001:db8::1]:443"))
    answers: agents.Answers = {"a": (six,), "b": "silent"}
    assert agents.firewall(TARGET, answers, ["pods 10.1.0.5", "nodes 192.0.2.9"]) == (
        "from the migration-proxy pods (pods 10.1.0.5; nodes 192.0.2.9) to 192.0.2.1:443 TCP",
        "from the migration-proxy pods (pods 10.1.0.5; nodes 192.0.2.9) to [2001:db8::1]:443 TCP",
    )
    assert agents.firewall(TARGET, {}, []) == ("from the migration-proxy pods to api.new.example:443 TCP",)


def test_a_report_is_as_good_as_its_worst_check() -> None:
    good, bad, unseen = yes("a", "A."), no("b", "B.", "Do."), unknown("c", "C.", "Do.")
    assert [Report("s", some).ok for some in ((good,), (good, unseen), (unseen, bad), ())] == [
        Ok.YES, Ok.UNKNOWN, Ok.NO, Ok.UNKNOWN,
    ]  # fmt: skip
    assert Report("s", (unseen, good, bad)).against == (bad, unseen)
