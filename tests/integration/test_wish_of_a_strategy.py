"""A real `ferry run`: after a shift of another strategy `migration.yaml` reads true, and the next shift keeps that strategy."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.playground.slack import people
from k8s import wish_document
from tests.integration import bot_world

ANN, BOB = people.U_ANN, people.U_BOB


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[bot_world.World]:
    one = bot_world.World(tmp_path)
    await one.start()
    try:
        await one.run()
        yield one
    finally:
        await one.stop()
    assert "Traceback" not in one.log


async def shifted(world: bot_world.World, *words: str) -> None:
    """Asked for, approved, confirmed and done."""
    asked = await world.cli(ANN, "shift", "api", *words)
    assert (asked.code, asked.complaint) == (0, "")
    operation = next(word for word in asked.output.split() if word.startswith("op-")).rstrip(",")
    approved = await world.ask(BOB, "POST", f"operations/{operation}/approve")
    assert approved.status_code == 200, approved.text
    confirmed = await world.cli(ANN, "confirm", operation)
    assert (confirmed.code, confirmed.complaint) == (0, "")

    async def done() -> bool:
        return bool((await world.ask(ANN, "GET", f"operations/{operation}")).json()["outcome"] == "done")

    await world.until(done)


async def exposures(world: bot_world.World) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the document and the record say of the service."""
    wished = wish_document.read((await world.data("migration-config"))["migration.yaml"]).services["api"].exposure
    record = json.loads((await world.data("migration-record-api"))["record"])["exposure"]
    return wished.as_document(), dict(record)


def unapproved_at_0(text: str) -> str:
    """What nobody approved for the other service goes back to 0 meanwhile, sooner or later."""
    return text.replace("migration_percentage: 25", "migration_percentage: 0")


async def test_the_document_says_the_strategy_and_the_next_shift_without_one_keeps_it(world: bot_world.World) -> None:
    before = unapproved_at_0((await world.data("migration-config"))["migration.yaml"])
    await shifted(world, "10%", "--strategy", "ip", "--cidr", "10.2.0.0/16", "--reason", "the office first")
    rule = '    strategy: "ip"\n    cidrs: ["10.2.0.0/16"]\n'
    text = unapproved_at_0((await world.data("migration-config"))["migration.yaml"])
    assert text == before.replace("migration_percentage: 0  # by hand\n", f"migration_percentage: 10  # by hand\n{rule}")
    wished, record = await exposures(world)
    assert wished == record

    await shifted(world, "25%", "--reason", "more of them")
    wished, record = await exposures(world)
    assert wished == record
    assert (record["weight"], record["strategy"], record["cidrs"]) == (25, "ip", ["10.2.0.0/16"])

    await shifted(world, "30%", "--strategy", "weight", "--reason", "everybody")
    wished, record = await exposures(world)
    assert wished == record
    assert (record["weight"], record["strategy"]) == (30, "weight")
