"""Ferry's own permissions, asked of the API server itself: every verb that a service's way to the new cluster needs, and where.

The removal of the old application needs more, long afterwards, and is not asked for here.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from k8s import client, errors, model
from k8s.preflight.report import Check, no, unknown, yes

REVIEWS = client.Resource("selfsubjectaccessreviews", "authorization.k8s.io/v1")
OWN, READING, PREPARING = "rights in its own namespace", "rights to look", "rights in the app's namespace"
NAMES = (OWN, READING, PREPARING)
_INSTALLED = "Apply deploy/kubernetes/base again with an administrator's credentials: its RBAC files grant this."
_REMEDIES = {
    OWN: _INSTALLED,
    READING: _INSTALLED,
    PREPARING: "Let whoever owns the namespace bind the ClusterRole ferry-entries to ferry-bot there (bot-entries-rbac.yaml).",
}
_AT_ONCE = 10
_MOST_TOLD = 6


@dataclass(frozen=True, slots=True)
class Right:
    """`namespace` empty: in all of them. `resource` as RBAC spells it."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""

    @property
    def words(self) -> str:
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {kind}" + (f" in {self.namespace}" if self.namespace else " in every namespace")


def needed(service: model.Service, own_namespace: str) -> dict[str, tuple[Right, ...]]:
    """By the check that is about them."""
    app = _namespaces(service)
    network = "networking.k8s.io"
    in_apps = (*_rights(("create", "patch"), "services", *app), *_rights(("patch",), "ingresses", *app, group=network))
    return {
        OWN: (
            *_rights(("get", "list", "watch", "create", "update", "patch"), "configmaps", own_namespace),
            *_rights(("get", "list", "create", "delete"), "controllerrevisions", own_namespace, group="apps"),
            *_rights(("get", "list", "watch"), "pods", own_namespace),
            *_rights(("get", "list"), "deployments", own_namespace, group="apps"),
            *_rights(("create", "patch"), "services", own_namespace),
            *_rights(("create", "patch", "delete"), "ingresses", own_namespace, group=network),
            *_rights(("get", "create", "patch"), "networkpolicies", own_namespace, group=network),
        ),
        READING: (
            *_rights(("get", "list", "watch"), "ingresses", group=network),
            *_rights(("get", "list", "watch"), "services"),
            *_rights(("list", "watch"), "endpointslices", group="discovery.k8s.io"),
        ),
        PREPARING: in_apps if app else (),
    }


def _rights(verbs: Iterable[str], resource: str, *namespaces: str, group: str = "") -> tuple[Right, ...]:
    return tuple(Right(verb, resource, group, namespace) for namespace in namespaces or ("",) for verb in verbs)


def _namespaces(service: model.Service) -> tuple[str, ...]:
    """Of the old backends, as far as their names tell."""
    hosts = [service.old_backend.host, *(one.backend.host for one in service.paths)]
    parts = [host.split(".") for host in hosts]
    return tuple(dict.fromkeys(one[1] for one in parts if len(one) > 2 and one[2] == "svc"))


class Rights:
    def __init__(self, api: client.ClusterClient, *, own_namespace: str, limit: float = 4.0) -> None:
        self._api = api
        self._own_namespace = own_namespace
        self._limit = limit
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def checks(self, service: model.Service) -> tuple[Check, ...]:
        """One for each name, always; a question that fails makes its check unknown."""
        wanted = needed(service, self._own_namespace)
        return tuple(await asyncio.gather(*(self._check(name, rights) for name, rights in wanted.items())))

    async def _check(self, name: str, rights: Sequence[Right]) -> Check:
        if not rights:
            return unknown(
                name, "Nobody knows the namespace of its old application.", "Name old_backend as SERVICE.NAMESPACE.svc…."
            )
        answers = await asyncio.gather(*(self._may(one) for one in rights), return_exceptions=True)
        refused = [right.words for right, may in zip(rights, answers, strict=True) if may is False]
        if refused:
            more = f", and {len(refused) - _MOST_TOLD} more" if len(refused) > _MOST_TOLD else ""
            return no(name, f"Ferry may not: {', '.join(refused[:_MOST_TOLD])}{more}.", _REMEDIES[name])
        for answer in answers:
            if isinstance(answer, errors.ClusterError):
                return unknown(name, f"The API server does not say what Ferry may: {answer}.", "Look again when it answers.")
            if isinstance(answer, BaseException):
                raise answer
        return yes(name, f"Ferry has all {len(rights)} rights that this needs.")

    async def _may(self, right: Right) -> bool:
        asked = {"verb": right.verb, "resource": right.resource, "group": right.group, "namespace": right.namespace}
        body = {"spec": {"resourceAttributes": {key: value for key, value in asked.items() if value}}}
        async with self._turns:
            answer = await self._api.create(REVIEWS, "", body, limit=self._limit)
        allowed = (answer.get("status") or {}).get("allowed")
        if not isinstance(allowed, bool):
            raise errors.BadReply(f"no answer to whether Ferry may {right.words}")
        return allowed
