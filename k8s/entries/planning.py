"""Which steps lead to a stage, in an order in which no request fails at any moment. Pure.

New objects come first, then the switch, then what is not needed any more. ingress-nginx looks at the objects at most every
3.3 s, reloads, and its workers learn of upstreams up to a second later: a path may lead to a Service only when the ingress
knows its upstream already, and an object may go only when the ingress has followed the switch away from it.
"""

from collections.abc import Iterator

from k8s import entry_change, model
from k8s.entries import app_ingress, app_routes, documents, entry_troubles, old_application, policies, standing
from k8s.entries import entry_names as names
from k8s.entries.app_routes import Route
from k8s.entries.entry_names import Json, Place
from k8s.entries.standing import Mode
from k8s.entries.steps import Apply, Course, Delete, Found, Pause, Rewrite, Step

_LEARNS = "the ingress must know the new upstream before a request needs it"
_FOLLOWS = "the ingress must have left the old way before that goes"


def course(service: model.Service, stage: entry_change.Stage, found: Found) -> Course:
    """The whole way to `stage` from what was found; what is so already is in it, and changes nothing."""
    match stage:
        case entry_change.Stage.PREPARE:
            return _prepare(service, found)
        case entry_change.Stage.FORWARD:
            return _forward(service, found)
        case entry_change.Stage.BYPASS:
            return _bypass(service, found)
        case entry_change.Stage.REMOVE:
            return old_application.removal(service, found)


def way_on_place(service: model.Service, found: Found, namespace: str) -> Place:
    """`new-cluster-proxy`, or with the service's name where several services share the namespace; a name once taken stays."""
    plain, own = Place(namespace, names.way_on()), Place(namespace, names.way_on(service.name))
    holder = old_application.holder_of(found.services.get(plain))
    if own in found.services or (holder and holder != service.name):
        return own
    homes = [names.place_of(one.old_backend) for one in found.wished.values()]
    shared = sum(1 for home in homes if home is not None and home.namespace == namespace) > 1
    return own if shared and holder != service.name else plain


def _prepare(service: model.Service, found: Found) -> Course:
    settings = found.settings
    routes = app_routes.routes_of(found.ingresses, service, found.services)
    troubles = [*entry_troubles.of_host(service, found, routes), *entry_troubles.of_annotations(routes)]
    place = names.place_of(service.old_backend)
    if place is None or not routes:
        return Course(troubles=tuple(troubles))
    mode = Mode.REPLACE if service.entry == "replace" else Mode.CANARY
    troubles += _other_way(service, found, routes, mode)
    steps: list[Step] = [
        Apply(policies.service_policy(service, settings, found.services, app_routes.backends(service))),
        Apply(documents.proxies_service(service, settings, mode)),
        Apply(documents.way_on(service, way_on_place(service, found, place.namespace))),
    ]
    left = list(_uncovered(service, found, routes))
    if not settings.load_balancers:
        left.append(
            f"the proxies may reach any address at port {service.exposure.new_port}: name the new cluster's networks in the "
            "settings (entry.load_balancers) to narrow it"
        )
    if mode is Mode.CANARY:
        troubles += entry_troubles.of_canary(service, found, routes)
        steps.append(Apply(documents.canary_ingress(service, settings, _each_once(routes))))
    else:
        steps.append(Apply(documents.way_in(service, settings, place.namespace)))
        switch, told = _to_proxies(service, found, routes, ())
        steps += switch
        left += told
    return Course(tuple(steps), tuple(left), tuple(troubles))


def _forward(service: model.Service, found: Found) -> Course:
    settings = found.settings
    routes = app_routes.routes_of(found.ingresses, service, found.services)
    place = names.place_of(service.old_backend)
    troubles = [*entry_troubles.of_forward(service, found, routes)]
    if place is None or not routes:
        return Course(troubles=tuple(troubles or entry_troubles.of_host(service, found, routes)))
    canary = found.canary(service)
    gone: list[Step] = []
    if canary is not None:
        gone = [Pause(_FOLLOWS), Delete("Ingress", names.place(canary), str(canary["metadata"].get("uid") or ""))]
    way_in = Apply(documents.way_in(service, settings, place.namespace))
    if settings.forward != "direct":
        troubles += _plain_http(service, found, routes)
        switch, left = _to_proxies(service, found, routes, ())
        done = Apply(documents.proxies_service(service, settings, Mode.PROXY))
        return Course((way_in, *switch, *gone, done), (*left, *_stays(routes)), tuple(troubles))
    on = way_on_place(service, found, place.namespace)
    target = (on.name, service.exposure.new_port)
    steps: list[Step] = [Apply(documents.way_on(service, on))]
    items = _items(routes)
    final = {where: app_ingress.switched(item, service, found.services, target, direct=settings) for where, item in items.items()}
    if canary is not None or not all(final[where].stands(item) for where, item in items.items()):
        # The canary takes over what the Ingress says of its backend: it must be gone before that speaks HTTPS.
        switch, _ = _to_proxies(service, found, routes, (target,))
        steps += [way_in, *switch, *gone, Pause(_LEARNS)]
    before = {step.where: step.wanted.rules for step in steps if isinstance(step, Rewrite)}
    steps += [Rewrite(where, before.get(where, app_ingress.rules_of(item)), final[where]) for where, item in items.items()]
    steps.append(Apply(documents.proxies_service(service, settings, Mode.DIRECT)))
    left = [*entry_troubles.kept_by_others(routes, final), *_stays(routes)]
    if way_in in steps or names.place(way_in.document) in found.services:
        left.append(f"{way_in.title} stays, and nothing uses it: it may go by hand")
    return Course(tuple(steps), tuple(left), tuple(troubles))


def _bypass(service: model.Service, found: Found) -> Course:
    """The shortest way to old: no pause, nobody is asked."""
    steps: list[Step] = []
    left = []
    canary = found.canary(service)
    if canary is not None:
        steps.append(Delete("Ingress", names.place(canary), str(canary["metadata"].get("uid") or "")))
    for item in found.ingresses:
        if not app_routes.is_canary(item) and app_ingress.is_ours_in(item, service):
            wanted, guessed = app_ingress.restored(item, service)
            steps.append(Rewrite(names.place(item), app_ingress.rules_of(item), wanted, force=True))
            left += [guessed] if guessed else []
    if found.proxies(service) is not None:
        steps.append(Apply(documents.proxies_service(service, found.settings, Mode.BYPASSED), force=True))
        left.append(f"the Services and the network policy of {service.name} stay: /migrate prepare uses them again")
    for backend in app_routes.backends(service):
        place = names.place_of(backend)
        if place is not None and place in found.services and not found.ready.get(place):
            left.append(f"nothing is ready behind Service {place}: without the proxies its requests fail until that is mended")
    return Course(tuple(steps), tuple(left), tuple(entry_troubles.of_bypass(service, found)))


def _to_proxies(
    service: model.Service, found: Found, routes: list[Route], announce: tuple[app_ingress.Target, ...]
) -> tuple[list[Step], list[str]]:
    """The application's Ingresses lead to the proxies; `announce`: what comes after that, to be known in time."""
    target = (names.way_in(service.name), 80)
    items = _items(routes)
    wanted = {
        where: app_ingress.switched(item, service, found.services, target, announce=announce) for where, item in items.items()
    }
    steps: list[Step] = []
    before = {where: app_ingress.rules_of(item) for where, item in items.items()}
    for where, item in items.items():
        if wanted[where].stands(item) or _leads(item, service, found, target):
            continue
        first = app_ingress.announced(item, service, (target, *announce))
        steps.append(Rewrite(where, before[where], first))
        before[where] = first.rules
    if steps:
        steps.append(Pause(_LEARNS))
    steps += [Rewrite(where, before[where], wanted[where]) for where in items]
    pending = {where: one for where, one in wanted.items() if not one.stands(items[where])}
    return steps, list(entry_troubles.kept_by_others(routes, pending))


def _leads(item: Json, service: model.Service, found: Found, target: app_ingress.Target) -> bool:
    """Whether its paths lead there already, announced or not."""
    meant = [route for route in app_routes.routes([item]) if app_routes.is_meant(route, service, found.services)]
    return all((route.target.name, route.port) == target for route in meant)


def _other_way(service: model.Service, found: Found, routes: list[Route], mode: Mode) -> Iterator[str]:
    """An entry that stands in another way must be taken away first, so that its original is not lost."""
    if standing.mode_of(found.proxies(service)) in (Mode.PROXY, Mode.DIRECT):
        yield (
            f"{service.exposure.old_host} is forwarded for good: /migrate bypass {service.name} first, if it shall be an entry "
            "again"
        )
        return
    forwarded = [route for route in routes if route.target.name in app_routes.ours(service.name)]
    if mode is Mode.CANARY and forwarded:
        yield (
            f"Ingress {forwarded[0].where} leads to {forwarded[0].target.name} already: /migrate bypass {service.name} first, if "
            "it shall become a canary again"
        )
    if mode is Mode.REPLACE and found.canary(service) is not None:
        yield f"a canary hands {service.exposure.old_host} over already: /migrate bypass {service.name} first"


def _plain_http(service: model.Service, found: Found, routes: list[Route]) -> Iterator[str]:
    if not any(route.target.name == names.way_on(service.name) or route.target.name == names.way_on() for route in routes):
        yield from entry_troubles.of_annotations(routes)
    elif found.settings.forward == "proxy":
        yield (
            f"{service.exposure.old_host} is forwarded to the new cluster directly; set entry.forward: direct again, or "
            f"/migrate bypass {service.name} first"
        )


def _uncovered(service: model.Service, found: Found, routes: list[Route]) -> Iterator[str]:
    meant = {route.key for route in routes}
    for route in app_routes.routes(found.ingresses):
        stays = route.host == service.exposure.old_host and route.key not in meant
        if stays and not app_routes.announces(route.path, service):
            yield (
                f"{route.host}{route.key[1] or '/'} leads to {route.target}, which migration.yaml does not name: it stays with "
                "the old cluster, past the proxies"
            )


def _stays(routes: list[Route]) -> Iterator[str]:
    for where in _items(routes):
        yield f"Ingress {where} stays for good: DNS points at its load balancer"


def _each_once(routes: list[Route]) -> list[Json]:
    return list({route.key: dict(route.path) for route in routes}.values())


def _items(routes: list[Route]) -> dict[Place, Json]:
    return {route.where: dict(route.ingress) for route in routes}
