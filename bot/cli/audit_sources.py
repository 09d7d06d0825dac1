"""Where audit events are read from: logs of the bot, exported files, Redis; and the cluster, whose objects stand beside them."""

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from bot import cluster_access, settings
from bot.cli import audit_in_cluster, audit_pack
from bot.store import audit, connection
from handlers import errors
from k8s import errors as cluster_errors

Files = Annotated[
    list[Path] | None,
    typer.Argument(help="logs of the bot (one JSON object a line), or exported files; - reads standard input"),
]
FromRedis = Annotated[bool, typer.Option("--redis", help="also what the Redis at REDIS_URL has")]
Namespace = Annotated[str, typer.Option(help="Ferry's namespace there; else POD_NAMESPACE, or migration-system")]
Event = dict[str, Any]


@dataclass(slots=True)
class Read:
    """`problems`: one sentence each, of what could not be read. `objects` None: the cluster was not asked, or did not answer."""

    events: list[Event] = field(default_factory=list)
    packs: list[audit_pack.Pack] = field(default_factory=list)
    objects: audit_pack.Objects | None = None
    problems: list[str] = field(default_factory=list)


def read(files: Iterable[Path], *, redis: bool, cluster: bool, namespace: str) -> Read:
    """Never raises: what cannot be read is a problem."""
    found = Read()
    for file in files:
        _of_file(file, found)
    if redis:
        try:
            found.events += _events(asyncio.run(_stored()), "redis", found.problems, only_audit=True)
        except (errors.Away, settings.SettingsError) as error:
            found.problems.append(str(error))
    if cluster:
        try:
            found.objects = asyncio.run(audit_in_cluster.objects(settings.cluster(namespace=namespace)))
        except (settings.SettingsError, cluster_access.NoAccess, cluster_errors.ClusterError) as error:
            found.problems.append(str(error))
    return found


def _of_file(file: Path, found: Read) -> None:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        found.problems.append(f"{file}: cannot be read ({error.strerror}); name a readable log")
        return
    pack = audit_pack.Pack(str(file))
    for line in _events(text.splitlines(), str(file), found.problems):
        pack.take(line)
        if line["event"] == "audit":
            found.events.append(line)
    if pack.here:
        found.packs.append(pack)


async def _stored() -> list[str]:
    store = connection.open_redis(settings.redis_url().get_secret_value())
    try:
        return await audit.stored(store)
    finally:
        await store.aclose()


def _events(lines: Iterable[str], source: str, problems: list[str], *, only_audit: bool = False) -> Iterator[Event]:
    """The audit events among these lines, and the lines of an exported file; what stands before the first brace (a pod's name) is
    passed over.
    """
    for number, line in enumerate(lines, 1):
        text = line[line.find("{") :] if "{" in line else ""
        try:
            found = json.loads(text) if text else None
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict) and (only_audit or found.get("event") in audit_pack.KINDS):
            yield found
        elif only_audit or (found is None and '"audit' in line):
            problems.append(f"{source}:{number}: cannot be read; it was cut off or changed")
