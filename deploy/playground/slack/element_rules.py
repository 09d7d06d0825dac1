"""Block Kit's limits for what stands inside blocks: buttons, menus, inputs, options, confirm dialogs."""

from collections.abc import Callable, Mapping

from deploy.playground.slack.findings import Findings, Json

BUTTON_STYLES = ["primary", "danger"]
MENUS_WITHOUT_OPTIONS = ["users_select", "conversations_select", "channels_select", "external_select"]
MENUS = ["static_select", *MENUS_WITHOUT_OPTIONS]
TEXT_INPUTS = ["plain_text_input", "number_input", "email_text_input", "url_text_input", "rich_text_input"]
PICKERS = ["datepicker", "timepicker", "datetimepicker"]
CHOICES = ["radio_buttons", "checkboxes"]
INTERACTIVE = frozenset(
    [
        *MENUS,
        *(f"multi_{menu}" for menu in MENUS),
        *TEXT_INPUTS,
        *PICKERS,
        *CHOICES,
        *("button", "overflow", "workflow_button", "feedback_buttons", "icon_button", "file_input"),
    ],
)

IN_ACTIONS = frozenset(INTERACTIVE - {"file_input", "feedback_buttons", "icon_button", *TEXT_INPUTS} | {"rich_text_input"})
IN_SECTION = frozenset(INTERACTIVE - {"file_input", "feedback_buttons", "icon_button", *TEXT_INPUTS} | {"image"})
IN_INPUT = frozenset([*MENUS, *(f"multi_{menu}" for menu in MENUS), *TEXT_INPUTS, *PICKERS, *CHOICES, "file_input"])


def check_element(found: Findings, element: object, allowed: frozenset[str]) -> None:
    if not isinstance(element, dict):
        found.add("must provide an object")
        return
    kind = element.get("type")
    if kind not in allowed:
        found.add(f"unsupported type: {kind}")
        return
    found.at("action_id").length(element.get("action_id"), 255)
    found.at("placeholder").text(element.get("placeholder"), 150, plain=True)
    if "confirm" in element:
        check_confirm(found.at("confirm"), element["confirm"])
    CHECKS.get(str(kind).removeprefix("multi_"), _nothing_more)(found, element)


def check_confirm(found: Findings, confirm: object) -> None:
    if not isinstance(confirm, dict):
        found.add("must provide an object")
        return
    found.need(confirm, "title", "text", "confirm", "deny")
    found.at("title").text(confirm.get("title"), 100, plain=True)
    found.at("text").text(confirm.get("text"), 300)
    found.at("confirm").text(confirm.get("confirm"), 30, plain=True)
    found.at("deny").text(confirm.get("deny"), 30, plain=True)
    found.at("style").one_of(confirm.get("style"), BUTTON_STYLES)


def _button(found: Findings, button: Json) -> None:
    found.need(button, "text")
    found.at("text").text(button.get("text"), 75, plain=True)
    found.at("value").length(button.get("value"), 2000)
    found.at("url").length(button.get("url"), 3000)
    found.at("style").one_of(button.get("style"), BUTTON_STYLES)
    found.at("accessibility_label").length(button.get("accessibility_label"), 75)


def _static_select(found: Findings, menu: Json) -> None:
    if "option_groups" in menu:
        for place, group in enumerate(found.at("option_groups").count(menu["option_groups"], 100)):
            there = found.at("option_groups", place)
            there.at("label").text(group.get("label"), 75, plain=True)
            _options(there, group, most=100)
    else:
        _options(found, menu, most=100)


def _options(found: Findings, holder: Json, *, most: int, plain: bool = True) -> None:
    options = found.at("options").count(holder.get("options"), most)
    values = [option.get("value") for option in options if isinstance(option, dict)]
    for place, option in enumerate(options):
        there = found.at("options", place)
        if not isinstance(option, dict):
            there.add("must provide an object")
            continue
        there.need(option, "text", "value")
        there.at("text").text(option.get("text"), 75, plain=plain)
        there.at("value").length(option.get("value"), 150)
        there.at("description").text(option.get("description"), 75, plain=plain)
        if values.count(option.get("value")) > 1:
            there.add("option values must be unique")
    chosen = holder.get("initial_option")
    for initial in [*(holder.get("initial_options") or []), *([chosen] if chosen else [])]:
        if initial not in options:
            found.at("initial_option").add("initial option must exactly match one of the options")


def _overflow(found: Findings, menu: Json) -> None:
    _options(found, menu, most=5)


def _choices(found: Findings, choices: Json) -> None:
    _options(found, choices, most=10, plain=False)


def _typed(found: Findings, field: Json) -> None:
    for name, lowest in (("min_length", 0), ("max_length", 1)):
        bound = field.get(name)
        if bound is not None and not (isinstance(bound, int) and lowest <= bound <= 3000):
            found.at(name).add(f"must be a number from {lowest} to 3000")
    shortest, longest = field.get("min_length"), field.get("max_length")
    if isinstance(shortest, int) and isinstance(longest, int) and shortest > longest:
        found.add("min_length must not exceed max_length")
    found.at("initial_value").length(field.get("initial_value"), 3000, least=0)


def _image(found: Findings, image: Json) -> None:
    if image.get("image_url") is None and image.get("slack_file") is None:
        found.add("missing required field: image_url")
    found.need(image, "alt_text")
    found.at("image_url").length(image.get("image_url"), 3000)
    found.at("alt_text").length(image.get("alt_text"), 2000)


def _nothing_more(_found: Findings, _element: Json) -> None:
    """Elements without limits of their own."""


CHECKS: Mapping[str, Callable[[Findings, Json], None]] = {
    "button": _button,
    "workflow_button": _button,
    "static_select": _static_select,
    "overflow": _overflow,
    "radio_buttons": _choices,
    "checkboxes": _choices,
    "plain_text_input": _typed,
    "image": _image,
}
