"""What one annotation of a route means at the proxy: the old ingress goes on doing it, or it breaks the way through. Pure.

A request takes the location of the app's Ingress first, canary or not: its annotations hold also for what goes to the proxy.
"""

import re
from collections.abc import Iterator, Mapping

from k8s.discovery.backends import Behind
from k8s.discovery.proposal import Level, Note
from k8s.discovery.routes import Route

_LONG = 300  # seconds without a byte from which a proxied connection looks like a long-lived one
_SOCKET_PATH = re.compile(r"(^|[/._-])(ws|wss|websockets?|socket\.io|signalr|sockjs|cable)([/._-]|$)", re.IGNORECASE)
_SOCKET_PORT = re.compile(r"(^|[-/])(ws|wss|websockets?)($|-)")
_GRPC_PORT = re.compile(r"(^|[-/])(grpcs?|h2c)($|-)")
_GUARDED = ("auth-url", "auth-signin", "auth-type", "auth-tls-secret", "auth-secret", "enable-global-auth")
_LIMITED = ("limit-rps", "limit-rpm", "limit-connections", "whitelist-source-range", "denylist-source-range")
_SNIPPETS = ("configuration-snippet", "server-snippet", "stream-snippet", "modsecurity-snippet")
_REDIRECTS = ("permanent-redirect", "temporal-redirect")


def of_route(route: Route, behind: Behind) -> Iterator[Note]:
    """In the order in which a person should read them."""
    said = route.annotations
    for stops in (_protocol, _names_and_ways):
        yield from stops(said)
    yield from _long_lived(route, behind)
    if _GRPC_PORT.search(behind.port_name) or _GRPC_PORT.search(behind.app_protocol):
        yield note(
            Level.WARNING,
            "gRPC",
            f"the port {behind.port_name or behind.app_protocol} of {route.namespace}/{route.service} looks like gRPC, which the"
            " proxy does not pass on (it speaks HTTP/1.1)",
            "Ask its team; leave the host out if it speaks gRPC.",
        )
    yield from _kept_by_the_old_ingress(said)


def _protocol(said: Mapping[str, str]) -> Iterator[Note]:
    protocol = said.get("backend-protocol", "HTTP").upper()
    if protocol in {"GRPC", "GRPCS"}:
        yield note(
            Level.STOP,
            "gRPC",
            f"the old ingress speaks {protocol} to the backend (backend-protocol), and so it would to the proxy,"
            " which speaks HTTP/1.1",
            "Leave this host out; it needs a way of its own.",
        )
    elif protocol == "HTTPS":
        yield note(
            Level.STOP,
            "backend HTTPS",
            "the old ingress speaks HTTPS to the backend (backend-protocol), and so it would to the proxy, which listens for"
            " plain HTTP and asks the old backend in plain HTTP, too",
            "Let the app serve plain HTTP on another port, and take backend-protocol away before you prepare the host.",
        )
    elif protocol != "HTTP":
        yield note(
            Level.STOP,
            "backend protocol",
            f"the old ingress speaks {protocol} to the backend (backend-protocol), which the proxy does not understand",
            "Leave this host out, or let the app speak plain HTTP.",
        )
    if said.get("ssl-passthrough") == "true":
        yield note(
            Level.STOP,
            "TLS passthrough",
            "TLS goes through the old ingress unopened (ssl-passthrough), so no request of it can be handed to the proxy",
            "End TLS at the old ingress first: give the Ingress a tls section, and take ssl-passthrough away.",
        )


def _names_and_ways(said: Mapping[str, str]) -> Iterator[Note]:
    if vhost := said.get("upstream-vhost"):
        yield note(
            Level.STOP,
            "host rewritten",
            f"the old ingress sends Host {vhost} to the backend (upstream-vhost), so the proxy would not know the service",
            "Take upstream-vhost away if the app works without it; otherwise leave the host out.",
        )
    if alias := said.get("server-alias"):
        yield note(
            Level.STOP,
            "alias",
            f"{alias} is served as the same host (server-alias), and the proxy would refuse it: it knows only the host itself",
            "Give each alias a rule of its own in an Ingress, so that it is a service, too, and take server-alias away.",
        )
    for name in _REDIRECTS:
        if name in said:
            yield note(
                Level.STOP,
                "redirect",
                f"the old ingress answers with a redirect by itself ({name}), so nothing ever reaches the backend or the proxy",
                "Leave the host out; the old load balancer goes on redirecting.",
            )
    if target := said.get("rewrite-target"):
        yield note(
            Level.WARNING,
            "rewritten paths",
            f"the old ingress rewrites paths to {target} before the proxy sees them (rewrite-target)",
            "The Ingress of the new host must take the rewritten paths, and not rewrite them a second time.",
        )


def _long_lived(route: Route, behind: Behind) -> Iterator[Note]:
    reads = whole(route.annotations.get("proxy-read-timeout", ""))
    sends = whole(route.annotations.get("proxy-send-timeout", ""))
    why = ""
    if _SOCKET_PATH.search(route.path):
        why = f"the path {route.path}"
    elif _SOCKET_PORT.search(behind.port_name) or _SOCKET_PORT.search(behind.app_protocol):
        why = f"the port {behind.port_name or behind.app_protocol}"
    elif route.annotations.get("websocket-services"):
        why = "websocket-services"
    elif max(reads, sends) >= _LONG:
        why = f"a timeout of {max(reads, sends)} s"
    if why:
        yield note(
            Level.WARNING,
            "websocket",
            f"{why} looks like websockets or long polling; a connection stays at the side where it began, and is closed some time"
            " after a hold",
            "See that clients connect again by themselves, and that upgrade_timeout (1h unless you write it) is long enough.",
        )


def _kept_by_the_old_ingress(said: Mapping[str, str]) -> Iterator[Note]:
    """What the old ingress does before the proxy: it stays as it is, and what it means for the new side."""
    keep = (
        "Nothing to do while the old load balancer is the way in; see that the new host's Ingress does not do it a second time."
    )
    if root := said.get("app-root"):
        yield note(Level.INFO, "app root", f"the old ingress redirects / to {root} (app-root), also for requests of new", keep)
    if guards := [name for name in _GUARDED if name in said]:
        yield note(
            Level.WARNING,
            "authentication",
            f"the old ingress asks who it is before the proxy sees a request ({', '.join(guards)}); headers and cookies go on"
            " untouched",
            "The Ingress of the new host must take requests that were let in already; protect it against everybody else.",
        )
    if limits := [name for name in _LIMITED if name in said]:
        yield note(
            Level.INFO, "limits", f"the old ingress limits who may ask, and how often ({', '.join(limits)}); it still does", keep
        )
    if size := said.get("proxy-body-size"):
        taken = "any size" if size == "0" else f"up to {size}"
        yield note(
            Level.INFO,
            "body size",
            f"the old ingress takes bodies of {taken} (proxy-body-size); the proxy sets no limit of its own",
            f"The Ingress of the new host must take {taken}, too, or large uploads get 413 from new.",
        )
    if snippets := [name for name in _SNIPPETS if name in said]:
        yield note(
            Level.WARNING,
            "snippet",
            f"the old ingress has nginx text of its own for this host ({', '.join(snippets)}), which nobody here can judge",
            "Read it: it must not set Host, rewrite paths, or answer by itself where new would answer otherwise.",
        )
    if "mirror-target" in said:
        yield note(
            Level.INFO, "mirror", "the old ingress sends copies of requests elsewhere (mirror-target); it still does", keep
        )
    if codes := said.get("custom-http-errors"):
        yield note(
            Level.INFO,
            "error pages",
            f"the old ingress answers {codes} with its own pages (custom-http-errors), for new, too",
            keep,
        )


def of_backend(route: Route, behind: Behind) -> Iterator[Note]:
    place = f"{route.namespace}/{route.service}"
    if behind.external:
        yield note(
            Level.WARNING,
            "external backend",
            f"the Service {place} is an ExternalName of {behind.external}: the old side is outside of this cluster",
            f"Let network policies allow the proxies to reach {behind.external}, and see that it answers to the old host's name.",
        )
    elif behind.ready == 0:
        yield note(
            Level.WARNING,
            "no endpoints",
            f"no endpoint of {place} is ready: the old side answers nothing now, and nothing could fall back to it",
            "Let its pods become ready first, or leave the host out if nobody uses it.",
        )
    elif behind.ready is None:
        yield note(
            Level.INFO,
            "no endpoints",
            f"nobody knows whether {place} has ready endpoints: EndpointSlices cannot be read",
            "Give the bot the rights of bot-discovery-rbac.yaml.",
        )
    if behind.headless:
        yield note(
            Level.INFO,
            "headless",
            f"the Service {place} is headless, so the proxy asks its pods themselves, at port {behind.port}",
            "Nothing to do.",
        )


def whole(text: str) -> int:
    """A whole number as annotations write it; 0 for anything else."""
    return int(text) if text.isascii() and text.isdecimal() else 0


def note(level: Level, about: str, sentence: str, remedy: str) -> Note:
    return Note(level, about, sentence[0].upper() + sentence[1:] + ".", remedy)
