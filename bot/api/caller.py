"""Who called and how, as every address takes it."""

import re
from typing import Annotated

import fastapi
from starlette import requests

from bot.api import asking, errors_told, gate
from handlers import messages

CLIENT = "X-Ferry-Client"
KEY = "Idempotency-Key"
_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")


def calling(
    request: requests.Request,
    client: Annotated[str, fastapi.Header(alias=CLIENT, include_in_schema=False)] = "",
    key: Annotated[str, fastapi.Header(alias=KEY)] = "",
) -> asking.Calling:
    if key and not _KEY.fullmatch(key):
        what, why = "Nothing was done.", f"{KEY} is not 8 to 64 of A-Z a-z 0-9 _ -."
        raise errors_told.NotDone(422, "unreadable", what, why=why, remedy="Send a fresh random one.")
    source = messages.Source.CLI if client == "cli" else messages.Source.API
    return asking.Calling(request.scope[gate.CALLER], source, key)


Caller = Annotated[asking.Calling, fastapi.Depends(calling)]
