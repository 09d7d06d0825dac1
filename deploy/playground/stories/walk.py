"""A service's whole way, act by act, while people use it: what the stories of it share.

Each act answers whether the story can go on; what did not hold is in the scene then. Whatever is measured is counted by clients
and by backends.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.playground import before_ferry, by_hand, objects
from deploy.playground.slack import records
from deploy.playground.stories import accepting, clients, counting, people, scene
from handlers.rules import migration

APP = before_ferry.APP
LADDER = (5, 25, 50, 75, 100)
SOAK, BACKUP = 4, 6  # seconds: a day and a week elsewhere
_SETTINGS: dict[str, dict[str, Any]] = {
    "prometheus": {
        "every": "1s",
        # The proxies here are plain processes: no cgroup limits them, so that there is nothing to measure their use against.
        "queries": {"cpu": "vector(0)", "memory": "vector(0)"},
    },
    "trust": {"soak": True},
    "discovery": {
        "rules": [
            {
                "match": r"^(.+)\.teamname\.dev\.aliyun\.intracloud\.cn\.aibang$",
                "new_host": r"\1.kong.dev.aliyun.intracloud.cn.aibang",
                "new_namespace": before_ferry.NEW_NAMESPACE,
            }
        ],
        "namespaces": [APP.namespace],
    },
}
# Of 5% of errors some eighty requests prove enough, of 1% it takes four hundred; and two busy cores answer unevenly.
GATES = "gates: {error_rate: 5, latency_increase: 1000, minimum_requests: 30}"
_STEP_WITHIN = 90.0  # seconds until the ladder asks for its next step: the numbers must have come together
_ASKED_AGAIN = 3  # times
_COUNTED = 400  # requests, where a share is looked at
_LOOK_AGAIN = 0.1


def settings(window: str) -> dict[str, dict[str, Any]]:
    """Of the bot, where a whole way is walked. `window`: that the gates look at, as long as it takes for a p99 at 5%."""
    return {**_SETTINGS, "prometheus": {**_SETTINGS["prometheus"], "window": window}}


@dataclass(slots=True)
class Walk:
    """`further`: lines of the entry beside the playground's own. `shares`: as counted at the backends, one a weight."""

    told: scene.Scene
    users: clients.Clients
    ladder: Sequence[int]
    further: Sequence[str] = ()
    shares: list[dict[str, Any]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # what was refused, in the words that people were told

    async def discovered(self) -> bool:
        """Found, adjusted and accepted; until somebody accepts, nothing is written, and nothing else ever."""
        told = self.told
        screen = await accepting.offered(told.playground, people.ANN)
        told.demand(await self._document() == objects.NOTHING_LISTED, "looking wrote into migration.yaml")
        lines = [f"soak: {SOAK}s", f"backup: {BACKUP}s", GATES]
        lines += [f"ladder: {list(self.ladder)}", *self.further]
        await accepting.accept(told.playground, people.ANN, screen, APP.name, lines)
        async with asyncio.timeout(_STEP_WITHIN):
            while APP.name not in await self._document():  # noqa: ASYNC110 the cluster tells nobody
                await asyncio.sleep(_LOOK_AGAIN)
        other = objects.SECOND.name in await self._document()
        return told.demand(not other, f"{objects.SECOND.name} was accepted by nobody and stands in migration.yaml")

    async def prepared(self) -> bool:
        """The proxies get the host's requests, and give all of them to old."""
        if not await self.done(f"/migrate prepare {APP.name} through the proxies"):
            return False
        self.told.say("the old ingress hands the host to the proxies")
        return await self.share(0)

    async def done(self, text: str) -> bool:
        """Asked for by Ann, approved by Bob, confirmed by Ann, and carried out. What gates are against is asked for again."""
        persons = self.told.persons
        operation = await persons.approved_and_confirmed(await self._allowed(text))
        outcome = await persons.ended(APP.name, operation)
        return self.told.demand(outcome is migration.Outcome.DONE, f"{text!r} ended as {outcome}: {persons.because}")

    async def _allowed(self, text: str) -> records.Message:
        """Two busy cores are slow for a second now and then, and Ferry then refuses what it is asked for."""
        for _ in range(_ASKED_AGAIN):
            try:
                return await self.told.persons.ask(people.ANN, text)
            except people.Stuck as stuck:
                if "gates do not pass" not in str(stuck):
                    raise
        return await self.told.persons.ask(people.ANN, text)

    async def climbed(self) -> bool:
        """Every step is asked for by itself, once the one before was served; whoever is too early is refused."""
        told, persons = self.told, self.told.persons
        before, ended = persons.posted(), time.monotonic()
        await persons.told(people.ANN, f"/migrate run {APP.name} step by step")
        for weight in self.ladder:
            card = await self._next_card(before)
            if card is None:
                return False
            waited, before = time.monotonic() - ended, persons.posted()
            if weight != self.ladder[0]:
                told.demand(waited >= SOAK, f"{weight}% was asked for {waited:.1f} s after the step before, of {SOAK} s to soak")
            outcome = await persons.ended(APP.name, await persons.approved_and_confirmed(card))
            if not told.demand(outcome is migration.Outcome.DONE, f"{weight}% ended as {outcome}: {persons.because}"):
                return False
            ended = time.monotonic()
            at = await persons.weight(APP.name)
            if not told.demand(at == weight, f"the ladder's step was {at}%, and {weight}% is the next of {list(self.ladder)}"):
                return False
            if weight == self.ladder[0]:
                await self.refusal("shift before its soak", f"/migrate shift {APP.name} {self.ladder[1]}% at once", "soak")
                await self.refusal("finish before 100%", f"/migrate finish {APP.name} at once", "100%")
            if not await self.share(weight):
                return False
            told.say(f"{weight}%: {self.shares[-1]['new']} of {self.shares[-1]['requests']} requests reached new")
        return True

    async def _next_card(self, before: frozenset[str]) -> records.Message | None:
        """None: the ladder pauses instead, and says why."""
        persons = self.told.persons
        asked = asyncio.create_task(persons.asked(before, within=_STEP_WITHIN))
        paused = asyncio.create_task(persons.hears("the ladder pauses on", APP.name, within=_STEP_WITHIN))
        await asyncio.wait({asked, paused}, return_when=asyncio.FIRST_COMPLETED)
        try:
            if asked.done():
                return await asked
            self.told.broke(f"no card asked for the next step: {await paused}")
            return None
        finally:
            asked.cancel()
            paused.cancel()
            await asyncio.gather(asked, paused, return_exceptions=True)

    async def finished(self) -> bool:
        """Not before the backup time is over; afterwards the old host leads to new for good."""
        await self.refusal("finish before the backup time", f"/migrate finish {APP.name} too early", "backup")
        async with asyncio.timeout(_STEP_WITHIN):
            while "finish" not in (await self._status()).lower() or "Until it may be finished" in await self._status():  # noqa: ASYNC110 people ask
                await asyncio.sleep(1)
        if not await self.done(f"/migrate finish {APP.name} the backup time is over"):
            return False
        self.told.say("finished: the entry is a forward for good")
        return await self.share(100)

    async def removed(self) -> bool:
        """The old application is gone with every process of it, and its users notice nothing."""
        processes = [child.pid for pod in self._old_pods() for child in pod.processes.values()]
        self.told.demand(len(processes) == before_ferry.REPLICAS, f"{len(processes)} processes of the old application ran")
        if not await self.done(f"/migrate finish {APP.name} remove nobody needs it"):
            return False
        async with asyncio.timeout(_STEP_WITHIN):
            await self.told.playground.kubelet.until(lambda _: not self._old_pods())
        alive = [pid for pid in processes if _alive(pid)]
        self.told.demand(not alive, f"processes {alive} of the old application still run")
        self.told.measured["processes_of_old_that_ended"] = len(processes)
        return await self.share(100)

    async def share(self, weight: int) -> bool:
        """What old and new counted of some hundred requests of its users."""
        before = self._counted()
        await self.users.read_more(_COUNTED)
        old, new = (now - then for now, then in zip(self._counted(), before, strict=True))
        total = old + new
        right = counting.within(total, new, weight)
        self.shares.append({"weight": weight, "requests": total, "new": new, "old": old})
        return self.told.demand(right, f"at {weight}% {new} of {total} requests reached new")

    async def refusal(self, what: str, text: str, word: str) -> None:
        """Somebody asks too early, and is told why not."""
        said = await self.told.persons.told(people.ANN, text)
        self.refused[what] = said.splitlines()[0] if said else ""
        self.told.demand(word in said.lower(), f"{text!r} was not refused for its {word}, but answered with: {said}")

    def sum_up(self) -> None:
        """Into what the story measured; nobody who used it may have failed."""
        told, counts = self.told, (self.users.reads.counts, self.users.writes.counts)
        asked, failed = sum(one.total for one in counts), sum(one.failed for one in counts)
        told.measured |= {"shares": self.shares, "refused": self.refused, "requests": asked, "failed_requests": failed}
        told.notes.clients(asked, failed)
        told.demand(failed == 0, f"{failed} of {asked} requests failed")

    def _counted(self) -> tuple[int, int]:
        playground = self.told.playground
        old = playground.before.served().total if playground.before else 0
        return old, playground.new.counts.per_host[APP.new_host]

    def _old_pods(self) -> list[Any]:
        running = self.told.playground.kubelet.running()
        return [pod for pod in running if pod.namespace == APP.namespace and pod.name.startswith(APP.service)]

    async def _document(self) -> str:
        return await by_hand.document(self.told.playground)

    async def _status(self) -> str:
        return await self.told.persons.told(people.ANN, f"/migrate status {APP.name}")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
