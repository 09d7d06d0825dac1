"""The verbs that change something, asked of the bot: the same requests, rules and audit as in Slack."""

import re
from enum import StrEnum
from typing import Annotated, Any

import typer

from bot.cli import api_access, remote_calls, remote_lines, remote_verb
from bot.slack import strategy_text
from k8s import model

Service = Annotated[str, typer.Argument(help="a service's name or old host")]
Waiting = Annotated[str, typer.Argument(metavar="OPERATION", help="its id (op-…), or the service for which it waits")]
ReasonToOld = Annotated[
    str, typer.Option(help="why, for those on call: the hold shows it while it stands, and the history and the audit keep it")
]
Percent = Annotated[str, typer.Argument(metavar="PERCENT", help="of the requests that the strategy selects, such as 10%")]
Strategy = Annotated[model.Strategy | None, typer.Option(help="without one: as migration.yaml says")]
Cidr = Annotated[list[str] | None, typer.Option(help="strategy ip: a network; may be given again")]
Header = Annotated[str, typer.Option(help="strategy header: NAME=VALUE[,VALUE]")]
User = Annotated[str, typer.Option(help="strategy user: cookie:NAME or header:NAME, and =ID[,ID] who always go to new")]
Line = remote_verb.Line
_PERCENT = re.compile(r"([0-9]{1,3})%?")


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


@remote_verb.asks(waits=True)
def shift(
    line: Line,
    service: Service,
    weight: Percent,
    *,
    reason: Annotated[str, typer.Option(help="whoever approves reads it, and the history keeps it; --plan needs none")] = "",
    plan: Annotated[bool, typer.Option("--plan", help="say what it would be, and ask for nothing")] = False,
    strategy: Strategy = None,
    cidr: Cidr = None,
    header: Header = "",
    user: User = "",
) -> None:
    """Ask for another share of a service's requests at the new cluster.

    More than now waits for another person's approval, and then for your confirmation. Several services (a,b,c) are a wave: one
    approval of all, one after the other, and the first hold halts it.
    """
    body = {"weight": _percent(weight), **_rules(strategy, cidr or [], header, user)}
    if "," in service.strip(","):
        several = list(dict.fromkeys(one.strip() for one in service.split(",") if one.strip()))
        _wave(line, several, body, reason, plan=plan)
        return
    if plan:
        _plan(line, service, body)
        return
    path = f"services/{remote_calls.quoted(service)}"
    if not reason.strip():
        api_access.usage(f"say why: ferry shift {service} {weight} --reason why (whoever approves reads it)")
    line.tell(lambda: line.at.post(f"{path}/shift", {**body, "reason": reason}), remote_lines.answer)


@remote_verb.asks()
def plan(
    line: Line,
    service: Service,
    weight: Percent,
    *,
    strategy: Strategy = None,
    cidr: Cidr = None,
    header: Header = "",
    user: User = "",
) -> None:
    """Say what a shift would be, and whether it would be accepted now; asks for nothing."""
    _plan(line, service, {"weight": _percent(weight), **_rules(strategy, cidr or [], header, user)})


@remote_verb.asks()
def approve(line: Line, operation: Waiting) -> None:
    """Approve what somebody else asked for."""

    def ask() -> dict[str, Any]:
        found = _looked_at(line, operation)
        return line.at.post(f"operations/{found['id']}/approve", {"revision": found["revision"]})

    line.tell(ask, remote_lines.answer)


@remote_verb.asks()
def reject(
    line: Line,
    operation: Waiting,
    *,
    reason: Annotated[str, typer.Option(help="whoever asked reads it on the card, and the audit keeps it")] = "",
) -> None:
    """Reject what somebody asked for, or withdraw what you did."""

    def ask() -> dict[str, Any]:
        found = _looked_at(line, operation)
        return line.at.post(f"operations/{found['id']}/reject", {"reason": reason})

    line.tell(ask, remote_lines.answer)


@remote_verb.asks(waits=True)
def confirm(line: Line, operation: Waiting) -> None:
    """Start what you asked for and others approved."""

    def ask() -> dict[str, Any]:
        found = _looked_at(line, operation)
        return line.at.post(f"operations/{found['id']}/confirm")

    line.tell(ask, remote_lines.answer)


@remote_verb.asks(waits=True)
def rollback(
    line: Line,
    service: Service,
    *,
    to: Annotated[str, typer.Option(help="only down to this share (5%), or to what was in force at this generation (12)")] = "",
    reason: ReasonToOld = "",
) -> None:
    """Send everything of a service to the old cluster, now.

    It needs no approval; going up again needs a release and a new shift. With --to it goes to a lower share, or to what
    the history says was in force: at once where that provably lowers; where it raises, it is asked for like any shift.
    """
    body = {**_goal(service, to), "reason": reason}
    path = f"services/{remote_calls.quoted(service)}/rollback"
    line.tell(lambda: line.at.post(path, body), remote_lines.placed_or_answer)


@remote_verb.asks()
def safe_mode(
    line: Line,
    switch: Annotated[Switch, typer.Argument(help="on: 100% old, now; off: ask for the release")],
    service: Annotated[str, typer.Argument(help="a service's name or old host, or all")] = model.ALL_SERVICES,
    *,
    reason: ReasonToOld = "",
) -> None:
    """Hold a service, or all, at 100% old, now; off asks for the release.

    A release needs another person's approval and leaves the weight at 0.
    """
    body = {"on": switch is Switch.ON, "service": service, "reason": reason}
    lines = remote_lines.placed if switch is Switch.ON else remote_lines.releases
    line.tell(lambda: line.at.post("safe-mode", body), lines)


def _wave(line: Line, services: list[str], body: dict[str, Any], reason: str, *, plan: bool) -> None:
    start = f"ferry shift {','.join(services)} {body['weight']}%"
    if plan:
        api_access.usage(f"a plan says what one service would do; the card of a wave shows its own: {start} --reason why")
    if body.keys() != {"weight"}:
        api_access.usage(f"a wave takes each service's strategy from migration.yaml; name none: {start} --reason why")
    if len(services) < 2:
        api_access.usage(f"a wave has two services at least; for one: {start} --reason why")
    if not reason.strip():
        api_access.usage(f"say why: {start} --reason why (whoever approves reads it)")
    line.tell(lambda: line.at.post("waves", {"services": services, **body, "reason": reason}), remote_lines.answer)


def _plan(line: Line, service: str, body: dict[str, Any]) -> None:
    path = f"services/{remote_calls.quoted(service)}/plan"
    line.look(lambda: line.at.post(path, body), remote_lines.preview)


def _looked_at(line: Line, what: str) -> dict[str, Any]:
    """The operation as it is now, shown before it is decided: the decision is about exactly this."""
    found = remote_calls.meant(line.at, what)
    if not line.as_json:
        for text in remote_lines.to_decide(found):
            print(text)
    return found


def _goal(service: str, to: str) -> dict[str, int]:
    """`5%` is a share, `5` the generation of that number, as in Slack."""
    typed = to.strip()
    if not typed:
        return {}
    if typed.endswith("%"):
        return {"percent": _percent(typed)}
    if not typed.isascii() or not typed.isdecimal() or not 0 < int(typed[:12]) < 10**9:
        tried = f"ferry rollback {service} --to 5%, or --to 12 for generation 12 of ferry history {service}"
        api_access.usage(f"{typed!r} is no share and no generation; write {tried}")
    return {"generation": int(typed)}


def _percent(typed: str) -> int:
    found = _PERCENT.fullmatch(typed.strip())
    if not found or int(found[1]) > 100:
        api_access.usage(f"{typed!r} is not a whole percentage from 0 to 100; write ferry shift api-name01 10% --reason why")
    return int(found[1]) if found else 0


def _rules(strategy: model.Strategy | None, cidr: list[str], header: str, user: str) -> dict[str, Any]:
    """The strategy of the body, read as Slack reads what is typed there."""
    typed = {model.Strategy.IP: ",".join(cidr), model.Strategy.HEADER: header, model.Strategy.USER: user}
    given = [kind for kind, rule in typed.items() if rule]
    kind = strategy or (given[0] if given else None)
    if kind is None:
        return {}
    strange = [one for one in given if one is not kind]
    if strange:
        api_access.usage(f"a rule for strategy {strange[0]} was given, and the strategy is {kind}; give the rule of one strategy")
    try:
        asked = strategy_text.read(kind, typed.get(kind, ""))
    except strategy_text.RuleError as error:
        option = {model.Strategy.IP: "--cidr", model.Strategy.HEADER: "--header", model.Strategy.USER: "--user"}.get(kind, "")
        api_access.usage(f"{error} Try: --strategy {kind} {option} {error.better.partition(' ')[2]}".rstrip())
    header_rule, user_rule = asked.header, asked.user
    return {
        "strategy": str(kind),
        **({"cidrs": list(asked.cidrs)} if asked.cidrs else {}),
        **({"header": {"name": header_rule.name, "values": list(header_rule.values)}} if header_rule else {}),
        **({"user": {"source": str(user_rule.source), "ids": list(user_rule.ids)}} if user_rule else {}),
    }
