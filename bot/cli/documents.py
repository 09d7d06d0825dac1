"""`ferry check FILE…` and `ferry keys`: what can be done without a cluster."""

import base64
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from k8s import signing, wish_document


def check(
    files: Annotated[list[Path], typer.Argument(help="migration.yaml, service_mappings.yaml, or a ConfigMap manifest")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Say whether these documents may be used; every problem with its file, line, field and fix."""
    problems: list[wish_document.Problem] = []
    services = 0
    for file in files:
        try:
            services += len(wish_document.read(file.read_text(encoding="utf-8"), source=str(file)).services)
        except wish_document.WishError as error:
            problems.extend(error.problems)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            problems.append(wish_document.Problem(str(file), 0, "file", f"cannot be read ({reason}); name a readable text file"))
    if as_json:
        rows = [{"file": p.source, "line": p.line, "field": p.field, "sentence": p.sentence} for p in problems]
        print(json.dumps({"ok": not problems, "services": services, "problems": rows}))
    else:
        for problem in problems:
            print(problem)
        print(f"refused: {len(problems)} to mend" if problems else f"ok: {services} services in {len(files)} files")
    sys.exit(1 if problems else 0)


def keys(
    *,
    namespace: Annotated[str, typer.Option(help="Ferry's namespace in the old cluster")] = "migration-system",
) -> None:
    """Make a signing key: a Secret for the bot and a ConfigMap for the agents, as YAML for `kubectl apply -f -`."""
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
