"""Everything that can go wrong with the API on demand: silence, slowness, refusals, lost answers, watches that say nothing.

A fault stays until its count is used up, `rule.remove()` or `faults.clear()`. `rule.hits` counts the requests it struck.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from deploy.playground.kubernetes import failures
from deploy.playground.kubernetes.failures import ApiFailure
from deploy.playground.kubernetes.paths import Target


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests a fault strikes; "*" is any. `verb` as RBAC knows it (an apply is a patch), `resource` as in
    `configmaps`, `deployments/scale`; `user` as in `system:serviceaccount:ns:name`."""

    verb: str = "*"
    resource: str = "*"
    name: str = "*"
    namespace: str = "*"
    user: str = "*"

    def strikes(self, target: Target | None, user: str) -> bool:
        """True when this request is meant. A request that is about no object is struck only by a match of everything."""
        wanted = (self.verb, self.resource, self.name, self.namespace)
        given = ("", "", "", "") if target is None else (target.verb, target.resource, target.name, target.namespace)
        return self.user in {"*", user} and all(one in {"*", other} for one, other in zip(wanted, given, strict=True))


EVERYTHING = Match()


class After(Enum):
    """What happens to a request that a fault let through."""

    ANSWER = "answer"
    DROP = "drop"  # the connection is cut; nothing was done
    COMMIT_THEN_DROP = "commit, then drop"  # it was done, and the answer is lost


class OpenWatch(Protocol):
    """A watch as the faults see it."""

    def cut(self) -> None: ...
    def close(self, *, cleanly: bool) -> None: ...
    def expire(self) -> None: ...


@dataclass(eq=False, slots=True)
class Rule:
    """One active fault."""

    match: Match
    left: int | None  # None: until removed
    remove: Callable[[], None]
    delay: float = 0.0
    refusal: ApiFailure | None = None
    after: After = After.ANSWER
    hits: int = 0
    released: asyncio.Event | None = None  # set when a hang ends


@dataclass(eq=False)
class Faults:
    """The knobs. All of them take effect for requests that arrive later; the watch knobs also for watches that are open."""

    compact: Callable[[], None]
    watches: Callable[[], Iterable[OpenWatch]]
    rules: list[Rule] = field(default_factory=list)
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    gone_as_http: bool = False  # a watch from a compacted version is answered with HTTP 410 instead of 200 and an ERROR event

    def __post_init__(self) -> None:
        self.flowing.set()

    def hang(self, match: Match = EVERYTHING) -> Rule:
        """Accepts and never answers. When the fault is removed, the waiting requests go on as if nothing had been; one whose
        client gave up meanwhile may or may not be done, as with a real server (use `fail_after_commit` for a sure "done")."""
        rule = self._add(match, None)
        rule.released = asyncio.Event()
        return rule

    def delay(self, seconds: float, match: Match = EVERYTHING, *, times: int | None = None) -> Rule:
        """Waits before doing anything."""
        rule = self._add(match, times)
        rule.delay = seconds
        return rule

    def too_many_requests(self, times: int, *, retry_after: int = 1, match: Match = EVERYTHING) -> Rule:
        """Answers 429 with Retry-After, so many times."""
        return self.refuse(failures.too_many_requests(retry_after), match, times=times)

    def forbid(self, match: Match = EVERYTHING, *, times: int | None = None, by: str = "policy.example.com") -> Rule:
        """Answers 403 as a denying admission webhook does, whatever RBAC says."""
        message = f'admission webhook "{by}" denied the request: not now'
        return self.refuse(ApiFailure(403, "Forbidden", message), match, times=times)

    def refuse(self, refusal: ApiFailure, match: Match = EVERYTHING, *, times: int | None = None) -> Rule:
        """Answers with any refusal, for example `failures.internal("etcdserver: request timed out")`."""
        rule = self._add(match, times)
        rule.refusal = refusal
        return rule

    def fail_before(self, times: int = 1, match: Match = EVERYTHING) -> Rule:
        """Cuts the connection without having done anything."""
        rule = self._add(match, times)
        rule.after = After.DROP
        return rule

    def fail_after_commit(self, times: int = 1, match: Match = EVERYTHING) -> Rule:
        """Does what was asked, then cuts the connection instead of answering."""
        rule = self._add(match, times)
        rule.after = After.COMMIT_THEN_DROP
        return rule

    def compact_now(self) -> None:
        """Forgets the past: a watch or list from any version handed out so far gets 410."""
        self.compact()

    def expire_watches(self) -> None:
        """Forgets the past and ends every open watch with an ERROR event 410."""
        self.compact()
        for watch in list(self.watches()):
            watch.expire()

    def cut_watches(self) -> None:
        """Every open watch falls silent for ever: no event, no bookmark, no FIN. New watches work."""
        for watch in list(self.watches()):
            watch.cut()

    def close_watches(self, *, cleanly: bool = True) -> None:
        """Ends every open watch: cleanly as after timeoutSeconds, or with the connection reset in the middle."""
        for watch in list(self.watches()):
            watch.close(cleanly=cleanly)

    def stall_watches(self) -> None:
        """No watch, open or new, says anything until `resume_watches`; then everything held back is delivered."""
        self.flowing.clear()

    def resume_watches(self) -> None:
        """The end of a stall."""
        self.flowing.set()

    def clear(self) -> None:
        """Ends every fault; what hangs goes on. Watches that were cut stay cut."""
        for rule in list(self.rules):
            rule.remove()
        self.gone_as_http = False
        self.resume_watches()

    async def meet(self, target: Target | None, user: str) -> After:
        """Lets a request meet the faults that strike it, the oldest first. Raises the refusal of the first that has one."""
        for rule in list(self.rules):
            if rule not in self.rules or not rule.match.strikes(target, user):
                continue
            rule.hits += 1
            if rule.left is not None:
                rule.left -= 1
                if rule.left <= 0:
                    rule.remove()
            if rule.released is not None:
                await rule.released.wait()
            if rule.delay:
                await asyncio.sleep(rule.delay)
            if rule.refusal is not None:
                raise rule.refusal
            if rule.after is not After.ANSWER:
                return rule.after
        return After.ANSWER

    def _add(self, match: Match, times: int | None) -> Rule:
        def remove() -> None:
            if rule in self.rules:
                self.rules.remove(rule)
            if rule.released is not None:
                rule.released.set()

        rule = Rule(match, times, remove)
        self.rules.append(rule)
        return rule
