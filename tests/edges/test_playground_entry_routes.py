"""The miniature ingress: ExternalName backends, an app without endpoints, HTTPS to another host."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.playground.kubernetes.server import KubernetesStandIn
from deploy.playground.world import certificates, ingress, ingress_routes, new_cluster

Json = dict[str, Any]
HOST = "shop.example"
_NGINX = "nginx.ingress.kubernetes.io/"


def service(namespace: str, name: str, **spec: Any) -> Json:
    return {"metadata": {"namespace": namespace, "name": name}, "spec": {"ports": [{"port": 80}], **spec}}


def route(namespace: str, name: str, *, path: str = "/", **annotations: str) -> Json:
    marks = {_NGINX + key.replace("_", "-"): value for key, value in annotations.items()}
    backend = {"service": {"name": name, "port": {"number": 80}}}
    rule = {"host": HOST, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}}
    return {"metadata": {"namespace": namespace, "name": name, "annotations": marks}, "spec": {"rules": [rule]}}


def ready(namespace: str, name: str, address: str) -> Json:
    return {
        "metadata": {"namespace": namespace, "name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
        "ports": [{"name": "", "port": 8080}],
        "endpoints": [{"addresses": [address], "conditions": {}}],
    }


def table(ingresses: list[Json], services: list[Json], slices: list[Json]) -> ingress_routes.Table:
    return ingress_routes.build(ingress_routes.Objects(ingresses, services, slices, []))


CANARY = route("ferry", "entry", canary="true", canary_weight="100")
SERVICES = [service("app", "shop"), service("ferry", "entry")]


@pytest.mark.parametrize(
    ("old", "new", "asked"),
    [(True, True, "10.0.0.2"), (True, False, "10.0.0.1"), (False, True, ""), (False, False, "")],
)
def test_an_app_without_endpoints_is_503_though_its_canary_has_some(old: bool, new: bool, asked: str) -> None:
    slices = [ready("app", "shop", "10.0.0.1")] * old + [ready("ferry", "entry", "10.0.0.2")] * new
    location = table([route("app", "shop"), CANARY], SERVICES, slices).location(HOST, "/")
    assert location is not None
    assert [address for address, _ in location.upstream.chosen().targets()] == ([asked] if asked else [])


def test_a_canary_counts_only_over_an_app_that_has_endpoints() -> None:
    alone = table([route("app", "shop"), CANARY], SERVICES, [ready("ferry", "entry", "10.0.0.2")])
    assert alone.canary(HOST) is None
    both = table([route("app", "shop"), CANARY], SERVICES, [ready("ferry", "entry", "1.1.1.1"), ready("app", "shop", "1.1.1.2")])
    assert both.canary(HOST) is not None


def test_over_an_external_name_a_canary_is_asked_whatever_answers_behind_that_name() -> None:
    away = service("app", "shop", type="ExternalName", externalName="entry.ferry.svc.cluster.local")
    made = table([route("app", "shop"), CANARY], [away, SERVICES[1]], [ready("ferry", "entry", "10.0.0.2")])
    location = made.location(HOST, "/")
    assert location is not None
    assert location.upstream.external == ("entry.ferry.svc.cluster.local", 80)
    assert location.upstream.chosen().targets() == [("10.0.0.2", 8080)]


def test_a_canary_meets_path_and_path_type_to_the_letter() -> None:
    api = route("app", "shop", path="/api")
    made = table([api, CANARY], SERVICES, [ready("app", "shop", "10.0.0.1"), ready("ferry", "entry", "10.0.0.2")])
    assert made.canary(HOST, "/api") is None
    assert "must exist first" in made.dropped[0]


async def test_an_external_name_over_https_gets_the_new_host_in_sni_and_header(tmp_path: Path) -> None:
    authority = certificates.Authority(tmp_path)
    api, other = KubernetesStandIn(), new_cluster.NewCluster(authority, ["shop.new.example"])
    await asyncio.gather(api.start(), other.start())
    front = ingress.Ingress(url=api.url, token=api.admin_token, upstream_tls=authority.client_context(), resolve=_to("127.0.0.1"))
    await front.start()
    try:
        headers = {"Authorization": f"Bearer {api.admin_token}"}
        async with aiohttp.ClientSession(headers=headers) as session, asyncio.timeout(30):
            await _create(session, f"{api.url}/api/v1/namespaces", {"metadata": {"name": "app"}})
            spec = {"type": "ExternalName", "externalName": "shop.new.example", "ports": [{"port": 80, "targetPort": other.port}]}
            body = {"metadata": {"name": "away"}, "spec": spec}
            await _create(session, f"{api.url}/api/v1/namespaces/app/services", body)
            item = route("app", "away", backend_protocol="HTTPS", upstream_vhost="shop.new.example")
            await _create(session, f"{api.url}/apis/networking.k8s.io/v1/namespaces/app/ingresses", item)
            await front.until(lambda table: table.location(HOST, "/") is not None)
            async with session.get(f"{front.url}/a", headers={"Host": HOST}) as answer:
                assert (answer.status, (await answer.json())["host"]) == (200, "shop.new.example")
    finally:
        for part in (front, other, api):
            await part.stop()


def _to(address: str) -> Any:
    async def resolve(name: str) -> list[str]:
        assert name == "shop.new.example"
        return [address]

    return resolve


async def _create(session: aiohttp.ClientSession, url: str, body: Json) -> None:
    async with session.post(url, json=body) as answer:
        assert answer.status == 201, await answer.text()
