"""The customer's documents load unchanged; everything else is refused with line, field and fix; an edit changes one number."""

import textwrap
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s import wish_document

SERVICE = """\
services:
  - name: "api"
    old_host: "api.old.example"  # 说明
    new_host: "api.new.example"
    old_backend: "app.team.svc.cluster.local:8078"
    migration_percentage: 5  # 0-100，新集群流量百分比
    strategy: "weight"  # weight, header, ip
    enabled: true
"""
MAPPINGS = """\
service_mappings:
  - old_service: "app"
    old_namespace: "team"
    new_service: "app"
    new_namespace: "kong"
    new_cluster_endpoint: "api.new.example"
"""
MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: migration-config\ndata:\n  migration.yaml: |\n"
MANIFEST += textwrap.indent(SERVICE, "    ")

# (what is replaced, by what, line, field, part of the fix); an empty first part appends the text to the service
BROKEN = [
    ("percentage: 5", 'percentage: "5"', 6, "services[0].migration_percentage", "without quotes"),
    ("percentage: 5", "percentage: 5.0", 6, "services[0].migration_percentage", "whole number"),
    ("percentage: 5", "percentage: 1e2", 6, "services[0].migration_percentage", "whole number"),
    ("percentage: 5", "percentage: .nan", 6, "services[0].migration_percentage", "whole number"),
    ("percentage: 5", "percentage: 101", 6, "services[0].migration_percentage", "from 0 to 100"),
    ("percentage: 5", "percentage: -1", 6, "services[0].migration_percentage", "from 0 to 100"),
    ("percentage: 5", "percentage: 010", 6, "services[0].migration_percentage", "whole number"),
    ("percentage: 5", "percentage: &a 5", 6, "document", "write the value out"),
    ("percentage: 5", "percentage: !!int 5", 6, "document", "remove it"),
    ("migration_percentage", "migration_percentag", 6, "services[0].migration_percentag", "did you mean migration_percentage"),
    ("enabled: true", "enabled: yes", 8, "services[0].enabled", "write true or false"),
    ("enabled: true", 'enabled: "true"', 8, "services[0].enabled", "without quotes"),
    ('strategy: "weight"', "strategy: wieght", 7, "services[0].strategy", "did you mean weight"),
    ('strategy: "weight"', "strategy: header", 7, "services[0].strategy", "add it"),
    ('name: "api"', 'name: "all"', 2, "services[0].name", "choose another name"),
    ('name: "api"', "name: 12", 2, "services[0].name", "in quotes"),
    ('"api.old.example"', '"API.old.example"', 3, "services[0].old_host", "lower-case DNS name"),
    (":8078", "", 5, "services[0].old_backend", "8080"),
    ("", "    enabled: false\n", 9, "services[0].enabled", "remove one"),
    ("", "    retries: 3.0\n", 9, "services[0].retries", "whole number"),
    ("", "    timeout: 30 seconds\n", 9, "services[0].timeout", "such as 30s"),
    ("", "    ladder: [5, 5, 100]\n", 9, "services[0].ladder", "rising steps"),
    ("", "    ladder: [5, 50]\n", 9, "services[0].ladder", "end in 100"),
    ("", "    cidrs: [10.0.0.0/16, 10.0.0.1/16]\n", 9, "services[0].cidrs[1]", "write it like"),
    ("", "    tls: {verify: off}\n", 9, "services[0].tls.verify", "true or false"),
    ("", "    gates: {error_rate: .inf}\n", 9, "services[0].gates.error_rate", "write a number"),
    ("", "    sticky: cooky:x\n", 9, "services[0].sticky", "cookie:NAME"),
    ("", "    entry: nginx\n", 9, "services[0].entry", "use canary, replace"),
    ("", "---\nservices: []\n", 9, "document", "remove the line ---"),
    ("", SERVICE.removeprefix("services:\n"), 9, "services[1].name", "own name"),
    ("", MAPPINGS.replace("api.new", "b.new"), 14, "service_mappings[0].new_cluster_endpoint", "migration.yaml:4"),
    ("", MAPPINGS.replace('"team"', '"other"'), 11, "service_mappings[0].old_namespace", "migration.yaml:5"),
]


@pytest.mark.parametrize(("old", "new", "line", "field", "fix"), BROKEN)
def test_a_broken_wish_is_refused_with_line_field_and_fix(old: str, new: str, line: int, field: str, fix: str) -> None:
    text = SERVICE.replace(old, new, 1) if old else SERVICE + new
    with pytest.raises(wish_document.WishError) as caught:
        wish_document.read(text)
    problems = [(problem.line, problem.field) for problem in caught.value.problems]
    assert (line, field) in problems
    assert fix in caught.value.problems[problems.index((line, field))].sentence
    assert f"migration.yaml:{line}: {field}: " in str(caught.value)


@pytest.mark.parametrize(("text", "fix"), [("", "services: []"), ("# x\n" * 250_000, "by namespace"), ("[" * 9000, "flat")])
def test_empty_huge_and_hostile_texts_are_refused_with_the_fix(text: str, fix: str) -> None:
    with pytest.raises(wish_document.WishError, match="document") as caught:
        wish_document.read(text)
    assert fix in str(caught.value)
    assert wish_document.weights(text) == {}


def test_the_customers_documents_load_unchanged() -> None:
    bare = wish_document.read(SERVICE, mappings=("service_mappings.yaml", MAPPINGS))
    assert bare.services["api"].exposure.weight == 5
    assert bare.mappings[0].new_namespace == "kong"
    assert wish_document.read(MANIFEST).services == bare.services


def test_lines_in_a_manifest_are_those_of_the_file_and_all_problems_come_at_once() -> None:
    text = MANIFEST.replace("percentage: 5", "percentage: 500").replace("enabled: true", "enabled: on")
    with pytest.raises(wish_document.WishError) as caught:
        wish_document.read(text)
    assert [problem.line for problem in caught.value.problems] == [12, 14]


def test_weights_are_obeyed_though_another_field_is_wrong() -> None:
    assert wish_document.weights(SERVICE.replace("weight", "nonsense", 1)) == {"api": 5}
    assert wish_document.weights(SERVICE.replace("enabled: true", "enabled: off")) == {"api": 0}
    assert wish_document.weights(SERVICE.replace("percentage: 5", "percentage: many")) == {}


@given(weight=st.integers(0, 100), newline=st.sampled_from(["\n", "\r\n"]), text=st.sampled_from([SERVICE, MANIFEST]))
def test_an_edit_changes_that_weight_and_nothing_else(weight: int, newline: str, text: str) -> None:
    before = text.replace("\n", newline)
    after = wish_document.with_weight(before, "api", weight, expected=5)
    assert after == before.replace("percentage: 5", f"percentage: {weight}")
    was, now = wish_document.read(before).services["api"], wish_document.read(after).services["api"]
    assert now == replace(was, exposure=was.exposure.at(weight))


@pytest.mark.parametrize(
    ("text", "service", "expected", "said"),
    [
        (SERVICE, "web", None, "not in this document"),
        (SERVICE, "api", 7, "plan again"),
        (SERVICE.replace("true", "false"), "api", 5, "enabled: true first"),
    ],
)
def test_an_edit_that_would_not_be_true_is_refused(text: str, service: str, expected: int | None, said: str) -> None:
    with pytest.raises(wish_document.WishError, match=said):
        wish_document.with_weight(text, service, 25, expected=expected)


def test_a_manifest_with_a_strange_line_end_never_has_another_line_changed() -> None:
    def service(name: str) -> str:
        return (
            f"      - name: {name}\n        old_host: {name}.old.example\n        new_host: {name}.new.example\n"
            f"        old_backend: {name}.team.svc.cluster.local:80\n        migration_percentage: 5\n"
        )

    manifest = 'kind: ConfigMap\napiVersion: v1\ndata:\n  note: "a\u2028b"\n  migration.yaml: |\n    services:\n'
    manifest += service("one") + service("two")
    changed = wish_document.with_weight(manifest, "two", 7)
    found = wish_document.read(changed).services
    assert {name: one.exposure.weight for name, one in found.items()} == {"one": 5, "two": 7}
