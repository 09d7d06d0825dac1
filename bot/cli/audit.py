"""`ferry audit verify`: whether the audit is as it was written."""

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bot import cluster_access, settings
from bot.cli import audit_in_cluster, remote_reads
from bot.cli.counting import counted
from bot.store import audit as chain
from bot.store import connection, proof
from handlers import errors
from k8s import errors as cluster_errors

app = typer.Typer(help="What people and Ferry did, as it was written down.", no_args_is_help=True)


@app.callback()
def _audit() -> None:
    """Keeps verbs as verbs, however few there are."""


app.command("show")(remote_reads.events)


@app.command()
def verify(
    files: Annotated[
        list[Path] | None, typer.Argument(help="logs of the bot (one JSON object a line); - reads standard input")
    ] = None,
    *,
    from_redis: Annotated[bool, typer.Option("--redis", help="also what the Redis at REDIS_URL has")] = False,
    from_cluster: Annotated[
        bool,
        typer.Option("--cluster", help="also records and history in the cluster that KUBECONFIG leads to, and their anchors"),
    ] = False,
    namespace: Annotated[str, typer.Option(help="Ferry's namespace there; else POD_NAMESPACE, or migration-system")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Say whether every audit event is as it was written and none is missing; more sources complete each other."""
    if not files and not from_redis and not from_cluster:
        print("nothing to verify: name log files, or - for standard input, or give --redis or --cluster", file=sys.stderr)
        sys.exit(2)
    problems: list[str] = []
    events = [event for file in files or [] for event in _of_file(file, problems)]
    if from_redis:
        try:
            events += _events(asyncio.run(_stored()), "redis", problems, only_audit=True)
        except (errors.Away, settings.SettingsError) as error:
            problems.append(str(error))
    cluster = _cluster(namespace, problems) if from_cluster else None
    if (files or from_redis) and not events and not problems:
        problems.append("no audit event was found: nothing was verified; are these the bot's logs?")
    problems += proof.verify_chain(events)
    wrong, compared = proof.compared(cluster.anchors if cluster else (), events)
    _tell(_Found(events, [*problems, *wrong], cluster, compared), as_json=as_json)
    sys.exit(1 if problems or wrong else 0)


@dataclass(frozen=True, slots=True)
class _Found:
    """`compared`: how many of the cluster's anchors met a chain."""

    events: list[dict[str, Any]]
    problems: list[str]
    cluster: audit_in_cluster.InCluster | None
    compared: int


def _tell(found: _Found, *, as_json: bool) -> None:
    heads, cluster = proof.heads(found.events), found.cluster
    notes = proof.trimmed(found.events)
    if as_json:
        chains = [{"replica": replica, "seq": seq, "head": head} for replica, seq, head in heads]
        told: dict[str, Any] = {"ok": not found.problems, "events": len(found.events), "chains": chains}
        if cluster:
            told |= {"services": len(cluster.services), "anchors": len(cluster.anchors), "compared": found.compared}
        print(json.dumps({**told, "problems": found.problems, "notes": notes}))
        return
    for problem in found.problems:
        print(problem)
    whole = f"ok: {counted(len(found.events), 'event')} in {counted(len(heads), 'chain')}"
    print(f"broken: {len(found.problems)} found" if found.problems else whole)
    if cluster:
        anchors = counted(len(cluster.anchors), "anchor")
        print(f"  the cluster: {counted(len(cluster.services), 'service')}, {anchors}, {found.compared} of them compared")
    for note in notes:
        print(f"  {note}")
    for replica, seq, head in heads:
        print(f"  {replica} ends at seq {seq}, hash {head}")


def _cluster(namespace: str, problems: list[str]) -> audit_in_cluster.InCluster | None:
    try:
        place = settings.cluster(namespace=namespace)
        found = asyncio.run(audit_in_cluster.read(place))
    except (settings.SettingsError, cluster_access.NoAccess, cluster_errors.ClusterError) as error:
        problems.append(str(error))
        return None
    problems += found.problems
    return found


def _of_file(file: Path, problems: list[str]) -> list[dict[str, Any]]:
    try:
        lines = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        problems.append(f"{file}: cannot be read ({error.strerror}); name a readable log")
        return []
    return list(_events(lines.splitlines(), str(file), problems))


async def _stored() -> list[str]:
    store = connection.open_redis(settings.redis_url().get_secret_value())
    try:
        return await chain.stored(store)
    finally:
        await store.aclose()


def _events(lines: Iterable[str], source: str, problems: list[str], *, only_audit: bool = False) -> Iterator[dict[str, Any]]:
    """The audit events among these lines; what stands before the first brace (a pod's name) is passed over."""
    for number, line in enumerate(lines, 1):
        text = line[line.find("{") :] if "{" in line else ""
        try:
            found = json.loads(text) if text else None
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict) and (only_audit or found.get("event") == "audit"):
            yield found
        elif only_audit or (found is None and '"audit"' in line):
            problems.append(f"{source}:{number}: cannot be read; it was cut off or changed")
