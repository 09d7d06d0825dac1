"""nginx's own grammar over a rendered text: a tree of directives, and the tree that another value must give."""

from pathlib import Path
from typing import Any

import crossplane


def tree(folder: Path, text: str) -> list[Any]:
    path = folder / "nginx.conf"
    path.write_text(text)
    parsed = crossplane.parse(str(path), single=True, comments=True)
    assert parsed["status"] == "ok", parsed["errors"]
    return [_directive(part) for part in parsed["config"][0]["parsed"]]


def _directive(part: dict[str, Any]) -> tuple[Any, ...]:
    inner = [_directive(one) for one in part.get("block", [])]
    return part["directive"], part["args"], inner, part.get("comment", "")


def renamed(part: Any, swaps: dict[str, str]) -> Any:
    """The same tree with strings swapped: what another value must give, and nothing else."""
    if isinstance(part, str):
        for before, after in swaps.items():
            part = part.replace(before, after)
        return part
    return type(part)(renamed(inner, swaps) for inner in part)
