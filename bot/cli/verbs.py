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
RUN, SERVE = "run", "serve"  # `ferry run` alone is the bot, as Deployments of before there were ladders start it


@dataclass(frozen=True, slots=True)
class Verb:
    """`where`: `module:function`, or `module:app` for a verb with verbs of its own. `line`: of help."""

    where: str
    line: str


VERBS: Mapping[str, Verb] = {
    "list": Verb("bot.cli.remote_reads:services", "Every service in one line."),
    "status": Verb("bot.cli.remote_reads:status", "What every service is doing, or one of them in full."),
    "discover": Verb("bot.cli.remote_reads:discover", "What the old cluster serves and could be added; writes nothing."),
    "accept": Verb("bot.cli.remote_reads:accept", "Add what was discovered to migration.yaml, at 0%."),
    "preflight": Verb("bot.cli.remote_reads:preflight", "Whether everything is there before a service's traffic moves."),
    "prepare": Verb("bot.cli.remote_journey:prepare", "Ask that the old ingress hands a host to the proxies, at 0%."),
    "plan": Verb("bot.cli.remote:plan", "Say what a shift would be, and whether it would be accepted now; asks for nothing."),
    "shift": Verb("bot.cli.remote:shift", "Ask for another share of a service's requests at the new cluster."),
    "run": Verb("bot.cli.remote_journey:run", "Climb a service's ladder, step by step; without a service: the bot itself."),
    "pause": Verb("bot.cli.remote_journey:pause", "Stop a ladder where it is; any member may."),
    "resume": Verb("bot.cli.remote_journey:resume", "Let a paused ladder go on, in your name."),
    "approve": Verb("bot.cli.remote:approve", "Approve what somebody else asked for."),
    "reject": Verb("bot.cli.remote:reject", "Reject what somebody asked for, or withdraw what you did."),
    "confirm": Verb("bot.cli.remote:confirm", "Start what you asked for and others approved."),
    "rollback": Verb("bot.cli.remote:rollback", "Send everything of a service to the old cluster, now."),
    "safe-mode": Verb("bot.cli.remote:safe_mode", "Hold a service, or all, at 100% old, now; off asks for the release."),
    "bypass": Verb("bot.cli.remote_journey:bypass", "Restore a host's original entry, without the proxies."),
    "finish": Verb("bot.cli.remote_journey:finish", "Ask for the end: the old host forwards to the new cluster for good."),
    "history": Verb("bot.cli.remote_reads:history", "Every change of a service that is kept, newest first."),
    "drift": Verb("bot.cli.remote_reads:drift", "What somebody changed by hand, and what became of it."),
    "whoami": Verb("bot.cli.remote_reads:whoami", "Who your token is to Ferry, and what you may do."),
    "serve": Verb("bot.cli.serve:serve", "Run the bot."),
    "check": Verb("bot.cli.documents:check", "Say whether these documents may be used."),
    "render": Verb("bot.cli.render:render", "The nginx text that the proxies would serve for these documents."),
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
        name = SERVE if name == RUN and not rest else name
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
