"""What an app may answer to the submission of a modal: errors, update, push, clear; nothing closes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.playground.slack import block_rules, records, view_making, workspace

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """`error` is Slack's word when the app's answer made no sense; the modal then stays as it is."""

    error: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    closed: bool = False


def apply(space: workspace.Workspace, view: records.View, answer: Json) -> Applied:
    kind = answer.get("response_action")
    if kind is None:
        space.screens.close(view)
        return Applied(closed=True)
    if kind == "clear":
        space.screens.close(view, everything=True)
        return Applied(closed=True)
    if kind == "errors":
        return _errors(view, answer.get("errors"))
    if kind in ("update", "push"):
        return _another_view(space, view, answer.get("view"), pushed=kind == "push")
    return Applied(error="invalid_response_action")


def _errors(view: records.View, errors: object) -> Applied:
    inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
        return Applied(error="invalid_errors")
    return Applied(errors={str(block_id): str(sentence) for block_id, sentence in errors.items()})


def _another_view(space: workspace.Workspace, view: records.View, body: object, *, pushed: bool) -> Applied:
    if not isinstance(body, dict) or block_rules.check_view(body):
        return Applied(error="invalid_view")
    if not pushed:
        view_making.update(space, view, body)
        return Applied()
    return (
        Applied()
        if space.screens.push(view_making.make(space, view.user, body, above=view))
        else Applied(error="push_limit_reached")
    )
