"""The verbs that change something, asked of the bot: the same requests, rules and audit as in Slack."""

import re
import sys
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import typer

from bot.cli import api_access, remote_calls, remote_lines
from bot.slack import strategy_text
from k8s import model

Service = Annotated[str, typer.Argument(help="a service's name or old host")]
Waiting = Annotated[str, typer.Argument(metavar="OPERATION", help="its id (op-…), or the service for which it waits")]
Reason = Annotated[str, typer.Option(help="whoever approves reads it, and the history keeps it")]
_PERCENT = re.compile(r"([0-9]{1,3})%?")


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


def shift(
    service: Service,
    weight: Annotated[str, typer.Argument(metavar="PERCENT", help="of the requests that the strategy selects, such as 10%")],
    *,
    reason: Reason,
    strategy: Annotated[model.Strategy | None, typer.Option(help="without one: as migration.yaml says")] = None,
    cidr: Annotated[list[str] | None, typer.Option(help="strategy ip: a network; may be given again")] = None,
    header: Annotated[str, typer.Option(help="strategy header: NAME=VALUE[,VALUE]")] = "",
    user: Annotated[str, typer.Option(help="strategy user: cookie:NAME or header:NAME, and =ID[,ID] who always go to new")] = "",
    api: api_access.Url = "",
    token: api_access.Token = "",
    token_file: api_access.TokenFile = None,
    as_json: api_access.AsJson = False,
) -> None:
    """Ask for another share of a service's requests at the new cluster.

    More than now waits for another person's approval, and then for your confirmation.
    """
    body = {"weight": _percent(weight), "reason": reason, **_rules(strategy, cidr or [], header, user)}
    at = api_access.access(api, token, token_file)
    path = f"services/{remote_calls.quoted(service)}/shift"
    remote_calls.tell(lambda: at.post(path, body), remote_lines.answer, as_json=as_json)


def approve(
    operation: Waiting,
    *,
    api: api_access.Url = "",
    token: api_access.Token = "",
    token_file: api_access.TokenFile = None,
    as_json: api_access.AsJson = False,
) -> None:
    """Approve what somebody else asked for."""
    at = api_access.access(api, token, token_file)

    def ask() -> dict[str, Any]:
        found = _looked_at(at, operation, as_json=as_json)
        return at.post(f"operations/{found['id']}/approve", {"revision": found["revision"]})

    remote_calls.tell(ask, remote_lines.answer, as_json=as_json)


def reject(
    operation: Waiting,
    *,
    reason: Reason = "",
    api: api_access.Url = "",
    token: api_access.Token = "",
    token_file: api_access.TokenFile = None,
    as_json: api_access.AsJson = False,
) -> None:
    """Reject what somebody asked for, or withdraw what you did."""
    at = api_access.access(api, token, token_file)

    def ask() -> dict[str, Any]:
        found = _looked_at(at, operation, as_json=as_json)
        return at.post(f"operations/{found['id']}/reject", {"reason": reason})

    remote_calls.tell(ask, remote_lines.answer, as_json=as_json)


def confirm(
    operation: Waiting,
    *,
    api: api_access.Url = "",
    token: api_access.Token = "",
    token_file: api_access.TokenFile = None,
    as_json: api_access.AsJson = False,
) -> None:
    """Start what you asked for and others approved."""
    at = api_access.access(api, token, token_file)

    def ask() -> dict[str, Any]:
        found = _looked_at(at, operation, as_json=as_json)
        return at.post(f"operations/{found['id']}/confirm")

    remote_calls.tell(ask, remote_lines.answer, as_json=as_json)


def rollback(
    service: Service,
    *,
    reason: Reason = "",
    api: api_access.Url = "",
    token: api_access.Token = "",
    token_file: api_access.TokenFile = None,
    as_json: api_access.AsJson = False,
) -> None:
    """Send everything of a service to the old cluster, now.

    It needs no approval; going up again needs a release and a new shift.
    """
    at = api_access.access(api, token, token_file)
    path = f"services/{remote_calls.quoted(service)}/rollback"
    remote_calls.tell(lambda: at.post(path, {"reason": reason}), remote_lines.placed, as_json=as_json)


def safe_mode(
    switch: Annotated[Switch, typer.Argument(help="on: 100% old, now; off: ask for the release")],
    service: Annotated[str, typer.Argument(help="a service's name or old host, or all")] = model.ALL_SERVICES,
    *,
    reason: Reason = "",
    api: api_access.Url = "",
    token: api_access.Token = "",
    token_file: api_access.TokenFile = None,
    as_json: api_access.AsJson = False,
) -> None:
    """Hold a service, or all, at 100% old, now; off asks for the release.

    A release needs another person's approval and leaves the weight at 0.
    """
    at = api_access.access(api, token, token_file)
    body = {"on": switch is Switch.ON, "service": service, "reason": reason}
    lines = remote_lines.placed if switch is Switch.ON else remote_lines.releases
    remote_calls.tell(lambda: at.post("safe-mode", body), lines, as_json=as_json)


def _looked_at(at: api_access.Access, what: str, *, as_json: bool) -> dict[str, Any]:
    """The operation as it is now, shown before it is decided: the decision is about exactly this."""
    found = remote_calls.meant(at, what)
    if not as_json:
        for line in remote_lines.to_decide(found):
            print(line)
    return found


def _percent(typed: str) -> int:
    found = _PERCENT.fullmatch(typed.strip())
    if not found or int(found[1]) > 100:
        _usage(f"{typed!r} is not a whole percentage from 0 to 100; write ferry shift api-name01 10% --reason why")
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
        _usage(f"a rule for strategy {strange[0]} was given, and the strategy is {kind}; give the rule of one strategy")
    try:
        asked = strategy_text.read(kind, typed.get(kind, ""))
    except strategy_text.RuleError as error:
        option = {model.Strategy.IP: "--cidr", model.Strategy.HEADER: "--header", model.Strategy.USER: "--user"}.get(kind, "")
        _usage(f"{error} Try: --strategy {kind} {option} {error.better.partition(' ')[2]}".rstrip())
        raise
    header_rule, user_rule = asked.header, asked.user
    return {
        "strategy": str(kind),
        **({"cidrs": list(asked.cidrs)} if asked.cidrs else {}),
        **({"header": {"name": header_rule.name, "values": list(header_rule.values)}} if header_rule else {}),
        **({"user": {"source": str(user_rule.source), "ids": list(user_rule.ids)}} if user_rule else {}),
    }


def _usage(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise SystemExit(2)
