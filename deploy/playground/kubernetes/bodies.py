"""Request bodies and parameters, read and checked; answers, encoded."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import yaml

from deploy.playground.kubernetes import failures, patches, protobuf, strategic
from deploy.playground.kubernetes.deletion import Options
from deploy.playground.kubernetes.failures import ApiFailure, Causes
from deploy.playground.kubernetes.journal import Asked
from deploy.playground.kubernetes.kinds import Json, Kind

MOST_BYTES = 3 * 1024 * 1024
MOST_STORED_BYTES = 3 * 512 * 1024  # what etcd takes in one request

JSON, YAML = "application/json", "application/yaml"
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
_PATCHES = ", ".join((JSON_PATCH, MERGE, STRATEGIC, APPLY))


class _PlainLoader(yaml.CSafeLoader):
    """YAML as the API reads it: a date is a text."""


_PlainLoader.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for sign, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def decoded(raw: bytes, media: str) -> Any:
    """The body as plain values. Raises 400 for text that cannot be read, 415 for a media type that is not served."""
    media = media or JSON
    if media in {JSON, MERGE, JSON_PATCH, STRATEGIC}:
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise failures.bad_request(f"the body of the request could not be read as JSON: {error}") from error
    if media in {YAML, "text/yaml", "application/x-yaml", APPLY}:
        try:
            return yaml.load(raw, Loader=_PlainLoader)  # noqa: S506 - derives from the safe loader
        except yaml.YAMLError as error:
            raise failures.bad_request(f"error decoding YAML: {error}") from error
    if media == protobuf.MEDIA:
        return protobuf.decoded(raw)
    raise failures.unsupported_media(f"{JSON}, {YAML}")


def item(raw: bytes, media: str) -> Json:
    """A body that must be one object."""
    found = decoded(raw, media)
    if not isinstance(found, dict):
        raise failures.bad_request("couldn't get version/kind; json parse error: the body must be one object")
    return found


def change(kind: Kind, raw: bytes, media: str) -> Callable[[Json], Json]:
    """A patch of any sort but apply, as a function from the live object to the new one."""
    if media not in {MERGE, JSON_PATCH, STRATEGIC}:
        raise failures.unsupported_media(_PATCHES)
    patch = decoded(raw, media)
    if media == MERGE:
        return lambda live: patches.merge(live, patch)
    if media == JSON_PATCH:
        return lambda live: patches.json_patch(live, patch)
    return lambda live: strategic.merge(kind, live, patch)


def asked(query: Mapping[str, str], *, user: str, agent: str, options_kind: str, is_apply: bool = False) -> Asked:
    """How a write is asked for. Raises 422 for parameters that make no sense, such as an apply without a fieldManager."""
    causes = Causes(Kind(options_kind, "", "meta.k8s.io"), "")
    dry_run = query.get("dryRun", "")
    if dry_run not in {"", "All"}:
        causes.unsupported("dryRun", dry_run, ["All"])
    manager = query.get("fieldManager", "")
    if is_apply and not manager:
        causes.required("fieldManager", "is required for apply patch")
    if not is_apply and "force" in query:
        causes.forbidden("force", "may not be specified for non-apply patch")
    if len(manager) > 128:
        causes.too_long("fieldManager", 128)
    validation = query.get("fieldValidation", "")
    if validation not in {"", "Ignore", "Warn", "Strict"}:
        causes.unsupported("fieldValidation", validation, ["Ignore", "Strict", "Warn"])
    causes.refuse_if_any()
    return Asked(user, manager or agent.partition("/")[0][:128] or "unknown", dry_run == "All", validation)


def deletion(raw: bytes, media: str, query: Mapping[str, str]) -> tuple[Options, bool]:
    """DeleteOptions from the body or the query, and whether it is a rehearsal."""
    body = item(raw, media) if raw.strip() else {}
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    preconditions = body.get("preconditions") or {}
    propagation = body.get("propagationPolicy") or query.get("propagationPolicy") or "Background"
    causes = Causes(Kind("DeleteOptions", "", "meta.k8s.io"), "")
    if propagation not in {"Background", "Foreground", "Orphan"}:
        causes.unsupported("propagationPolicy", propagation, ["Background", "Foreground", "Orphan"])
    causes.refuse_if_any()
    options = Options(
        grace=None if grace is None else number(str(grace), "gracePeriodSeconds"),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        propagation=propagation,
    )
    return options, "All" in (body.get("dryRun") or ()) or query.get("dryRun") == "All"


def number(text: str, what: str) -> int:
    """A whole number from a parameter. Raises 400."""
    if not text:
        return 0
    if not text.isdigit():
        raise ApiFailure(400, "BadRequest", f"invalid {what} {text!r}: it must be a whole number, not below 0")
    return int(text)


def truth(text: str) -> bool:
    """A yes or no from a parameter."""
    return text.lower() in {"1", "true"}
