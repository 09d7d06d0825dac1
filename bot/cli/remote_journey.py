"""The verbs of a service's whole way, asked of the bot: its objects, its ladder, its end."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from bot.cli import api_access, journey_lines, remote_calls, remote_lines, remote_verb
from bot.slack import typed_words

Line = remote_verb.Line
Service = Annotated[str, typer.Argument(help="a service's name or old host")]
Reason = Annotated[str, typer.Option(help="whoever approves reads it, and the history keeps it")]
Note = Annotated[str, typer.Option(help="why, for whoever looks at the service next")]
Plan = Annotated[bool, typer.Option("--plan", help="show what would change, by a dry run, and ask for nothing")]


class Climb(StrEnum):
    ASK = "ask"
    AUTO = "auto"
    SKIP = "skip"


@remote_verb.asks(waits=True)
def run(
    line: Line,
    service: Service,
    how: Annotated[
        Climb,
        typer.Argument(help="ask: each step when it is due; auto: all on one standing approval; skip: the next step now"),
    ] = Climb.ASK,
    *,
    until: Annotated[str, typer.Option(help="auto: when the standing approval ends: 7d, 2026-12-31, 2026-12-31T18:00Z")] = "",
    reason: Reason = "",
) -> None:
    """Climb a service's ladder, step by step; without a service: the bot itself, as serve does.

    A standing approval (auto), and a step before its soak is served (skip, with a reason), need another person's approval.
    """
    path = f"services/{remote_calls.quoted(service)}"
    if until and how is not Climb.AUTO:
        api_access.usage(f"only a standing approval has an end; write ferry run {service} auto --until {until}")
    if how is Climb.SKIP:
        if not reason.strip():
            api_access.usage(f"say why the rest of the soak may be skipped: ferry run {service} skip --reason why")
        line.tell(lambda: line.at.post(f"{path}/skip", {"reason": reason}), remote_lines.answer)
        return
    if until:
        try:
            typed_words.end([until], "")
        except typed_words.UsageError as error:
            api_access.usage(f"{error.sentence} Try: ferry run {service} auto --until 7d")
    body = {"mode": str(how), "until": until, "reason": reason}
    line.tell(lambda: line.at.post(f"{path}/run", body), remote_lines.answer)


@remote_verb.asks()
def pause(line: Line, service: Service, *, reason: Note = "") -> None:
    """Stop a ladder where it is; any member may."""
    _ask(line, service, "pause", reason)


@remote_verb.asks()
def resume(line: Line, service: Service, *, reason: Note = "") -> None:
    """Let a paused ladder go on, in your name."""
    _ask(line, service, "resume", reason)


@remote_verb.asks(waits=True)
def prepare(line: Line, service: Service, *, plan: Plan = False, reason: Reason = "") -> None:
    """Ask that the old ingress hands a host to the proxies, at 0%."""
    _objects(line, service, "prepare", "prepare", plan=plan, reason=reason)


@remote_verb.asks(waits=True)
def finish(
    line: Line,
    service: Service,
    *,
    remove: Annotated[bool, typer.Option("--remove", help="afterwards: ask that the old application goes")] = False,
    plan: Plan = False,
    reason: Reason = "",
) -> None:
    """Ask for the end: the old host forwards to the new cluster for good.

    It needs 100%, the whole backup time and approval by others. With --remove, once it is finished: the old application goes.
    """
    verb, stage = ("remove", "remove") if remove else ("finish", "forward")
    _objects(line, service, verb, stage, plan=plan, reason=reason)


@remote_verb.asks(waits=True)
def bypass(
    line: Line,
    service: Service,
    *,
    plan: Plan = False,
    yes: Annotated[bool, typer.Option("--yes", help="confirm it at once: nobody is asked again")] = False,
    reason: Annotated[str, typer.Option(help="why, for those on call: its card shows it, and the audit keeps it")] = "",
) -> None:
    """Restore a host's original entry, without the proxies: everything goes to old.

    It needs no approval, only your confirmation (--yes, or ferry confirm).
    """
    if plan or not yes:
        _objects(line, service, "bypass", "bypass", plan=plan, reason=reason)
        return

    def ask() -> dict[str, Any]:
        asked = line.at.post(f"services/{remote_calls.quoted(service)}/bypass", {"reason": reason})
        if (operation := asked["operation"]) is None or operation["phase"] != "approved":
            return asked
        return line.at.post(f"operations/{operation['id']}/confirm")

    line.tell(ask, remote_lines.answer)


def _objects(line: Line, service: str, verb: str, stage: str, *, plan: bool, reason: str) -> None:
    if plan:
        path = f"services/{remote_calls.quoted(service)}/arrangement/{stage}"
        line.look(lambda: line.at.get(path), journey_lines.arrangement)
        return
    _ask(line, service, verb, reason)


def _ask(line: Line, service: str, verb: str, reason: str) -> None:
    path = f"services/{remote_calls.quoted(service)}/{verb}"
    line.tell(lambda: line.at.post(path, {"reason": reason}), remote_lines.answer)
