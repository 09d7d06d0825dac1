"""A whole world for the use cases: the real books and watches over the stand-in API, honest agents, ports in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from deploy.playground.kubernetes.server import KubernetesStandIn
from handlers import answers, messages, outside
from handlers.front import Front
from handlers.rules import migration
from k8s import (
    client,
    cluster_watch,
    credentials,
    errors,
    holds,
    model,
    protocol,
    records,
    signing,
    watch,
    wish,
    wish_document,
)
from tests.handlers import cluster_ports, ports_in_memory

NAMESPACE = "default"
ANN = messages.Person("slack:T0/ANN", "Ann", approver=True)
BOB = messages.Person("slack:T0/BOB", "Bob", approver=True)
LIMITS = outside.Limits(
    converge=5.0,
    hold=5.0,
    verify=0.05,
    ask=0.01,
    tick=0.05,
    listen=0.05,
    put_back=60.0,
    severe=120.0,
    keep=0.05,
    ladder=0.02,
    seldom=0.02,
    drift=60.0,
)
NAMES = ("cart", "shop")


def document(more: str = "", /, **weights: int) -> str:
    """`more`: further lines of every entry, each with its indentation and line end."""
    entries = [
        f"""  - name: "{name}"
    old_host: "{name}.old.example"
    new_host: "{name}.new.example"
    old_backend: "{name}.team.svc.cluster.local:8080"
    migration_percentage: {weights.get(name, 0)}  # share of the new cluster
    strategy: "weight"
{more}    enabled: true"""
        for name in NAMES
    ]
    return "services:\n" + "\n".join(entries) + "\n"


class World:
    """`front` is started; a crash is `stop` without any goodbye, and `restart` is another process with the same outside."""

    def __init__(self, server: KubernetesStandIn, api: client.ClusterClient, signer: signing.Signer) -> None:
        self.server = server
        self.api = api
        self.signer = signer
        self.stir = ports_in_memory.Stir()
        self.clock = ports_in_memory.Clock()
        self.pending = ports_in_memory.Pending(self.stir)
        self.chat = ports_in_memory.Chat(self.stir)
        self.audit = ports_in_memory.Audit(self.stir)
        self.notices = ports_in_memory.Notices(self.stir)
        self.alerts = ports_in_memory.Alerts()
        self.book = records.RecordBook(api, NAMESPACE, signer)
        self.records = cluster_ports.Records(self.book)
        self.journeys = cluster_ports.Journeys(self.book)
        self.wishes = cluster_ports.Wishes(wish.WishBook(api, NAMESPACE))
        verifier = signing.Verifier.from_pems([signer.public_pem()])
        self.watch = cluster_watch.ClusterWatch(
            api,
            NAMESPACE,
            verifier,
            wish_document.read_entries,
            weights=wish_document.weights,
            limits=watch.Limits(first_pause=0.02, longest_pause=0.1),
            journeys=True,
        )
        self.cluster = cluster_ports.ClusterPort(self.watch)
        self.agents = cluster_ports.Agents(self.cluster)
        self.outside = outside.Outside(
            clock=self.clock,
            pending=self.pending,
            seen=ports_in_memory.Seen(self.pending),
            cluster=self.cluster,
            records=self.records,
            wishes=self.wishes,
            documents=wish.DocumentBook(api, NAMESPACE),
            holds=cluster_ports.Holds(holds.HoldBook(api, NAMESPACE)),
            agents=self.agents,
            chat=self.chat,
            audit=self.audit,
            alerts=self.alerts,
            journeys=self.journeys,
            notices=self.notices,
        )
        self.limits = LIMITS
        self.trust = migration.Trust()
        self.front = self.new_front()
        self._count = 0

    def new_front(self, **changes: Any) -> Front:
        return Front(self.outside, trust=self.trust, limits=self.limits, **changes)

    async def restart(self, **changes: Any) -> Front:
        await self.front.stop()
        self.front = self.new_front(**changes)
        await self.front.start()
        return self.front

    def message_id(self) -> str:
        self._count += 1
        return f"m{self._count}"

    async def until(self, met: Callable[[], Any]) -> Any:
        return await self.stir.until(met)

    # What people do

    async def ask(self, weight: int, *, service: str = "shop", who: messages.Person = ANN) -> answers.Answer:
        target = self.front.target(service, weight)
        assert isinstance(target, model.Exposure), target
        return await self.front.handle(
            messages.ProposeShift(id=self.message_id(), at=self.clock.now(), service=service, actor=who, target=target)
        )

    async def release(self, *, service: str = "shop", who: messages.Person = ANN) -> answers.Answer:
        return await self.front.handle(
            messages.ProposeRelease(id=self.message_id(), at=self.clock.now(), service=service, actor=who)
        )

    async def approve(
        self, operation: migration.Operation, who: messages.Person = BOB, *, revision: int | None = None
    ) -> answers.Answer:
        return await self.front.handle(
            messages.Approve(
                id=self.message_id(),
                at=self.clock.now(),
                service=operation.plan.service,
                actor=who,
                operation=operation.id,
                revision=operation.revision if revision is None else revision,
            )
        )

    def confirmation(self, operation: migration.Operation, who: messages.Person = ANN) -> messages.Confirm:
        return messages.Confirm(
            id=self.message_id(), at=self.clock.now(), service=operation.plan.service, actor=who, operation=operation.id
        )

    async def confirm(self, operation: migration.Operation, who: messages.Person = ANN) -> answers.Answer:
        return await self.front.handle(self.confirmation(operation, who))

    async def approved(self, weight: int, *, service: str = "shop") -> migration.Operation:
        asked = await self.ask(weight, service=service)
        assert asked.operation is not None, asked.sentence
        answer = await self.approve(asked.operation)
        assert answer.refusal is None, answer.sentence
        assert answer.operation is not None
        return answer.operation

    async def raised(self, weight: int, *, service: str = "shop") -> migration.Operation:
        """All the way to done."""
        operation = await self.approved(weight, service=service)
        answer = await self.confirm(operation)
        assert answer.refusal is None, answer.sentence
        return await self.closed(operation)

    async def closed(self, operation: migration.Operation) -> migration.Operation:
        def decided() -> migration.Operation | None:
            card = self.chat.cards.get(operation.id)
            return card if card is not None and card.outcome is not migration.Outcome.OPEN else None

        found = await self.until(decided)
        assert isinstance(found, migration.Operation)
        return found

    async def hold(self, service: str = "shop", *, who: messages.Person = BOB, reason: str = "") -> answers.Placed:
        return await self.front.hold(
            messages.PlaceHold(id=self.message_id(), at=self.clock.now(), service=service, actor=who, reason=reason)
        )

    def alert(self, service: str = "shop", **changes: Any) -> messages.Alert:
        made = messages.Alert(
            id=self.message_id(),
            at=self.clock.now(),
            service=service,
            name="NewClusterErrors",
            cause="fp1/start1",
            severity=messages.Severity.CRITICAL,
            firing=True,
            started=self.clock.now(),
            summary="5% of requests fail",
        )
        return replace(made, **changes)

    def hold_by_hand(self, service: str = "shop") -> model.Hold:
        return model.Hold(service, "by-hand", reason="by hand")

    # What the cluster says

    def record(self, service: str = "shop") -> protocol.Record | None:
        return self.cluster.service(service).record

    def weight(self, service: str = "shop") -> int:
        """Of the record in force."""
        record = self.record(service)
        return record.exposure.weight if record else 0

    def wish(self, service: str = "shop") -> int:
        return self.cluster.service(service).wish

    def standing(self, service: str = "shop") -> tuple[str, ...]:
        return tuple(hold.key for hold in self.cluster.service(service).holds)

    async def keys(self) -> dict[str, str]:
        """Of `migration-holds`, as the API server has it."""
        found = await self.api.get(client.CONFIG_MAPS, NAMESPACE, holds.CONFIG_MAP)
        return dict(found.get("data") or {})

    async def settled(self, service: str = "shop") -> None:
        """Record 0, wish 0."""
        await self.until(lambda: self.record(service) is not None and (self.weight(service), self.wish(service)) == (0, 0))

    async def edit(self, **weights: int) -> None:
        """A person edits migration.yaml by hand."""
        await self.put_document(document(**weights))

    async def put_document(self, text: str) -> None:
        change = {"data": {wish.DOCUMENT: text}}
        await self.api.patch(client.CONFIG_MAPS, NAMESPACE, wish.CONFIG_MAP, change)

    async def _tell_changes(self) -> None:
        async with contextlib.aclosing(self.watch.changes()) as newer:
            async for _ in newer:
                self.stir.happened()


@contextlib.asynccontextmanager
async def world_of(
    server: KubernetesStandIn, *, text: str = "", equipped: Callable[[World], None] = lambda _: None
) -> AsyncIterator[World]:
    """`text`: of migration.yaml. `equipped`: changes the outside before anything has started."""
    access = credentials.Explicit(server.url, token=server.admin_token)
    async with client.ClusterClient(access, limit=1.0) as api:
        for name, data in ((wish.CONFIG_MAP, {wish.DOCUMENT: text or document()}), (holds.CONFIG_MAP, {})):
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
            with contextlib.suppress(errors.Conflict):
                await api.create(client.CONFIG_MAPS, NAMESPACE, body)
        made = World(server, api, signing.Signer.generate())
        equipped(made)
        made.front = made.new_front()
        async with made.watch:
            telling = asyncio.create_task(made._tell_changes())
            await made.until(lambda: made.cluster.view().synced and set(NAMES) <= set(made.cluster.view().services))
            await made.front.start()
            try:
                yield made
            finally:
                await made.front.stop()
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
