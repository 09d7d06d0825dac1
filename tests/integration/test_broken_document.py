"""The real bot with its shipped rights: a document broken while it was away is put back from what it had kept in the cluster."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from k8s import client, wish
from tests.integration import bot_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[bot_world.World]:
    one = bot_world.World(tmp_path)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()
    assert "Traceback" not in one.log


async def test_a_document_broken_while_the_bot_was_away_is_put_back_and_no_weight_moves(world: bot_world.World) -> None:
    await world.expose("shop", 25)
    await world.run()

    async def kept() -> bool:
        return (await world.data(wish.LAST_WHOLE)).get(wish.DOCUMENT) == bot_world.DOCUMENT

    await world.until(kept)
    assert world.bot is not None
    await world.bot.stop(limit=25)
    edited = bot_world.DOCUMENT.replace("old_host: shop", "old_hst: shop").replace("# by hand", "# by Ann")
    change = {"data": {wish.DOCUMENT: edited}}
    await world.api.patch(client.CONFIG_MAPS, bot_world.NAMESPACE, wish.CONFIG_MAP, change, field_manager="kubectl-edit")
    await world.run()

    async def whole() -> str:
        text = (await world.data(wish.CONFIG_MAP))[wish.DOCUMENT]
        return text if text != edited else ""

    assert await world.until(whole, within=60) == bot_world.DOCUMENT.replace("# by hand", "# by Ann")
    assert (await world.data(wish.LAST_WHOLE))[wish.REFUSED] == edited
    await world.slack.driver.wait_for(
        lambda: [one for one in world.slack.driver.messages() if "was put back" in one.words and "kubectl-edit" in one.words],
        within=30,
    )
    assert await world.weight("shop") == 25
