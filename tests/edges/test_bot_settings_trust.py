"""The section `trust` of the bot's settings: what is good becomes the policy, what is wrong is named with its fix."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from bot import settings
from handlers.rules import freezes, migration
from tests.edges import settings_files
from tests.edges.settings_files import loaded, refused, said, with_file

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "deploy/examples/settings.yaml"
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return settings_files.good(tmp_path)


def test_everything_of_it_becomes_the_policy(environment: dict[str, str]) -> None:
    freeze = [
        {"days": ["Sat", "sun"], "zone": "Asia/Shanghai", "reason": "weekend"},
        {"hours": "22:00-06:00", "zone": "UTC"},
        {"from": "2026-12-24 18:00", "to": "2027-01-02", "zone": "Europe/Berlin"},
    ]
    wave = {"together": 5, "traffic": 30}
    trust = {"soak": False, "standing": "14d", "protected": ["api-name01"], "freeze": freeze, "wave": wave}
    policy = loaded(environment, trust=trust).trust.policy
    assert (policy.soak, policy.standing, policy.protected) == (False, timedelta(days=14), frozenset({"api-name01"}))
    assert policy.wave == migration.Together(5, 30)
    assert loaded(environment).trust.policy.wave == migration.Together(3, 20)
    assert policy.freeze == (
        freezes.Weekly(SHANGHAI, frozenset({5, 6}), reason="weekend"),
        freezes.Weekly(ZoneInfo("UTC"), opens=22 * 60, closes=6 * 60),
        freezes.Dated(BERLIN, datetime(2026, 12, 24, 18), datetime(2027, 1, 3)),  # noqa: DTZ001 a wall clock
    )


@pytest.mark.parametrize(
    ("begins", "ends", "last", "first_free"),
    [
        ("2026-12-24", "2026-12-24", (2026, 12, 24, 22, 59), (2026, 12, 24, 23, 0)),  # a day as the end: with all its hours
        ('"2026-12-24"', '"2026-12-24"', (2026, 12, 24, 22, 59), (2026, 12, 24, 23, 0)),
        ("2026-12-24", "2026-12-24 18:00", (2026, 12, 24, 16, 59), (2026, 12, 24, 17, 0)),
        ("2026-12-24 00:00:00", "2026-12-24T18:00:00", (2026, 12, 24, 16, 59), (2026, 12, 24, 17, 0)),
    ],
)
def test_dates_are_read_however_yaml_has_them(
    environment: dict[str, str], begins: str, ends: str, last: tuple[int, ...], first_free: tuple[int, ...]
) -> None:
    text = f"{said()}trust:\n  freeze:\n    - {{from: {begins}, to: {ends}, zone: Europe/Berlin}}\n"
    policy = settings.load(with_file(environment, text)).trust.policy
    year, month, day, hour, minute = last
    assert freezes.frozen(policy.freeze, datetime(year, month, day, hour, minute, tzinfo=UTC))
    year, month, day, hour, minute = first_free
    assert freezes.frozen(policy.freeze, datetime(year, month, day, hour, minute, tzinfo=UTC)) is None


def test_the_freezes_that_the_example_shows_load(environment: dict[str, str]) -> None:
    found = re.search(r"(?ms)^#   # freeze:.*?(?=\n\n)", EXAMPLE.read_text())
    assert found
    shown = yaml.safe_load(re.sub(r"(?m)^#   # ", "", found[0]))
    text = f"{said()}trust:\n" + re.sub(r"(?m)^#   # ", "  ", found[0])
    policy = settings.load(with_file(environment, text)).trust.policy
    assert len(policy.freeze) == len(shown["freeze"]) == 3
    evening = freezes.frozen(policy.freeze, datetime(2026, 5, 8, 9, 0, tzinfo=UTC))  # Friday, 17:00 in Shanghai
    assert evening is not None
    assert evening.end == "Mon 2026-05-11 00:00 Asia/Shanghai (2026-05-10 16:00 UTC)"
    assert freezes.frozen(policy.freeze, datetime(2026, 5, 8, 7, 59, tzinfo=UTC)) is None


ZONE = {"zone": "UTC"}


@pytest.mark.parametrize(
    ("trust", "field", "words"),
    [
        ({"soak": "yes"}, "trust.soak", "write true or false"),
        ({"soak": 1}, "trust.soak", "write true or false"),
        ({"standing": "1m"}, "trust.standing", "from 3600s to"),
        ({"wave": {"together": 0}}, "trust.wave.together", "1"),
        ({"wave": {"traffic": 101}}, "trust.wave.traffic", "100"),
        ({"wave": {"at_once": 3}}, "trust.wave.at_once", "use one of together, traffic"),
        ({"protected": ["All Of Them"]}, "trust.protected[0]", "write the name of a service"),
        ({"protected": ["all"]}, "trust.protected[0]", "not 'all'"),
        ({"protected": "api"}, "trust.protected", "write a list"),
        ({"freeze": {"days": ["sat"]}}, "trust.freeze", "write a list"),
        ({"freeze": [{"days": ["sat"]}]}, "trust.freeze[0].zone", "is missing; add zone: …"),
        ({"freeze": [{"days": ["sat"], "zone": "Europe/Berln"}]}, "trust.freeze[0].zone", "did you mean Europe/Berlin?"),
        ({"freeze": [{"days": ["sat"], "zone": "../etc/passwd"}]}, "trust.freeze[0].zone", "is no time zone"),
        ({"freeze": [{"days": ["sat"], "zone": "Europe"}]}, "trust.freeze[0].zone", "is no time zone"),
        ({"freeze": [{"days": ["sat"], "zone": 8}]}, "trust.freeze[0].zone", "8 is no time zone"),
        ({"freeze": [{"days": ["saturday"], **ZONE}]}, "trust.freeze[0].days[0]", "write some of mon, tue"),
        ({"freeze": [{"days": [], **ZONE}]}, "trust.freeze[0].days", "is empty"),
        ({"freeze": [{"hours": "9-17", **ZONE}]}, "trust.freeze[0].hours", 'write "18:00-24:00"'),
        ({"freeze": [{"hours": "24:00-09:00", **ZONE}]}, "trust.freeze[0].hours", "is no time of day"),
        ({"freeze": [{"hours": "08:00-08:00", **ZONE}]}, "trust.freeze[0].hours", "ends when it begins"),
        ({"freeze": [{**ZONE}]}, "trust.freeze[0]", "does not say when; write from and to, or days and hours"),
        ({"freeze": [{"from": "2026-12-24", **ZONE}]}, "trust.freeze[0]", "does not say when"),
        ({"freeze": [{"from": "2026-12-24", "to": "2026-12-25", "days": ["fri"], **ZONE}]}, "trust.freeze[0]", "two entries"),
        ({"freeze": [{"from": "2026-12-24", "to": "2026-12-23", **ZONE}]}, "trust.freeze[0]", "ends before it begins"),
        ({"freeze": [{"from": "2026-02-30", "to": "2026-03-01", **ZONE}]}, "trust.freeze[0].from", "no date that exists"),
        ({"freeze": [{"from": "24.12.2026", "to": "2027-01-01", **ZONE}]}, "trust.freeze[0].from", "no date; write 2026-12-24"),
        ({"freeze": [{"from": datetime(2026, 1, 1, tzinfo=UTC), "to": "2027-01-01", **ZONE}]}, "trust.freeze[0].from",
         "names an offset, and `zone` does that"),
        ({"freeze": [{"days": ["fri"], "reason": "a\nb", **ZONE}]}, "trust.freeze[0].reason", "one line"),
        ({"freeze": [{"days": ["fri"], "until": "x", **ZONE}]}, "trust.freeze[0].until",
         "use one of zone, reason, from, to, days, hours"),
        ({"freez": []}, "trust.freez", "did you mean freeze?"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_fix(environment: dict[str, str], trust: dict[str, Any], field: str, words: str) -> None:
    [problem] = refused(with_file(environment, said(trust=trust)))
    assert f": {field}: " in problem
    assert words in problem
