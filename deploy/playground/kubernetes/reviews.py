"""Questions about users: may I, what may I, who am I, whose token is this; and new tokens for service accounts."""

import uuid
from datetime import UTC, datetime

from deploy.playground.kubernetes import failures, kinds
from deploy.playground.kubernetes.failures import Causes
from deploy.playground.kubernetes.journal import timestamp
from deploy.playground.kubernetes.kinds import Json, Kind
from deploy.playground.kubernetes.rbac import Question, Rules
from deploy.playground.kubernetes.tokens import Tokens, User, service_account

_SHORTEST = 600


def answer(kind: Kind, body: Json, user: User, *, rules: Rules, tokens: Tokens) -> Json:
    """The review with its status filled in."""
    spec = body.get("spec") or {}
    match kind.kind:
        case "SelfSubjectAccessReview":
            status: Json = _verdict(spec, user, rules)
        case "SubjectAccessReview":
            status = _verdict(spec, User(spec.get("user", ""), tuple(spec.get("groups") or ())), rules)
        case "SelfSubjectRulesReview":
            status = _rules(spec.get("namespace") or "", user, rules)
        case "SelfSubjectReview":
            status = {"userInfo": _described(user)}
        case _:
            owner = tokens.owner(spec.get("token") or "")
            status = {"authenticated": owner is not None, "user": _described(owner) if owner else {}}
    metadata = {"creationTimestamp": None}
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata, "spec": spec, "status": status}


def _verdict(spec: Json, user: User, rules: Rules) -> Json:
    asked, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (asked is None) == (path is None):
        causes = Causes(kinds.SELF_ACCESS_REVIEW, "")
        causes.invalid(
            "spec.resourceAttributes", "null", "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        )
        causes.refuse_if_any()
    if asked is not None:
        resource = asked.get("resource", "")
        if asked.get("subresource"):
            resource = f"{resource}/{asked['subresource']}"
        question = Question(
            asked.get("verb", ""), asked.get("group", ""), resource, asked.get("namespace", ""), asked.get("name", "")
        )
        allowed = rules.allows(user, question)
    else:
        allowed = rules.allows_path(user, (path or {}).get("verb", ""), (path or {}).get("path", ""))
    return {"allowed": allowed, "reason": "RBAC: allowed by a rule bound to the user"} if allowed else {"allowed": False}


def _rules(namespace: str, user: User, rules: Rules) -> Json:
    bound = (
        [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        if user.is_administrator
        else list(rules.bound(user, namespace))
    )
    return {
        "resourceRules": [rule for rule in bound if not rule.get("nonResourceURLs")],
        "nonResourceRules": [rule for rule in bound if rule.get("nonResourceURLs")],
        "incomplete": False,
    }


def _described(user: User) -> Json:
    uid = user.account[2] if user.account else ""
    return {"username": user.name, "groups": list(user.groups), **({"uid": uid} if uid else {})}


def token(account: Json, body: Json, tokens: Tokens, *, dry_run: bool) -> Json:
    """A TokenRequest answered: a token that dies with the account, or after the asked seconds (600 at least)."""
    spec = body.get("spec") or {}
    seconds = spec.get("expirationSeconds") or 3600
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise failures.bad_request("TokenRequest: spec.expirationSeconds must be a whole number")
    metadata = account["metadata"]
    causes = Causes(kinds.Kind("TokenRequest", "tokenrequests", "authentication.k8s.io"), "")
    if seconds < _SHORTEST:
        causes.invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    causes.refuse_if_any()
    user = service_account(metadata["namespace"], metadata["name"], metadata["uid"])
    issued, expires = ("", 0.0) if dry_run else tokens.issue(user, seconds=seconds, audiences=spec.get("audiences"))
    until = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "creationTimestamp": timestamp(),
            "uid": str(uuid.uuid4()),
        },
        "spec": {"audiences": spec.get("audiences") or ["https://kubernetes.default.svc"], "expirationSeconds": seconds},
        "status": {"token": issued, "expirationTimestamp": until},
    }
