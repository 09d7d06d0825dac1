"""Sections of the bot's settings about the whole journey: good ones load, wrong values are named with their fix."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import settings
from k8s.discovery import proposal
from k8s.entries import entry_names
from tests.edges import settings_files
from tests.edges.settings_files import loaded, refused, said, with_file

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "deploy/examples/settings.yaml"
RULE = {"match": r"^(.+)\.old\.example\.com$", "new_host": r"\1.new.example.com"}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return settings_files.good(tmp_path)


def test_everything_can_be_said(environment: dict[str, str], tmp_path: Path) -> None:
    kubeconfig = tmp_path / "new-cluster"
    kubeconfig.write_text("{}")
    found = loaded(
        environment,
        prometheus={"url": "http://prometheus:9090/", "window": "5m", "every": "5s", "queries": {"requests": " sum(x) "}},
        entry={
            "ingress_class": "nginx-public", "forward": "proxy", "dns_namespace": "dns",
            "load_balancers": ["203.0.113.10", "2001:db8::/48"], "api_cidrs": ["10.96.0.0/12"],
            "ca_secret": "new-ca", "old_addresses": ["2001:DB8::1"],
        },
        new_cluster={"kubeconfig": str(kubeconfig)},
        discovery={"rules": [{**RULE, "new_namespace": "{namespace}-new"}], "namespaces": ["bbdm"]},
    )  # fmt: skip
    assert found.prometheus.url == "http://prometheus:9090"
    assert (found.prometheus.window, found.prometheus.every, found.prometheus.queries) == (300.0, 5.0, {"requests": "sum(x)"})
    assert (found.entry.ingress_class, found.entry.forward, found.entry.dns_namespace) == ("nginx-public", "proxy", "dns")
    assert found.entry.load_balancers == ("203.0.113.10/32", "2001:db8::/48")
    assert found.entry.api_cidrs == ("10.96.0.0/12",)
    assert found.entry.old_addresses == ("2001:db8::1",)
    assert found.entry.objects("migration-system") == entry_names.EntrySettings(
        namespace="migration-system",
        ingress_class="nginx-public",
        forward="proxy",
        dns_namespace="dns",
        ca_secret="new-ca",
        load_balancers=("203.0.113.10/32", "2001:db8::/48"),
        api_cidrs=("10.96.0.0/12",),
    )
    assert found.new_cluster.kubeconfig == kubeconfig
    assert (found.discovery.rules[0].match, found.discovery.namespaces) == (RULE["match"], ("bbdm",))


def test_what_nobody_said_is_what_the_objects_take_by_default(environment: dict[str, str]) -> None:
    assert settings.load(environment).entry.objects("migration-system") == entry_names.EntrySettings()


def test_an_empty_kubeconfig_is_none(environment: dict[str, str]) -> None:
    assert loaded(environment, new_cluster={"kubeconfig": ""}).new_cluster.kubeconfig is None


def test_the_rule_of_the_example_is_the_customers(environment: dict[str, str]) -> None:
    found = re.search(r"(?ms)^# discovery:.*?(?=\n\n)", EXAMPLE.read_text())
    assert found
    text = said() + re.sub(r"(?m)^# ", "", found[0]) + "\n"
    [rule] = settings.load(with_file(environment, text)).discovery.rules
    named = proposal.HostRule(**rule.model_dump())
    renamed = named.renamed("api-name01.teamname.dev.aliyun.intracloud.cn.aibang", "aibang-1111111111-bbdm")
    assert renamed == ("api-name01.kong.dev.aliyun.intracloud.cn.aibang", "aibang-1111111111-bbdm")
    assert named.renamed("api-name01.teamname.dev-aliyun.intracloud.cn.aibang", "aibang-1111111111-bbdm") is None
    assert yaml.safe_load(re.sub(r"(?m)^# ", "", found[0]))["discovery"]["rules"][0]["new_host"] == rule.new_host


@pytest.mark.parametrize(
    ("section", "value", "field", "words"),
    [
        ("prometheus", {"url": "prometheus:9090"}, "prometheus.url", "is no plain address; write http://"),
        ("prometheus", {"window": "2s"}, "prometheus.window", "from 5s to 86400s"),
        ("prometheus", {"every": 0}, "prometheus.every", "from 1s to 300s"),
        ("prometheus", {"window": "1m", "every": "2m"}, "prometheus", "write `every` shorter than `window`"),
        ("prometheus", {"queries": {"p99": ""}}, "prometheus.queries.p99", "write PromQL as a text"),
        ("prometheus", {"queries": {"p99": 7}}, "prometheus.queries.p99", "write PromQL as a text"),
        ("prometheus", {"queries": {"p99": "x" * 4001}}, "prometheus.queries.p99", "make it a recording rule"),
        ("prometheus", {"queries": {"averag": "up"}}, "prometheus.queries.averag", "did you mean average? Else use one of"),
        ("prometheus", {"queries": {"x": "up"}}, "prometheus.queries.x", "is no query that is asked; use one of requests, "),
        ("prometheus", {"queries": ["up"]}, "prometheus.queries", "write fields as name: value"),
        ("entry", {"forward": "none"}, "entry.forward", "'proxy'"),
        ("entry", {"forward": "direct"}, "entry.forward", "only they obey a hold; write 'proxy'"),
        ("entry", {"ingress_class": "Nginx!"}, "entry.ingress_class", "write the name of an IngressClass"),
        ("entry", {"load_balancers": ["10.0.0.1/8"]}, "entry.load_balancers[0]", "without host bits: 10.0.0.0/8"),
        ("entry", {"load_balancers": ["lb.example.com"]}, "entry.load_balancers[0]", "is no network"),
        ("entry", {"load_balancers": ["0.0.0.0/0"]}, "entry.load_balancers[0]", "is every address there is"),
        ("entry", {"api_cidrs": ["::/0"]}, "entry.api_cidrs[0]", "is every address there is"),
        ("entry", {"api_cidrs": [10]}, "entry.api_cidrs[0]", "10 is no network"),
        ("entry", {"ca_secret": "The CA"}, "entry.ca_secret", "write the name of an object of Kubernetes"),
        ("entry", {"old_addresses": ["10.0.0.0/8"]}, "entry.old_addresses[0]", "is no IP address; write one such as"),
        ("entry", {"old_addresses": [7]}, "entry.old_addresses[0]", "7 is no IP address"),
        ("entry", {"dns_namespace": "Kube"}, "entry.dns_namespace", "write the name of a namespace"),
        ("new_cluster", {"kubeconfig": "/nowhere/new"}, "new_cluster.kubeconfig", "is no file: mount it"),
        ("discovery", {"namespaces": ["no such"]}, "discovery.namespaces[0]", "write the name of a namespace"),
        ("discovery", {"rules": [{"match": "x"}]}, "discovery.rules[0].new_host", "is missing; add new_host"),
        ("discovery", {"rules": [{**RULE, "match": "(x"}]}, "discovery.rules[0].match", "is no regular expression"),
        ("discovery", {"rules": [{**RULE, "match": ""}]}, "discovery.rules[0].match", "is no regular expression"),
        ("discovery", {"rules": [{**RULE, "new_host": ""}]}, "discovery.rules[0]", "has an empty new_host"),
        ("discovery", {"rules": [{**RULE, "new_host": r"\2.x"}]}, "discovery.rules[0]", "the group 2, and match has 1 group;"),
        ("discovery", {"rules": [{**RULE, "new_host": r"\g<name>.x"}]}, "discovery.rules[0]", "the group name, and match has 1"),
        ("discovery", {"rules": [{**RULE, "new_host": "$1.x"}]}, "discovery.rules[0]", "that is no template"),
        ("discovery", {"rules": [{**RULE, "new_host": r"\x.y"}]}, "discovery.rules[0]", "that is no template"),
        ("discovery", {"rules": [{**RULE, "match": "x", "new_host": r"\1.y"}]}, "discovery.rules[0]", "match has no groups;"),
        ("discovery", {"rules": [{**RULE, "new_namespace": r"a.\1"}]}, "discovery.rules[0]", "has a new_namespace that is no"),
        ("discovery", {"rules": [{**RULE, "old_namespace": "team-.*", "new_namespace": r"\1"}]}, "discovery.rules[0]",
         "the group 1, and old_namespace has no groups;"),
        ("discovery", {"rules": [{**RULE, "old_namespace": "("}]}, "discovery.rules[0].old_namespace", "no regular expression"),
        ("discovery", {"rule": []}, "discovery.rule", "did you mean rules?"),
        ("newcluster", {}, "newcluster", "did you mean new_cluster?"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_fix(
    environment: dict[str, str], section: str, value: dict[str, Any], field: str, words: str
) -> None:
    [problem] = refused(with_file(environment, said(**{section: value})))
    assert f": {field}: " in problem
    assert words in problem


def test_what_a_template_takes_from_its_match_is_there(environment: dict[str, str]) -> None:
    rules = [
        {"match": r"(?P<name>[a-z]+)\.old", "new_host": r"\g<name>.new", "new_namespace": r"\g<name>"},
        {"match": r"([a-z]+)\.old", "new_host": r"\g<0>.\1.new"},
        {"match": r"([a-z]+)\.old", "new_host": r"\1.new", "old_namespace": "team-(.+)", "new_namespace": r"kong-\1"},
    ]
    assert len(loaded(environment, discovery={"rules": rules}).discovery.rules) == 3
