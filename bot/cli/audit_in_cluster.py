"""The part of the audit that the old cluster keeps: the records and their signed revisions, and the anchors in these."""

import asyncio
from dataclasses import dataclass

from bot import cluster_access, settings, trusted_keys
from bot.store import proof
from k8s import client, errors, record_document, records, signing

NO_KEYS = (
    f"The ConfigMap {trusted_keys.CONFIG_MAP} lists no public key that can be read, so no signature counts; "
    "put the one there that `ferry keys` printed."
)
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class InCluster:
    """`problems`: one sentence each. `anchors`: of the revisions that the records lead to, newest first for each service."""

    services: tuple[str, ...]
    problems: tuple[str, ...]
    anchors: tuple[proof.Anchor, ...]


async def read(place: settings.Cluster) -> InCluster:
    """Verifies every service's record and history. Raises errors.ClusterError, cluster_access.NoAccess."""
    access = cluster_access.credentials_from(
        place.kubeconfig,
        service_account=place.service_account,
        host=place.api_host,
        port=place.api_port,
        scheme=place.api_scheme,
    )
    api = client.ClusterClient(access, agent="ferry-audit")
    try:
        keys = await trusted_keys.listed(api, place.namespace)
        problems = [] if keys.key_ids else [NO_KEYS]
        # A book wants a signer; nothing is written here, and what this one might sign would not count.
        book = records.RecordBook(api, place.namespace, signing.Signer.generate(), keys)
        services = await _services(api, place.namespace)
        turns = asyncio.Semaphore(_AT_ONCE)
        found = await asyncio.gather(*(_verified(book, service, turns) for service in services))
    finally:
        await api.close()
    problems += [problem for one, _ in found for problem in one]
    return InCluster(services, tuple(problems), tuple(anchor for _, anchors in found for anchor in anchors))


async def _services(api: client.ClusterClient, namespace: str) -> tuple[str, ...]:
    """Whoever has a record, by name (somebody may have taken the label away), or a revision."""
    maps = await api.list(client.CONFIG_MAPS, namespace)
    start = record_document.config_map_name("")
    names = {one["metadata"]["name"] for one in maps["items"]}
    found = {name.removeprefix(start) for name in names if name.startswith(start)}
    revisions = await api.list(client.CONTROLLER_REVISIONS, namespace, labels=f"{record_document.KIND_LABEL}=revision")
    found |= {one["metadata"]["labels"].get(record_document.SERVICE_LABEL, "") for one in revisions["items"]}
    return tuple(sorted(found - {""}))


async def _verified(book: records.RecordBook, service: str, turns: asyncio.Semaphore) -> tuple[list[str], list[proof.Anchor]]:
    async with turns:
        try:
            problems = [f"service {service}: {problem}" for problem in await book.verify(service)]
            history = await book.history(service)
        except errors.ClusterError as error:
            return [f"service {service}: cannot be read ({error})"], []
    anchors = [
        anchor
        for one in history
        if (anchor := proof.anchor_in(one.audit, where=f"generation {one.generation} of {service}")) is not None
    ]
    return problems, anchors
