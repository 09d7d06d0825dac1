"""What people do to the old cluster without Ferry: edit the document, patch the holds, scale a workload."""

import re
import secrets

from deploy.playground import laptop, objects
from deploy.playground.nodes import node_client
from handlers import kubectl
from k8s import client, hold_document, holds, model

_ATTEMPTS = 5


async def document(playground: laptop.Playground) -> str:
    """`migration.yaml` as it stands."""
    found = await playground.api.get(client.CONFIG_MAPS, objects.NAMESPACE, objects.CONFIG)
    return str(found["data"]["migration.yaml"])


async def edit_weight(playground: laptop.Playground, service: str, weight: int) -> int:
    """`kubectl edit`: the service's percentage becomes `weight`; the one before. Raises errors.ClusterError, LookupError."""
    text = await document(playground)
    pattern = re.compile(rf'(name: "{re.escape(service)}".*?migration_percentage: )(\d+)', re.DOTALL)
    found = pattern.search(text)
    if found is None:
        raise LookupError(f"{service} is not in migration.yaml")
    edited = text[: found.start(2)] + str(weight) + text[found.end(2) :]
    await put_document(playground, edited)
    return int(found[2])


async def put_document(playground: laptop.Playground, text: str) -> None:
    """The whole document, written over whatever stands there."""
    change = {"data": {"migration.yaml": text}}
    await playground.api.patch(client.CONFIG_MAPS, objects.NAMESPACE, objects.CONFIG, change)


async def hold(playground: laptop.Playground, service: str) -> str:
    """The one merge patch that on-call can do alone, under an id that was never used; the line to type for it."""
    name = f"by-hand-{secrets.token_hex(3)}"
    key, _ = hold_document.as_value(model.Hold(service, name))
    change = {"data": {key: "by hand"}}
    await playground.api.patch(client.CONFIG_MAPS, objects.NAMESPACE, holds.CONFIG_MAP, change)
    return kubectl.hold_line(objects.NAMESPACE, service)


async def scale(playground: laptop.Playground, workload: str, replicas: int) -> None:
    """`kubectl scale`."""
    resource = node_client.STATEFUL_SETS if workload == "ferry-redis" else client.DEPLOYMENTS
    await playground.api.patch(resource, objects.NAMESPACE, workload, {"spec": {"replicas": replicas}})
