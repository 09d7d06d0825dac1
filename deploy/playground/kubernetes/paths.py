"""What a URL and a method ask for."""

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.playground.kubernetes import failures, kinds
from deploy.playground.kubernetes.kinds import Kind
from deploy.playground.kubernetes.rbac import Question

_VERBS_ON_ONE = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_VERBS_ON_MANY = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}


@dataclass(frozen=True, slots=True)
class Target:
    """One request: the verb as RBAC knows it, the kind, and where. `name` is "" for lists and creations."""

    verb: str
    kind: Kind
    namespace: str
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        """`configmaps`, `deployments/scale`."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural

    def question(self, *, selected_name: str = "") -> Question:
        """What RBAC is asked. A list or watch of exactly one name (by field selector) counts as being about that name."""
        namespace = self.name if self.kind is kinds.NAMESPACE and self.name else self.namespace
        return Question(self.verb, self.kind.group, self.resource, namespace, self.name or selected_name)


def locate(method: str, path: str, query: Mapping[str, str]) -> Target:
    """Reads the request line. Raises 404 for unknown kinds and paths, 405 for methods they do not have."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise failures.no_such_path()
    namespace = ""
    # /namespaces/x is the Namespace x itself; /namespaces/x/pods are the pods in it.
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in {"status", "finalize"}:
        namespace, rest = rest[1], rest[2:]
    kind = kinds.BY_PATH.get((group, version, rest[0]))
    if kind is None or len(rest) > 3 or (namespace and not kind.namespaced):
        raise failures.no_such_path()
    name, subresource = (rest[1] if len(rest) > 1 else ""), (rest[2] if len(rest) > 2 else "")
    if name and kind.namespaced and not namespace:
        raise failures.no_such_path()
    if subresource and subresource not in subresources_of(kind):
        raise failures.no_such_path()
    return Target(_verb(method, kind, name, subresource, namespace, query), kind, namespace, name, subresource)


def subresources_of(kind: Kind) -> dict[str, tuple[str, ...]]:
    """The subresources of a kind and the verbs of each."""
    found: dict[str, tuple[str, ...]] = {}
    if kind.status:
        found["status"] = ("get", "patch", "update")
    if kind.scale:
        found["scale"] = ("get", "patch", "update")
    if kind is kinds.POD:
        found |= {"binding": ("create",), "eviction": ("create",)}
    if kind is kinds.SERVICE_ACCOUNT:
        found["token"] = ("create",)
    return found


def _verb(method: str, kind: Kind, name: str, subresource: str, namespace: str, query: Mapping[str, str]) -> str:  # noqa: PLR0917 - the parts of one URL, in its order
    if subresource:
        verb = "create" if method == "POST" else _VERBS_ON_ONE.get(method, "")
        if verb not in subresources_of(kind)[subresource]:
            raise failures.method_not_allowed()
        return verb
    verb = (_VERBS_ON_ONE if name else _VERBS_ON_MANY).get(method, "")
    if not verb or (not kind.stored and verb != "create"):
        raise failures.method_not_allowed()
    if verb == "create" and kind.namespaced and not namespace:
        raise failures.method_not_allowed()
    return "watch" if verb == "list" and query.get("watch") in {"1", "true"} else verb
