"""What was discovered, as a person takes it: looked at, adjusted in the form, accepted."""

from collections.abc import Sequence

from bot.slack import buttons, discover_cards
from deploy.playground import laptop
from deploy.playground.slack import records
from deploy.playground.stories import people

_WITHIN = 15.0


async def offered(playground: laptop.Playground, user: str) -> records.Message:
    """`/migrate discover`: the answer with its proposals. Raises people.Stuck."""
    driver = playground.slack.driver
    before = {one.ts for one in driver.ephemerals(user)}
    outcome = await driver.command(user, "/migrate discover")
    if not outcome.acknowledged:
        raise people.Stuck(f"Slack got no answer to /migrate discover: {outcome.error}")

    def shown() -> records.Message | None:
        later = [one for one in driver.ephemerals(user) if one.ts not in before]
        return next((one for one in later if buttons.Action.ADJUST in one.action_ids), None)

    try:
        return await driver.wait_for(shown, within=_WITHIN)
    except TimeoutError:
        raise people.Stuck("/migrate discover proposes nothing", driver.screens()) from None


async def accept(playground: laptop.Playground, user: str, screen: records.Message, name: str, lines: Sequence[str]) -> None:
    """Opens the form of this proposal, adds lines to its entry, and sends it. Raises people.Stuck."""
    driver = playground.slack.driver
    await driver.click(user, screen, buttons.Action.ADJUST, value=_button(screen, name))
    try:
        view = await driver.wait_for(lambda: driver.open_view(user), within=_WITHIN)
    except TimeoutError:
        raise people.Stuck(f"no form opens for {name}", driver.screens()) from None
    fields = [
        element for block, element in records.elements_of(view.blocks) if block.get("block_id") == discover_cards.TEXT_BLOCK
    ]
    text = str(fields[0]["initial_value"])
    last = "    enabled: true\n"
    adjusted = text.replace(last, last + "".join(f"    {line}\n" for line in lines))
    submitted = await driver.submit(user, view, {discover_cards.TEXT_BLOCK: adjusted})
    if submitted.errors:
        raise people.Stuck(f"the form of {name} was refused: {submitted.errors}")


def _button(screen: records.Message, name: str) -> str:
    for _, element in records.elements_of(screen.blocks):
        found = buttons.FOUND_VALUE.fullmatch(str(element.get("value", "")))
        if element.get("action_id") == buttons.Action.ADJUST and found and found["name"] == name:
            return found[0]
    raise people.Stuck(f"{name} is not proposed: {screen.words}")
