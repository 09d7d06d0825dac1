"""The checker is shown honest histories and broken ones: every promise must be seen to break.

The histories are real: written by the record book and the hold book to the API stand-in, whose journal is judged.
"""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from deploy.playground.kubernetes.server import KubernetesStandIn
from deploy.playground.stories import history as recorded
from deploy.playground.stories import invariants
from handlers import audit_entry, messages, operation_document
from handlers.rules import approvals, decide, effects, migration, planning
from k8s import client, credentials, holds, model, proxy_report, records, signing, views
from tests.rules import builders

NAMESPACE = "default"
SIGNER = signing.Signer.generate()
VERIFIER = signing.Verifier.from_pems([SIGNER.public_pem()])


@dataclass
class Scene:
    """A cluster in which the shop is migrated by hand: `raise_to` writes what Ferry would write."""

    server: KubernetesStandIn
    api: client.ClusterClient

    def __post_init__(self) -> None:
        self.book = records.RecordBook(self.api, NAMESPACE, SIGNER)
        self.holds = holds.HoldBook(self.api, NAMESPACE)
        self.before: model.Exposure | None = None
        self.generation = 0

    async def raise_to(self, weight: int, **changes: Any) -> migration.Operation:
        """A whole approved and confirmed raise; `changes` are fields of the operation as it is written."""
        plan = planning.plan(self._view(), target=builders.exposure(weight))
        start = migration.Migration("shop", migration.Phase.STEADY, self.before, self.generation)
        start = replace(start, plan_now=plan, wish=plan.wish)
        answer = decide.decide(start, builders.shift(builders.exposure(weight), message=f"m{self.generation}"), builders.NOON)
        proposed = replace(answer.next, plan_now=plan)
        confirmed = builders.confirm(replace(builders.approve(proposed).next, plan_now=plan)).next
        return await self.write(replace(builders.the(confirmed), **changes), weight)

    async def write(
        self, operation: migration.Operation, weight: int, *, used: tuple[str, ...] | None = None
    ) -> migration.Operation:
        ids = tuple(one.id for one in approvals.counting(operation, builders.NOON)) if used is None else used
        after = builders.exposure(weight)
        change = views.RecordChange(
            service="shop", exposure=after, expected_generation=self.generation, operation_id=operation.id,
            operation=operation_document.to_document(operation), approvals=ids, plan_hash=operation.plan.hash,
            audit=audit_entry.entry(
                at=builders.NOON, who=operation.requester, source=messages.Source.SLACK, kind=effects.EventKind.APPLIED,
                sentence="", before=self.before, after=after, operation=operation,
            ),
        )  # fmt: skip
        record, _ = await self.book.write(change)
        self.before, self.generation = record.exposure, record.generation
        return operation

    async def finish(self, operation: migration.Operation, **changes: Any) -> None:
        done = replace(operation, phase=migration.Phase.STEADY, outcome=migration.Outcome.DONE, revision=99, **changes)
        await self.book.note("shop", operation_document.to_document(done), operation.id)

    def _view(self) -> views.ServiceView:
        weight = self.before.weight if self.before else 0
        if self.before is None:
            return replace(builders.view(None), wished=replace(builders.view(builders.exposure(0)).wished))  # type: ignore[type-var]
        return builders.view(self.before, generation=self.generation, wish=weight)

    def history(self, **facts: Any) -> recorded.History:
        return recorded.History(verifier=VERIFIER, writes=self.server.writes, **facts)

    def judged(self, **facts: Any) -> invariants.Verdict:
        return invariants.check(self.history(**facts))


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    server = KubernetesStandIn()
    await server.start()
    async with client.ClusterClient(credentials.Explicit(server.url, token=server.admin_token)) as api:
        yield Scene(server, api)
    await server.stop()


def names(verdict: invariants.Verdict) -> set[str]:
    return {sentence.partition(":")[0] for sentence in verdict.broken}


def sample(at: float, *served: int, generation: int = 1, expected: int = 2) -> recorded.Sample:
    reports = tuple(
        proxy_report.ProxyReport(
            pod=f"pod-{place}", ready=True, terminating=False, config="c",
            services={"shop": proxy_report.ServiceReport("shop", generation=generation, served=weight)},
        )
        for place, weight in enumerate(served)
    )  # fmt: skip
    return recorded.Sample(at, views.Fleet(expected=expected, reports=reports))


async def test_an_honest_raise_breaks_nothing_and_says_what_was_judged(scene: Scene) -> None:
    operation = await scene.raise_to(5)
    at = scene.server.writes[-1].at
    await scene.finish(operation)
    await scene.raise_to(25)
    verdict = scene.judged(samples=[sample(at + 0.001, 5, 5)], asked=3, texts=["hello"], secrets=("s3cret",))
    assert verdict.broken == ()
    assert verdict.checked == {"I1": 2, "I2": 2, "I6": 2, "I7": 2, "I8": 2, "I9": 2, "I10": 3, "I15": 1, "I16": 1}


def test_nothing_happened_is_not_held_but_not_checked() -> None:
    assert invariants.check(recorded.History(verifier=VERIFIER)) == invariants.Verdict({}, ())


async def test_a_raise_without_an_approval_is_seen(scene: Scene) -> None:
    await scene.raise_to(5, approvals=())
    assert names(scene.judged()) == {"I1"}


async def test_a_raise_that_its_requester_approved_is_seen(scene: Scene) -> None:
    operation = builders.the(builders.in_phase(migration.Phase.PROPOSED))
    await scene.raise_to(5, requester=builders.BOB.id)
    assert operation.requester != builders.BOB.id
    assert "I1" in names(scene.judged())


async def test_a_confirmation_before_the_approval_is_seen(scene: Scene) -> None:
    await scene.raise_to(5, confirmed_at=builders.NOON - timedelta(minutes=1))
    assert names(scene.judged()) == {"I1"}


async def test_more_than_was_approved_is_seen(scene: Scene) -> None:
    operation = await scene.raise_to(5)
    await scene.finish(operation)
    beyond = replace(operation, id="op-beyond")
    await scene.write(beyond, 50)
    assert {"I1", "I2"} <= names(scene.judged())


async def test_an_approval_that_is_used_twice_is_seen(scene: Scene) -> None:
    operation = await scene.raise_to(5)
    ids = tuple(one.id for one in operation.approvals)
    await scene.finish(operation)
    await scene.write(replace(operation, id="op-again"), 5, used=ids)
    assert "I9" in names(scene.judged())


async def test_a_record_over_a_running_operation_is_seen(scene: Scene) -> None:
    await scene.raise_to(5)
    await scene.raise_to(25)
    assert names(scene.judged()) == {"I6"}


async def test_a_raise_under_a_hold_is_seen(scene: Scene) -> None:
    await scene.holds.place(model.Hold("shop", "h1", reason="errors"))
    await scene.raise_to(5)
    assert names(scene.judged()) == {"I5"}


async def test_a_plan_from_before_the_hold_is_seen(scene: Scene) -> None:
    since = (builders.NOON + timedelta(seconds=1)).isoformat()
    await scene.holds.place(model.Hold("shop", "h1", since=since, cause="abc"))
    await scene.raise_to(5)
    assert names(scene.judged()) == {"I5", "I17"}


async def test_a_change_whose_revision_is_forged_is_seen(scene: Scene) -> None:
    await scene.raise_to(5)
    for write in scene.server.writes:
        if write.resource == "controllerrevisions":
            write.object["data"]["audit"]["who"] = "somebody else"
    assert names(scene.judged()) == {"I8"}


async def test_a_change_without_a_revision_is_seen(scene: Scene) -> None:
    await scene.raise_to(5)
    kept = [write for write in scene.server.writes if write.resource != "controllerrevisions"]
    assert names(invariants.check(replace(scene.history(), writes=kept))) == {"I8"}


async def test_done_before_every_proxy_served_it_is_seen(scene: Scene) -> None:
    operation = await scene.raise_to(5)
    await scene.finish(operation)
    at = scene.server.writes[-1].at
    for looks in ([], [sample(at, 5)], [sample(at, 5, 5, generation=0)], [sample(at - 1000, 5, 5)]):
        assert names(scene.judged(samples=looks)) == {"I16"}


@pytest.mark.parametrize(
    ("broken", "facts"),
    [
        ("I3", lambda: {"accepted": [recorded.Accepted(at=1.0, service="shop", last_new=3.5, limit=2.0)]}),
        ("I10", lambda: {"asked": 10, "failed": 1}),
        ("I15", lambda: {"texts": [json.dumps({"token": "xoxb-s3cret"})], "secrets": ("s3cret",)}),
    ],
)
def test_late_failed_and_told_are_seen(broken: str, facts: Callable[[], dict[str, Any]]) -> None:
    assert names(invariants.check(recorded.History(verifier=VERIFIER, **facts()))) == {broken}


def held(looked: recorded.Sample) -> recorded.Sample:
    """The same, with a hold on every proxy."""
    reports = tuple(
        replace(one, services={name: replace(each, holds=("latch-1",)) for name, each in one.services.items()})
        for one in looked.fleet.reports
    )
    return replace(looked, fleet=replace(looked.fleet, reports=reports))


async def test_while_something_is_missing_a_proxy_may_serve_less_and_again_what_was_approved(scene: Scene) -> None:
    await scene.raise_to(25)
    at = scene.server.writes[-1].at
    looks = [sample(at + 1, 25, 25), sample(at + 2, 0, 25), sample(at + 3, 25, 25), held(sample(at + 4, 0, 0))]
    later = sample(at + 9, 50, 50)  # when nothing is missing any more
    verdict = scene.judged(samples=[*looks, later], outages=[recorded.Outage("bot", at + 0.5, at + 5)])
    assert verdict.broken == ()
    assert verdict.checked["I13"] == 8


async def test_more_than_was_approved_or_anything_after_a_hold_is_seen_while_something_is_missing(scene: Scene) -> None:
    await scene.raise_to(25)
    at = scene.server.writes[-1].at
    gone = [recorded.Outage("API server", at + 0.5)]
    for looks in ([sample(at + 1, 25, 26)], [held(sample(at + 1, 0, 0)), sample(at + 2, 0, 1)]):
        assert names(scene.judged(samples=looks, outages=gone)) == {"I13"}


async def test_a_raise_while_something_is_missing_is_seen(scene: Scene) -> None:
    operation = await scene.raise_to(5)
    at = scene.server.writes[-1].at
    await scene.finish(operation)
    await scene.raise_to(25)
    looks = [sample(at + 0.0001, 5, 5)]
    assert names(scene.judged(samples=looks, outages=[recorded.Outage("Redis", at + 0.00001)])) == {"I13"}


async def test_a_fault_of_one_service_that_changes_another_is_seen(scene: Scene) -> None:
    await scene.raise_to(25)
    at = scene.server.writes[-1].at
    fault = [recorded.Fault("till", at + 0.5, at + 5)]
    well, gone = sample(at + 1, 25, 25), sample(at + 6, 0, 0)
    verdict = scene.judged(samples=[well, gone], faults=fault)
    assert (verdict.broken, verdict.checked["I14"]) == ((), 2)
    for looked in (sample(at + 1, 25, 0), held(well)):
        assert names(scene.judged(samples=[looked], faults=fault)) == {"I14"}
    own = [recorded.Fault("shop", at + 0.5, at + 5)]
    assert "I14" not in scene.judged(samples=[sample(at + 1, 0, 0)], faults=own).checked
