"""What the Ingresses of an old cluster become: proposals, notes with what to do, and what is passed over and why."""

from dataclasses import replace
from typing import Any

import pytest

from deploy.playground import objects
from k8s import model, wish_document
from k8s.discovery import Found, HostRule, Known, Level, backends, digest, found, known, notes_of, routes

Json = dict[str, Any]
ANNOTATION = "nginx.ingress.kubernetes.io/"
HOST = "api-name01.teamname.dev.aliyun.intracloud.cn.aibang"
TEAM = "aibang-1111111111-bbdm"
RULE = HostRule(
    match=r"([^.]+)\.[^.]+\.(dev\.aliyun\.intracloud\.cn\.aibang)",
    new_host=r"\1.kong.\2",
    old_namespace=r"aibang-\d+-(.+)",
    new_namespace=r"kong-\1",
)


def path(at: str = "/", service: str = "bbdm-api", port: int | str = 8078, kind: str = "Prefix") -> Json:
    named = {"number": port} if isinstance(port, int) else {"name": port}
    return {"path": at, "pathType": kind, "backend": {"service": {"name": service, "port": named}}}


def ingress(*paths: Json, host: str = HOST, name: str = "", namespace: str = TEAM, annotations: Json | None = None) -> Json:
    return {
        "metadata": {
            "name": name or f"i-{host.partition('.')[0]}",
            "namespace": namespace,
            "annotations": {ANNOTATION + key: value for key, value in (annotations or {}).items()},
        },
        "spec": {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": list(paths) or [path()]}}]},
    }


def service(name: str = "bbdm-api", port: int = 8078, *, port_name: str = "", **spec: Any) -> Json:
    listed = [{"port": port, "targetPort": 8080, **({"name": port_name} if port_name else {})}]
    return {"metadata": {"name": name, "namespace": TEAM}, "spec": {"ports": listed, **spec}}


def endpoint_slice(name: str = "bbdm-api", ready: tuple[bool | None, ...] = (True,)) -> Json:
    ends = [{"addresses": [f"10.0.0.{number}"], "conditions": {"ready": one}} for number, one in enumerate(ready)]
    labels = {"kubernetes.io/service-name": name}
    return {"metadata": {"name": f"{name}-x", "namespace": TEAM, "labels": labels}, "endpoints": ends, "ports": [{"port": 8080}]}


def look(
    *ingresses: Json,
    services: list[Json] | None = None,
    slices: list[Json] | None = None,
    taken: Known = Known(),  # noqa: B008  a value
    rules: tuple[HostRule, ...] = (RULE,),
    namespaces: tuple[str, ...] = (),
) -> Found:
    behind = backends.backends([service()] if services is None else services, [endpoint_slice()] if slices is None else slices)
    table = routes.table(ingresses or (ingress(),), own_namespace="migration-system")
    return found(table, behind, rules=rules, taken=taken, namespaces=namespaces)


def told(*ingresses: Json, **more: Any) -> dict[str, Level]:
    """The level of each note of the one proposal, by what it is about."""
    (one,) = look(*ingresses, **more).proposals
    assert all(note.sentence.endswith(".") and note.remedy.endswith(".") for note in one.notes)
    return {note.about: note.level for note in one.notes}


def test_the_customers_own_host_becomes_the_customers_own_entry() -> None:
    (one,) = look().proposals
    assert one.service == model.Service(
        "api-name01",
        model.Exposure(0, HOST, "api-name01.kong.dev.aliyun.intracloud.cn.aibang"),
        model.Backend(f"bbdm-api.{TEAM}.svc.cluster.local", 8078),
    )
    assert one.mapping == model.ServiceMapping("bbdm-api", TEAM, "bbdm-api", "kong-bbdm", one.service.exposure.new_host)
    assert (one.notes, one.sources) == ((), (f"Ingress {TEAM}/i-api-name01",))
    read = wish_document.read(one.text)
    assert (read.services[one.name], read.mappings) == (one.service, (one.mapping,))


def test_the_playgrounds_old_cluster_becomes_the_document_that_was_written_by_hand() -> None:
    items = [item for app in objects.APPS for item in objects.application(app, "10.0.0.1")]
    kinds = {kind: [one for one in items if one["kind"] == kind] for kind in ("Ingress", "Service", "EndpointSlice")}
    seen = found(
        routes.table(kinds["Ingress"], own_namespace="migration-system"),
        backends.backends(kinds["Service"], kinds["EndpointSlice"]),
        rules=(replace(RULE, new_port=8443),),
        taken=Known(),
    )
    by_hand = wish_document.read(objects.document(objects.APPS, new_port=8443))
    assert {one.name: one.service for one in seen.proposals} == by_hand.services
    assert {one.name: wish_document.read(one.text).services[one.name] for one in seen.proposals} == by_hand.services


def test_everything_a_proposal_may_say_reads_back_as_the_same_service() -> None:
    paths = [path(), path("/static/", "web", "http"), path("/api/public", kind="Exact"), path("/api", "web", "http")]
    one = look(
        ingress(*paths, annotations={"affinity": "cookie", "session-cookie-name": "route", "proxy-read-timeout": "4000"}),
        services=[service(), service("web", 80, port_name="http")],
        slices=[endpoint_slice(), endpoint_slice("web")],
    ).proposals[0]
    web, api = (model.Backend(f"{name}.{TEAM}.svc.cluster.local", port) for name, port in (("web", 80), ("bbdm-api", 8078)))
    assert one.service.paths == (
        model.PathBackend("/api", web), model.PathBackend("/static", web), model.PathBackend("/api/public", api),
    )  # fmt: skip
    assert str(one.service.exposure.sticky) == "cookie:route"
    assert (one.service.timeout, one.service.upgrade_timeout) == (3600.0, 4000.0)
    assert wish_document.read(one.text).services[one.name] == one.service


@pytest.mark.parametrize(
    ("annotations", "about", "level"),
    [
        ({"backend-protocol": "GRPC"}, "gRPC", Level.STOP),
        ({"backend-protocol": "GRPCS"}, "gRPC", Level.STOP),
        ({"backend-protocol": "HTTPS"}, "backend HTTPS", Level.STOP),
        ({"backend-protocol": "FCGI"}, "backend protocol", Level.STOP),
        ({"ssl-passthrough": "true"}, "TLS passthrough", Level.STOP),
        ({"upstream-vhost": "inner.example"}, "host rewritten", Level.STOP),
        ({"server-alias": "www.example.com"}, "alias", Level.STOP),
        ({"permanent-redirect": "https://else.example"}, "redirect", Level.STOP),
        ({"rewrite-target": "/$2"}, "rewritten paths", Level.WARNING),
        ({"app-root": "/ui"}, "app root", Level.INFO),
        ({"auth-url": "http://auth"}, "authentication", Level.WARNING),
        ({"proxy-body-size": "50m"}, "body size", Level.INFO),
        ({"proxy-read-timeout": "3600"}, "websocket", Level.WARNING),
        ({"configuration-snippet": "x"}, "snippet", Level.WARNING),
        ({"affinity": "cookie"}, "affinity", Level.WARNING),
        ({"limit-rps": "5"}, "limits", Level.INFO),
    ],
)
def test_what_an_annotation_means_at_the_proxy_is_told(annotations: Json, about: str, level: Level) -> None:
    assert told(ingress(annotations=annotations))[about] == level
    assert about not in told(ingress(annotations={"backend-protocol": "HTTP", "ssl-passthrough": "false"}))


@pytest.mark.parametrize(
    ("annotations", "spec", "sticky"),
    [
        ({"affinity": "cookie"}, {}, "cookie:INGRESSCOOKIE"),
        ({"affinity": "cookie", "affinity-canary-behavior": "legacy", "session-cookie-name": "s"}, {}, "cookie:s"),
        ({"upstream-hash-by": "$cookie_session"}, {}, "cookie:session"),
        ({"upstream-hash-by": "$http_x_user"}, {}, "header:x-user"),
        ({"upstream-hash-by": "$binary_remote_addr"}, {}, "client_ip"),
        ({"upstream-hash-by": "$request_uri"}, {}, "none"),
        ({}, {"sessionAffinity": "ClientIP"}, "client_ip"),
    ],
)
def test_sessions_propose_a_sticky_key(annotations: Json, spec: Json, sticky: str) -> None:
    (one,) = look(ingress(annotations=annotations), services=[service(**spec)]).proposals
    assert str(one.service.exposure.sticky) == sticky
    abouts = {note.about for note in one.notes}
    assert "sessions" in abouts
    assert ("affinity" in abouts) == ("affinity" in annotations and "affinity-canary-behavior" not in annotations)


def test_hints_of_ports_and_paths() -> None:
    assert told(ingress(path("/socket.io")))["websocket"] == Level.WARNING
    assert told(ingress(path(port="ws")), services=[service(port_name="ws")])["websocket"] == Level.WARNING
    assert told(ingress(path(port="grpc")), services=[service(port_name="grpc")])["gRPC"] == Level.WARNING
    assert "websocket" not in told(ingress(path("/news")))


def test_what_stands_behind_is_told() -> None:
    assert told(slices=[endpoint_slice(ready=(False,))])["no endpoints"] == Level.WARNING
    assert told(slices=[])["no endpoints"] == Level.WARNING
    assert "no endpoints" not in told(slices=[endpoint_slice(ready=(None,))])  # not said means ready
    outside = service(type="ExternalName", externalName="app.elsewhere.example")
    assert told(services=[outside])["external backend"] == Level.WARNING
    (one,) = look(services=[service(clusterIP="None")]).proposals
    assert one.service.old_backend.port == 8080  # its name leads to the pods themselves


def test_endpoints_that_nobody_may_read_are_unknown_and_not_missing() -> None:
    table = routes.table([ingress()], own_namespace="migration-system")
    behind = backends.backends([service()], None)
    (one,) = found(table, behind, rules=(RULE,), taken=Known()).proposals
    assert [(note.about, note.level) for note in one.notes] == [("no endpoints", Level.INFO)]


def test_hosts_that_share_a_service_move_together_and_names_are_unique() -> None:
    seen = look(
        ingress(),
        ingress(host="api-name01.other.dev.aliyun.intracloud.cn.aibang", name="second"),
        taken=Known(names=frozenset({"api-name01"})),
    )
    assert [one.name for one in seen.proposals] == ["api-name01-other", "api-name01-teamname"]
    for one in seen.proposals:
        assert {note.about for note in one.notes} >= {"shared Service", "name"}
    assert len({one.service.exposure.old_host for one in seen.proposals}) == 2


def test_no_service_is_called_all() -> None:
    (one,) = look(ingress(host="all.teamname.dev.aliyun.intracloud.cn.aibang")).proposals
    assert one.name == "all-teamname"


def test_a_canary_in_use_stops_and_is_no_route_itself() -> None:
    canary = ingress(path(service="green"), name="canary", annotations={"canary": "true", "canary-weight": "10"})
    (one,) = look(ingress(), canary).proposals
    assert [(note.about, note.level) for note in one.stops] == [("canary in use", Level.STOP)]
    assert one.service.paths == ()
    assert look(ingress(), canary).clear == ()


@pytest.mark.parametrize(
    "own",
    [
        {"metadata": {"namespace": "migration-system"}},
        {"metadata": {"labels": {"app.kubernetes.io/part-of": "ferry"}}},
        {"metadata": {"managedFields": [{"manager": "ferry"}, {"manager": "nginx", "subresource": "status"}]}},
    ],
)
def test_ferrys_own_objects_are_neither_routes_nor_somebodys_canary(own: Json) -> None:
    entry = ingress(name="entry", annotations={"canary": "true"})
    entry["metadata"] |= own["metadata"]
    (one,) = look(ingress(), entry).proposals
    assert one.notes == ()
    entry["metadata"]["annotations"] = {}
    assert look(entry).proposals == ()


def test_what_proves_a_host_to_an_authority_for_a_minute_is_no_route() -> None:
    solver = ingress(path("/.well-known/acme-challenge/x", "solver", 8089, kind="Exact"), name="cm-acme")
    solver["metadata"]["labels"] = {"acme.cert-manager.io/http01-solver": "true"}
    (one,) = look(ingress(), solver).proposals
    assert (one.service.paths, one.notes) == ((), ())


def test_an_apps_ingress_that_ferry_touched_is_still_the_apps() -> None:
    touched = ingress()
    touched["metadata"]["managedFields"] = [{"manager": "ferry"}, {"manager": "helm"}]
    assert len(look(touched).proposals) == 1


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (ingress(host="*.teamname.dev.aliyun.intracloud.cn.aibang"), "wildcard"),
        (ingress(host=""), "every host"),
        (ingress(host="x.example.com"), "no rule"),
        (ingress(path(service="gone")), f"the Service {TEAM}/gone does not exist"),
        (ingress(path(port="admin")), "has no port admin"),
        (ingress({"path": "/", "pathType": "Prefix", "backend": {"resource": {"kind": "Bucket", "name": "b"}}}), "no Service"),
    ],
)
def test_what_cannot_be_proposed_says_why_and_what_to_do(one: Json, why: str) -> None:
    seen = look(one)
    assert seen.proposals == ()
    (skipped,) = seen.skipped
    assert why in skipped.why
    assert skipped.remedy.endswith(".")


def test_what_is_in_the_document_already_is_passed_over_also_when_its_entry_is_refused() -> None:
    text = look().proposals[0].text
    for document in (text, text.replace("strategy: ", "stratgy: ")):
        seen = look(taken=known(wish_document.read_entries(document)))
        assert [(one.host, "as api-name01" in one.why) for one in seen.skipped] == [(HOST, True)]
        assert seen.proposals == ()


def test_regular_expressions_and_rewrites_stop_a_host_with_several_backends_only() -> None:
    both = [service(), service("web", 80)]
    regex = path("/v1(/|$)(.*)", "web", 80, kind="ImplementationSpecific")
    assert told(ingress(path(), regex), services=both)["several backends"] == Level.STOP
    rewritten = ingress(path(), path("/v1", "web", 80), annotations={"rewrite-target": "/"})
    assert told(rewritten, services=both)["several backends"] == Level.STOP
    alone = told(ingress(path("/v1(/|$)(.*)", kind="ImplementationSpecific")))
    assert (alone["regex paths"], "several backends" in alone) == (Level.INFO, False)


def test_an_old_clusters_shape_is_read_the_same() -> None:
    old = {
        "apiVersion": "extensions/v1beta1",
        "metadata": {"name": "old", "namespace": TEAM, "annotations": {"kubernetes.io/ingress.class": "nginx"}},
        "spec": {"rules": [{"host": HOST, "http": {"paths": [{"backend": {"serviceName": "bbdm-api", "servicePort": "8078"}}]}}]},
    }
    (one,) = look(old).proposals
    assert (str(one.service.old_backend), one.notes) == (f"bbdm-api.{TEAM}.svc.cluster.local:8078", ())


def test_another_ingress_class_is_entered_by_replacing() -> None:
    kong = ingress()
    kong["spec"]["ingressClassName"] = "kong"
    (one,) = look(kong).proposals
    assert (one.service.entry, one.notes[0].about) == ("replace", "ingress class")
    assert wish_document.read(one.text).services[one.name].entry == "replace"


def test_only_asked_namespaces_are_looked_at() -> None:
    assert look(namespaces=("elsewhere",)) == Found()
    assert len(look(namespaces=(TEAM,)).proposals) == 1


def test_without_a_namespace_in_the_rule_no_mapping_is_invented() -> None:
    (one,) = look(rules=(HostRule(RULE.match, RULE.new_host),)).proposals
    assert (one.mapping, one.notes[0].about) == (None, "mapping")
    assert "service_mappings" not in one.text
    (same,) = look(rules=(HostRule(RULE.match, RULE.new_host, "{namespace}"),)).proposals
    assert same.mapping is not None
    assert same.mapping.new_namespace == TEAM


@pytest.mark.parametrize(
    ("match", "new_host", "why"),
    [("(", "x", "match"), (r"(.)\.x", r"\2.y", "group 2"), ("x", r"\k", "backslash"), ("x", r"\g<a>", "group a")],
)
def test_a_rule_that_cannot_work_is_refused_when_it_is_made(match: str, new_host: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        HostRule(match, new_host)


def test_a_digest_is_of_entries_and_not_of_notes() -> None:
    well, ill = look(), look(slices=[])
    assert well.proposals[0].notes != ill.proposals[0].notes
    assert digest(well.proposals) == digest(ill.proposals)
    other = look(ingress(host="b.teamname.dev.aliyun.intracloud.cn.aibang"))
    assert digest(well.proposals) != digest(other.proposals)


def test_notes_of_one_host_are_told_also_when_it_is_in_the_document() -> None:
    table = routes.table([ingress(annotations={"ssl-passthrough": "true"})], own_namespace="migration-system")
    behind = backends.backends([service()], [endpoint_slice()])
    notes = notes_of(HOST, table, behind)
    assert notes is not None
    assert [note.about for note in notes] == ["TLS passthrough"]
    assert notes_of("other.example", table, behind) is None
