"""Modals: the details of an operation, and the question why it is rejected. Pure."""

from collections.abc import Mapping
from typing import Any

from bot.slack import block_limits, buttons
from bot.slack.words import Words
from handlers.rules import migration

DETAILS = "ferry.details_view"  # callback ids
REJECT = "ferry.reject_view"


def details_view(operation: migration.Operation, words: Words) -> block_limits.Block:
    return {"type": "modal", "callback_id": DETAILS, "title": {"type": "plain_text", "text": operation.id[:24]}, "blocks": []}


def reject_view(operation_id: str, revision: int, words: Words) -> block_limits.Block:
    return {"type": "modal", "callback_id": REJECT, "private_metadata": buttons.operation_value(operation_id, revision)}


def rejection(view: Mapping[str, Any]) -> tuple[buttons.OperationClick, str]:
    """What was submitted in `reject_view`: the click it began with, and the reason. Raises buttons.ButtonError."""
    return buttons.OperationClick(buttons.Action.REJECT, "", 1), ""
