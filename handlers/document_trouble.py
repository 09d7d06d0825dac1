"""A `migration.yaml` that cannot be followed: people are called once, and told when it is whole again."""

import structlog

from handlers import messages, outside, speaking
from handlers.rules import decision, effects
from k8s import model, views

_NAME = "migration.yaml"
_log = structlog.get_logger("ferry.document")


class DocumentTrouble:
    """`look` at every view in turn; what is to be said then, `say` says, in its own time."""

    def __init__(self, world: outside.Outside, limits: outside.Limits) -> None:
        self._world = world
        self._limits = limits
        self._known = ""
        self._whole_version = ""

    def look(self, view: views.ClusterView) -> bool:
        """Is there anything new to be said?"""
        return view.document_trouble != self._known

    async def say(self, view: views.ClusterView) -> None:
        """Once over all replicas for each way in which each edit broke it."""
        before, self._known = self._known, view.document_trouble
        if not self._known:
            self._whole_version = view.document_version
        # A document that is gone has no version of its own: what it was last makes each loss another one.
        # Replicas that began at different times describe the same edit in different words.
        key = effects.digest("document", view.document_state, view.document_version or self._whole_version)
        if not await speaking.first(self._world, f"document/{key}"):
            return
        if self._known:
            await self._broken(view)
        else:
            _log.info("migration.yaml is whole again", was=before)
            await speaking.spoken(self._world.chat.alert(self._whole(before, key)))

    async def _broken(self, view: views.ClusterView) -> None:
        trouble = view.document_trouble
        wrote = f" It was last written by {view.document.writer}." if view.document.writer else ""
        sentence = f"{trouble.rstrip('.')}.{wrote} {self._meaning(view)}"
        event = effects.AuditEvent(
            kind=effects.EventKind.REFUSED,
            who=decision.FERRY,
            service=model.ALL_SERVICES,
            operation="",
            sentence=trouble,
            source=messages.Source.CLUSTER,
        )
        await speaking.spoken(self._world.audit.record(event))
        await speaking.spoken(self._world.chat.page(model.ALL_SERVICES, sentence))

    def _meaning(self, view: views.ClusterView) -> str:
        back = f"If nobody corrects it in {self._limits.put_back:g} s, Ferry puts it back as it was last whole."
        if view.document.controller:
            back = f"{view.document.controller} keeps it: correct it where that takes it from."
        severe = f"{self._limits.severe:g} s"
        match view.document_state:
            case views.DocumentState.ENTRIES:
                if not any(one.refused for one in view.services.values()):
                    return "No service is concerned. Correct it all the same."
                held = f"A service whose entry nobody has corrected after {severe} is held at 100% old."
                return f"No other service is concerned; what is lower in it is obeyed. {back} {held}"
            case views.DocumentState.MISSING:
                return f"Everything but finished services goes to 100% old. Nothing is raised before it is there again. {back}"
            case _:
                held = f"After {severe} without a correction everything but finished services is held at 100% old."
                return (
                    f"What it said last counts, and what is lower in it. Nothing is raised before it is corrected. {back} {held}"
                )

    def _whole(self, before: str, key: str) -> messages.Alert:
        """A card that calls nobody is what ends an alert."""
        now = self._world.clock.now()
        return messages.Alert(
            id=f"document/{key}",
            at=now,
            service="",
            name=_NAME,
            cause=f"document/{key}",
            severity=messages.Severity.WARNING,
            firing=False,
            started=now,
            summary=f"it can be followed again; it was: {before}",
        )
