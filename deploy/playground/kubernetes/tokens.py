"""Bearer tokens and whom they speak for: one administrator, and service accounts."""

import base64
import secrets
import time
from dataclasses import dataclass

import orjson

from deploy.playground.kubernetes import failures


@dataclass(frozen=True, slots=True)
class User:
    """Who makes a request. `account` is (namespace, name, uid) of a service account; the uid may be unknown ("")."""

    name: str
    groups: tuple[str, ...] = ()
    account: tuple[str, str, str] | None = None

    @property
    def is_administrator(self) -> bool:
        """Passes every check."""
        return "system:masters" in self.groups


ADMINISTRATOR = User("kubernetes-admin", ("system:masters", "system:authenticated"))


def service_account(namespace: str, name: str, uid: str = "") -> User:
    """The user that a service account's token stands for."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{name}", groups, (namespace, name, uid))


@dataclass(frozen=True, slots=True)
class _Issued:
    user: User
    expires: float  # Unix time


class Tokens:
    """Issues and recognises tokens. They look like the JSON Web Tokens a real server issues, and are known by their text."""

    def __init__(self) -> None:
        self.administrator = f"admin-{secrets.token_urlsafe(24)}"
        self._issued: dict[str, _Issued] = {}
        self._standing: dict[tuple[str, str], str] = {}

    def issue(self, user: User, *, seconds: float, audiences: list[str] | None = None) -> tuple[str, float]:
        """A new token and its end (Unix time)."""
        now = time.time()
        claims = {
            "aud": audiences or ["https://kubernetes.default.svc"],
            "exp": int(now + seconds),
            "iat": int(now),
            "iss": "https://kubernetes.default.svc",
            "jti": secrets.token_hex(16),
            "sub": user.name,
        }
        parts = [_encoded({"alg": "RS256", "typ": "JWT"}), _encoded(claims), secrets.token_urlsafe(64)]
        token = ".".join(parts)
        self._issued[token] = _Issued(user, now + seconds)
        return token, now + seconds

    def standing(self, namespace: str, name: str) -> str:
        """The token of a service account that is mounted into its pods: the same until it is revoked or rotated."""
        known = self._standing.get((namespace, name))
        if known is None or known not in self._issued:
            known, _ = self.issue(service_account(namespace, name), seconds=365 * 86400)
            self._standing[namespace, name] = known
        return known

    def revoke(self, namespace: str, name: str) -> None:
        """From now on every token of this service account is refused with 401; `standing` makes a new one."""
        for token, issued in list(self._issued.items()):
            if issued.user.account is not None and issued.user.account[:2] == (namespace, name):
                del self._issued[token]

    def recognise(self, authorization: str) -> User:
        """The user behind an Authorization header. Raises 401."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise failures.unauthorized()
        user = self.owner(token.strip())
        if user is None:
            raise failures.unauthorized()
        return user

    def owner(self, token: str) -> User | None:
        """Whom a token belongs to, or None when it is unknown, revoked or expired."""
        if secrets.compare_digest(token.encode(), self.administrator.encode()):
            return ADMINISTRATOR
        issued = self._issued.get(token)
        return issued.user if issued is not None and issued.expires > time.time() else None


def _encoded(part: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode()
