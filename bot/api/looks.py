"""What may be known, asked over HTTP. Nothing is changed here; every member may look."""

from bot.api import asking, behind, errors_told, shown, shown_looks, shown_operation, shown_waves
from k8s import entry_change

Calling = asking.Calling
MOST_EVENTS = 200


class Looks:
    """Raises as `desk.Desk` does."""

    def __init__(self, to: behind.Behind) -> None:
        self._behind = to
        self._front = to.front
        self._asking = asking.Asking(to)

    async def services(self, calling: Calling) -> shown.Overview:
        await self._asking.member(calling, "")
        return shown.overview(await self._front.overview())

    async def service(self, calling: Calling, name: str) -> shown.Service:
        service = await self._of(calling, name)
        found = await self._front.status(service)
        if found is None:
            raise errors_told.unknown_service(name, self._front.names())
        return shown.service(found)

    async def operation(self, calling: Calling, operation_id: str) -> shown_operation.Operation:
        await self._asking.member(calling, "")
        return shown_operation.operation(await self._asking.operation(operation_id))

    async def waves(self, calling: Calling) -> shown_waves.Waves:
        await self._asking.member(calling, "")
        return shown_waves.waves_of(self._front.waves())

    async def wave(self, calling: Calling, name: str) -> shown_waves.Wave:
        """`name`: the wave's, or its operation's id."""
        await self._asking.member(calling, "")
        found = await self._front.wave(name)
        if found is None:
            raise errors_told.unknown_operation(name)
        return shown_waves.wave(found)

    async def history(self, calling: Calling, name: str) -> shown_looks.History:
        service = await self._of(calling, name)
        return shown_looks.history(service, await self._front.history(service))

    async def arrangement(self, calling: Calling, name: str, stage: entry_change.Stage) -> shown_looks.Arrangement:
        service = await self._of(calling, name)
        return shown_looks.arrangement(await self._front.arrangement(service, stage))

    async def preflight(self, calling: Calling, name: str) -> shown_looks.Preflight:
        service = await self._of(calling, name)
        return shown_looks.report(await self._front.preflight(service))

    async def discovery(self, calling: Calling, part: str) -> shown_looks.Found:
        await self._asking.member(calling, "")
        return shown_looks.found(await self._front.discover(), part.lower())

    async def audit(self, calling: Calling, name: str, most: int) -> shown_looks.Events:
        """`name` empty: of all services, and of what is about none."""
        await self._asking.member(calling, name)
        service = self._asking.named(name) if name else ""
        if self._behind.events is None:
            why = "This bot was put together without a way to read the audit back."
            remedy = "Read its log: ferry audit verify - takes it from standard input."
            raise errors_told.NotDone(503, "cannot_look", "Nothing was looked at.", why=why, remedy=remedy)
        return shown_looks.events(await self._behind.events(service, min(most, MOST_EVENTS)))

    async def drift(self, calling: Calling, name: str) -> shown_looks.Drift:
        """`name` empty: of all services."""
        await self._asking.member(calling, name)
        service = self._asking.named(name) if name else None
        return shown_looks.drift(self._front.drift(service))

    async def whoami(self, calling: Calling) -> shown_looks.Self:
        """For everybody whose token is known: whoever may do nothing is told so."""
        return shown_looks.whoami(await self._asking.person(calling))

    async def _of(self, calling: Calling, name: str) -> str:
        await self._asking.member(calling, name)
        return self._asking.named(name)
