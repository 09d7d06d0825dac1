"""The new cluster, read with credentials that may only look: the Service is ready, its Ingress has the host, Roles are alike."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from k8s import client, errors, model
from k8s.discovery import backends, listing, routes
from k8s.preflight.report import Check, no, unknown, yes

Json = Mapping[str, Any]
SERVICE, INGRESS, ROLES = "new Service", "new Ingress", "Roles in the new namespace"
NAMES = (SERVICE, INGRESS, ROLES)
_RBAC = "rbac.authorization.k8s.io/v1"
KINDS = {"Role": client.Resource("roles", _RBAC), "RoleBinding": client.Resource("rolebindings", _RBAC)}
_MOST_DIFFERENCES = 8
_NO_MAPPING = "Add its entry to service_mappings in migration.yaml: old_service, old_namespace, new_service, new_namespace."
_NO_ACCESS = "Name a kubeconfig that may read the new cluster under new_cluster.kubeconfig in the settings."


class NewSide:
    """`old`: the API of the old cluster; `new`: of the new one, None: nobody may look there. `limit`: seconds for each list."""

    def __init__(self, old: client.ClusterClient, new: client.ClusterClient | None, *, limit: float = 6.0) -> None:
        self._old = old
        self._new = new
        self._limit = limit

    def blind(self, mapping: model.ServiceMapping | None) -> tuple[str, str] | None:
        """Why nothing can be looked at, and what to do; None: everything is given."""
        if mapping is None:
            return "No mapping says which Service of the new cluster it is.", _NO_MAPPING
        if self._new is None:
            return "Ferry has no access to the new cluster's API.", _NO_ACCESS
        return None

    async def service(self, mapping: model.ServiceMapping | None) -> Check:
        """Raises errors.ClusterError."""
        if mapping is None or self._new is None:
            return unknown(SERVICE, *(self.blind(mapping) or ("", "")))
        place = f"{mapping.new_namespace}/{mapping.new_service}"
        try:
            found = await self._new.get(listing.SERVICES, mapping.new_namespace, mapping.new_service, limit=self._limit)
        except errors.Missing:
            return no(
                SERVICE, f"The Service {place} does not exist in the new cluster.", "Deploy it there, or correct the mapping."
            )
        labels = f"kubernetes.io/service-name={mapping.new_service}"
        slices = await self._list(self._new, listing.ENDPOINT_SLICES[0], mapping.new_namespace, labels=labels)
        ready = backends.backends([found], slices).ready(mapping.new_namespace, mapping.new_service)
        if not ready:
            return no(SERVICE, f"No endpoint of {place} is ready in the new cluster.", "See why its pods are not ready there.")
        return yes(SERVICE, f"{place} has {ready} ready endpoint{'' if ready == 1 else 's'} in the new cluster.")

    async def ingress(self, mapping: model.ServiceMapping | None, new_host: str) -> Check:
        """Raises errors.ClusterError."""
        if mapping is None or self._new is None:
            return unknown(INGRESS, *(self.blind(mapping) or ("", "")))
        items = await self._list(self._new, listing.INGRESSES[0], mapping.new_namespace)
        return judged_ingress(items, mapping, new_host)

    async def roles(self, mapping: model.ServiceMapping | None) -> Check:
        """Raises errors.ClusterError."""
        if mapping is None or self._new is None:
            return unknown(ROLES, *(self.blind(mapping) or ("", "")))
        places = ((self._old, mapping.old_namespace), (self._new, mapping.new_namespace))
        lists = await asyncio.gather(*(self._list(api, kind, name) for api, name in places for kind in KINDS.values()))
        return judged_roles(
            {kind: (lists[number], lists[number + len(KINDS)]) for number, kind in enumerate(KINDS)},
            old_namespace=mapping.old_namespace,
            new_namespace=mapping.new_namespace,
        )

    async def _list(
        self, api: client.ClusterClient, kind: client.Resource, namespace: str, *, labels: str = ""
    ) -> list[client.Json]:
        return list((await api.list(kind, namespace, labels=labels, limit=self._limit))["items"])


def judged_ingress(items: Sequence[Json], mapping: model.ServiceMapping, new_host: str) -> Check:
    """Some Ingress of the new namespace names the host, and leads it to the new Service."""
    table = routes.table(items, own_namespace="")
    mine = [one for one in table.routes if one.host == new_host]
    if not mine:
        wildcards = [one.host for one in table.skipped if one.host == f"*.{new_host.partition('.')[2]}"]
        if wildcards:
            remedy = "See by hand that it leads to the new Service."
            return unknown(INGRESS, f"Only the wildcard {wildcards[0]} stands for {new_host} in {mapping.new_namespace}.", remedy)
        remedy = f"Create it there, or correct new_host or the mapping ({mapping.new_namespace} was looked at)."
        return no(INGRESS, f"No Ingress of {mapping.new_namespace} names {new_host} in the new cluster.", remedy)
    others = sorted({one.service for one in mine} - {mapping.new_service})
    if len(others) == len({one.service for one in mine}):
        remedy = "Correct the Ingress in the new cluster, or new_service in the mapping."
        return no(INGRESS, f"{mine[0].source} leads {new_host} to {', '.join(others)}, not to {mapping.new_service}.", remedy)
    also = f", and some paths to {', '.join(others)}" if others else ""
    return yes(INGRESS, f"{mine[0].source} leads {new_host} to {mapping.new_service}{also}.")


def judged_roles(found: Mapping[str, tuple[Sequence[Json], Sequence[Json]]], *, old_namespace: str, new_namespace: str) -> Check:
    """`found`: by kind, the objects of the old and of the new namespace. What a subject's own namespace is follows it.

    What the old namespace's owner bound to Ferry is no right of the application, and is asked for nowhere else.
    """
    differences: list[str] = []
    for kind, (old, new) in found.items():
        before = {str(one["metadata"]["name"]): _said(kind, one, old_namespace) for one in old if not _of_ferry(one)}
        after = {str(one["metadata"]["name"]): _said(kind, one, new_namespace) for one in new}
        differences += [f"{kind} {name} is missing" for name in sorted(before.keys() - after.keys())]
        differences += [f"{kind} {name} is there only" for name in sorted(after.keys() - before.keys())]
        for name in sorted(before.keys() & after.keys()):
            if before[name] != after[name]:
                differences.append(f"{kind} {name} differs ({_differs(before[name], after[name])})")
    if not differences:
        count = sum(not _of_ferry(one) for old, _ in found.values() for one in old)
        return yes(ROLES, f"{new_namespace} has the same {count} Roles and RoleBindings as {old_namespace}.")
    more = f"; and {len(differences) - _MOST_DIFFERENCES} more" if len(differences) > _MOST_DIFFERENCES else ""
    return no(
        ROLES,
        f"In {new_namespace} of the new cluster, compared with {old_namespace}:"
        f" {'; '.join(differences[:_MOST_DIFFERENCES])}{more}.",
        "Make them alike, or go on if the new application needs no more than it has: nothing of Ferry rests on them.",
    )


def _said(kind: str, item: Json, namespace: str) -> frozenset[str]:
    """What it means, one text a part, whatever its order."""
    if kind == "Role":
        return frozenset(_rule(one) for one in item.get("rules") or ())
    ref = item.get("roleRef") or {}
    subjects = {_subject(one, namespace) for one in item.get("subjects") or ()}
    return frozenset({f"to {ref.get('kind')} {ref.get('name')}", *subjects})


def _rule(rule: Json) -> str:
    parts = {name: sorted(str(one) for one in some) for name, some in sorted(rule.items()) if some}
    named = " ".join(f"[{', '.join(parts.pop(name))}]" for name in ("verbs", "resources") if name in parts)
    rest = json.dumps(parts, sort_keys=True) if set(parts) - {"apiGroups"} or parts.get("apiGroups") not in (None, [""]) else ""
    return f"{named} {rest}".strip()


def _subject(subject: Json, namespace: str) -> str:
    where = str(subject.get("namespace") or "")
    if subject.get("kind") == "ServiceAccount" and where in {"", namespace}:
        where = "its own namespace"
    return f"{subject.get('kind')} {subject.get('name')}" + (f" of {where}" if where else "")


def _differs(before: frozenset[str], after: frozenset[str]) -> str:
    parts = [f"without {one}" for one in sorted(before - after)] + [f"with {one}" for one in sorted(after - before)]
    return ", ".join(parts[:3]) + (f" and {len(parts) - 3} more" if len(parts) > 3 else "")


def _of_ferry(item: Json) -> bool:
    labels: Mapping[str, str] = item["metadata"].get("labels") or {}
    return labels.get("app.kubernetes.io/part-of") == "ferry"
