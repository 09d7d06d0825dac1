"""What this proxy serves, service by service: feeds the protocol, keeps its memory on disk, moves the links.

Everything here is synchronous and touches only local files, so that a pushed hold is in force within one turn of the
event loop. Lowering moves the link first and the memory after; raising has its memory on disk before the link moves.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from k8s import model, protocol, proxy_report, views
from k8s.agent import links as link_files
from k8s.agent import memory_file

SENTENCES = 3  # of what failed, in one answer
NO_ORDERS: Mapping[str, Iterable[model.Hold]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Served:
    """One service as it is now: the formula's verdict, and the weight on the link. `converged`: it serves what the protocol says,
    by the approved hosts and rules; below the record where the breaker suppresses it.

    `limit`: the breaker's, where it cuts, and while the breaker is not closed though it cuts nothing: a raise to 1% must not pass
    for served while 1% is all that is let through.
    """

    effective: protocol.Effective
    weight: int
    generation: int
    waits_for_structure: bool
    converged: bool
    limit: "Suppression | None" = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """The highest `percent` that may reach new for now, whatever was approved, and why, in words for people.

    `since`: ISO time, empty where it is not known.
    """

    percent: int
    reason: str
    since: str = ""


class Serving:
    """Starts from the memory on disk. Unknown services start from nothing.

    Without `may_raise` it only lowers, until `raise_from_now`: the peers are to be heard first.
    """

    def __init__(self, *, memory: memory_file.MemoryFolder, links: link_files.Links, may_raise: bool = True) -> None:
        self._folder = memory
        self._links = links
        remembered = memory.load()
        self._orders = {name: one.orders for name, one in remembered.items()}
        self._memories = {name: one.memory for name, one in remembered.items()}
        self._for_all = self._memories.pop(model.ALL_SERVICES, protocol.Memory(model.ALL_SERVICES))
        self._structure: dict[str, model.Exposure] = {}
        self._without_old: frozenset[str] = frozenset()
        self._may_raise = may_raise
        self._suppression: Callable[[str], Suppression | None] = _nothing
        self._unwritten: dict[str, str] = {}
        self._unmoved: dict[str, str] = {}
        self._at_zero: set[str] = set()  # links that this agent itself has put to 0, and nobody has asked anything of since
        for name in self._memories:
            self._serve(name)

    @property
    def memories(self) -> Mapping[str, protocol.Memory]:
        return self._memories

    @property
    def holds_for_all(self) -> tuple[protocol.RememberedHold, ...]:
        """Of services that are not known yet, too."""
        return self._for_all.holds

    @property
    def orders(self) -> Mapping[str, tuple[model.Hold, ...]]:
        """Standing holds whose words are known, by service, and those for all."""
        return self._orders

    @property
    def trouble(self) -> dict[str, str]:
        """A sentence by service (or `all`) of what could not be moved or written; `look` tries it again."""
        names = sorted({*self._unmoved, *self._unwritten})
        return {name: "; ".join(some[name] for some in (self._unmoved, self._unwritten) if name in some) for name in names}

    def suppressed_by(self, suppression: Callable[[str], Suppression | None]) -> None:
        """Who is asked, whenever a link may move, what the service's breaker lets through. Only cuts what was approved."""
        self._suppression = suppression
        self.reconsider(list(self._memories))

    def reconsider(self, names: Iterable[str]) -> None:
        """What these services' breakers let through may be another now: their links follow before this returns."""
        for name in names:
            if name in self._memories:
                self._serve(name)

    def link(self, service: str) -> int:
        """The percent that nginx sends to new now, of any name."""
        return self._links.served(service)

    @property
    def without_old(self) -> frozenset[str]:
        """Services whose old cluster has no address: there is nowhere to take their requests back to."""
        return self._without_old

    def raise_from_now(self) -> None:
        self._may_raise = True
        for name in self._memories:
            self._serve(name)

    def look(self, view: views.ClusterView) -> None:
        """The cluster as of the last event. Without a complete first reading nothing is concluded from absence.

        Also tries again what could not be moved or written before: to be called now and then, though nothing is new.
        """
        self._mend()
        if not view.synced:
            return
        for name in sorted(set(view.services) | set(self._memories)):
            seen = view.services.get(name, views.ServiceView(name))
            self._update(name, _seen(self._memory(name), seen), seen.holds)
        self._forget_released(view)

    def _forget_released(self, view: views.ClusterView) -> None:
        """A hold of all that a record has ended is no business of services that come later."""
        ended = {one for service in view.services.values() if service.record for one in service.record.clears}
        ended -= {hold.id for service in view.services.values() for hold in service.holds}
        kept = tuple(hold for hold in self._for_all.holds if hold.id not in ended)
        if kept != self._for_all.holds:
            self._keep_for_all(replace(self._for_all, holds=kept))  # on a full disk it holds longer than it must

    def hold(self, order: model.Hold) -> tuple[str, ...]:
        """A pushed hold, for one service or for `all`. Returns the services it holds (none of those whose record has ended
        it already); they serve 0 already.

        Raises OSError, after everything was tried, when a link could not be moved or the hold not be remembered on disk.
        """
        names = sorted(self._memories) if order.service == model.ALL_SERVICES else [order.service]
        for name in names:
            self._update(name, protocol.push_hold(self._memory(name), order.id), [order])
        if order.service == model.ALL_SERVICES:
            self._keep_for_all(protocol.push_hold(self._for_all, order.id), [order])
        trouble = self.trouble
        if failed := [trouble[name] for name in (*names, order.service) if name in trouble]:
            distinct = list(dict.fromkeys(failed))
            more = f" (and {len(distinct) - SENTENCES} more services)" if len(distinct) > SENTENCES else ""
            raise OSError("; ".join(distinct[:SENTENCES]) + more)
        return tuple(name for name in names if order.id in self._memory(name).held)

    def meet(
        self,
        services: Mapping[str, protocol.Peer],
        for_all: Iterable[protocol.RememberedHold],
        orders: Mapping[str, Iterable[model.Hold]] = NO_ORDERS,
    ) -> None:
        """What another agent remembers. Its holds for all are for services it does not know either: of the others it has
        said which still stand. `orders`: the words of its holds.
        """
        for name in sorted(services.keys() - {model.ALL_SERVICES}):
            self._update(name, protocol.see_peer(self._memory(name), services[name]), orders.get(name, ()))
        known = protocol.see_peer(self._for_all, protocol.Peer(generation=0, weight=0, holds=tuple(for_all)))
        self._keep_for_all(known, orders.get(model.ALL_SERVICES, ()))

    def nginx_serves(self, structure: Mapping[str, model.Exposure], *, without_old: frozenset[str] = frozenset()) -> None:
        """nginx was asked and serves these targets and rules: raises that waited for it may go on.

        `without_old`: services whose old cluster has no address. Their records are served, because nobody else could answer,
        but no raise of theirs is called done: there would be no way back.
        """
        self._without_old = without_old
        self._structure = {name: exposure.at(0) for name, exposure in structure.items()}
        for name in self._memories:
            self._serve(name)

    @property
    def structure(self) -> Mapping[str, model.Exposure]:
        """By what nginx decides, by service; weights are not part of it."""
        return self._structure

    def served(self, service: str) -> Served:
        memory = self._memories[service]
        verdict, limit = self._judged(memory)
        weight = self._links.served(service)
        waits = verdict.weight > 0 and not self._in_nginx(memory)
        return Served(
            effective=verdict,
            weight=weight,
            generation=memory.record.generation if memory.record else 0,
            waits_for_structure=waits,
            converged=weight == verdict.weight and not waits and not self._fails(service),
            limit=limit,
        )

    def _fails(self, service: str) -> bool:
        return service in self._unmoved or service in self._unwritten

    def _judged(self, memory: protocol.Memory) -> tuple[protocol.Effective, Suppression | None]:
        """The formula, whole, and the limit to be reported. What was approved at 0 needs no breaker, and where old has no address
        there is nowhere to go.
        """
        approved = protocol.effective(memory)
        finished = memory.record is not None and memory.record.finished
        if approved.weight == 0 or memory.service in self._without_old or finished:
            return approved, None
        cap = self._suppression(memory.service)
        if cap is None:
            return approved, None
        verdict = protocol.effective(memory, suppression=cap.percent)
        if verdict.suppression is None:
            return verdict, cap if cap.since else None
        return replace(verdict, because=f"{verdict.because} ({cap.reason})"), cap

    def reports(self, traffic: Callable[[str], proxy_report.Traffic]) -> dict[str, proxy_report.ServiceReport]:
        """What the agent says of each service it knows; `traffic` is what it counted of one."""
        trouble = self.trouble
        return {name: self._report(name, traffic(name), trouble.get(name, "")) for name in sorted(self._memories)}

    def _report(self, name: str, traffic: proxy_report.Traffic, trouble: str) -> proxy_report.ServiceReport:
        """One look at the link and one at the breaker: a thousand services are told several times a second."""
        memory, now = self._memories[name], self.served(name)
        waits = "; nginx does not serve the approved hosts and rules yet" if now.waits_for_structure else ""
        cap = now.limit
        return proxy_report.ServiceReport(
            service=name,
            generation=now.generation,
            served=now.weight,
            holds=memory.held,
            lowest_wish=memory.lowest_wish if memory.agreed else None,
            because=trouble or now.effective.because + waits + _uncut(cap, now.effective),
            applied=now.converged and name not in self._without_old,
            traffic=traffic,
            pushed=self._orders.get(name, ()),
            suppression=cap.percent if cap is not None else None,
            suppressed_since=cap.since if cap is not None else "",
            finished=memory.record is not None and memory.record.finished,
        )

    def converged(self, name: str) -> bool:
        return self.served(name).converged

    def _in_nginx(self, memory: protocol.Memory) -> bool:
        approved = memory.record.exposure.at(0) if memory.record else None
        return self._structure.get(memory.service) == approved

    def _memory(self, name: str) -> protocol.Memory:
        if name in self._memories:
            return self._memories[name]
        return replace(protocol.Memory(name), holds=self._for_all.holds)

    def _update(self, name: str, fresh: protocol.Memory, orders: Iterable[model.Hold] = ()) -> None:
        """Lowering first moves the link; whatever raises is on disk before it is served."""
        before, words = self._memories.get(name), self._words(name, fresh, orders)
        if fresh == before and words == self._orders.get(name, ()) and not self._fails(name):
            return
        self._at_zero.discard(name)
        lowers = protocol.effective(fresh).weight <= (protocol.effective(before).weight if before else 0)
        if not lowers:
            self._raise(name, fresh, words)
            return
        self._memories[name], self._orders[name] = fresh, words
        self._serve(name)
        waited = name in self._unwritten
        if self._save(fresh, words) and waited:
            self._serve(name)

    def _raise(self, name: str, fresh: protocol.Memory, words: tuple[model.Hold, ...]) -> None:
        if self._save(fresh, words):
            self._memories[name], self._orders[name] = fresh, words
            self._serve(name)
        elif name not in self._memories:
            self._memories[name] = self._memory(name)

    def _keep_for_all(self, fresh: protocol.Memory, orders: Iterable[model.Hold] = ()) -> None:
        words = self._words(model.ALL_SERVICES, fresh, orders)
        same = fresh == self._for_all and words == self._orders.get(model.ALL_SERVICES, ())
        self._for_all, self._orders[model.ALL_SERVICES] = fresh, words
        if not same or model.ALL_SERVICES in self._unwritten:
            self._save(fresh, words)

    def _words(self, name: str, fresh: protocol.Memory, more: Iterable[model.Hold]) -> tuple[model.Hold, ...]:
        """Of the holds that stand by this memory; the words that came first stay. What was placed for all is so for each."""
        known: dict[str, model.Hold] = {}
        for one in (*self._orders.get(name, ()), *self._orders.get(model.ALL_SERVICES, ()), *more):
            if one.service in {name, model.ALL_SERVICES} and (one.reason or one.by or one.since or one.cause):
                known.setdefault(one.id, one)
        return tuple(known[hold] for hold in fresh.held if hold in known)

    def _save(self, memory: protocol.Memory, words: tuple[model.Hold, ...]) -> bool:
        try:
            self._folder.save(memory, words)
        except OSError as error:
            self._unwritten[memory.service] = (
                f"the memory of {memory.service} could not be written ({error.strerror}): a raise waits for it, and a hold is in"
                " force but would be forgotten if the agent restarted; free some space in the agent's state folder, it is tried"
                " again every few seconds"
            )
            return False
        self._unwritten.pop(memory.service, None)
        return True

    def _mend(self) -> None:
        for name in [name for name in self.trouble if name in self._memories]:
            self._update(name, self._memories[name])
        self._keep_for_all(self._for_all)

    def _serve(self, name: str) -> None:
        """Never above the verdict; never up while nginx does not serve the record's own target and rules, nor while what is
        remembered is not on disk: an end of suppression is a raise like any other.

        A link that reads as 0 may be none of ours, which nginx may follow: one to 0 is written anyway, but not again and again.
        """
        memory = self._memories[name]
        wanted = self._judged(memory)[0].weight
        present = self._links.served(name)
        if wanted > present and not (self._may_raise and self._in_nginx(memory) and name not in self._unwritten):
            return
        try:
            if wanted != present or (wanted == 0 and name not in self._at_zero):
                self._at_zero.discard(name)
                self._links.serve(name, wanted)
                self._at_zero |= {name} if wanted == 0 else set()
        except OSError as error:
            if (present := self._links.served(name)) != wanted:
                self._unmoved[name] = (
                    f"the link of {name} could not be moved ({error.strerror}): nginx sends {present}% to new, not {wanted}%;"
                    " mend the run folder that the agent shares with nginx, it is tried again every few seconds"
                )
                return
        self._unmoved.pop(name, None)


def _uncut(cap: Suppression | None, verdict: protocol.Effective) -> str:
    """A limit above what is served says so beside it; one that cuts is what the verdict speaks of."""
    if cap is None or verdict.suppression is not None:
        return ""
    return f"; the breaker lets at most {cap.percent}% through ({cap.reason})"


def _nothing(_: str) -> None:
    """No breaker watches."""


def _seen(memory: protocol.Memory, view: views.ServiceView) -> protocol.Memory:
    """One look at the service. A record that is there but does not count (broken, foreign) keeps what was accepted."""
    if view.record is not None:
        version = protocol.version_number(view.record_version)
        memory = protocol.see_record(memory, view.record, payload=view.record.encode(), uid=view.record.uid, version=version)
    elif not view.record_trouble:
        memory = protocol.miss_record(memory)
    if view.wish_known:
        memory = protocol.see_wish(memory, view.document_wish, version=protocol.version_number(view.wish_version))
    return protocol.see_holds(memory, _ids(view.holds))


def _ids(holds: Iterable[model.Hold]) -> list[str]:
    return [hold.id for hold in holds]
