"""`ferry playground --story bypass`: with no proxy ready the original entry comes back by itself."""

import pytest

from deploy.playground.stories import running

pytestmark = [pytest.mark.stories, pytest.mark.long, pytest.mark.xdist_group("playground-bypass"), pytest.mark.timeout(400)]


async def test_the_original_entry_is_put_back_and_from_then_on_nobody_fails() -> None:
    told = await running.tell("bypass")
    assert told.held, told.why
    assert told.measured["failed_afterwards"] == 0
    assert told.measured["answered_by_old_afterwards"] == told.measured["reads_afterwards"] > 0
    assert told.measured["record_afterwards"] == 0
    assert told.verdict.broken == ()
    assert told.verdict.checked["I18"] > 0
