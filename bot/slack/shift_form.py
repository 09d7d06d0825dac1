"""The form behind the global shortcut: a service, which of its requests, a percentage, a reason. Pure; it asks for what
`/migrate shift` asks for, in the same sentences where something is wrong.

Slack keeps what was typed into a field as long as its block and action ids stay, and shows a new initial value only under a
new one. So the ids of what depends on the chosen service end with its name, and the rule's with the strategy.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.slack import block_limits, card_parts, escaping, parsing, strategy_text
from bot.slack.words import Words
from k8s import model

VIEW = "ferry.shift_view"  # callback id
SERVICE, STRATEGY, RULE, WEIGHT, REASON = "service", "strategy", "rule", "weight", "reason"  # block ids, up to a colon
CHANGED = re.compile(r"ferry\.form\.(?:service|strategy)")  # action ids of fields that make the form another one
AS_IT_IS = "as_it_is"
_VALUE = "value"
_MOST_OPTIONS = 100  # Slack's limit of a menu; beyond, the name is typed
_SHORTEST_REASON = 3


class FormError(ValueError):
    """What was filled in cannot be asked for. `wrong`: a sentence for under each field (block id) that is to be mended."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__(" ".join(wrong.values()))
        self.wrong = dict(wrong)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the form is drawn for. `present`: the service's exposure now; None: not known. `strategy` None: the present one."""

    service: str = ""
    present: model.Exposure | None = None
    strategy: model.Strategy | None = None

    @property
    def shown(self) -> model.Strategy | None:
        """The strategy that stands in the menu; None: as it is."""
        return self.strategy or (self.present.strategy if self.present else None)

    @property
    def rule(self) -> str:
        """The present rule, where it is one of the strategy shown."""
        same = self.present is not None and self.present.strategy is self.shown
        return strategy_text.rule_of(self.present) if self.present and same else ""


def shift_view(names: Sequence[str], words: Words, chosen: Chosen | None = None) -> block_limits.Block:
    """`names`: of the services there are; at least one."""
    of = chosen or Chosen()
    weight = {"type": "plain_text_input", "action_id": _VALUE, "max_length": 4}
    reason: card_parts.Block = {
        "type": "plain_text_input",
        "action_id": _VALUE,
        "multiline": True,
        "min_length": _SHORTEST_REASON,
        "max_length": parsing.LONGEST_REASON,
    }
    hint = words.plain("shift_form.weight_hint")
    if of.shown not in (None, model.Strategy.WEIGHT):
        hint = words.plain("shift_form.weight_hint_rule")
    return {
        "type": "modal",
        "callback_id": VIEW,
        "title": card_parts.plain_text(words.plain("shift_form.title"), 24),
        "submit": card_parts.plain_text(words.plain("shift_form.submit"), 24),
        "close": card_parts.plain_text(words.plain("dialog.cancel"), 24),
        "blocks": [
            _service_field(names, of, words),
            _strategy_field(of, words),
            *_rule_field(of, words),
            _field(WEIGHT, words.plain("shift_form.weight"), weight, hint=hint),
            _field(REASON, words.plain("shift_form.reason"), reason, hint=words.plain("shift_form.reason_hint")),
        ],
    }


def chosen_service(view: Mapping[str, Any]) -> str:
    """What stands in the service's field; empty: nothing yet."""
    return _filled(view, SERVICE)


def chosen_strategy(view: Mapping[str, Any]) -> model.Strategy | None:
    """None: as it is."""
    kind = _filled(view, STRATEGY)
    return model.Strategy(kind) if kind in list(model.Strategy) else None


def asked(view: Mapping[str, Any], words: Words) -> parsing.Shift:
    """What was submitted. Raises FormError with everything that is wrong at once."""
    wrong: dict[str, str] = {}
    service = _filled(view, SERVICE)
    if not service:
        wrong[SERVICE] = words.plain("shift_form.no_service")
    strategy = None
    try:
        strategy = _strategy(view)
    except FormError as error:
        wrong |= error.wrong
    found = parsing.PERCENT.fullmatch(_filled(view, WEIGHT))
    weight = int(found[1]) if found else 101
    if weight > 100:
        wrong[WEIGHT] = words.plain("shift_form.no_weight")
    reason = escaping.plain(_filled(view, REASON), parsing.LONGEST_REASON)
    if len(reason) < _SHORTEST_REASON:
        wrong[REASON] = words.plain("shift_form.no_reason")
    if wrong:
        raise FormError(wrong)
    return parsing.Shift(service, weight, reason, strategy)


def _strategy(view: Mapping[str, Any]) -> strategy_text.StrategyAsked | None:
    kind = chosen_strategy(view)
    if kind is None:
        return None
    typed = "" if kind is model.Strategy.WEIGHT else _filled(view, RULE)
    try:
        # A network a line, or a space after a comma. A space within a name is a mistake that is shown as it was typed.
        between = r"[,\s]+" if kind is model.Strategy.IP else r"\s*[,\n]\s*"
        return strategy_text.read(kind, ",".join(part for part in re.split(between, parsing.normalise(typed).strip()) if part))
    except strategy_text.RuleError as error:
        # Submitted in the moment between the choice of a strategy and the field for its rule, the form has no such field.
        block = _block_id(view, RULE) or _block_id(view, STRATEGY) or STRATEGY
        raise FormError({block: f"{error} Try: {error.better.partition(' ')[2]}"}) from None


def _service_field(names: Sequence[str], of: Chosen, words: Words) -> card_parts.Block:
    label = words.plain("shift_form.service")
    if len(names) > _MOST_OPTIONS:
        return _field(SERVICE, label, {"type": "plain_text_input", "action_id": _VALUE, "max_length": 253})
    options = [_option(name) for name in names]
    menu: card_parts.Block = {"type": "static_select", "action_id": "ferry.form.service", "options": options}
    if of.service in names:
        menu["initial_option"] = _option(of.service)
    return {**_field(SERVICE, label, menu), "dispatch_action": True}


def _strategy_field(of: Chosen, words: Words) -> card_parts.Block:
    options = [_option(kind, words.plain(f"shift_form.of_{kind}")) for kind in model.Strategy]
    if of.present is None:
        options.insert(0, _option(AS_IT_IS, words.plain("shift_form.as_it_is")))
    initial = next(option for option in options if option["value"] == (of.shown or AS_IT_IS))
    menu = {"type": "static_select", "action_id": "ferry.form.strategy", "options": options, "initial_option": initial}
    return {**_field(f"{STRATEGY}:{of.service}", words.plain("shift_form.strategy"), menu), "dispatch_action": True}


def _rule_field(of: Chosen, words: Words) -> list[card_parts.Block]:
    kind = of.shown
    if kind is None or kind is model.Strategy.WEIGHT:
        return []
    typed: card_parts.Block = {"type": "plain_text_input", "action_id": _VALUE, "max_length": strategy_text.LONGEST_RULE}
    if of.rule and len(of.rule) <= strategy_text.LONGEST_RULE:
        typed["initial_value"] = of.rule
    typed["placeholder"] = card_parts.plain_text(strategy_text.EXAMPLES[kind], 150)
    hint = words.plain(f"shift_form.rule_hint_{kind}")
    return [_field(f"{RULE}:{of.service}:{kind}", words.plain(f"shift_form.rule_{kind}"), typed, hint=hint)]


def _values(view: Mapping[str, Any]) -> Mapping[str, Any]:
    state = view.get("state")
    values = state.get("values") if isinstance(state, Mapping) else None
    return values if isinstance(values, Mapping) else {}


def _block_id(view: Mapping[str, Any], block: str) -> str:
    """The field's id in this view; empty: it has no such field."""
    return next((str(one) for one in _values(view) if str(one).partition(":")[0] == block), "")


def _filled(view: Mapping[str, Any], block: str) -> str:
    fields = _values(view).get(_block_id(view, block))
    found = next(iter(fields.values()), None) if isinstance(fields, Mapping) else None
    if isinstance(found, Mapping):
        chosen = found.get("selected_option")
        text = chosen.get("value") if isinstance(chosen, Mapping) else found.get("value")
        return text.strip() if isinstance(text, str) else ""
    return ""


def _option(value: str, label: str = "") -> card_parts.Block:
    return {"text": card_parts.plain_text(label or value, 75), "value": str(value)}


def _field(block: str, label: str, element: card_parts.Block, *, hint: str = "") -> card_parts.Block:
    made: card_parts.Block = {"type": "input", "block_id": block, "label": card_parts.plain_text(label, 200), "element": element}
    return made | ({"hint": card_parts.plain_text(hint, 200)} if hint else {})
