"""Signs that a client must stay on one side: which sticky key they ask for, and what stands in its way. Pure."""

import re
from collections.abc import Iterator

from k8s import model
from k8s.discovery.backends import Behind
from k8s.discovery.notes import note
from k8s.discovery.proposal import Level, Note
from k8s.discovery.routes import Route

_DEFAULT_COOKIE = "INGRESSCOOKIE"
_HASHED = re.compile(r"\$\{?(?:(?P<cookie>cookie_(\w+))|(?P<header>http_(\w+))|(?P<address>(binary_)?remote_addr))\}?")


def sticky(route: Route, behind: Behind) -> tuple[model.Sticky | None, tuple[Note, ...]]:
    """The key to propose (None: there is no sign that one is needed), and what to know about it."""
    said = route.annotations
    if said.get("affinity") == "cookie":
        name = said.get("session-cookie-name", _DEFAULT_COOKIE)
        return _built(model.StickyKind.COOKIE, name), tuple(_affinity(route, name))
    if found := _HASHED.fullmatch(said.get("upstream-hash-by", "")):
        key = _of_hash(found)
        return key, tuple(_kept(f"the old ingress chooses the pod by {said['upstream-hash-by']} (upstream-hash-by)", key))
    if hashed := said.get("upstream-hash-by"):
        return None, (
            note(
                Level.WARNING,
                "sessions",
                f"the old ingress chooses the pod by {hashed} (upstream-hash-by), which no sticky key can follow",
                "Ask its team what must stay together, and set sticky to cookie:NAME or header:NAME.",
            ),
        )
    if said.get("load-balance") == "ip_hash" or behind.client_ip:
        why = "the Service keeps a client at one pod (sessionAffinity)" if behind.client_ip else "it balances by ip_hash"
        key = model.Sticky(model.StickyKind.CLIENT_IP)
        return key, tuple(_kept(why, key))
    return None, ()


def _affinity(route: Route, name: str) -> Iterator[Note]:
    yield from _kept(
        f"the old ingress keeps a client at one pod by the cookie {name} (affinity)", _built(model.StickyKind.COOKIE, name)
    )
    if route.annotations.get("affinity-canary-behavior") == "legacy":
        return
    yield note(
        Level.WARNING,
        "affinity",
        f"a client with the cookie {name} that began at the app never comes to a canary, and one that began at the canary stays"
        " there even when it is at 0: the entry would not reach everybody",
        "Set affinity-canary-behavior: legacy on the app's Ingress before you prepare the host, or use entry: replace.",
    )


def _kept(why: str, key: model.Sticky | None) -> Iterator[Note]:
    shown = f"sticky: {key} is proposed, so that a client stays on one side" if key else "its name cannot be a sticky key"
    yield note(
        Level.WARNING,
        "sessions",
        f"{why}, so there may be sessions in its memory; {shown}",
        "Ask its team: with sessions in a shared store take sticky out for an exact share of requests; else new must"
        " know them, too.",
    )


def _of_hash(found: re.Match[str]) -> model.Sticky | None:
    if found["cookie"]:
        return _built(model.StickyKind.COOKIE, found[2])
    if found["header"]:
        return _built(model.StickyKind.HEADER, found[4].replace("_", "-"))
    return model.Sticky(model.StickyKind.CLIENT_IP)


def _built(kind: model.StickyKind, name: str) -> model.Sticky | None:
    try:
        return model.Sticky(kind, name)
    except model.ModelError:
        return None
