"""`ferry audit export`: the whole audit, or a selection, as one file that `ferry audit verify` reads."""

import asyncio
import json
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated

import typer

from bot.cli import api_access, audit_in_cluster, audit_pack, audit_sources
from bot.cli.counting import counted
from bot.slack import typed_words
from bot.store import proof


def export(
    files: audit_sources.Files = None,
    *,
    from_redis: Annotated[bool, typer.Option("--redis", help="besides files: also what the Redis at REDIS_URL has")] = False,
    from_cluster: Annotated[
        bool,
        typer.Option("--cluster", help="also records, revisions and public keys of the cluster that KUBECONFIG leads to"),
    ] = False,
    namespace: audit_sources.Namespace = "",
    service: Annotated[str, typer.Option(help="only what is about this service, or about all")] = "",
    since: Annotated[str, typer.Option(help="only events since then: 7d, 2026-12-31, 2026-12-31T18:00Z")] = "",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="a new file; else standard output")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="with -o: print what was written as one JSON object")] = False,
) -> None:
    """Write every audit event, and every revision with its hashes, as JSON lines: one file to keep, which verify reads.

    Events come from the Redis at REDIS_URL, or from logs where some are named. What does not verify is written too, and said: the
    exit code is 1 then. What cannot be read ends it, and nothing is written.
    """
    selection = audit_pack.Selection(service, _moment(since))
    read = audit_sources.read(files or [], redis=from_redis or not files, cluster=from_cluster, namespace=namespace)
    if read.packs:
        api_access.usage("an exported file is exported already; name logs of the bot, or none to read Redis")
    if read.problems:
        for problem in read.problems:
            print(problem, file=sys.stderr)
        print("nothing was written: not everything could be read", file=sys.stderr)
        sys.exit(1)
    objects = read.objects or audit_pack.Objects()
    problems = _problems(read.events, read.objects)
    lines = list(audit_pack.lines(read.events, objects, selection, made_at=datetime.now(UTC)))
    if service and not any(lines[0][name] for name in ("events", "records", "revisions")):
        print(
            f"nothing was written: nothing is known of a service {service!r}; write its name as ferry list does", file=sys.stderr
        )
        sys.exit(1)
    _write((json.dumps(line, ensure_ascii=False) for line in lines), output)
    for problem in problems:
        print(problem, file=sys.stderr)
    if output is not None:
        _tell(lines[0], output, problems, as_json=as_json)
    sys.exit(1 if problems else 0)


def _problems(events: list[audit_sources.Event], objects: audit_pack.Objects | None) -> list[str]:
    problems = proof.verify_chain(events)
    if objects is None:
        return problems
    cluster = asyncio.run(audit_in_cluster.verified(objects))
    return [*problems, *cluster.problems, *proof.compared(cluster.anchors, events)[0]]


def _moment(typed: str) -> datetime | None:
    """A day is its beginning, UTC."""
    if not typed:
        return None
    try:
        moment, ago = typed_words.end([typed], "")
    except typed_words.UsageError as error:
        api_access.usage(f"{error.sentence} Try: ferry audit export --since 7d")
    if ago is not None:
        return datetime.now(UTC) - ago
    if moment is not None and "t" not in typed.lower():
        return datetime.combine(moment.date(), time(0), UTC)
    return moment


def _write(lines: Iterable[str], output: Path | None) -> None:
    if output is None:
        for line in lines:
            print(line)
        return
    try:
        # Never over another file: evidence is not replaced. For its owner alone: it names people.
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        print(f"{output} is there already, and evidence is not written over; name another file", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        print(f"{output} cannot be written ({error.strerror}); name another file", file=sys.stderr)
        sys.exit(1)


def _tell(head: audit_pack.Event, output: Path, problems: list[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"ok": not problems, "file": str(output), **head, "problems": problems}))
        return
    other = f", {head['left_out']} others by their hashes" if head["left_out"] else ""
    revisions, records = counted(head["revisions"], "revision"), counted(head["records"], "record")
    print(f"{output}: {counted(head['events'], 'event')}{other}, {revisions}, {records}")
    print(f"{len(problems)} of it does not verify" if problems else f"verify it: ferry audit verify {output}")
