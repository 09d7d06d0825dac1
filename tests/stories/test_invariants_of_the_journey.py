"""The checker is shown ladders on a standing approval, and changes of objects: honest ones, and each way to break a promise."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from deploy.playground.kubernetes import journal
from deploy.playground.kubernetes.server import KubernetesStandIn
from deploy.playground.stories import approved_objects, invariants
from deploy.playground.stories import history as recorded
from handlers import audit_entry, journey_document, messages, operation_document
from handlers.rules import effects, journeys, migration
from k8s import client, credentials, model, record_document, records, signing, views
from k8s.entries import entry_names
from tests.rules import builders

SIGNER = signing.Signer.generate()
VERIFIER = signing.Verifier.from_pems([SIGNER.public_pem()])
RUN = "op-run"
NOTHING: dict[str, Any] = {}
SERVICE, INGRESS = "apply Service aibang/shop", "apply Ingress migration-system/shop"


@dataclass
class Scene:
    """A cluster in which the shop's records are written by hand, from no record on."""

    server: KubernetesStandIn
    api: client.ClusterClient
    before: model.Exposure | None = None
    generation: int = 0
    kept: list[dict[str, Any]] = field(default_factory=list)  # what the store has

    def __post_init__(self) -> None:
        self.book = records.RecordBook(self.api, "migration-system", SIGNER)

    def approved(self, kind: migration.Kind, weight: int, **plan: Any) -> migration.Operation:
        """An operation of Ann's that Bob approved and Ann confirmed."""
        after = builders.exposure(weight)
        planned = migration.Plan("shop", kind, before=self.before, after=after, generation=self.generation, wish=0, **plan)
        operation = replace(builders.the(builders.in_phase(migration.Phase.PROPOSED)), id=f"op-{self.generation}-{kind}-{weight}")
        yes = effects.approval_id(operation.id, builders.BOB.id, planned.hash)
        approval = migration.Approval(yes, builders.BOB.id, "Bob", builders.NOON, planned.hash)
        return replace(operation, plan=planned, approvals=(approval,), confirmed_at=builders.NOON)

    def stored(self, operation: migration.Operation, **changes: Any) -> migration.Operation:
        """The store keeps it, as it is now."""
        now = replace(operation, **changes)
        self.kept.append(operation_document.to_document(now))
        return now

    async def write(self, operation: migration.Operation, *, used: tuple[str, ...], finished: bool = False) -> None:
        after = operation.plan.after
        change = views.RecordChange(
            service="shop", exposure=after, expected_generation=self.generation, operation_id=operation.id,
            operation=operation_document.to_document(operation), approvals=used, plan_hash=operation.plan.hash, finished=finished,
            audit=audit_entry.entry(
                at=builders.NOON, who=operation.requester, source=messages.Source.SLACK, kind=effects.EventKind.APPLIED,
                sentence="", before=self.before, after=after, operation=operation,
            ),
        )  # fmt: skip
        record, _ = await self.book.write(change)
        self.before, self.generation = record.exposure, record.generation
        done = replace(operation, phase=migration.Phase.STEADY, outcome=migration.Outcome.DONE, revision=operation.revision + 1)
        await self.book.note("shop", operation_document.to_document(done), done.id)

    async def raised(self, weight: int) -> None:
        """By an approval of its own."""
        operation = self.approved(migration.Kind.RAISE, weight)
        await self.write(operation, used=tuple(one.id for one in operation.approvals))

    async def ladder(self, *steps: int, signed: dict[str, Any] = NOTHING, **changes: Any) -> None:
        """A standing approval for these steps. `changes`: fields of its operation; `signed`: of what stands beside the record."""
        until = builders.NOON + timedelta(days=30)
        run = replace(self.approved(migration.Kind.RUN, max(steps), steps=steps, until=until.isoformat()), id=RUN)
        run = self.stored(replace(run, **changes), phase=migration.Phase.STEADY, outcome=migration.Outcome.DONE)
        standing = journeys.Standing(
            RUN, run.requester, run.requester_shown, run.plan.hash, steps, until, builders.exposure(0), run.approvals
        )
        journey = journeys.Journey("shop", revision=1, standing=replace(standing, **signed))
        assert await self.book.keep_journey("shop", journey_document.to_document(journey), 0)

    async def step(self, weight: int, *, used: str = "", **changes: Any) -> None:
        """One of the ladder's steps, as the clock takes it."""
        operation = replace(self.approved(migration.Kind.RAISE, weight), approvals=(), confirmed_at=None, **changes)
        await self.write(operation, used=(used or f"{RUN}/{weight}",))

    def changed(self, title: str, *, user: str = approved_objects.BOT, **metadata: Any) -> journal.Write:
        """An object that was written now."""
        verb, kind, place = title.split()
        namespace, name = place.split("/")
        item = {"kind": kind, "metadata": {"namespace": namespace, "name": name, **metadata}, "spec": _spec(kind)}
        last = self.server.writes[-1]
        resource = {"Ingress": "ingresses", "Service": "services"}[kind]
        return replace(
            last, at=last.at + 1e-9, verb=verb, resource=resource, namespace=namespace, name=name, user=user, object=item,
            removed=verb == "delete",
        )  # fmt: skip

    def judged(self, *writes: journal.Write) -> invariants.Verdict:
        # Noon is when people have confirmed; the writes come a minute later.
        last = self.server.writes[-1].at
        epoch = builders.NOON.timestamp() + 60 - last
        whole = [*self.server.writes, *writes]
        return invariants.check(recorded.History(verifier=VERIFIER, writes=whole, operations=self.kept, epoch=epoch))


def _spec(kind: str) -> dict[str, Any]:
    if kind != "Ingress":
        return {}
    backend = {"service": {"name": "migration-proxy-shop", "port": {"number": 80}}}
    return {"rules": [{"host": "shop", "http": {"paths": [{"path": "/", "backend": backend}]}}]}


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    server = KubernetesStandIn()
    await server.start()
    async with client.ClusterClient(credentials.Explicit(server.url, token=server.admin_token)) as api:
        await api.create(client.Resource("namespaces"), "", {"metadata": {"name": "migration-system"}})
        yield Scene(server, api)
    await server.stop()


def names(verdict: invariants.Verdict) -> set[str]:
    return {sentence.partition(":")[0] for sentence in verdict.broken} - {"I16"}  # nobody looks at proxies here


# A standing approval


async def test_a_ladder_that_was_approved_as_a_whole_carries_each_of_its_steps(scene: Scene) -> None:
    await scene.raised(5)
    await scene.ladder(25, 50)
    await scene.step(25)
    await scene.step(50)
    verdict = scene.judged()
    assert names(verdict) == set(), verdict.broken
    assert verdict.checked["I1"] == 3


async def test_a_step_that_no_ladder_was_kept_for_is_seen(scene: Scene) -> None:
    await scene.raised(5)
    await scene.step(25)
    assert names(scene.judged()) == {"I1"}


async def test_a_step_that_the_ladder_does_not_have_is_seen(scene: Scene) -> None:
    await scene.raised(5)
    await scene.ladder(25, 50)
    await scene.step(75)
    assert names(scene.judged()) == {"I1"}


async def test_a_step_under_the_approval_of_another_weight_is_seen(scene: Scene) -> None:
    await scene.raised(5)
    await scene.ladder(25, 50)
    await scene.step(50, used=f"{RUN}/25")
    assert names(scene.judged()) == {"I1"}


async def test_a_step_that_is_taken_twice_is_seen(scene: Scene) -> None:
    await scene.ladder(25, 50)
    await scene.step(25)
    scene.before = builders.exposure(25)
    await scene.step(25, id="op-again")
    assert "I9" in names(scene.judged())


@pytest.mark.parametrize(
    "signed",
    [{"steps": (50,)}, {"base": builders.exposure(0, sticky=model.Sticky(model.StickyKind.CLIENT_IP))}, {"plan_hash": "other"}],
)
async def test_what_is_signed_beside_the_record_is_what_counts(scene: Scene, signed: dict[str, Any]) -> None:
    await scene.ladder(25, 50, signed=signed)
    await scene.step(25)
    assert names(scene.judged()) == {"I1"}


async def test_a_ladder_that_nobody_asked_for_carries_no_step(scene: Scene) -> None:
    await scene.ladder(25, 50)
    scene.kept.clear()
    await scene.step(25)
    assert names(scene.judged()) == {"I1"}


async def test_a_step_after_the_end_of_its_ladder_is_seen(scene: Scene) -> None:
    await scene.ladder(25, 50)
    await scene.step(25, requested_at=builders.NOON + timedelta(days=30))
    assert names(scene.judged()) == {"I1"}


@pytest.mark.parametrize("changes", [{"approvals": ()}, {"confirmed_at": None}, {"approvals_needed": 2}])
async def test_a_ladder_without_all_its_eyes_carries_no_step(scene: Scene, changes: dict[str, Any]) -> None:
    await scene.ladder(25, 50, **changes)
    await scene.step(25)
    assert names(scene.judged()) == {"I1"}


async def test_the_end_needs_four_eyes_although_no_weight_moves(scene: Scene) -> None:
    await scene.raised(100)
    ended = scene.approved(migration.Kind.FINISH, 100)
    await scene.write(replace(ended, approvals=()), used=(), finished=True)
    assert names(scene.judged()) == {"I1"}


async def test_an_honest_end_breaks_nothing(scene: Scene) -> None:
    await scene.raised(100)
    ended = scene.approved(migration.Kind.FINISH, 100)
    await scene.write(ended, used=tuple(one.id for one in ended.approvals), finished=True)
    verdict = scene.judged()
    assert names(verdict) == set(), verdict.broken
    assert verdict.checked["I1"] == 2


# Objects


async def test_objects_that_a_running_plan_names_may_be_changed(scene: Scene) -> None:
    await scene.raised(5)
    plan = scene.approved(migration.Kind.PREPARE, 5, objects=((SERVICE, "d1"), (INGRESS, "d2")))
    scene.stored(plan)
    verdict = scene.judged(scene.changed(SERVICE), scene.changed(INGRESS))
    assert names(verdict) == set(), verdict.broken
    assert verdict.checked["I18"] == 2


async def test_what_somebody_else_changes_is_not_ferrys_promise(scene: Scene) -> None:
    await scene.raised(5)
    assert "I18" not in scene.judged(scene.changed(INGRESS, user="kubernetes-admin")).checked


async def test_an_object_that_no_plan_names_is_seen(scene: Scene) -> None:
    await scene.raised(5)
    plan = scene.approved(migration.Kind.PREPARE, 5, objects=((SERVICE, "d1"),))
    scene.stored(plan)
    assert names(scene.judged(scene.changed(INGRESS))) == {"I18"}


async def test_a_removal_where_the_plan_only_applies_is_seen(scene: Scene) -> None:
    await scene.raised(5)
    plan = scene.approved(migration.Kind.PREPARE, 5, objects=((SERVICE, "d1"),))
    scene.stored(plan)
    assert names(scene.judged(scene.changed(SERVICE.replace("apply", "delete")))) == {"I18"}


@pytest.mark.parametrize(
    "changes",
    [
        {"confirmed_at": None},
        {"approvals": ()},
        {"outcome": migration.Outcome.DONE},
        {"confirmed_at": builders.NOON + timedelta(minutes=2), "expires_at": builders.NOON + timedelta(hours=1)},
    ],
)
async def test_objects_of_a_plan_that_is_not_confirmed_not_approved_or_over_are_seen(
    scene: Scene, changes: dict[str, Any]
) -> None:
    await scene.raised(5)
    plan = scene.approved(migration.Kind.PREPARE, 5, objects=((SERVICE, "d1"),))
    scene.stored(plan, **changes)
    assert names(scene.judged(scene.changed(SERVICE))) == {"I18"}


async def test_what_leads_to_old_needs_no_plan_and_a_bypass_no_approval(scene: Scene) -> None:
    await scene.raised(5)
    plan = scene.approved(migration.Kind.BYPASS, 5, objects=((SERVICE, "d1"),))
    scene.stored(plan, approvals=())
    canary = {"nginx.ingress.kubernetes.io/canary": "true"}
    gone = scene.changed(INGRESS.replace("apply", "delete"), annotations=canary)
    noted = scene.changed("apply Service migration-system/migration-proxy-shop", annotations={entry_names.MODE: "bypassed"})
    verdict = scene.judged(scene.changed(SERVICE), gone, noted)
    assert names(verdict) == set(), verdict.broken
    assert verdict.checked["I18"] == 3


async def test_the_applications_own_ingress_may_go_away_for_nobody(scene: Scene) -> None:
    await scene.raised(5)
    assert names(scene.judged(scene.changed("delete Ingress aibang/shop"))) == {"I18"}


async def test_a_later_operation_is_no_form_of_an_earlier_one(scene: Scene) -> None:
    await scene.raised(5)
    later = scene.approved(migration.Kind.RUN, 5)
    before = scene.server.writes[-1]
    named = record_document.operation_data(
        operation_document.to_document(later), SIGNER, uid=before.object["metadata"]["uid"], service="shop", operation_id=later.id
    )
    await scene.api.patch(client.CONFIG_MAPS, "migration-system", before.name, {"data": named})
    (change,) = recorded.changes(recorded.History(verifier=VERIFIER, writes=scene.server.writes))
    assert change.last["outcome"] == migration.Outcome.DONE
