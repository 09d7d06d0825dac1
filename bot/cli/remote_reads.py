"""What may be known, asked of the bot: nothing is changed here, but that `accept` adds what was discovered at weight 0."""

from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from bot.cli import api_access, journey_lines, look_lines, remote_calls, remote_lines, remote_verb

Line = remote_verb.Line
Service = Annotated[str, typer.Argument(help="a service's name or old host")]
Part = Annotated[str, typer.Argument(help="only names and hosts with this in them")]


@remote_verb.asks()
def status(
    line: Line, service: Annotated[str, typer.Argument(help="a service's name or old host; without one: all of them")] = ""
) -> None:
    """What every service is doing, or one of them in full."""
    if not service:
        line.look(lambda: line.at.get("services"), remote_lines.overview)
        return
    path = f"services/{remote_calls.quoted(service)}"
    line.look(lambda: line.at.get(path), lambda told: [*remote_lines.service(told), *journey_lines.way(told)])


@remote_verb.asks()
def services(line: Line) -> None:
    """Every service in one line."""
    line.look(lambda: line.at.get("services"), remote_lines.overview)


@remote_verb.asks()
def history(line: Line, service: Service) -> None:
    """Every change of a service that is kept, newest first."""
    line.look(lambda: line.at.get(f"services/{remote_calls.quoted(service)}/history"), look_lines.history)


@remote_verb.asks()
def preflight(line: Line, service: Service) -> None:
    """Whether everything is there before a service's traffic moves; ends with 1 where it is not."""
    told = line.look(lambda: line.at.get(f"services/{remote_calls.quoted(service)}/preflight"), look_lines.preflight)
    if told["ok"] != "yes":
        raise SystemExit(1)


@remote_verb.asks()
def discover(line: Line, part: Part = "") -> None:
    """What the old cluster serves and could be added; writes nothing."""
    line.look(lambda: line.at.get(_discovery(part)), look_lines.found)


@remote_verb.asks()
def accept(
    line: Line,
    names: Annotated[list[str] | None, typer.Argument(help="of what ferry discover shows: exactly these are added")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="all that nothing stops; needs --yes to be done")] = False,
    part: Annotated[str, typer.Option(help="with --all: only names and hosts with this in them")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="with --all: add what was listed")] = False,
) -> None:
    """Add what was discovered to migration.yaml, at 0%: what you name, or all with --yes."""
    if bool(names) == everything:
        api_access.usage("say what to add: ferry accept api-name01 …, or ferry accept --all --yes (ferry discover lists it)")
    if names:
        line.look(lambda: line.at.post("discovery/accept", {"names": names}), look_lines.accepted)
    elif yes:
        line.look(lambda: _all(line, part), look_lines.accepted)
    else:
        line.look(lambda: line.at.get(_discovery(part)), look_lines.to_accept)
        api_access.usage("nothing was written; add --yes to add exactly these")


def _all(line: Line, part: str) -> dict[str, Any]:
    """What nothing stops, only as it was just seen."""
    found = line.at.get(_discovery(part))
    names = [one["name"] for one in found["proposals"] if not one["stops"]]
    if not names:
        raise api_access.NotDone("Nothing was added: nothing can be added now; see ferry discover.", "nothing_found")
    return line.at.post("discovery/accept", {"names": names, "seen": found["seen"]})


@remote_verb.asks()
def whoami(line: Line) -> None:
    """Who your token is to Ferry, and what you may do."""
    line.look(lambda: line.at.get("whoami"), look_lines.whoami)


@remote_verb.asks()
def drift(
    line: Line, service: Annotated[str, typer.Argument(help="a service's name or old host; without one: of all")] = ""
) -> None:
    """What somebody changed by hand, and what became of it; ends with 1 where something differs now or is not known."""
    path = f"drift?{urlencode({'service': service})}" if service else "drift"
    told = line.look(lambda: line.at.get(path), look_lines.drift)
    if told["standing"] or told["unseen"] or not told["synced"]:
        raise SystemExit(1)


@remote_verb.asks()
def events(
    line: Line,
    service: Annotated[str, typer.Argument(help="a service's name or old host; without one: of all")] = "",
    *,
    most: Annotated[int, typer.Option(min=1, max=200, help="how many")] = 50,
) -> None:
    """Who asked, decided and tried what, newest first; refusals too."""
    path = f"audit?{urlencode({'service': service, 'most': most})}"
    line.look(lambda: line.at.get(path), look_lines.events)


def _discovery(part: str) -> str:
    return f"discovery?{urlencode({'part': part})}" if part else "discovery"
