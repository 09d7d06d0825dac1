"""How objects go: preconditions, finalizers, the grace of pods, owners that take their dependents along, whole namespaces."""

import copy
from dataclasses import dataclass

from deploy.playground.kubernetes import failures, kinds
from deploy.playground.kubernetes.journal import Asked, Journal, key_of, timestamp
from deploy.playground.kubernetes.kinds import Json, Kind

_COLLECTOR = Asked("system:serviceaccount:kube-system:generic-garbage-collector")
_NAMESPACES = Asked("system:serviceaccount:kube-system:namespace-controller")
_PROTECTED_NAMESPACES = {"default", "kube-system", "kube-public", "kube-node-lease"}


@dataclass(frozen=True, slots=True)
class Options:
    """DeleteOptions. `grace`: seconds, None for the object's own; `propagation`: Background, Orphan or Foreground."""

    grace: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: str = "Background"


class Deletions:
    """Removes objects, or marks them until somebody lets go of them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._store = journal.store

    def delete(self, kind: Kind, live: Json, options: Options, asked: Asked) -> tuple[Json, bool]:
        """Deletes one object. Returns its last (or marked) state, and whether it is gone."""
        self._check(kind, live, options)
        if kind is kinds.NAMESPACE:
            return self._delete_namespace(live, asked)
        if options.propagation == "Orphan":
            self._release_dependents(live, asked)
        grace = _grace(kind, live, options)
        if not live["metadata"].get("finalizers") and grace == 0:
            return self._remove(kind, live, asked, "delete"), True
        marked = self._marked(live, grace)
        if marked == live:
            return live, False
        return self._journal.put(kind, marked, asked=asked, verb="delete"), False

    def finish(self, kind: Kind, item: Json, *, asked: Asked, verb: str, subresource: str = "") -> Json | None:
        """Removes an object that was only waiting for its last finalizer. None when it is not, or not yet, to go."""
        metadata = item["metadata"]
        waiting = metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds")
        if not metadata.get("deletionTimestamp") or waiting or kind is kinds.NAMESPACE:
            return None
        return self._remove(kind, item, asked, verb, subresource)

    def _check(self, kind: Kind, live: Json, options: Options) -> None:
        metadata = live["metadata"]
        if options.uid and options.uid != metadata["uid"]:
            why = f"Precondition failed: UID in precondition: {options.uid}, UID in object meta: {metadata['uid']}"
            raise failures.conflict(kind, metadata["name"], why)
        if options.resource_version and options.resource_version != metadata["resourceVersion"]:
            versions = f"{options.resource_version}, ResourceVersion in object meta: {metadata['resourceVersion']}"
            raise failures.conflict(kind, metadata["name"], f"Precondition failed: ResourceVersion in precondition: {versions}")

    def _marked(self, live: Json, grace: int) -> Json:
        marked = copy.deepcopy(live)
        metadata = marked["metadata"]
        known = metadata.get("deletionGracePeriodSeconds")
        if not metadata.get("deletionTimestamp") or (known is not None and grace < known):
            metadata["deletionTimestamp"] = timestamp(grace)
            metadata["deletionGracePeriodSeconds"] = grace
            if "generation" in metadata:
                metadata["generation"] += 1
        return marked

    def _remove(self, kind: Kind, item: Json, asked: Asked, verb: str, subresource: str = "") -> Json:
        final = self._journal.remove(kind, item, asked=asked, verb=verb, subresource=subresource)
        if asked.dry_run:
            return final
        for dependent_kind, dependent in self._store.dependents(final["metadata"]["uid"]):
            owners = [owner["uid"] for owner in dependent["metadata"]["ownerReferences"]]
            others = [uid for uid in owners if uid != final["metadata"]["uid"] and self._exists(uid, dependent)]
            if not others and self._store.get(dependent_kind, key_of(dependent)) is not None:
                self.delete(dependent_kind, dependent, Options(), _COLLECTOR)
        self._finish_namespace(final["metadata"].get("namespace", ""))
        return final

    def _exists(self, uid: str, dependent: Json) -> bool:
        owner = next(ref for ref in dependent["metadata"]["ownerReferences"] if ref["uid"] == uid)
        kind = kinds.BY_NAME.get((owner.get("apiVersion", ""), owner.get("kind", "")))
        if kind is None:
            return True
        namespace = dependent["metadata"].get("namespace", "") if kind.namespaced else ""
        found = self._store.get(kind, (namespace, owner["name"]))
        return found is not None and found["metadata"]["uid"] == uid

    def _release_dependents(self, live: Json, asked: Asked) -> None:
        uid = live["metadata"]["uid"]
        for kind, dependent in self._store.dependents(uid):
            freed = copy.deepcopy(dependent)
            left = [owner for owner in freed["metadata"]["ownerReferences"] if owner["uid"] != uid]
            if left:
                freed["metadata"]["ownerReferences"] = left
            else:
                del freed["metadata"]["ownerReferences"]
            self._journal.put(kind, freed, asked=asked, verb="patch")

    def _delete_namespace(self, live: Json, asked: Asked) -> tuple[Json, bool]:
        name = live["metadata"]["name"]
        if name in _PROTECTED_NAMESPACES:
            raise failures.forbidden(kinds.NAMESPACE, name, "this namespace may not be deleted")
        if live["metadata"].get("deletionTimestamp"):
            return live, False
        marked = self._marked(live, 0)
        marked["status"] = {**marked["status"], "phase": "Terminating"}
        marked = self._journal.put(kinds.NAMESPACE, marked, asked=asked, verb="delete")
        if asked.dry_run:
            return marked, False
        for kind, item in self._store.contents(name):
            current = self._store.get(kind, key_of(item))
            if current is not None:
                self.delete(kind, current, Options(), _NAMESPACES)
        self._finish_namespace(name)
        return marked, self._store.get(kinds.NAMESPACE, ("", name)) is None

    def _finish_namespace(self, name: str) -> None:
        live = self._store.get(kinds.NAMESPACE, ("", name)) if name else None
        if live is None or live["status"].get("phase") != "Terminating" or self._store.contents(name):
            return
        if live["metadata"].get("finalizers"):
            return
        last = copy.deepcopy(live)
        last["spec"]["finalizers"] = []
        self._journal.remove(kinds.NAMESPACE, last, asked=_NAMESPACES, verb="delete")


def _grace(kind: Kind, live: Json, options: Options) -> int:
    if kind is not kinds.POD:
        return 0
    placed = live["spec"].get("nodeName")
    if not placed or live.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
        return 0
    if options.grace is not None:
        return max(options.grace, 0)
    return int(live["spec"].get("terminationGracePeriodSeconds", 30))
