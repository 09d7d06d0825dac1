"""What the API does with an object, without HTTP: create, replace, patch, apply. Every rule of optimistic concurrency is here.

All methods return the object as stored (not to be changed) and raise `ApiFailure`. A refused or rehearsed write changes nothing.
"""

import copy
import secrets
import uuid
from collections.abc import Callable

from deploy.playground.kubernetes import addresses, apply, defaults, failures, kinds, ownership, validation
from deploy.playground.kubernetes.deletion import Deletions
from deploy.playground.kubernetes.failures import Causes
from deploy.playground.kubernetes.journal import Asked, Journal, timestamp
from deploy.playground.kubernetes.kinds import Json, Kind

_SUFFIX_SIGNS = "bcdfghjklmnpqrstvwxz2456789"
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "generateName")


class Objects:
    """The semantic core of the API."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.store = journal.store
        self.deletions = Deletions(journal)

    def get(self, kind: Kind, namespace: str, name: str) -> Json:
        """One object. Raises 404."""
        found = self.store.get(kind, (namespace, name))
        if found is None:
            raise failures.not_found(kind, name)
        return found

    def create(self, kind: Kind, namespace: str, body: Json, asked: Asked) -> Json:
        """Creates an object. Raises 404 for a missing namespace, 409 when the name is taken, 422 when it is invalid."""
        item = self._new(kind, namespace, body, asked)
        self._fill(kind, item, live=None)
        manager = ownership.Manager(asked.manager, ownership.UPDATE, "", kind.api_version)
        owners = ownership.updated({}, kind, before=None, after=item, manager=manager)
        ownership.write(item, owners, now=timestamp())
        return self.journal.put(kind, item, asked=asked, verb="create")

    def replace(
        self, kind: Kind, namespace: str, name: str, body: Json, asked: Asked, *, subresource: str = ""
    ) -> tuple[Json, bool]:
        """PUT. Returns the object and whether it was created. Raises 409 for an older resourceVersion."""
        body = validation.named(kind, namespace, body, asked, name=name)
        live = self.store.get(kind, (namespace, name))
        if live is None:
            if not kind.create_on_update or subresource:
                raise failures.not_found(kind, name)
            if body["metadata"].pop("resourceVersion", None):
                raise failures.conflict(kind, name, "the object has been deleted; create it without a resourceVersion")
            return self.create(kind, namespace, body, asked), True
        if not body["metadata"].get("resourceVersion") and not kind.unconditional_update:
            causes = Causes(kind, name)
            causes.invalid("metadata.resourceVersion", 0, "must be specified for an update")
            causes.refuse_if_any()
        return self._update(kind, live, body, asked, verb="update", subresource=subresource), False

    def patch(
        self, kind: Kind, namespace: str, name: str, change: Callable[[Json], Json], asked: Asked, *, subresource: str = ""
    ) -> Json:
        """Merge, JSON and strategic patches: `change` makes the new object from the live one (which it must not touch)."""
        live = self.get(kind, namespace, name)
        proposed = change(live)
        if proposed.get("metadata", {}).get("name") != name:
            causes = Causes(kind, name)
            causes.invalid("metadata.name", proposed.get("metadata", {}).get("name"), "field is immutable")
            causes.refuse_if_any()
        proposed = validation.named(kind, namespace, proposed, asked, name=name)
        return self._update(kind, live, proposed, asked, verb="patch", subresource=subresource)

    def apply(
        self, kind: Kind, namespace: str, name: str, body: Json, asked: Asked, *, force: bool, subresource: str = ""
    ) -> tuple[Json, bool]:
        """Server-side apply. Returns the object and whether it was created. Raises 409 naming the owners of contested fields."""
        body = validation.named(kind, namespace, body, asked, name=name, applying=True)
        if body["metadata"].get("managedFields"):
            raise failures.bad_request("metadata.managedFields must be nil")
        apply.check_keys(kind, body)
        manager = ownership.Manager(asked.manager, ownership.APPLY, subresource, kind.api_version)
        live = self.store.get(kind, (namespace, name))
        if live is None:
            if subresource:
                raise failures.not_found(kind, name)
            if body["metadata"].get("uid"):
                raise failures.conflict(kind, name, f"uid mismatch: the provided object specified uid {body['metadata']['uid']}")
            item = self._new(kind, namespace, body, asked)
            owned = set(ownership.leaves(kind, item))
            self._fill(kind, item, live=None)
            ownership.write(item, {manager: owned}, now=timestamp())
            return self.journal.put(kind, item, asked=asked, verb="apply"), True
        proposed, owners = apply.applied(kind, live, body, manager, force=force)
        return self._update(kind, live, proposed, asked, verb="apply", subresource=subresource, owners=owners), False

    def bind(self, pod: Json, node: str, asked: Asked) -> Json:
        """Places a pod on a node. Raises 409 when it is placed already."""
        name = pod["metadata"]["name"]
        if pod["spec"].get("nodeName"):
            raise failures.conflict(kinds.POD, name, f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"')
        placed = {**pod, "spec": {**pod["spec"], "nodeName": node}}
        return self.journal.put(kinds.POD, placed, asked=asked, verb="create", subresource="binding")

    def _new(self, kind: Kind, namespace: str, body: Json, asked: Asked) -> Json:
        item = validation.named(kind, namespace, body, asked)
        metadata = item["metadata"]
        if metadata.get("resourceVersion"):
            raise failures.bad_request("resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            suffix = "".join(secrets.choice(_SUFFIX_SIGNS) for _ in range(5))
            metadata["name"] = f"{metadata['generateName'][:58]}{suffix}"
        name = metadata.get("name", "")
        self._check_namespace(kind, namespace, name)
        if name and self.store.get(kind, (namespace, name)) is not None:
            raise failures.already_exists(kind, name)
        for kept in (*_KEPT[:5], "managedFields", "selfLink", "resourceVersion"):
            metadata.pop(kept, None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = timestamp()
        if kind.generation:
            metadata["generation"] = 1
        if kind.status and kind is not kinds.NODE:
            item["status"] = {}
        return item

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        if not kind.namespaced:
            return
        home = self.store.get(kinds.NAMESPACE, ("", namespace))
        if home is None:
            raise failures.not_found(kinds.NAMESPACE, namespace)
        if home["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise failures.forbidden(kind, name, why)

    def _fill(self, kind: Kind, item: Json, *, live: Json | None) -> None:
        """Defaults, given-out addresses, and every check."""
        defaults.fill_in(kind, item)
        causes = Causes(kind, item["metadata"].get("name", ""))
        validation.check(kind, item, live, causes)
        if kind is kinds.SERVICE:
            if live is not None:
                addresses.keep(live, item)
            causes.refuse_if_any()
            addresses.assign(item, self.store.all(kind), causes)
        causes.refuse_if_any()

    def _update(
        self,
        kind: Kind,
        live: Json,
        proposed: Json,
        asked: Asked,
        *,
        verb: str,
        subresource: str,
        owners: ownership.Owners | None = None,
    ) -> Json:
        name = live["metadata"]["name"]
        _check_version(kind, live, proposed)
        item = _carried(kind, live, proposed, subresource)
        self._fill(kind, item, live=live)
        _count_generation(kind, live, item)
        if owners is None:
            manager = ownership.Manager(asked.manager, ownership.UPDATE, subresource, kind.api_version)
            known = {} if _clears_owners(proposed) else ownership.read(live)
            owners = ownership.updated(known, kind, before=live, after=item, manager=manager)
        else:
            owners = ownership.reconciled(owners, kind, item)
        ownership.write(item, owners, now=timestamp())
        if item == live:
            return live
        gone = self.deletions.finish(kind, item, asked=asked, verb=verb, subresource=subresource)
        if gone is not None:
            return gone
        if self.store.get(kind, (live["metadata"].get("namespace", ""), name)) is not live:
            raise failures.conflict(kind, name)
        return self.journal.put(kind, item, asked=asked, verb=verb, subresource=subresource)


def _check_version(kind: Kind, live: Json, proposed: Json) -> None:
    before, after = live["metadata"], proposed["metadata"]
    if after.get("uid") and after["uid"] != before["uid"]:
        why = f"Precondition failed: UID in precondition: {after['uid']}, UID in object meta: {before['uid']}"
        raise failures.conflict(kind, before["name"], why)
    asked = after.get("resourceVersion")
    if asked and asked != before["resourceVersion"]:
        if not asked.isdigit():
            causes = Causes(kind, before["name"])
            causes.invalid("metadata.resourceVersion", asked, "must be a number as a read returned it")
            causes.refuse_if_any()
        raise failures.conflict(kind, before["name"])


def _carried(kind: Kind, live: Json, proposed: Json, subresource: str) -> Json:
    """What the writer may not touch comes from the live object."""
    if subresource == "status":
        item = copy.deepcopy(live)
        if "status" in proposed:
            item["status"] = copy.deepcopy(proposed["status"])
    else:
        item = copy.deepcopy(proposed)
        if kind.status and "status" in live:
            item["status"] = copy.deepcopy(live["status"])
        elif kind.status:
            item.pop("status", None)
    metadata = item["metadata"]
    for name in (*_KEPT, "resourceVersion"):
        metadata.pop(name, None)
        if name in live["metadata"]:
            metadata[name] = live["metadata"][name]
    metadata.pop("selfLink", None)
    metadata.pop("managedFields", None)
    if "managedFields" in live["metadata"]:
        metadata["managedFields"] = live["metadata"]["managedFields"]
    return item


def _clears_owners(proposed: Json) -> bool:
    # The documented way to forget all owners: an empty list, or a list with one empty entry.
    return proposed["metadata"].get("managedFields", None) in ([], [{}])


def _count_generation(kind: Kind, live: Json, item: Json) -> None:
    if not kind.generation:
        return
    outside = {"metadata", "status", "apiVersion", "kind"}
    before = {name: value for name, value in live.items() if name not in outside}
    after = {name: value for name, value in item.items() if name not in outside}
    if before != after:
        item["metadata"]["generation"] = live["metadata"].get("generation", 0) + 1
