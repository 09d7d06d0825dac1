"""`ferry audit verify --cluster`: records, their history and the anchors of the audit, in the API stand-in."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio
import yaml

from bot import cluster_port
from bot.store import audit, connection
from deploy.playground.kubernetes.server import KubernetesStandIn
from deploy.playground.world import redis as redis_world
from handlers import messages
from handlers.rules import effects
from k8s import client, credentials, model, records, signing, views
from tests.rules.builders import NOON

NAMESPACE = "migration-system"
EXPOSURE = model.Exposure(weight=5, old_host="shop.old.example", new_host="shop.new.example")


class Place:
    """The cluster with two changes of one service, each after an event of the audit, and the Redis with the chain."""

    def __init__(self, server: KubernetesStandIn, api: client.ClusterClient, folder: Path, redis_url: str) -> None:
        self.api = api
        self.redis_url = redis_url
        self.signer = signing.Signer.generate()
        self.config = folder / "config"
        self.config.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "it",
                    "clusters": [{"name": "it", "cluster": {"server": server.url}}],
                    "users": [{"name": "it", "user": {"token": server.admin_token}}],
                    "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
                }
            )
        )

    async def fill(self) -> None:
        await self.keep("ferry-public-keys", {f"{self.signer.key_id}.pem": self.signer.public_pem().decode()})
        store = connection.open_redis(self.redis_url)
        chain = audit.AuditChain(store, "bot-0", now=lambda: NOON + timedelta(seconds=1))
        book = cluster_port.Records(records.RecordBook(self.api, NAMESPACE, self.signer), head=lambda: chain.anchor)
        for number in (1, 2):
            await chain.record(
                effects.AuditEvent(
                    effects.EventKind.PROPOSED, "slack:T0/ANN", "shop", f"op-{number}", "Ann asks", messages.Source.SLACK
                )
            )
            document = {"id": f"op-{number}", "revision": 1}
            change = views.RecordChange("shop", EXPOSURE.at(5 * number), number - 1, f"op-{number}", document, {"who": "ann"})
            await book.write(change)
        await chain.close()
        await store.aclose()

    async def keep(self, name: str, data: dict[str, str]) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        await self.api.create(client.CONFIG_MAPS, NAMESPACE, body)

    async def verified(self, *words: str, **environment: str) -> tuple[int, dict[str, Any]]:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "bot", "audit", "verify", "--cluster", "--json", *words],
            capture_output=True,
            text=True,
            check=False,
            env={
                "PATH": os.environ["PATH"], "KUBECONFIG": str(self.config), "REDIS_URL": self.redis_url, **environment,
            },
        )  # fmt: skip
        assert done.stderr == ""
        found: dict[str, Any] = json.loads(done.stdout)
        return done.returncode, found


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    server, store = KubernetesStandIn(), redis_world.Redis(tmp_path / "redis")
    await server.start()
    await store.start()
    try:
        async with client.ClusterClient(credentials.Explicit(server.url, token=server.admin_token)) as api:
            await api.create(
                client.Resource("namespaces"),
                "",
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            )
            made = Place(server, api, tmp_path, store.url)
            await made.fill()
            yield made
    finally:
        await store.stop()
        await server.stop()


async def test_everything_as_it_was_written_verifies_and_the_anchors_meet_the_chain(place: Place) -> None:
    code, found = await place.verified("--redis")
    assert (code, found["problems"]) == (0, [])
    assert (found["services"], found["anchors"], found["compared"], found["events"]) == (1, 2, 2, 2)
    code, found = await place.verified()
    assert (code, found["anchors"], found["compared"]) == (0, 2, 0)
    code, found = await place.verified("--namespace", "elsewhere")
    assert (code, found["services"]) == (1, 0)
    assert "lists no public key" in found["problems"][0]


async def test_a_chain_whose_end_was_cut_off_does_not_meet_its_anchor(place: Place) -> None:
    store = connection.open_redis(place.redis_url)
    await store.rpop(audit.key("bot-0"))
    await store.aclose()
    code, found = await place.verified("--redis")
    assert code == 1
    assert [problem.split(":")[0] for problem in found["problems"]] == ["replica bot-0, seq 2"]
    assert "generation 2 of shop anchors an event that is not here" in found["problems"][0]


async def test_a_revision_that_somebody_changed_is_named(place: Place) -> None:
    kept = (await place.api.list(client.CONTROLLER_REVISIONS, NAMESPACE))["items"]
    oldest = min(kept, key=lambda one: one["revision"])
    await place.api.delete(client.CONTROLLER_REVISIONS, NAMESPACE, oldest["metadata"]["name"])
    code, found = await place.verified()
    assert code == 1
    assert found["problems"][0].startswith("service shop: ")


async def test_with_other_keys_no_record_counts(place: Place) -> None:
    other = signing.Signer.generate()
    await place.api.delete(client.CONFIG_MAPS, NAMESPACE, "ferry-public-keys")
    await place.keep("ferry-public-keys", {f"{other.key_id}.pem": other.public_pem().decode()})
    code, found = await place.verified()
    assert code == 1
    assert found["problems"][0].startswith("service shop: ")


async def test_a_cluster_that_cannot_be_reached_is_not_verified(place: Place) -> None:
    code, found = await place.verified(KUBECONFIG="")
    assert (code, "KUBECONFIG" in found["problems"][0]) == (1, True)
    code, found = await place.verified(KUBECONFIG=str(place.config.parent / "absent"))
    assert (code, "no file" in found["problems"][0]) == (1, True)
