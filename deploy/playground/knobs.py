"""The knobs of the page: each breaks one thing, or does what a person might do, and says in one sentence what to watch."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deploy.playground import alerts_by_hand, by_hand, laptop, objects
from deploy.playground.slack import side_panel
from deploy.playground.world import affliction
from k8s import errors

SERVICE = objects.FIRST.name
SLOW_SECONDS = 0.5
_BOTS = 2
_BEFALLEN = {
    affliction.Affliction.UP: "The new cluster is well: a little goes there first, then all that was approved, by itself.",
    affliction.Affliction.DOWN: "The new cluster refuses connections: old answers at once, and soon new is not asked.",
    affliction.Affliction.HANGING: "The new cluster answers nobody: requests wait until the probe fails, then all goes to old.",
    affliction.Affliction.SLOW: "The new cluster takes 5 s, which no probe waits for: watch its share fall to nothing.",
    affliction.Affliction.UNAVAILABLE: "The new cluster answers 503: who reads hears old instead, and soon new is not asked.",
    affliction.Affliction.RESETTING: "The new cluster cuts every request: who only reads hears old, and soon new is not asked.",
    affliction.Affliction.UNREACHABLE: "The new cluster accepts and says nothing, not even TLS: requests wait, then old answers.",
    affliction.Affliction.DROPPED: "Packets to the new cluster are lost: silence is noticed in seconds, and all goes to old.",
}
Turn = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class _Entry:
    """`value` is asked whenever the page is painted."""

    knob: side_panel.Knob
    value: Callable[[], str]
    turn: Turn


class Knobs:
    """The knobs of one playground. What somebody else runs (their Redis, their cluster) has none."""

    def __init__(self, playground: laptop.Playground) -> None:
        self._playground = playground
        self._stopped: set[str] = set()
        listed = [*self._new_cluster(), *self._ferrys_own(), *self._people()]
        self._entries = {entry.knob.id: entry for entry in listed}

    def listed(self) -> list[side_panel.Knob]:
        """As they stand now."""
        return [
            side_panel.Knob(
                id=entry.knob.id,
                label=entry.knob.label,
                kind=entry.knob.kind,
                options=entry.knob.options,
                value=entry.value(),
                help=entry.knob.help,
            )
            for entry in self._entries.values()
        ]

    async def turn(self, name: str, value: str) -> str:
        """Turns one; the sentence for whoever did. Never raises for what the cluster answers."""
        entry = self._entries.get(name)
        if entry is None:
            return f"There is no knob {name}; reload the page."
        try:
            return await entry.turn(value)
        except (errors.ClusterError, LookupError, OSError) as error:
            return f"That did not work: {error}"

    # The new cluster

    def _new_cluster(self) -> list[_Entry]:
        new = self._playground.new
        ways = tuple(one.value for one in affliction.Affliction)
        return [
            _entry("new-errors", "New cluster answers 500", "toggle", self._errors, lambda: _on(new.knobs.error_share > 0),
                   words="Every request there fails"),
            _entry("new-slow", "New cluster is slow", "toggle", self._slow, lambda: _on(new.knobs.delay == SLOW_SECONDS),
                   words=f"{SLOW_SECONDS:g} s before each answer"),
            _entry("new-reach", "New cluster is", "choice", self._befall, lambda: affliction.of(new).value, options=ways,
                   words="Each proxy sees it by itself, and comes back by itself"),
        ]  # fmt: skip

    async def _errors(self, value: str) -> str:
        self._playground.new.knobs.error_share = 1.0 if value == "on" else 0.0
        if value != "on":
            return "The new cluster answers again. Nothing goes there by itself: a hold ends only by an approved plan."
        return "The new cluster answers 500 from now on; where it has traffic, an alert takes it back within seconds."

    async def _slow(self, value: str) -> str:
        self._playground.new.knobs.delay = SLOW_SECONDS if value == "on" else 0.0
        if value != "on":
            return "The new cluster is as fast as before."
        return "The new cluster takes half a second longer; after 30 s an alert warns, after a minute it takes the traffic back."

    async def _befall(self, value: str) -> str:
        await affliction.befall(self._playground.new, affliction.Affliction(value))
        return _BEFALLEN[affliction.Affliction(value)]

    # What Ferry stands on

    def _ferrys_own(self) -> list[_Entry]:
        given = self._playground.choices
        found = []
        if not given.redis_url:
            found.append(_entry("redis", "Redis is stopped", "toggle", self._redis, lambda: _on("redis" in self._stopped),
                                words="Pending approvals are away"))  # fmt: skip
        if given.kubeconfig is None:
            found.append(_entry("api", "API server is stopped", "toggle", self._api, lambda: _on("api" in self._stopped),
                                words="Traffic goes on as it is"))  # fmt: skip
        found.append(_entry("bot", "Bot is stopped", "toggle", self._bot, lambda: _on("bot" in self._stopped),
                            words="Both replicas"))  # fmt: skip
        if given.slack is None:
            found.append(_entry("slack", "Slack answers 429", "action", self._slack, lambda: "", words="To the next 5 calls"))
        return found

    async def _redis(self, value: str) -> str:
        await by_hand.scale(self._playground, "ferry-redis", 0 if value == "on" else 1)
        self._note("redis", value)
        if value == "on":
            return "Redis ends. Rolling back, holds and alerts work as before; asking for more waits until Redis is back."
        return "Redis starts again."

    async def _api(self, value: str) -> str:
        cluster = self._playground.cluster
        if cluster is None:
            return "This API server is not the playground's own."
        await (cluster.stop() if value == "on" else cluster.start())
        self._note("api", value)
        if value == "on":
            return "The API server is gone. Proxies go on serving what was approved; a hold still reaches them by direct push."
        return "The API server answers again."

    async def _bot(self, value: str) -> str:
        await by_hand.scale(self._playground, "ferry-bot", 0 if value == "on" else _BOTS)
        self._note("bot", value)
        if value == "on":
            return "Both bots end. Now edit the file by hand: down is obeyed, up moves nothing; a kubectl patch still holds."
        return "Two bots start; they find the cluster as it is."

    async def _slack(self, _: str) -> str:
        self._playground.slack.faults.rate_limit(times=5)
        return "Slack answers 429 to the next five calls; cards come a little later, and nothing else waits for them."

    # What people do

    def _people(self) -> list[_Entry]:
        return [
            _entry("edit-up", "Edit the file up", "action", self._edit_up, lambda: "", words="migration.yaml: 100%, by hand"),
            _entry("edit-down", "Edit the file down", "action", self._edit_down, lambda: "", words="migration.yaml: 0%, by hand"),
            _entry("kubectl-hold", "kubectl patch: hold", "action", self._hold, lambda: "", words="What on-call can do alone"),
            _entry("post-alert", "Post an alert", "action", self._alert, lambda: "", words=f"Critical, about {SERVICE}"),
        ]  # fmt: skip

    async def _edit_up(self, _: str) -> str:
        before = await by_hand.edit_weight(self._playground, SERVICE, 100)
        return f"migration.yaml asks for 100% now (it was {before}%). It moves no request: nothing was approved."

    async def _edit_down(self, _: str) -> str:
        before = await by_hand.edit_weight(self._playground, SERVICE, 0)
        return f"migration.yaml asks for 0% now (it was {before}%). Down needs nobody: it is obeyed at once."

    async def _hold(self, _: str) -> str:
        return f"Done, with one line: {await by_hand.hold(self._playground, SERVICE)}"

    async def _alert(self, _: str) -> str:
        sender = alerts_by_hand.Sender(self._playground.webhook_url, self._playground.keys.alert_token)
        try:
            posted = await sender.fire(SERVICE)
        finally:
            await sender.close()
        took = (posted.answered - posted.sent) * 1000
        if posted.accepted:
            return f"The bot took the alert in {took:.0f} ms; the hold stood before it answered."
        return f"The bot did not take it (HTTP {posted.status or 'no answer'}); Alertmanager would try again."

    def _note(self, what: str, value: str) -> None:
        (self._stopped.add if value == "on" else self._stopped.discard)(what)


def _entry(
    name: str,
    label: str,
    kind: side_panel.Kind,
    turn: Turn,
    value: Callable[[], str],
    *,
    words: str,
    options: tuple[str, ...] = (),
) -> _Entry:
    return _Entry(side_panel.Knob(id=name, label=label, kind=kind, options=options, help=words), value, turn)


def _on(true: bool) -> str:
    return "on" if true else "off"
