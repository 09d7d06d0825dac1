"""`ferry audit verify`, and the group of verbs about the audit."""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from bot.cli import audit_export, audit_in_cluster, audit_sources, remote_reads
from bot.cli.counting import counted
from bot.store import proof

app = typer.Typer(help="What people and Ferry did, as it was written down.", no_args_is_help=True)
app.command("show")(remote_reads.events)
app.command("export")(audit_export.export)


@app.command()
def verify(
    files: audit_sources.Files = None,
    *,
    from_redis: audit_sources.FromRedis = False,
    from_cluster: Annotated[
        bool,
        typer.Option("--cluster", help="also records and history in the cluster that KUBECONFIG leads to, and their anchors"),
    ] = False,
    namespace: audit_sources.Namespace = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Say whether every audit event is as it was written and none is missing; more sources complete each other."""
    if not files and not from_redis and not from_cluster:
        print("nothing to verify: name log files, or - for standard input, or give --redis or --cluster", file=sys.stderr)
        sys.exit(2)
    read = audit_sources.read(files or [], redis=from_redis, cluster=from_cluster, namespace=namespace)
    found = asyncio.run(_verified(read, expected=bool(files or from_redis)))
    _tell(found, as_json=as_json)
    sys.exit(1 if found.problems else 0)


@dataclass(frozen=True, slots=True)
class _Found:
    """`places`: the cluster and exported files, by what they are called, each with how many of its anchors met a chain."""

    events: list[dict[str, Any]]
    problems: list[str]
    notes: list[str]
    places: dict[str, tuple[audit_in_cluster.InCluster, int]]
    compared: int = 0

    @property
    def services(self) -> int:
        return len({service for one, _ in self.places.values() for service in one.services})

    @property
    def anchors(self) -> int:
        return len({anchor for one, _ in self.places.values() for anchor in one.anchors})


async def _verified(read: audit_sources.Read, *, expected: bool) -> _Found:
    """`expected`: events should be there."""
    problems, notes = list(read.problems), []
    places: dict[str, audit_in_cluster.InCluster] = {}
    if read.objects is not None:
        places["the cluster"] = await audit_in_cluster.verified(read.objects)
    for pack in read.packs:
        problems += pack.problems()
        notes += pack.notes()
        if pack.holds_objects:
            places[pack.source] = one = await audit_in_cluster.verified(pack.kept)
            problems, notes = _trusted(one, places.get("the cluster"), pack.source, problems, notes)
    problems += [problem for one in places.values() for problem in one.problems]
    known = {event["hash"] for event in read.events if isinstance(event.get("hash"), str)}
    bare = {one["hash"]: one for pack in read.packs for one in pack.left_out if str(one.get("hash")) not in known}
    events = [*read.events, *bare.values()]
    if expected and not events and not problems:
        problems.append("no audit event was found: nothing was verified; are these the bot's logs?")
    problems += proof.verify_chain(events, left_out=bare.keys())
    anchors = dict.fromkeys(anchor for one in places.values() for anchor in one.anchors)
    wrong, compared = proof.compared(anchors, events)
    met = {name: (one, proof.compared(one.anchors, events)[1]) for name, one in places.items()}
    return _Found(read.events, [*problems, *wrong], [*notes, *proof.trimmed(events)], met, compared)


def _trusted(
    pack: audit_in_cluster.InCluster,
    cluster: audit_in_cluster.InCluster | None,
    source: str,
    problems: list[str],
    notes: list[str],
) -> tuple[list[str], list[str]]:
    """A file that brings its own keys proves only that whoever had these wrote it."""
    if cluster is None:
        keys = ", ".join(pack.keys) or "none"
        told = (
            f"{source}: its signatures fit the keys that it brings ({keys}); --cluster holds these against those of the cluster"
        )
        return problems, [*notes, told]
    strange = sorted(set(pack.keys) - set(cluster.keys))
    return [*problems, *(f"{source}: it brings the key {key}, which the cluster does not list" for key in strange)], notes


def _tell(found: _Found, *, as_json: bool) -> None:
    heads = proof.heads(found.events)
    if as_json:
        chains = [{"replica": replica, "seq": seq, "head": head} for replica, seq, head in heads]
        told: dict[str, Any] = {"ok": not found.problems, "events": len(found.events), "chains": chains}
        if found.places:
            told |= {"services": found.services, "anchors": found.anchors, "compared": found.compared}
        print(json.dumps({**told, "problems": found.problems, "notes": found.notes}))
        return
    for problem in found.problems:
        print(problem)
    whole = f"ok: {counted(len(found.events), 'event')} in {counted(len(heads), 'chain')}"
    print(f"broken: {len(found.problems)} found" if found.problems else whole)
    for name, (one, compared) in found.places.items():
        services, anchors = counted(len(one.services), "service"), counted(len(one.anchors), "anchor")
        print(f"  {name}: {services}, {anchors}, {compared} of them compared")
    for note in found.notes:
        print(f"  {note}")
    for replica, seq, head in heads:
        print(f"  {replica} ends at seq {seq}, hash {head}")
