"""Names that fit a DNS label, the policy's ways, and an original that comes back as it was."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import ports
from k8s import model
from k8s.entries import app_ingress, cluster_entries, entry_names, policies
from k8s.entries.entry_names import EntrySettings, Place
from tests.edges.entries.world import HOST, SERVICE, TEAM

Json = dict[str, Any]
LONG = "a" * 62 + "b"


@pytest.mark.parametrize("name", ["shop", "a" * 47, "a" * 48, LONG])
def test_every_name_is_one_label_and_of_one_service(name: str) -> None:
    made = [entry_names.proxies_of(name), entry_names.way_in(name), entry_names.way_on(name)]
    assert all(model.SERVICE_NAME.fullmatch(one) for one in made)
    assert len(set(made)) == 3
    others = name[:-1] + "c"
    assert not {entry_names.proxies_of(others), entry_names.way_in(others)} & set(made)


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("shop.team.svc", Place("team", "shop")),
        ("shop.team.svc.cluster.local", Place("team", "shop")),
        ("shop.team.svc.old.example.com", Place("team", "shop")),
        ("shop.team.example.com", None),
        ("shop.team.services.com", None),
    ],
)
def test_a_backend_is_a_service_only_by_its_name(host: str, place: Place | None) -> None:
    assert entry_names.place_of(model.Backend(host, 80)) == place


def test_a_policy_without_networks_opens_the_port_to_all_and_the_api_where_it_is_named() -> None:
    settings = EntrySettings(api_cidrs=("10.0.0.1/32",))
    service = replace(SERVICE, exposure=replace(SERVICE.exposure, new_port=8443))
    egress = policies.service_policy(service, settings, {}, [SERVICE.old_backend])["spec"]["egress"]
    assert egress[-2] == {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 8443}]}
    assert [one["port"] for one in egress[-1]["ports"]] == [443, 6443]
    assert egress[1]["ports"] == [{"protocol": "TCP", "port": 8078}]


PATHS = st.lists(
    st.fixed_dictionaries(
        {
            "path": st.sampled_from(["/", "/api", "/static", "/b"]),
            "pathType": st.sampled_from(["Prefix", "Exact", "ImplementationSpecific"]),
            "backend": st.sampled_from(
                [
                    {"service": {"name": name, "port": {"number": port}}}
                    for name, port in (("shop", 8078), ("files", 80), ("x", 1))
                ]
            ),
        }
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda path: (path["path"], path["pathType"]),
)
RULES = st.lists(
    st.tuples(st.sampled_from([HOST, "other.example.com"]), PATHS), min_size=1, max_size=2, unique_by=lambda rule: rule[0]
)
MARKS = st.dictionaries(st.sampled_from(["nginx.ingress.kubernetes.io/upstream-vhost", "team"]), st.just("x"))


@given(RULES, MARKS, st.booleans())
def test_whatever_was_switched_comes_back_as_it_was(
    rules: list[tuple[str, list[Json]]], marks: dict[str, str], direct: bool
) -> None:
    item: Json = {
        "metadata": {"namespace": TEAM, "name": "shop", "annotations": marks},
        "spec": {"rules": [{"host": host, "http": {"paths": paths}} for host, paths in rules]},
    }
    proxies, new = ("ferry-entry-shop", 80), ("new-cluster-proxy", 443)
    seen = app_ingress.announced(item, SERVICE, (proxies, new)).applied_to(item)
    seen = app_ingress.switched(seen, SERVICE, {}, proxies, announce=(new,)).applied_to(seen)
    if direct:
        seen = app_ingress.switched(seen, SERVICE, {}, new, direct=EntrySettings(ca_secret="ca")).applied_to(seen)
        seen = app_ingress.switched(seen, SERVICE, {}, proxies).applied_to(seen)
        seen = app_ingress.switched(seen, SERVICE, {}, new, direct=EntrySettings(ca_secret="ca")).applied_to(seen)
    assert app_ingress.is_ours_in(seen, SERVICE)
    back, guessed = app_ingress.restored(seen, SERVICE)
    assert guessed == ""
    assert back.applied_to(seen) == item


def of_the_port(entries: cluster_entries.Entries) -> ports.Entries:
    """What the handlers ask for; mypy reads this."""
    return entries
