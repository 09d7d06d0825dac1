"""The cluster's ports over the real books and watches, and proxies that follow the protocol to the letter."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from handlers.rules import effects
from k8s import cluster_watch, errors, holds, key_spread, model, protocol, proxy_report, records, views, wish, wish_change


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
        try:
            await self.book.note(service, operation, str(operation["id"]))
        except errors.Conflict:
            await self.book.note(service, operation, effects.revert_id(str(operation["id"])))

    async def history(self, service: str) -> tuple[views.Revision, ...]:
        return await self.book.history(service)


@dataclass
class Journeys:
    """`before_keep`: called before each. `away`: so many times it is not answered. `kept`: how often one was."""

    book: records.RecordBook
    before_keep: Callable[[], Any] | None = None
    away: int = 0
    kept: int = 0

    async def keep(self, service: str, journey: Mapping[str, Any], expected_revision: int) -> bool:
        if self.before_keep is not None:
            await self.before_keep()
        if self.away:
            self.away -= 1
            raise errors.Unreachable("the API server does not answer")
        kept = await self.book.keep_journey(service, journey, expected_revision)
        self.kept += kept
        return kept


@dataclass
class Wishes:
    book: wish.WishBook
    before_write: Callable[[], Any] | None = None

    async def write(self, change: wish_change.WishChange) -> str:
        if self.before_write is not None:
            await self.before_write()
        return await self.book.write(change)


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

    `behind`: pods that see nothing new. `mute`: pods that do not answer; `unready`: those that the cluster says are not ready.
    `traffic`: what each has counted of a service.
    `spreads`: by which keys, alike. `before_answer`: called whenever all are asked.
    `breakers`: by pod, the percent that its breaker lets through and why. `down`: pods whose probe does not reach new.
    `dead_old`: pods whose requests to old do not get through.
    """

    cluster: ClusterPort
    pods: tuple[str, ...] = ("proxy-1", "proxy-2")
    behind: set[str] = field(default_factory=set)
    mute: set[str] = field(default_factory=set)
    unready: set[str] = field(default_factory=set)
    pushed: list[model.Hold] = field(default_factory=list)
    traffic: dict[str, proxy_report.Traffic] = field(default_factory=dict)
    spreads: dict[str, key_spread.Spread] = field(default_factory=dict)
    before_answer: Callable[[], None] | None = None
    breakers: dict[str, tuple[int, str]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    dead_old: set[str] = field(default_factory=set)
    memory: dict[tuple[str, str], protocol.Memory] = field(default_factory=dict)

    def look(self) -> None:
        """Every pod sees the cluster as the watch has it."""
        for pod in self.pods:
            if pod not in self.behind:
                for name, one in self.cluster.view().services.items():
                    self.memory[pod, name] = self._seen(self._of(pod, name), one)

    def served(self, service: str) -> list[int]:
        self.look()
        return [self._effective(pod, self._of(pod, service)).weight for pod in self.pods]

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
        if self.before_answer is not None:
            self.before_answer()
        reports = tuple(self._report(pod) for pod in self.pods if pod not in self.mute)
        silent = tuple(pod for pod in self.pods if pod in self.mute)
        return views.Fleet(len(self.pods), reports, silent, tuple(pod for pod in silent if pod in self.unready))

    def _effective(self, pod: str, memory: protocol.Memory) -> protocol.Effective:
        if pod not in self.breakers:
            return protocol.effective(memory)
        percent, reason = self.breakers[pod]
        now = protocol.effective(memory, suppression=percent)
        return now if now.suppression is None else replace(now, because=f"{now.because} ({reason})")

    def _of(self, pod: str, service: str) -> protocol.Memory:
        return self.memory.get((pod, service)) or protocol.Memory(service)

    def _seen(self, memory: protocol.Memory, one: views.ServiceView) -> protocol.Memory:
        if one.wish_known:
            memory = protocol.see_wish(memory, one.document_wish)
        memory = protocol.see_holds(memory, [hold.id for hold in one.holds])
        if one.record is not None:
            memory = protocol.see_record(memory, one.record, payload=one.record.encode(), uid=one.record.uid)
        elif not one.record_trouble:
            memory = protocol.miss_record(memory)
        return memory

    def _report(self, pod: str) -> proxy_report.ProxyReport:
        services = {}
        for name in self.cluster.view().services:
            memory = self._of(pod, name)
            now = self._effective(pod, memory)
            services[name] = proxy_report.ServiceReport(
                name,
                generation=memory.record.generation if memory.record else 0,
                served=now.weight,
                holds=now.held,
                pushed=tuple(hold for hold in self.pushed if hold.id in now.held),
                lowest_wish=memory.lowest_wish if memory.agreed else None,
                because=now.because,
                traffic=self.traffic.get(name, proxy_report.Traffic()),
                suppression=now.suppression,
                new_up=pod not in self.down,
                old_dead=pod in self.dead_old,
                finished=memory.record is not None and memory.record.finished,
                spread=self.spreads.get(name),
            )
        return proxy_report.ProxyReport(pod, ready=True, terminating=False, config="c0", services=services)
