"""The part of the audit that the old cluster keeps: the records and their signed revisions, and the anchors in these.

It is read once, as the API server gives it, and verified from there: what is exported is what was verified.
"""

import asyncio
from dataclasses import dataclass

from bot import cluster_access, settings, trusted_keys
from bot.cli import audit_pack
from bot.store import proof
from k8s import client, errors, record_document, records, signing

NO_KEYS = (
    f"The ConfigMap {trusted_keys.CONFIG_MAP} lists no public key that can be read, so no signature counts; "
    "put the one there that `ferry keys` printed."
)
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class InCluster:
    """`problems`: one sentence each. `anchors`: of the revisions that the records lead to, newest first for each service.

    `keys`: ids of the public keys that signatures were held against.
    """

    services: tuple[str, ...]
    problems: tuple[str, ...]
    anchors: tuple[proof.Anchor, ...]
    keys: tuple[str, ...]


async def objects(place: settings.Cluster) -> audit_pack.Objects:
    """Raises errors.ClusterError, cluster_access.NoAccess."""
    access = cluster_access.credentials_from(
        place.kubeconfig,
        service_account=place.service_account,
        host=place.api_host,
        port=place.api_port,
        scheme=place.api_scheme,
    )
    async with client.ClusterClient(access, agent="ferry-audit") as api:
        maps = await api.list(client.CONFIG_MAPS, place.namespace)
        labels = f"{record_document.KIND_LABEL}=revision"
        revisions = await api.list(client.CONTROLLER_REVISIONS, place.namespace, labels=labels)
    return audit_pack.objects(maps["items"], revisions["items"])


async def verified(found: audit_pack.Objects) -> InCluster:
    """Every service's record and history. Never raises for what the objects say."""
    api = audit_pack.Shelf(found)
    keys = await trusted_keys.listed(api, "")
    problems = [] if keys.key_ids else [NO_KEYS]
    # A book wants a signer; nothing is written here, and what this one might sign would not count.
    book = records.RecordBook(api, "", signing.Signer.generate(), keys)
    services = _services(found)
    turns = asyncio.Semaphore(_AT_ONCE)
    each = await asyncio.gather(*(_verified(book, service, turns) for service in services))
    problems += [problem for one, _ in each for problem in one]
    return InCluster(services, tuple(problems), tuple(anchor for _, anchors in each for anchor in anchors), keys.key_ids)


def _services(found: audit_pack.Objects) -> tuple[str, ...]:
    """Whoever has a record, by name (somebody may have taken the label away), or a revision."""
    start = record_document.config_map_name("")
    names = {one["metadata"]["name"].removeprefix(start) for one in found.records}
    names |= {one["metadata"]["labels"].get(record_document.SERVICE_LABEL, "") for one in found.revisions}
    return tuple(sorted(names - {""}))


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
