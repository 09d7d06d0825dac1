"""The form behind the global shortcut: a service, a percentage, a reason. Pure; it asks for what `/migrate shift` asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.slack import block_limits, card_parts, escaping, parsing
from bot.slack.words import Words

VIEW = "ferry.shift_view"  # callback id
SERVICE, WEIGHT, REASON = "service", "weight", "reason"  # block ids
_VALUE = "value"
_MOST_OPTIONS = 100  # Slack's limit of a menu; beyond, the name is typed
_SHORTEST_REASON = 3


class FormError(ValueError):
    """What was filled in cannot be asked for; the sentence belongs under the field `block`."""

    def __init__(self, block: str, sentence: str) -> None:
        super().__init__(sentence)
        self.block = block


def shift_view(names: Sequence[str], words: Words) -> block_limits.Block:
    """`names`: of the services there are; at least one."""
    typed: card_parts.Block = {"type": "plain_text_input", "action_id": _VALUE, "max_length": 253}
    menu = {"type": "static_select", "action_id": _VALUE, "options": [_option(name) for name in names]}
    weight = {"type": "plain_text_input", "action_id": _VALUE, "max_length": 4}
    reason: card_parts.Block = {
        "type": "plain_text_input",
        "action_id": _VALUE,
        "multiline": True,
        "min_length": _SHORTEST_REASON,
        "max_length": parsing.LONGEST_REASON,
    }
    return {
        "type": "modal",
        "callback_id": VIEW,
        "title": card_parts.plain_text(words.plain("shift_form.title"), 24),
        "submit": card_parts.plain_text(words.plain("shift_form.submit"), 24),
        "close": card_parts.plain_text(words.plain("dialog.cancel"), 24),
        "blocks": [
            _field(SERVICE, words.plain("shift_form.service"), menu if len(names) <= _MOST_OPTIONS else typed),
            _field(WEIGHT, words.plain("shift_form.weight"), weight, hint=words.plain("shift_form.weight_hint")),
            _field(REASON, words.plain("shift_form.reason"), reason, hint=words.plain("shift_form.reason_hint")),
        ],
    }


def asked(view: Mapping[str, Any], words: Words) -> parsing.Shift:
    """What was submitted. Raises FormError."""
    service = _filled(view, SERVICE)
    if not service:
        raise FormError(SERVICE, words.plain("shift_form.no_service"))
    found = parsing.PERCENT.fullmatch(_filled(view, WEIGHT))
    if found is None or int(found[1]) > 100:
        raise FormError(WEIGHT, words.plain("shift_form.no_weight"))
    reason = escaping.plain(_filled(view, REASON), parsing.LONGEST_REASON)
    if len(reason) < _SHORTEST_REASON:
        raise FormError(REASON, words.plain("shift_form.no_reason"))
    return parsing.Shift(service, int(found[1]), reason)


def _filled(view: Mapping[str, Any], block: str) -> str:
    found: Any = view.get("state")
    for name in ("values", block, _VALUE):
        found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, Mapping):
        chosen = found.get("selected_option")
        text = chosen.get("value") if isinstance(chosen, Mapping) else found.get("value")
        return text.strip() if isinstance(text, str) else ""
    return ""


def _option(name: str) -> card_parts.Block:
    return {"text": card_parts.plain_text(name, 75), "value": name}


def _field(block: str, label: str, element: card_parts.Block, *, hint: str = "") -> card_parts.Block:
    made: card_parts.Block = {"type": "input", "block_id": block, "label": card_parts.plain_text(label, 200), "element": element}
    return made | ({"hint": card_parts.plain_text(hint, 200)} if hint else {})
