"""`ferry render`: nginx's text for documents, without a cluster."""

import json
from pathlib import Path

import pytest

from k8s import nginx_preview, wish_document
from tests.edges.answering_api import typed
from tests.edges.test_cli_documents import CUSTOMER, GOOD


@pytest.fixture
def wish(tmp_path: Path) -> Path:
    file = tmp_path / "migration.yaml"
    file.write_text(GOOD + GOOD.partition("\n")[2].replace("api-name01", "api-name02").replace(":8078", ":9090"))
    return file


def test_the_text_is_what_an_agent_would_make_of_the_documents(wish: Path) -> None:
    code, printed, complaint = typed("render", str(wish))
    made = nginx_preview.rendered(wish_document.read(wish.read_text()).services.values())
    assert (code, printed, complaint) == (0, made.text, "")
    for said in ('"api-name02.teamname.dev.example"', "192.0.2.1:9090", "192.0.2.2:443", "/run/ferry/allow/api-name01"):
        assert said in printed
    assert "teamname.svc" not in printed  # names stand for addresses: nothing is looked up


def test_a_weight_changes_nothing_of_it(wish: Path) -> None:
    before = typed("render", str(wish))
    wish.write_text(wish.read_text().replace("percentage: 0", "percentage: 50"))
    assert typed("render", str(wish)) == before


@pytest.mark.parametrize("named", ["api-name02", "API-name02.teamname.dev.example"])
def test_one_service_by_name_or_host(wish: Path, named: str) -> None:
    code, printed, _ = typed("render", str(wish), "--service", named, "--json")
    found = json.loads(printed)
    assert (code, found["ok"], found["services"], found["problems"]) == (0, True, ["api-name02"], [])
    assert found["generation"] in found["text"]
    assert "api-name01" not in found["text"]


def test_every_mistake_is_named_with_file_and_line_and_nothing_is_rendered(wish: Path) -> None:
    wish.write_text(wish.read_text().replace('strategy: "weight"', 'strategy: "magic"', 1))
    code, printed, complaint = typed("render", str(wish), "--service", "api-name02")
    assert (code, printed) == (1, "")
    assert complaint.startswith(f"{wish}:7: ")
    code, printed, _ = typed("render", str(wish), "--json")
    found = json.loads(printed)
    assert (code, found["ok"], found["text"], [one["line"] for one in found["problems"]]) == (1, False, "", [7])


def test_what_is_not_there_is_named(wish: Path, tmp_path: Path) -> None:
    code, printed, complaint = typed("render", str(wish), "--service", "shop")
    assert (code, printed) == (1, "")
    assert "no service 'shop' is here; it names api-name01, api-name02" in complaint
    assert typed("render", str(tmp_path / "absent.yaml"))[0] == 1
    assert typed("render")[0] == 2
    twice = typed("render", str(wish), *[str(CUSTOMER / "migration-config.yaml")])
    assert (twice[0], twice[1]) == (1, "")  # both name api-name01


def test_the_customers_two_documents_are_rendered_as_they_are() -> None:
    code, printed, _ = typed("render", *(str(file) for file in sorted(CUSTOMER.glob("*.yaml"))))
    assert (code, "api-name01.kong.dev.aliyun.intracloud.cn.aibang" in printed) == (0, True)
