"""Which verbs `ferry` has. A verb's module is imported when it is called: a question to the API must not wait for the bot.

The line of help stands here as well as in the verb's own docstring, so that `ferry --help` imports none of them.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import typer
from typer import core

OTHERS = "ferry.commands"  # entry points: verbs that other packages bring


@dataclass(frozen=True, slots=True)
class Verb:
    """`where`: `module:function`, or `module:app` for a verb with verbs of its own. `line`: of help."""

    where: str
    line: str


VERBS: Mapping[str, Verb] = {
    "status": Verb("bot.cli.remote_reads:status", "What every service is doing, or one of them in full."),
    "shift": Verb("bot.cli.remote:shift", "Ask for another share of a service's requests at the new cluster."),
    "approve": Verb("bot.cli.remote:approve", "Approve what somebody else asked for."),
    "reject": Verb("bot.cli.remote:reject", "Reject what somebody asked for, or withdraw what you did."),
    "confirm": Verb("bot.cli.remote:confirm", "Start what you asked for and others approved."),
    "rollback": Verb("bot.cli.remote:rollback", "Send everything of a service to the old cluster, now."),
    "safe-mode": Verb("bot.cli.remote:safe_mode", "Hold a service, or all, at 100% old, now; off asks for the release."),
    "run": Verb("bot.cli.run:run", "Run the bot."),
    "check": Verb("bot.cli.documents:check", "Say whether these documents may be used."),
    "keys": Verb("bot.cli.documents:keys", "Make a signing key."),
    "audit": Verb("bot.cli.audit:app", "What people and Ferry did, as it was written down."),
}


class Verbs(core.TyperGroup):
    """Lists verbs by their line, and loads the one that is called. Types of click are Typer's own affair, and not named."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*VERBS, *sorted(_others())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """For listing only; `resolve_command` has the verb itself."""
        if verb := VERBS.get(cmd_name):
            return core.TyperCommand(cmd_name, help=verb.line)
        if other := _others().get(cmd_name):
            return core.TyperCommand(cmd_name, help=f"Comes with {other.value.partition(':')[0].rpartition('.')[0]}.")
        return None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, loaded(name) if name and listed else listed, rest


def loaded(name: str) -> Any:
    """The verb, ready to be called. KeyError for one that there is not."""
    where = VERBS[name].where if name in VERBS else _others()[name].value
    module, _, attribute = where.partition(":")
    found: Any = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name=name)(found)
        found = alone
    return typer.main.get_command(found)


def _others() -> dict[str, metadata.EntryPoint]:
    return {one.name: one for one in metadata.entry_points(group=OTHERS)}
