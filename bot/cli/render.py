"""`ferry render FILE…`: what nginx would be told, without a cluster and without an nginx."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bot.cli import documents
from k8s import model, nginx_preview, wish_document


def render(
    files: Annotated[list[Path], typer.Argument(help="migration.yaml, with its service_mappings.yaml, or a ConfigMap manifest")],
    *,
    service: Annotated[str, typer.Option(help="only this service, by its name or old host")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """The nginx text that the proxies would serve for these documents.

    Names stand for documentation addresses (192.0.2.1 old, 192.0.2.2 new). Weights are not in it: each is a link that the agent
    of a proxy sets, and without an approved record there is none.
    """
    read = documents.read(files)
    problems = list(read.problems)
    chosen = [one for wish in read.wishes for one in wish.services.values() if not service or _means(service, one)]
    if not problems and not chosen:
        problems.append(_nothing(files, service, [name for wish in read.wishes for name in wish.services]))
    text = generation = ""
    if not problems:
        try:
            made = nginx_preview.rendered(chosen)
            text, generation = made.text, made.generation
        except model.ModelError as error:  # two documents that are good alone
            problems.append(wish_document.Problem(", ".join(map(str, files)), 0, "file", str(error)))
    if as_json:
        names = sorted(one.name for one in chosen) if text else []
        told = {"ok": not problems, "services": names, "generation": generation, "text": text}
        print(json.dumps({**told, "problems": documents.rows(problems)}))
    elif text:
        print(text, end="")
    else:
        for problem in problems:
            print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


def _means(typed: str, one: model.Service) -> bool:
    return typed.lower() in (one.name, one.exposure.old_host)


def _nothing(files: Sequence[Path], service: str, names: Sequence[str]) -> wish_document.Problem:
    known = f"it names {', '.join(names[:20])}{' …' if len(names) > 20 else ''}" if names else "it names no service"
    said = f"no service {service!r} is here; {known}" if service else "it names no service; add one entry at least"
    return wish_document.Problem(str(files[0]), 0, "services", said)
