"""I18: Ferry changes an object around a service only as an approved and confirmed plan names it; what leads to old it may always.

Its own bookkeeping (records, revisions, holds, leases, events) is no such object. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from deploy.playground.kubernetes import journal
from deploy.playground.stories import four_eyes
from deploy.playground.stories import history as recorded
from handlers.rules import migration
from k8s.entries import entry_names, standing

BOT = "system:serviceaccount:migration-system:ferry-bot"
_BOOKKEEPING = frozenset({"configmaps", "controllerrevisions", "leases", "events"})
_CANARY = "nginx.ingress.kubernetes.io/canary"
_FERRYS = ("ferry-entry-", "new-cluster-proxy", "migration-proxy-")  # Services that lead to the proxies, or to new


def judge(history: recorded.History) -> Iterator[str]:
    """One item for each such write: why it breaks the promise, or nothing."""
    operations = recorded.operations(history).values()
    for write in history.writes:
        if write.user == BOT and write.resource.partition("/")[0] not in _BOOKKEEPING:
            yield "" if leads_to_old(write) else _unapproved(write, write.at + history.epoch, operations)


def title(write: journal.Write) -> str:
    """As plans name it, verb included: `apply Ingress aibang/api`."""
    verb = "delete" if write.removed else "apply"
    return f"{verb} {write.object.get('kind', write.resource)} {write.namespace}/{write.name}"


def leads_to_old(write: journal.Write) -> bool:
    """A canary that goes, an application's own Ingress none of whose paths leads to Ferry's Services, the note of a bypass."""
    marks = write.object["metadata"].get("annotations") or {}
    if write.resource == "services":
        return not write.removed and marks.get(entry_names.MODE) == standing.Mode.BYPASSED
    if write.resource != "ingresses":
        return False
    if write.removed:
        return marks.get(_CANARY) == "true"
    return not any(name.startswith(_FERRYS) for name in _targets(write.object))


def _targets(ingress: Mapping[str, Any]) -> Iterator[str]:
    for rule in ingress["spec"].get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            yield str(path["backend"].get("service", {}).get("name", ""))


def _unapproved(write: journal.Write, at: float, operations: Iterable[migration.Operation]) -> str:
    """`at`: Unix time of the write."""
    wanted, wrong = title(write), ""
    for operation in operations:
        named = wanted in {name for name, _ in operation.plan.objects}
        if named and _running(operation, at):
            wrong = "" if operation.plan.kind in migration.UNAPPROVED else four_eyes.missing(operation, operation.approvals)
            if not wrong:
                return ""
    return f"Ferry did {wanted} {wrong or 'although no confirmed plan that was under way names it'}"


def _running(operation: migration.Operation, at: float) -> bool:
    """Confirmed before then, and not decided yet."""
    if operation.confirmed_at is None or operation.confirmed_at.timestamp() > at:
        return False
    decided = operation.outcome is not migration.Outcome.OPEN
    return not decided or max((when for when, _ in operation.timeline), default=operation.confirmed_at).timestamp() >= at
