"""A broken `migration.yaml` is put back as it was last whole, after a while in which its writer may correct it.

Mild: unreadable, missing, or with refused entries. It is put back once, unless a controller keeps it (it would only write the
same again). Severe: not put back in time, or broken in the same way again soon after. Then what is concerned is held at 100% old:
all services where nothing can be read, else each refused one alone. A missing document means 100% old by itself.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from handlers import hold, messages, outside, speaking, tasks
from handlers.rules import decision, effects
from k8s import errors, hold_document, model, views, wish, wish_restore

State = views.DocumentState
_NAME = wish.DOCUMENT
_AGAIN = 2.0  # seconds between two tries of a write that failed
_CAUSE = "document"
_log = structlog.get_logger("ferry.document")


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Of a service, or of `all`: since when (monotonic seconds), and the version of the document that brought it; empty: it is
    missing.
    """

    since: float
    version: str


class Restoring:
    """`look` at every view in turn; what is due is done beside it."""

    def __init__(self, world: outside.Outside, limits: outside.Limits, *, lane: hold.HoldLane, work: tasks.Tasks) -> None:
        self._world = world
        self._limits = limits
        self._lane = lane
        self._tasks = work
        self._last = views.Document()  # the last whole one
        self._asked_for_last = False
        self._kept = ""
        self._troubles: dict[str, _Trouble] = {}
        self._held: set[str] = set()
        self._told: set[str] = set()
        self._pause_until = 0.0

    def look(self, view: views.ClusterView) -> None:
        if view.document_state is State.WHOLE:
            self._whole(view.document)
            return
        now = self._world.clock.monotonic()
        names = [model.ALL_SERVICES]
        if view.document_state is State.ENTRIES:
            names = [name for name, one in view.services.items() if one.refused]
        fresh = _Trouble(now, view.document.version)
        # Missing is no beginning of unreadable: agents do not count it either, and make the hold of this very version.
        known = {name: one for name, one in self._troubles.items() if bool(one.version) == bool(fresh.version)}
        self._troubles = {name: known.get(name, fresh) for name in names}
        for name, trouble in self._troubles.items():
            if now - trouble.since >= self._limits.severe or self._soon_again(name, view.document):
                self._hold(name, trouble, view)
        due = [
            name
            for name, trouble in self._troubles.items()
            if now - trouble.since >= self._limits.put_back and not self._soon_again(name, view.document)
        ]
        if due and now >= self._pause_until and not self._tasks.runs("put the document back"):
            self._pause_until = now + _AGAIN
            self._tasks.start(self._put_back(view, sorted(due)), key="put the document back")

    def _whole(self, document: views.Document) -> None:
        self._troubles = {}
        if document.text:
            self._last = document
        if document.text and document.version != self._kept and not self._tasks.runs("keep the document"):
            self._tasks.start(self._keep(), key="keep the document")

    async def _keep(self) -> None:
        """After a while, so that a storm of shifts is one write."""
        await self._world.clock.sleep(self._limits.keep)
        document = self._last
        try:
            await self._world.documents.keep(document)
        except errors.Conflict:
            return  # another replica is at it; the next look tries again
        except errors.ClusterError as error:
            _log.warning("the last whole migration.yaml was not kept", why=str(error))
            return
        self._kept = document.version

    # Putting back

    def _soon_again(self, name: str, document: views.Document) -> bool:
        """It was put back for this a short while ago, by whichever replica."""
        at, _, services = document.put_back.partition(" ")
        try:
            age = self._world.clock.now() - datetime.fromisoformat(at)
        except (ValueError, TypeError):
            return False
        return name in services.split(",") and age < timedelta(seconds=self._limits.again)

    async def _put_back(self, view: views.ClusterView, due: list[str]) -> None:
        if view.document.controller:
            await self._not_put_back(
                view,
                f"{view.document.controller} keeps it, so Ferry does not put it back; correct it where {view.document.controller}"
                " takes it from",
            )
            return
        text = await self._text(view)
        if not text:
            await self._not_put_back(view, "no whole text of it is known, so Ferry cannot put it back; correct it by hand")
            return
        told = f"{self._world.clock.now().isoformat(timespec='seconds')} {','.join(due)}"
        try:
            await self._world.documents.put(text, over=view.document.version, told=told, refused=view.document.text)
        except errors.Conflict:
            return  # somebody was first: the next view says what stands now
        except errors.ClusterError as error:
            await self._not_put_back(view, f"Ferry could not put it back ({error}); it is tried again")
            return
        await self._say(view, due)

    async def _text(self, view: views.ClusterView) -> str:
        """What is to stand there; empty where nobody knows. Raises nothing: what is kept may have been written by hand."""
        if not self._last.text and not self._asked_for_last:
            try:
                self._last = await self._world.documents.last_whole()
            except errors.ClusterError:
                return ""
            self._asked_for_last = True
        if not self._last.text:
            return ""
        records = {name: one.record for name, one in view.services.items() if one.record is not None}
        try:
            if view.document_state is State.MISSING:
                finished = {name for name, record in records.items() if record.finished}
                return await asyncio.to_thread(wish_restore.zeroed, self._last.text, finished=finished)
            approved = {name: one.in_force.weight for name, one in view.services.items() if one.in_force is not None}
            return await asyncio.to_thread(wish_restore.put_back, self._last.text, view.document.text, approved=approved)
        except ValueError as error:
            _log.warning("the kept text of migration.yaml is not whole", why=str(error))
            return ""

    # Saying so

    async def _say(self, view: views.ClusterView, due: list[str]) -> None:
        """One card: the replica that wrote it is the one that says so."""
        if view.document_state is State.MISSING:
            what = "it was gone, and was written again with every weight at 0 (finished services excepted)"
            how = "Nothing else of it is lost: ask for each service with `/migrate shift`, or apply your file."
        else:
            whose = "could not be read" if view.document_state is State.UNREADABLE else f"was refused for {_listed(due)}"
            what = f"it {whose} (last written by {view.document.writer or 'somebody'}), and was put back as it was last whole"
            how = (
                f"The refused text is kept as {wish.REFUSED} in the ConfigMap {wish.LAST_WHOLE}: correct it, let"
                f" `ferry check FILE` read it, and apply it again. What was wrong: {view.document_trouble}"
            )
        _log.info("migration.yaml was put back", over=view.document.version, services=due)
        await self._audit(f"{_NAME}: {what}")
        await speaking.spoken(self._world.chat.alert(self._card(f"{what}. {how}", view)))

    async def _not_put_back(self, view: views.ClusterView, why: str) -> None:
        """Once for each broken version, over all replicas."""
        once = f"document/{view.document.version or 'gone ' + self._last.version}/{effects.digest('not put back', why)}"
        if once in self._told:
            return
        self._told.add(once)
        sentence = f"{_NAME} is not put back by Ferry: {why}. {view.document_trouble}"
        await speaking.page(self._world, model.ALL_SERVICES, sentence, once=once)

    def _card(self, summary: str, view: views.ClusterView) -> messages.Alert:
        now = self._world.clock.now()
        cause = f"document/put-back/{view.document.version or self._last.version}"
        return messages.Alert(
            id=cause,
            at=now,
            service="",
            name=_NAME,
            cause=cause,
            severity=messages.Severity.WARNING,
            firing=True,
            started=now,
            summary=summary,
        )

    async def _audit(self, sentence: str) -> None:
        event = effects.AuditEvent(
            kind=effects.EventKind.SETTLED,
            who=decision.FERRY,
            service=model.ALL_SERVICES,
            operation="",
            sentence=sentence,
            source=messages.Source.FERRY,
        )
        await speaking.spoken(self._world.audit.record(event))

    # Severe

    def _hold(self, name: str, trouble: _Trouble, view: views.ClusterView) -> None:
        """Once for each broken version; what people have released does not come back."""
        if view.document_state is State.MISSING or not any(_exposed(one) for one in _concerned(name, view)):
            return
        order = model.Hold(
            name,
            hold_document.document_hold_id(trouble.version),
            reason=_reason(name, view),
            by=decision.FERRY,
            since=self._world.clock.now().isoformat(timespec="seconds"),
            cause=f"{_CAUSE}/{trouble.version}",
        )
        known = any(order.id == one.id for of in _concerned(name, view) for one in of.holds)
        ended = any(of.record is not None and order.id in of.record.clears for of in _concerned(name, view))
        if order.key in self._held or known or ended:
            return
        self._held.add(order.key)
        who = "All services are" if name == model.ALL_SERVICES else f"{name} is"
        page = f"{who} held at 100% old: {order.reason.rstrip('.')}. {hold.NOTHING_FORWARD}"
        self._tasks.start(self._lane.place(order, page=page), name=f"hold {order.key}")


def _concerned(name: str, view: views.ClusterView) -> list[views.ServiceView]:
    return [one for one in view.services.values() if name in {model.ALL_SERVICES, one.name}]


def _exposed(one: views.ServiceView) -> bool:
    """Something of it may reach new, and there is an old to go to."""
    return one.record is not None and not one.record.finished and one.in_force is not None and one.in_force.weight > 0


def _reason(name: str, view: views.ClusterView) -> str:
    why = view.document_trouble if name == model.ALL_SERVICES else view.services[name].refused
    return f"nobody has corrected {_NAME}, or it was broken again: {why}"[:400]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
