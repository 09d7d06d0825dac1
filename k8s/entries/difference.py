"""What an object becomes, as a diff for people: YAML without what the API server keeps for itself. Pure."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

import yaml

_KEPT_BY_THE_SERVER = {"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"}
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def diff(live: Mapping[str, Any] | None, planned: Mapping[str, Any]) -> str:
    """Unified, live → planned; empty: nothing changes."""
    before, after = ("" if one is None else _text(one) for one in (live, planned))
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "live", "planned", lineterm="")
    return "\n".join(lines)


def _text(item: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in item.items() if name != "status"}
    metadata = {name: value for name, value in (item.get("metadata") or {}).items() if name not in _KEPT_BY_THE_SERVER}
    marks = {name: value for name, value in (metadata.get("annotations") or {}).items() if name != _LAST_APPLIED}
    metadata.pop("annotations", None)
    shown["metadata"] = {**metadata, "annotations": marks} if marks else metadata
    plain = json.loads(json.dumps(shown))  # no part of it is another part, which YAML would write as an alias
    return yaml.safe_dump(plain, sort_keys=True, allow_unicode=True, width=120)
