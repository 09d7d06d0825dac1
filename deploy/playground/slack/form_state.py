"""What a person has filled in or chosen, in the shapes that Slack's payloads carry it."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.playground.slack import records
from deploy.playground.slack.records import Json

Filled = Mapping[tuple[str, str], Any]
"""(block_id, action_id) -> what was typed, or the value(s) of the chosen option(s) or people."""

_CHOSEN_THING = {
    "users_select": "selected_user",
    "conversations_select": "selected_conversation",
    "channels_select": "selected_channel",
}
_PICKED = {"datepicker": "selected_date", "timepicker": "selected_time", "datetimepicker": "selected_date_time"}


def options_of(element: Json) -> list[Json]:
    grouped = [option for group in element.get("option_groups", ()) for option in group["options"]]
    return [*element.get("options", ()), *grouped]


def option_with(element: Json, value: str) -> Json:
    """The option with that value, or with that label. LookupError names what there is."""
    for option in options_of(element):
        if value in (option["value"], option["text"]["text"]):
            return option
    offered = ", ".join(option["value"] for option in options_of(element))
    raise LookupError(f"no option {value!r} in {element.get('action_id')}; it offers: {offered}")


def entry(element: Json, value: Any) -> Json:
    """One `state.values[block_id][action_id]`; `value` None means left empty."""
    kind = element["type"]
    several = kind.startswith("multi_") or kind == "checkboxes"
    single = kind.removeprefix("multi_")
    name = _PICKED.get(kind)
    if single in _CHOSEN_THING:
        name = _CHOSEN_THING[single] + ("s" if several else "")
    if name is not None:
        return {"type": kind, name: value if value or not several else []}
    if several:
        return {"type": kind, "selected_options": [option_with(element, chosen) for chosen in value or ()]}
    if "options" in element or "option_groups" in element:
        return {"type": kind, "selected_option": None if value in (None, "") else option_with(element, str(value))}
    return {"type": kind, "value": None if value in (None, "") else str(value)}


def untouched(element: Json) -> Any:
    """What an element holds before anybody touches it, in the form of `Filled`."""
    if element.get("initial_options"):
        return [option["value"] for option in element["initial_options"]]
    if element.get("initial_option"):
        return element["initial_option"]["value"]
    names = ["value", "user", "users", "date", "time", "date_time", "channel", "conversation"]
    return next((element[f"initial_{name}"] for name in names if f"initial_{name}" in element), None)


def state_of(blocks: Sequence[Json], filled: Filled) -> Json:
    """`state.values` with every field present, the empty ones too."""
    values: Json = {}
    for block, element in records.elements_of(blocks):
        if element["type"] in ("button", "overflow", "workflow_button"):
            continue
        key = (block["block_id"], element["action_id"])
        content = filled[key] if key in filled else untouched(element)
        values.setdefault(key[0], {})[key[1]] = entry(element, content)
    return copy.deepcopy(values)


def addressed(blocks: Sequence[Json], values: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """`Filled` from values named by block_id or by action_id. LookupError when a name fits no field."""
    fields = [(block["block_id"], element["action_id"]) for block, element in records.elements_of(blocks)]
    filled = {}
    for name, value in values.items():
        fitting = [field for field in fields if name in field]
        if not fitting:
            raise LookupError(f"no field {name!r} in this view; it has: {', '.join(' / '.join(field) for field in fields)}")
        filled[fitting[0]] = value
    return filled


def complaints(blocks: Sequence[Json], filled: Filled) -> dict[str, str]:
    """What Slack's own client says before it submits anything: block_id -> sentence."""
    said = {}
    for block, element in records.elements_of(blocks):
        if block["type"] != "input":
            continue
        key = (block["block_id"], element["action_id"])
        content = filled[key] if key in filled else untouched(element)
        if content in (None, "", []):
            if not block.get("optional", False):
                said[key[0]] = "Please complete this required field."
        elif element["type"] == "plain_text_input":
            if len(str(content)) < element.get("min_length", 0):
                said[key[0]] = f"Please enter at least {element['min_length']} characters."
            elif len(str(content)) > element.get("max_length", 3000):
                said[key[0]] = f"Please enter at most {element.get('max_length', 3000)} characters."
    return said


def action(block: Json, element: Json, *, value: Any, action_ts: str) -> Json:
    """One entry of `actions` in a block_actions payload."""
    kind = element["type"]
    told: Json = {"type": kind, "action_id": element["action_id"], "block_id": block["block_id"], "action_ts": action_ts}
    if kind in ("button", "workflow_button"):
        told |= {name: element[name] for name in ("text", "value", "style", "url") if name in element}
    elif kind == "overflow":
        told["selected_option"] = option_with(element, str(value))
    else:
        told |= entry(element, value)
    if "confirm" in element:
        told["confirm"] = element["confirm"]
    return copy.deepcopy(told)
