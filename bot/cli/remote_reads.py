"""`ferry status`: asked of the bot."""

from typing import Annotated

import typer

from bot.cli import api_access, remote_calls, remote_lines


def status(
    service: Annotated[str, typer.Argument(help="a service's name or old host; without one: all of them")] = "",
    *,
    api: api_access.Url = "",
    token: api_access.Token = "",
    token_file: api_access.TokenFile = None,
    as_json: api_access.AsJson = False,
) -> None:
    """What every service is doing, or one of them in full."""
    at = api_access.access(api, token, token_file)
    path = f"services/{remote_calls.quoted(service)}" if service else "services"
    lines = remote_lines.service if service else remote_lines.overview
    remote_calls.tell(lambda: at.get(path), lines, as_json=as_json)
