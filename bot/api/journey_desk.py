"""The whole way of a service, asked over HTTP: its objects, its ladder, its end, and what is found and added before it."""

from datetime import datetime

from bot.api import asked, asking, behind, errors_told, shown, shown_looks
from bot.slack import typed_words
from handlers import discovering, journey_messages, messages
from handlers.rules import refusals, waves
from k8s import entry_change

Calling = asking.Calling


class JourneyDesk:
    """Raises as `desk.Desk` does."""

    def __init__(self, to: behind.Behind) -> None:
        self._behind = to
        self._asking = asking.Asking(to)

    async def arrange(self, calling: Calling, name: str, stage: entry_change.Stage, reason: str) -> shown.Answer:
        """`stage`: any but FORWARD, which belongs to `finish`."""
        verb = str(stage)
        if stage is entry_change.Stage.BYPASS:  # it leads to old: hardly anything may stand in its way
            actor = await self._asking.member(calling, name)
            service = await self._asking.to_old(actor, name, verb)
        else:
            actor, service = await self._asked(calling, name)
        said = self._asking.said(calling, actor, service, verb)
        return await self._asking.handled(journey_messages.ProposeObjects(**said, stage=stage, reason=reason))

    async def wave(self, calling: Calling, body: asked.Wave) -> shown.Answer:
        """Each may be given by its old host; the first that nobody knows is told."""
        actor = await self._asking.person(calling)
        services = [await self._asking.to_change(actor, one) for one in body.services]
        said = self._asking.said(calling, actor, "", "wave")
        said["service"] = waves.name(said["id"])
        message = journey_messages.ProposeWave(**said, services=tuple(services), weight=body.weight, reason=body.reason)
        return await self._asking.handled(message)

    async def finish(self, calling: Calling, name: str, reason: str) -> shown.Answer:
        actor, service = await self._asked(calling, name)
        said = self._asking.said(calling, actor, service, "finish")
        return await self._asking.handled(journey_messages.ProposeFinish(**said, reason=reason))

    async def run(self, calling: Calling, name: str, body: asked.Run) -> shown.Answer:
        until = self._until(body.until)
        actor, service = await self._asked(calling, name)
        said = self._asking.said(calling, actor, service, "run")
        message = journey_messages.ProposeRun(**said, mode=body.mode, until=until, reason=body.reason)
        return await self._asking.handled(message)

    async def skip(self, calling: Calling, name: str, reason: str) -> shown.Answer:
        actor, service = await self._asked(calling, name)
        said = self._asking.said(calling, actor, service, "skip")
        return await self._asking.handled(journey_messages.SkipSoak(**said, reason=reason))

    async def pause(self, calling: Calling, name: str, reason: str) -> shown.Answer:
        """Any member may: it stops what would lead to new."""
        actor = await self._asking.member(calling, name)
        service = await self._asking.to_old(actor, name, "pause")
        said = self._asking.said(calling, actor, service, "pause")
        return await self._asking.handled(journey_messages.PauseRun(**said, reason=reason))

    async def resume(self, calling: Calling, name: str, reason: str) -> shown.Answer:
        actor, service = await self._asked(calling, name)
        said = self._asking.said(calling, actor, service, "resume")
        return await self._asking.handled(journey_messages.ResumeRun(**said, reason=reason))

    async def accept(self, calling: Calling, body: asked.Accept) -> shown_looks.Accepted:
        """Exactly what is named is added, all or nothing; the one who calls has confirmed it by naming it."""
        await self._asking.member(calling, "")
        actor = await self._asking.person(calling)
        said = self._asking.said(calling, actor, "migration.yaml", "accept")
        wanted = discovering.Accept(
            said["id"], said["at"], actor, names=tuple(body.names), texts=dict(body.texts), seen=body.seen
        )
        done = await self._behind.front.accept(wanted)
        if done.refusal is not None:
            await self._asking.tried(actor, "", done.refusal.sentence)
            raise errors_told.of_refusal(done.refusal)
        return shown_looks.Accepted(said=done.sentence, added=list(done.added))

    async def _asked(self, calling: Calling, name: str) -> tuple[messages.Person, str]:
        actor = await self._asking.person(calling)
        return actor, await self._asking.to_change(actor, name)

    def _until(self, typed: str) -> datetime | None:
        """Read as Slack reads what is typed there; None: as the settings say."""
        if not typed:
            return None
        try:
            until, lasts = typed_words.end([typed], "")
        except typed_words.UsageError as error:
            what, remedy = "Nothing was asked for.", "Write until like 2026-12-31, 2026-12-31T18:00Z or 7d."
            invalid = str(refusals.Reason.INVALID)
            raise errors_told.NotDone(422, invalid, what, why=error.sentence, remedy=remedy) from None
        return until if lasts is None else self._behind.clock.now() + lasts
