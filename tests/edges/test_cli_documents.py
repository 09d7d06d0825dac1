"""`ferry check` and `ferry keys`, as somebody at a terminal meets them."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

from k8s import signing

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
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok: 1 services in 1 files\n", "")


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
