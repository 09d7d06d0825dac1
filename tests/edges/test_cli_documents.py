"""`ferry check` and `ferry keys`, as somebody at a terminal meets them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer import testing

from bot import __main__ as entrance
from k8s import signing
from tests.edges import test_wish_document

CUSTOMER = Path(__file__).parent / "customer"  # word for word

GOOD = """\
services:
  - name: "api-name01"
    old_host: "api-name01.teamname.dev.example"
    new_host: "api-name01.kong.dev.example"
    old_backend: "bbdm-api.team.svc.cluster.local:8078"
    migration_percentage: 0  # 0-100
    strategy: "weight"
    enabled: true
"""


def ferry(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "bot", *words], capture_output=True, text=True, check=False)


def test_a_good_document_is_said_to_be_good(tmp_path: Path) -> None:
    (tmp_path / "migration.yaml").write_text(GOOD)
    done = ferry("check", str(tmp_path / "migration.yaml"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok: 1 service in 1 file\n", "")


def test_every_problem_is_named_with_file_line_field_and_fix(tmp_path: Path) -> None:
    file = tmp_path / "migration.yaml"
    file.write_text(GOOD.replace("percentage: 0", "percentage: 101").replace("strategy:", "stratagy:"))
    done = ferry("check", str(file), str(tmp_path / "absent.yaml"), "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert found["ok"] is False
    rows = {(Path(row["file"]).name, row["line"]) for row in found["problems"]}
    assert rows == {("migration.yaml", 6), ("migration.yaml", 7), ("absent.yaml", 0)}
    assert all(row["field"] and row["sentence"] for row in found["problems"])


def test_the_customers_two_documents_pass_as_they_are() -> None:
    files = sorted(str(file) for file in CUSTOMER.glob("*.yaml"))
    done = ferry("check", *files)
    assert len(files) == 2
    assert (done.returncode, done.stdout) == (0, "ok: 1 service in 2 files\n")


def test_a_mapping_that_disagrees_names_both_places(tmp_path: Path) -> None:
    for file in CUSTOMER.glob("*.yaml"):
        (tmp_path / file.name).write_text(
            file.read_text().replace('old_namespace: "aibang-1111111111-bbdm"', 'old_namespace: "other"')
        )
    done = ferry("check", *(str(file) for file in sorted(tmp_path.glob("*.yaml"))))
    assert done.returncode == 1
    assert f"{tmp_path}/service_mappings.yaml:3: " in done.stdout
    assert f"{tmp_path}/migration-config.yaml:11" in done.stdout


def test_a_mapping_alone_says_what_it_belongs_to() -> None:
    done = ferry("check", str(CUSTOMER / "service_mappings.yaml"))
    assert done.returncode == 1
    assert "together with the one migration.yaml" in done.stdout


@pytest.mark.parametrize(("old", "new", "line", "field", "fix"), test_wish_document.BROKEN)
def test_each_broken_document_is_refused_with_file_line_field_and_fix(
    *, old: str, new: str, line: int, field: str, fix: str, tmp_path: Path
) -> None:
    good = test_wish_document.SERVICE
    file = tmp_path / "migration.yaml"
    file.write_text(good.replace(old, new, 1) if old else good + new)
    done = testing.CliRunner().invoke(entrance.app, ["check", str(file)])
    assert done.exit_code == 1
    [said] = [row for row in done.stdout.splitlines() if row.startswith(f"{file}:{line}: {field}: ")]
    assert fix.replace("migration.yaml", str(file)) in said


def test_without_a_file_the_usage_is_said_and_the_exit_code_is_2() -> None:
    assert ferry("check").returncode == 2


def test_keys_fit_each_other_and_go_into_a_secret_and_a_configmap() -> None:
    done = ferry("keys", "--namespace", "night")
    secret, public = yaml.safe_load_all(done.stdout)
    assert {one["metadata"]["namespace"] for one in (secret, public)} == {"night"}
    [(name, pem)] = public["data"].items()
    verifier = signing.Verifier.from_pems([pem.encode()])
    assert name == f"{verifier.key_ids[0]}.pem"
    assert "PRIVATE" not in str(public)
