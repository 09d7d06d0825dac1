"""Whose token it is. Nothing here prints a token."""

import hashlib
import hmac
from collections.abc import Iterable


class Callers:
    """`tokens`: pairs of a person's Slack id and a token of theirs; a person may have several, for a rotation."""

    def __init__(self, tokens: Iterable[tuple[str, str]]) -> None:
        self._known = tuple((person, _digest(token)) for person, token in tokens)

    def __bool__(self) -> bool:
        return bool(self._known)

    def person(self, header: str) -> str:
        """The person whose token an Authorization header shows; empty: nobody's. Every token is looked at, whichever fits."""
        scheme, _, given = header.partition(" ")
        shown, found = _digest(given.strip()), ""
        for person, known in self._known:
            if hmac.compare_digest(shown, known):
                found = person
        return found if scheme.lower() == "bearer" else ""


def _digest(token: str) -> bytes:
    """Of one length whatever is shown, so that a comparison tells nothing of how long the right one is."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
