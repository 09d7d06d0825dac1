"""What people ask: a service by name or host, the target of a shift, the list."""

import json
import re
import subprocess
from dataclasses import replace

import pytest

from handlers import audit_entry, kubectl, messages, queries
from handlers.rules import effects, migration, refusals
from k8s import model, protocol, views
from tests.rules import builders


def one(name: str, host: str, *, weight: int = 0, holds: tuple[model.Hold, ...] = ()) -> views.ServiceView:
    exposure = model.Exposure(weight=weight, old_host=host, new_host=f"new.{host}")
    record = protocol.Record("uid", name, 3, exposure, "op-earlier")
    return views.ServiceView(name, wished=model.Service(name, exposure, model.Backend("a.b.svc", 80)), record=record, holds=holds)


CART = one("cart", "shop.example.com", weight=5)
CLUSTER = views.ClusterView(
    {"cart": CART, "pay": one("pay", "pay.example.com"), "also": one("also", "pay.example.com")}, synced=True
)


@pytest.mark.parametrize("asked", ["cart", "shop.example.com", "new.shop.example.com"])
def test_a_service_is_found_by_its_name_and_by_its_hosts(asked: str) -> None:
    assert queries.find(CLUSTER, asked) == "cart"


@pytest.mark.parametrize("asked", ["card", "pay.example.com", ""])
def test_what_names_none_or_two_services_is_found_nowhere(asked: str) -> None:
    assert queries.find(CLUSTER, asked) is None


def test_the_target_of_a_shift_has_the_documents_rules() -> None:
    target = queries.target(CLUSTER, "cart", 25)
    assert isinstance(target, model.Exposure)
    assert (target.weight, target.old_host) == (25, "shop.example.com")


def test_lowering_keeps_the_rules_in_force_although_the_document_was_edited() -> None:
    edited = replace(CART.wished.exposure, new_host="other.example.com") if CART.wished else None
    assert CART.wished is not None
    assert edited is not None
    view = views.ClusterView({"cart": replace(CART, wished=replace(CART.wished, exposure=edited))}, synced=True)
    lower, higher = queries.target(view, "cart", 1), queries.target(view, "cart", 25)
    assert isinstance(lower, model.Exposure)
    assert isinstance(higher, model.Exposure)
    assert (lower.new_host, higher.new_host) == ("new.shop.example.com", "other.example.com")


def test_a_strategy_without_what_it_needs_is_refused_with_the_field() -> None:
    refused = queries.target(CLUSTER, "cart", 25, strategy=model.Strategy.HEADER)
    assert isinstance(refused, refusals.Refusal)
    assert "header" in refused.why


def test_an_unknown_service_has_no_target() -> None:
    assert isinstance(queries.target(CLUSTER, "nobody", 25), refusals.Refusal)


def test_the_list_says_what_runs_and_what_is_held() -> None:
    held = one("pay", "pay.example.com", holds=(builders.HOLD,))
    running = builders.the(builders.in_phase(migration.Phase.CONVERGING))
    lines = queries.overview(views.ClusterView({"cart": CART, "pay": held}, synced=True), {"cart": running}).services
    assert [(line.name, line.phase, line.weight) for line in lines] == [
        ("cart", migration.Phase.CONVERGING, 5),
        ("pay", migration.Phase.HELD, 0),
    ]


def test_an_audit_entry_reads_back_as_the_past() -> None:
    operation = builders.the(builders.in_phase(migration.Phase.APPLYING))
    written = audit_entry.entry(
        at=builders.NOON, who=operation.requester, source=messages.Source.SLACK, kind=effects.EventKind.APPLIED,
        sentence="25% → 50%", before=operation.plan.before, after=operation.plan.after, operation=operation,
    )  # fmt: skip
    record = protocol.Record("uid", "shop", 2, operation.plan.after, operation.id)
    past = audit_entry.past(views.Revision("r", "shop", 2, record, written, "", "f00d"))
    assert (past.before, past.weight, past.who, past.approved_by) == (25, 50, "Ann", ("Bob",))
    assert (past.reason, past.plan) == (operation.reason, operation.plan.hash)
    assert past.at == builders.NOON


def test_a_strange_audit_entry_shows_what_it_can() -> None:
    record = protocol.Record("uid", "shop", 2, builders.exposure(5), "op-1")
    past = audit_entry.past(views.Revision("r", "shop", 2, record, {"at": 7, "from": "x", "approvals": "y"}, "", ""))
    assert (past.at, past.before, past.weight, past.approved_by, past.who) == (None, None, 5, (), "somebody")


def test_the_kubectl_line_is_one_merge_patch_that_a_shell_understands_with_a_fresh_id() -> None:
    line = kubectl.hold_line("migration-system", "cart")
    printed = subprocess.run(
        ["bash", "-c", f"kubectl() {{ printf '%s\\n' \"$@\"; }}; {line}"], capture_output=True, text=True, check=True
    )
    *words, patch = printed.stdout.splitlines()
    assert words == ["-n", "migration-system", "patch", "configmap", "migration-holds", "--type", "merge", "-p"]
    ((key, value),) = json.loads(patch)["data"].items()
    assert re.fullmatch(r"hold\.cart\.by-hand-\d+", key)
    assert value == "by hand"
