"""Words of a hold come from anybody: whatever they hold, they can be written again."""

import orjson
import pytest

from k8s import hold_document


@pytest.mark.parametrize("value", ['{"reason": "down \\ud83d"}', "down \ud83d", '{"by": "\\udc00", "cause": {"a": "\\ud83d"}}'])
def test_half_an_emoji_becomes_text_that_can_be_written(value: str) -> None:
    hold = hold_document.hold_from("hold.shop.h1", value)
    assert hold is not None
    written = orjson.dumps(hold_document.as_document(hold))
    assert hold_document.hold_from_document(orjson.loads(written)) == hold
