"""`ferry audit verify`: whether the audit is as it was written."""

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from bot import settings
from bot.store import audit as chain
from bot.store import connection
from handlers import errors

app = typer.Typer(help="What people and Ferry did, as it was written down.", no_args_is_help=True)


@app.callback()
def _audit() -> None:
    """Keeps verbs as verbs, however few there are."""


@app.command()
def verify(
    files: Annotated[
        list[Path] | None, typer.Argument(help="logs of the bot (one JSON object a line); - reads standard input")
    ] = None,
    *,
    from_redis: Annotated[bool, typer.Option("--redis", help="also what the Redis at REDIS_URL has")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Say whether every audit event is as it was written and none is missing; more sources complete each other."""
    if not files and not from_redis:
        print("nothing to verify: name log files, or - for standard input, or give --redis", file=sys.stderr)
        sys.exit(2)
    events: list[dict[str, Any]] = []
    problems: list[str] = []
    for file in files or []:
        try:
            lines = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            problems.append(f"{file}: cannot be read ({error.strerror}); name a readable log")
            continue
        events += _events(lines.splitlines(), str(file), problems)
    if from_redis:
        try:
            events += _events(asyncio.run(_stored()), "redis", problems, only_audit=True)
        except (errors.Away, settings.SettingsError) as error:
            problems.append(str(error))
    if not events and not problems:
        problems.append("no audit event was found: nothing was verified; are these the bot's logs?")
    problems += chain.verify_chain(events)
    _tell(events, problems, as_json=as_json)
    sys.exit(1 if problems else 0)


def _tell(events: list[dict[str, Any]], problems: list[str], *, as_json: bool) -> None:
    heads = chain.heads(events)
    if as_json:
        chains = [{"replica": replica, "seq": seq, "head": head} for replica, seq, head in heads]
        print(json.dumps({"ok": not problems, "events": len(events), "chains": chains, "problems": problems}))
        return
    for problem in problems:
        print(problem)
    print(f"broken: {len(problems)} found" if problems else f"ok: {len(events)} events in {len(heads)} chains")
    for replica, seq, head in heads:
        print(f"  {replica} ends at seq {seq}, hash {head}")


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
