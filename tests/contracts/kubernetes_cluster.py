"""The two sides of the Kubernetes contract: the playground's stand-in, and a real API server when one is given.

What the suite was checked against: a kube-apiserver of about 1.36 with etcd 3.4, whose answers to 69 operations and 35
server-side applies were recorded beforehand; the expectations here are those recordings and the API's published behaviour. No
real server was at hand when the suite was written: only the stand-in's side has run. Set FERRY_TEST_KUBECONFIG to a kubeconfig
whose user is an administrator of a disposable cluster to run the other side; every test keeps to a namespace of its own and
removes it.
"""

import base64
import contextlib
import io
import json
import ssl
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from deploy.playground.kubernetes.server import KubernetesStandIn

Json = dict[str, Any]

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

# Where the stand-in knowingly is not the real thing. Each is asserted on the stand-in and skipped on a real server.
KNOWN_DIFFERENCES = {
    "namespaces go at once": "a deleted namespace is gone within the call; a real one needs its controller, and seconds",
    "dependents go at once": "objects whose last owner went go within the call; a real cluster needs its garbage collector",
    "foreground is background": "propagationPolicy Foreground is accepted and means Background: the owner does not wait",
    "no anonymous user": "a request without a token is 401; a real server may know system:anonymous and answer 403",
    "tokens without accounts": "a pod's token can be had before its ServiceAccount, so that processes may start in any order",
    "maps have no dot": "managedFields lists leaves and list items; the '.' entries of plain maps are left out",
    "initial events": "sendInitialEvents works; the recorded server refused it, because its etcd was 3.4",
    "columns": "there is no Table format: kubectl get falls back to name and age",
    "empty rules": "applying a NetworkPolicy with an empty ingress list again changes nothing; the recorded server wrote",
    "wrong types on apply": "a mistyped field of an apply is 500 for every kind; the recorded server's text differs by type",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """HTTP status, decoded body, headers."""

    code: int
    body: Json
    headers: dict[str, str]

    @property
    def version(self) -> str:
        """The object's resourceVersion."""
        return str(self.body["metadata"]["resourceVersion"])


@dataclass(slots=True)
class Cluster:
    """A client of one API server, with a namespace of its own."""

    url: str
    tls: ssl.SSLContext
    headers: dict[str, str]
    session: aiohttp.ClientSession
    stand_in: KubernetesStandIn | None
    namespace: str = field(default_factory=lambda: f"ferry-contract-{uuid.uuid4().hex[:10]}")

    def path(self, plural: str, name: str = "", *, group: str = "") -> str:
        """The path of a collection, or of one object, in the test's namespace."""
        home = f"/apis/{group}/v1" if group else "/api/v1"
        return f"{home}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    async def call(
        self, method: str, path: str, body: object = None, media: str = "application/json", token: str = "", **query: str
    ) -> Answer:
        """One request. `token` replaces the administrator's."""
        headers = {**self.headers, "Content-Type": media, "User-Agent": "contract/1"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = io.BytesIO(raw) if raw else None
        async with self.session.request(
            method, self.url + path, data=sent, headers=headers, params=query, ssl=self.tls
        ) as response:
            text = await response.text()
            found = json.loads(text) if "json" in response.headers.get("Content-Type", "") else {"text": text}
            return Answer(response.status, found, dict(response.headers))

    async def create(self, plural: str, body: Json, *, group: str = "", **query: str) -> Answer:
        """POST into the test's namespace."""
        return await self.call("POST", self.path(plural, group=group), body, **query)

    async def config_map(self, name: str, /, **data: str) -> Answer:
        """A ConfigMap, created; the call must succeed."""
        answer = await self.create("configmaps", {"metadata": {"name": name}, "data": data})
        assert answer.code == 201, answer.body
        return answer

    @contextlib.asynccontextmanager
    async def watch(self, path: str, **query: str) -> AsyncIterator[AsyncIterator[Json]]:
        """The events of a watch, one by one. The stream ends with the server's end."""
        params = {"watch": "1", **query}
        timeout = aiohttp.ClientTimeout(total=20)
        async with self.session.get(
            self.url + path, params=params, headers=self.headers, ssl=self.tls, timeout=timeout
        ) as response:
            if response.status != 200:
                pytest.fail(f"the watch was answered with {response.status}: {await response.text()}")
            yield _events(response)

    def differs(self, name: str) -> None:
        """Says that what follows holds for the stand-in only, and why."""
        if self.stand_in is None:
            pytest.skip(KNOWN_DIFFERENCES[name])
        assert name in KNOWN_DIFFERENCES


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[Json]:
    async for line in response.content:
        yield json.loads(line)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a real API server."""

    url: str
    tls: ssl.SSLContext
    headers: dict[str, str]


def read_kubeconfig(path: Path, scratch: Path) -> Access:
    """Server, trust and credentials of the current context (token, or client certificate)."""
    config = yaml.safe_load(path.read_text())
    context = next(one["context"] for one in config["contexts"] if one["name"] == config["current-context"])
    server = next(one["cluster"] for one in config["clusters"] if one["name"] == context["cluster"])
    user = next(one["user"] for one in config["users"] if one["name"] == context["user"])
    tls = ssl.create_default_context()
    if "certificate-authority-data" in server:
        tls.load_verify_locations(cadata=base64.b64decode(server["certificate-authority-data"]).decode())
    elif "certificate-authority" in server:
        tls.load_verify_locations(cafile=server["certificate-authority"])
    if "client-certificate-data" in user:
        files = []
        for name in ("client-certificate-data", "client-key-data"):
            file = scratch / name
            file.write_bytes(base64.b64decode(user[name]))
            files.append(file)
        tls.load_cert_chain(files[0], files[1])
    elif "client-certificate" in user:
        tls.load_cert_chain(user["client-certificate"], user["client-key"])
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    return Access(server["server"], tls, headers)
