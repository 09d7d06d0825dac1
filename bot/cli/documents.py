"""`ferry check FILE…` and `ferry keys`: what can be done without a cluster."""

import base64
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from bot.cli.counting import counted
from k8s import model, signing, wish_document


def check(
    files: Annotated[list[Path], typer.Argument(help="migration.yaml, service_mappings.yaml, or a ConfigMap manifest")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Say whether these documents may be used; every problem with its file, line, field and fix."""
    found = read(files)
    problems, services = found.problems, sum(len(wish.services) for wish in found.wishes)
    if as_json:
        print(json.dumps({"ok": not problems, "services": services, "problems": rows(problems)}))
    else:
        for problem in problems:
            print(problem)
        print(
            f"refused: {len(problems)} to mend"
            if problems
            else f"ok: {counted(services, 'service')} in {counted(len(files), 'file')}"
        )
    sys.exit(1 if problems else 0)


@dataclass(frozen=True, slots=True)
class Read:
    """Every problem, and the wishes of those documents that have none."""

    problems: tuple[wish_document.Problem, ...]
    wishes: tuple[model.Wish, ...]


def rows(problems: Iterable[wish_document.Problem]) -> list[dict[str, Any]]:
    """For JSON."""
    return [{"file": one.source, "line": one.line, "field": one.field, "sentence": one.sentence} for one in problems]


def read(files: Sequence[Path]) -> Read:
    """A mapping document belongs to the one wish beside it."""
    problems: list[wish_document.Problem] = []
    wishes: dict[str, str] = {}
    mappings: dict[str, str] = {}
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            problems.append(_of_file(file, f"cannot be read ({reason}); name a readable text file"))
            continue
        (mappings if wish_document.only_mappings(text) else wishes)[str(file)] = text
    if mappings and (len(wishes) != 1 or len(mappings) != 1):
        fix = "give one of them together with the one migration.yaml that it belongs to"
        problems += [_of_file(Path(name), f"is a mapping document; {fix}") for name in mappings]
        mappings = {}
    beside = next(iter(mappings.items()), None)
    good: list[model.Wish] = []
    for name, text in wishes.items():
        try:
            good.append(wish_document.read(text, source=name, mappings=beside))
        except wish_document.WishError as error:
            problems.extend(error.problems)
    return Read(tuple(problems), tuple(good))


def _of_file(file: Path, sentence: str) -> wish_document.Problem:
    return wish_document.Problem(str(file), 0, "file", sentence)


def keys(
    *,
    namespace: Annotated[str, typer.Option(help="Ferry's namespace in the old cluster")] = "migration-system",
) -> None:
    """Make a signing key: a Secret for the bot and a ConfigMap for the agents, as YAML for `kubectl create -f -`.

    Once: with another key in the place of the first no signature would count any more, so nothing may be put over it.
    """
    signer = signing.Signer.generate()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "ferry-signing-key", "namespace": namespace},
        "type": "Opaque",
        "data": {"signing-key.pem": base64.b64encode(signer.private_pem()).decode()},
    }
    public = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "ferry-public-keys", "namespace": namespace},
        "data": {f"{signer.key_id}.pem": signer.public_pem().decode()},
    }
    print(yaml.safe_dump_all([secret, public], sort_keys=False), end="")
