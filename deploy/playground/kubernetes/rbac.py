"""Who may do what: Role, ClusterRole and their bindings as they stand in the store, read anew for every request."""

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.playground.kubernetes import failures, kinds
from deploy.playground.kubernetes.kinds import Json, Kind
from deploy.playground.kubernetes.store import Store
from deploy.playground.kubernetes.tokens import User

# What every authenticated user may do on a real cluster (system:discovery, system:basic-user, system:public-info-viewer).
_OPEN_PATHS = ("/api", "/apis", "/openapi", "/version", "/healthz", "/livez", "/readyz")
_OPEN_RESOURCES = {kinds.SELF_ACCESS_REVIEW.plural, kinds.SELF_RULES_REVIEW.plural, kinds.SELF_REVIEW.plural}


@dataclass(frozen=True, slots=True)
class Question:
    """May somebody do this? `name` is "" for verbs that are about no single object; `resource` as in `deployments/scale`."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


class Rules:
    """Answers from the objects in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def allows(self, user: User, question: Question) -> bool:
        """True when a rule bound to the user covers the question."""
        if user.is_administrator or (question.resource in _OPEN_RESOURCES and question.verb == "create"):
            return True
        return any(_covers(rule, question) for rule in self.bound(user, question.namespace))

    def allows_path(self, user: User, verb: str, path: str) -> bool:
        """True for paths that are no resource, such as /version."""
        if user.is_administrator or any(path == known or path.startswith(f"{known}/") for known in _OPEN_PATHS):
            return True
        return any(_covers_path(rule, verb, path) for rule in self.bound(user, ""))

    def require(self, user: User, kind: Kind, question: Question) -> None:
        """Raises the 403 a real server answers."""
        if self.allows(user, question):
            return
        where = f'in the namespace "{question.namespace}"' if question.namespace else "at the cluster scope"
        why = f'User "{user.name}" cannot {question.verb} resource "{question.resource}" in API group "{question.group}" {where}'
        raise failures.forbidden(kind, question.name, why)

    def bound(self, user: User, namespace: str) -> Iterator[Json]:
        """Every rule that holds for the user, cluster-wide or in this namespace."""
        for binding in self._store.all(kinds.CLUSTER_ROLE_BINDING):
            if _speaks_of(binding, user, ""):
                yield from self._rules(binding, "")
        if namespace:
            for binding in self._store.all(kinds.ROLE_BINDING, namespace):
                if _speaks_of(binding, user, namespace):
                    yield from self._rules(binding, namespace)

    def _rules(self, binding: Json, namespace: str) -> list[Json]:
        ref = binding["roleRef"]
        if ref["kind"] == "ClusterRole":
            role = self._store.get(kinds.CLUSTER_ROLE, ("", ref["name"]))
        else:
            role = self._store.get(kinds.ROLE, (namespace, ref["name"])) if namespace else None
        return (role or {}).get("rules") or []


def _speaks_of(binding: Json, user: User, namespace: str) -> bool:
    for subject in binding.get("subjects") or ():
        match subject.get("kind"):
            case "ServiceAccount":
                named = f"system:serviceaccount:{subject.get('namespace') or namespace}:{subject['name']}"
                if named == user.name:
                    return True
            case "User":
                if subject["name"] == user.name:
                    return True
            case "Group":
                if subject["name"] in user.groups:
                    return True
    return False


def _covers(rule: Json, question: Question) -> bool:
    if not _in(rule.get("verbs"), question.verb) or not _in(rule.get("apiGroups"), question.group):
        return False
    _, _, subresource = question.resource.partition("/")
    resources = rule.get("resources") or ()
    if not ({"*", question.resource} & set(resources) or (subresource and f"*/{subresource}" in resources)):
        return False
    named = rule.get("resourceNames") or ()
    # A rule for certain names never covers a request that names none: create, and list or watch without metadata.name.
    return not named or question.name in named


def _covers_path(rule: Json, verb: str, path: str) -> bool:
    if not _in(rule.get("verbs"), verb):
        return False
    return any(
        known in ("*", path) or (known.endswith("*") and path.startswith(known[:-1]))
        for known in rule.get("nonResourceURLs") or ()
    )


def _in(listed: list[str] | None, value: str) -> bool:
    return listed is not None and ("*" in listed or value in listed)
