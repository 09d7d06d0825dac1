"""A whole world for the use cases: the real books and watches over the stand-in API, honest agents, ports in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
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
    proxy_report,
    records,
    signing,
    views,
    watch,
    wish,
    wish_document,
)
from tests.handlers import ports_in_memory

NAMESPACE = "default"
ANN = messages.Person("slack:T0/ANN", "Ann", approver=True)
BOB = messages.Person("slack:T0/BOB", "Bob", approver=True)
LIMITS = outside.Limits(converge=5.0, hold=5.0, verify=0.05, ask=0.01, tick=0.05, listen=0.05)
NAMES = ("cart", "shop")


def document(**weights: int) -> str:
    entries = [
        f"""  - name: "{name}"
    old_host: "{name}.old.example"
    new_host: "{name}.new.example"
    old_backend: "{name}.team.svc.cluster.local:8080"
    migration_percentage: {weights.get(name, 0)}  # share of the new cluster
    strategy: "weight"
    enabled: true"""
        for name in NAMES
    ]
    return "services:\n" + "\n".join(entries) + "\n"


def edited(text: str, service: str, expected: int, weight: int) -> str:
    return wish_document.with_weight(text, service, weight, expected=expected)


@dataclass
class ClusterPort:
    """`ports.Cluster` over the real watches."""

    watch: cluster_watch.ClusterWatch

    def view(self) -> views.ClusterView:
        return self.watch.view()

    def service(self, name: str) -> views.ServiceView:
        return self.view().services.get(name) or views.ServiceView(name)

    async def changed(self) -> None:
        before = self.view()
        async with contextlib.aclosing(self.watch.changes()) as newer:
            async for view in newer:
                if view is not before:
                    return


@dataclass
class Records:
    book: records.RecordBook
    after_write: Callable[[], None] = lambda: None

    async def write(self, change: views.RecordChange) -> protocol.Record:
        record, _ = await self.book.write(change)
        self.after_write()
        return record

    async def note(self, service: str, operation: Mapping[str, Any]) -> None:
        await self.book.note(service, operation, str(operation["id"]))

    async def history(self, service: str) -> tuple[views.Revision, ...]:
        return await self.book.history(service)


@dataclass
class Wishes:
    book: wish.WishBook
    before_write: Callable[[], Any] | None = None

    async def set_weight(self, service: str, weight: int, expected: int) -> None:
        if self.before_write is not None:
            await self.before_write()
        await self.book.set_weight(service, expected=expected, weight=weight)


@dataclass
class Holds:
    book: holds.HoldBook

    async def place(self, hold: model.Hold) -> None:
        await self.book.place(hold)

    async def adopt(self, hold: model.Hold) -> bool:
        return await self.book.adopt(hold)

    async def remove(self, holds: tuple[model.Hold, ...]) -> None:
        await self.book.remove(holds)


@dataclass
class Agents:
    """Proxies that follow the protocol: they serve what `effective` says of all they have seen.

    `behind`: pods that see nothing new. `mute`: pods that do not answer. `traffic`: what each has counted of a service.
    """

    cluster: ClusterPort
    pods: tuple[str, ...] = ("proxy-1", "proxy-2")
    behind: set[str] = field(default_factory=set)
    mute: set[str] = field(default_factory=set)
    pushed: list[model.Hold] = field(default_factory=list)
    traffic: dict[str, proxy_report.Traffic] = field(default_factory=dict)
    memory: dict[tuple[str, str], protocol.Memory] = field(default_factory=dict)

    def look(self) -> None:
        """Every pod sees the cluster as the watch has it."""
        for pod in self.pods:
            if pod not in self.behind:
                for name, one in self.cluster.view().services.items():
                    self.memory[pod, name] = self._seen(self._of(pod, name), one)

    def served(self, service: str) -> list[int]:
        self.look()
        return [protocol.effective(self._of(pod, service)).weight for pod in self.pods]

    async def push(self, hold: model.Hold) -> tuple[views.PushAnswer, ...]:
        self.pushed.append(hold)
        self.look()
        names = self.cluster.view().services if hold.service == model.ALL_SERVICES else (hold.service,)
        for pod in self.pods:
            for name in names:
                if pod not in self.mute:
                    self.memory[pod, name] = protocol.push_hold(self._of(pod, name), hold.id)
        return tuple(
            views.PushAnswer(pod, held=pod not in self.mute, trouble="no answer" if pod in self.mute else "") for pod in self.pods
        )

    async def fleet(self) -> views.Fleet:
        self.look()
        reports = tuple(self._report(pod) for pod in self.pods if pod not in self.mute)
        return views.Fleet(len(self.pods), reports, tuple(pod for pod in self.pods if pod in self.mute))

    def _of(self, pod: str, service: str) -> protocol.Memory:
        return self.memory.get((pod, service)) or protocol.Memory(service)

    def _seen(self, memory: protocol.Memory, one: views.ServiceView) -> protocol.Memory:
        memory = protocol.see_wish(memory, one.wish if one.wished else None)
        memory = protocol.see_holds(memory, [hold.id for hold in one.holds])
        if one.record is not None:
            memory = protocol.see_record(memory, one.record, payload=one.record.encode(), uid=one.record.uid)
        return memory

    def _report(self, pod: str) -> proxy_report.ProxyReport:
        services = {}
        for name in self.cluster.view().services:
            memory = self._of(pod, name)
            now = protocol.effective(memory)
            services[name] = proxy_report.ServiceReport(
                name,
                generation=memory.record.generation if memory.record else 0,
                served=now.weight,
                holds=now.held,
                lowest_wish=memory.lowest_wish if memory.agreed else None,
                because=now.because,
                traffic=self.traffic.get(name, proxy_report.Traffic()),
            )
        return proxy_report.ProxyReport(pod, ready=True, terminating=False, config="c0", services=services)


class World:
    """`front` is started; a crash is `stop` without any goodbye, and `restart` is another process with the same outside."""

    def __init__(self, server: KubernetesStandIn, api: client.ClusterClient, signer: signing.Signer) -> None:
        self.server = server
        self.api = api
        self.stir = ports_in_memory.Stir()
        self.clock = ports_in_memory.Clock()
        self.pending = ports_in_memory.Pending(self.stir)
        self.chat = ports_in_memory.Chat(self.stir)
        self.audit = ports_in_memory.Audit(self.stir)
        self.alerts = ports_in_memory.Alerts()
        self.book = records.RecordBook(api, NAMESPACE, signer)
        self.records = Records(self.book)
        self.wishes = Wishes(wish.WishBook(api, NAMESPACE, edited))
        verifier = signing.Verifier.from_pems([signer.public_pem()])
        self.watch = cluster_watch.ClusterWatch(
            api,
            NAMESPACE,
            verifier,
            wish_document.read,
            weights=wish_document.weights,
            limits=watch.Limits(first_pause=0.02, longest_pause=0.1),
        )
        self.cluster = ClusterPort(self.watch)
        self.agents = Agents(self.cluster)
        self.outside = outside.Outside(
            clock=self.clock,
            pending=self.pending,
            seen=ports_in_memory.Seen(self.pending),
            cluster=self.cluster,
            records=self.records,
            wishes=self.wishes,
            holds=Holds(holds.HoldBook(api, NAMESPACE)),
            agents=self.agents,
            chat=self.chat,
            audit=self.audit,
            alerts=self.alerts,
        )
        self.limits = LIMITS
        self.front = self.new_front()
        self._count = 0

    def new_front(self, **changes: Any) -> Front:
        return Front(self.outside, trust=migration.Trust(), limits=self.limits, **changes)

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
async def world_of(server: KubernetesStandIn) -> AsyncIterator[World]:
    access = credentials.Explicit(server.url, token=server.admin_token)
    async with client.ClusterClient(access, limit=1.0) as api:
        for name, data in ((wish.CONFIG_MAP, {wish.DOCUMENT: document()}), (holds.CONFIG_MAP, {})):
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
            with contextlib.suppress(errors.Conflict):
                await api.create(client.CONFIG_MAPS, NAMESPACE, body)
        made = World(server, api, signing.Signer.generate())
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
