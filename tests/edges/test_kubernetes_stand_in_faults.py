"""The stand-in's faults do what they say, and nothing else: other requests pass, objects and versions survive."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from deploy.playground.kubernetes.faults import Match
from deploy.playground.kubernetes.server import KubernetesStandIn

Json = dict[str, Any]
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
JSON = {"Content-Type": "application/json"}
MERGE = {"Content-Type": "application/merge-patch+json"}


@dataclass(slots=True)
class Api:
    """A running stand-in and an administrator's session."""

    server: KubernetesStandIn
    session: aiohttp.ClientSession
    watches: list[aiohttp.ClientResponse] = field(default_factory=list)

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Json]:
        """HTTP status and decoded body."""
        raw = None if body is None else json.dumps(body).encode()
        async with self.session.request(method, self.server.url + path, data=raw, headers={**JSON, **headers}) as response:
            return response.status, await response.json()

    async def create(self, name: str) -> Json:
        """A ConfigMap that must be created."""
        code, body = await self.call("POST", CONFIG_MAPS, {"metadata": {"name": name}})
        assert code == 201
        return body

    async def names(self) -> list[str]:
        """The ConfigMaps there are."""
        _, body = await self.call("GET", CONFIG_MAPS)
        return [item["metadata"]["name"] for item in body["items"]]

    async def watch(self) -> aiohttp.ClientResponse:
        """A watch from now on."""
        query = {"watch": "1", "resourceVersion": str(self.server.resource_version)}
        self.watches.append(await self.session.get(self.server.url + CONFIG_MAPS, params=query))
        return self.watches[-1]


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    server = KubernetesStandIn()
    await server.start()
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {server.admin_token}"}) as session:
        made = Api(server, session)
        yield made
        for watching in made.watches:
            watching.close()
    await server.stop()


async def test_a_stopped_server_refuses_and_comes_back_with_everything(api: Api) -> None:
    made = await api.create("a")
    url, watching = api.server.url, await api.watch()
    await api.server.stop()
    with pytest.raises(aiohttp.ClientError):
        await watching.content.readline()
    with pytest.raises(aiohttp.ClientConnectorError):
        await api.names()
    await api.server.start()
    assert api.server.url == url
    assert await api.call("GET", f"{CONFIG_MAPS}/a") == (200, made)
    assert api.server.open_watches == 0


async def test_a_hanging_request_goes_on_when_the_fault_ends(api: Api) -> None:
    rule = api.server.faults.hang(Match(verb="create"))
    creation = asyncio.create_task(api.create("a"))
    while not rule.hits:
        assert await api.names() == []
    assert not creation.done()
    rule.remove()
    assert (await creation)["metadata"]["name"] == "a"


async def test_a_delay_is_met_only_by_what_it_matches(api: Api) -> None:
    rule = api.server.faults.delay(0.01, Match(resource="configmaps", name="a"), times=1)
    await api.create("a")
    assert rule.hits == 0
    assert (await api.call("GET", f"{CONFIG_MAPS}/a"))[0] == 200
    assert rule.hits == 1
    await api.call("GET", f"{CONFIG_MAPS}/a")
    assert rule.hits == 1


async def test_too_many_requests_name_the_time_to_wait_and_end(api: Api) -> None:
    api.server.faults.too_many_requests(2, retry_after=7, match=Match(verb="list"))
    for _ in range(2):
        async with api.session.get(api.server.url + CONFIG_MAPS) as response:
            body = await response.json()
            assert (response.status, response.headers["Retry-After"], body["reason"]) == (429, "7", "TooManyRequests")
            assert body["details"]["retryAfterSeconds"] == 7
    assert await api.names() == []


async def test_a_request_dropped_before_it_is_done_leaves_nothing(api: Api) -> None:
    api.server.faults.fail_before(1, Match(verb="create", resource="configmaps"))
    with pytest.raises(aiohttp.ClientError):
        await api.create("a")
    assert await api.names() == []
    await api.create("a")


async def test_an_answer_lost_after_the_commit_leaves_the_object(api: Api) -> None:
    await api.create("a")
    api.server.faults.fail_after_commit(1, Match(verb="patch", name="a"))
    with pytest.raises(aiohttp.ClientError):
        await api.call("PATCH", f"{CONFIG_MAPS}/a", {"data": {"k": "1"}}, **MERGE)
    assert (await api.call("GET", f"{CONFIG_MAPS}/a"))[1]["data"] == {"k": "1"}
    assert [write.verb for write in api.server.writes] == ["create", "patch"]


async def test_a_denial_names_who_denied_and_lets_others_pass(api: Api) -> None:
    rule = api.server.faults.forbid(Match(verb="create", user="system:serviceaccount:default:bot"))
    await api.create("a")
    token = api.server.service_account_token("default", "bot")
    code, body = await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "b"}}, Authorization=f"Bearer {token}")
    assert (code, body["message"], rule.hits) == (403, 'admission webhook "policy.example.com" denied the request: not now', 1)


async def test_after_compaction_every_earlier_version_is_gone(api: Api) -> None:
    version = (await api.create("a"))["metadata"]["resourceVersion"]
    api.server.faults.compact_now()
    watch = {"watch": "1", "resourceVersion": version}
    async with api.session.get(api.server.url + CONFIG_MAPS, params=watch) as response:
        event = json.loads(await response.content.readline())
        assert (response.status, event["type"], event["object"]["code"]) == (200, "ERROR", 410)
        assert await response.content.readline() == b""
    api.server.faults.gone_as_http = True
    async with api.session.get(api.server.url + CONFIG_MAPS, params=watch) as response:
        assert (response.status, (await response.json())["reason"]) == (410, "Expired")
    assert await api.names() == ["a"]


async def test_expired_watches_are_told_so_and_end(api: Api) -> None:
    watching = await api.watch()
    api.server.faults.expire_watches()
    assert json.loads(await watching.content.readline())["object"]["reason"] == "Expired"
    assert await watching.content.readline() == b""


async def test_cut_watches_never_say_anything_again(api: Api) -> None:
    silent = await api.watch()
    api.server.faults.cut_watches()
    loud = await api.watch()
    await api.create("a")
    assert json.loads(await loud.content.readline())["object"]["metadata"]["name"] == "a"
    assert silent.content.total_bytes == 0
    assert not silent.content.at_eof()


async def test_stalled_watches_deliver_everything_later(api: Api) -> None:
    watching = await api.watch()
    api.server.faults.stall_watches()
    for name in ("a", "b"):
        await api.create(name)
    assert watching.content.total_bytes == 0
    api.server.faults.resume_watches()
    names = [json.loads(await watching.content.readline())["object"]["metadata"]["name"] for _ in range(2)]
    assert names == ["a", "b"]


async def test_watches_end_cleanly_or_with_a_reset(api: Api) -> None:
    watching = await api.watch()
    api.server.faults.close_watches()
    assert await watching.content.readline() == b""
    watching = await api.watch()
    api.server.faults.close_watches(cleanly=False)
    with pytest.raises(aiohttp.ClientError):
        await watching.content.readline()


async def test_a_client_that_hangs_up_leaves_no_watch_behind(api: Api) -> None:
    watching = await api.watch()
    assert api.server.open_watches == 1
    watching.close()
    while api.server.open_watches:
        await api.names()


async def test_clearing_ends_every_fault(api: Api) -> None:
    faults = api.server.faults
    faults.forbid()
    faults.hang(Match(verb="list"))
    faults.stall_watches()
    faults.clear()
    assert (faults.rules, faults.flowing.is_set()) == ([], True)
    assert await api.names() == []


async def test_every_write_is_noted_with_who_and_when(api: Api) -> None:
    made = await api.create("a")
    await api.call("PATCH", f"{CONFIG_MAPS}/a", {"data": {"k": "1"}}, **MERGE)
    await api.call("PATCH", f"{CONFIG_MAPS}/a", {"data": {"k": "1"}}, **MERGE)
    await api.call("PATCH", f"{CONFIG_MAPS}/a?dryRun=All", {"data": {"k": "2"}}, **MERGE)
    await api.call("DELETE", f"{CONFIG_MAPS}/a")
    writes = api.server.writes
    assert [(one.verb, one.resource, one.name, one.removed) for one in writes] == [
        ("create", "configmaps", "a", False),
        ("patch", "configmaps", "a", False),
        ("delete", "configmaps", "a", True),
    ]
    assert {one.user for one in writes} == {"kubernetes-admin"}
    assert writes[0].resource_version == int(made["metadata"]["resourceVersion"])
    assert writes[1].object["data"] == {"k": "1"}
    assert [one.at for one in writes] == sorted(one.at for one in writes)
