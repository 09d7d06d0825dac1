"""A requested change, followed until it is decided and done: each line of its timeline once, as it comes."""

import sys
import time
from typing import Any

from bot.cli import api_access, remote_lines

PAUSE = 0.5  # seconds between two questions
PATIENCE = 120  # questions in a row that may stay without an answer: a bot that is replaced is back by then
DONE = "done"


class NotCompleted(Exception):
    """It ended, and not as it was asked for. `document`: the answer with the operation as it is now."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document["operation"]["because"])
        self.document = document


def followed(at: api_access.Access, asked: dict[str, Any], *, aloud: bool) -> dict[str, Any]:
    """`asked`: the answer to a request; without an operation in it, it is the end already. Returns it with the operation's end.

    Raises NotCompleted, api_access.NotDone.
    """
    told = asked.get("operation")
    if told is None:
        return asked
    shown = len(told["timeline"])
    while told["outcome"] == "open":
        time.sleep(PAUSE)
        told = _now(at, told["id"])
        if aloud:
            for line in told["timeline"][shown:]:
                print(f"{remote_lines.clock(line['at'])}  {remote_lines.clean(line['sentence'])}", flush=True)
        shown = max(shown, len(told["timeline"]))
    document = {**asked, "operation": told}
    if aloud:
        print(f"{remote_lines.clean(told['outcome'])}: {remote_lines.clean(told['because'])}")
    if told["outcome"] != DONE:
        raise NotCompleted(document)
    return document


def _now(at: api_access.Access, operation: str) -> dict[str, Any]:
    silent = 0
    while True:
        try:
            return at.get(f"operations/{operation}")
        except api_access.NotDone as error:
            silent += 1
            if 0 < error.status < 500 or silent >= PATIENCE:
                raise
            if silent == 1:
                print(f"{remote_lines.clean(error.sentence)} It goes on all the same; asking again.", file=sys.stderr)
        time.sleep(PAUSE)
