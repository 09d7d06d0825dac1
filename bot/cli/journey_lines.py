"""A service's whole way as lines for people: stage, soak, ladder, gates, old against new. Pure; foreign text is cleaned."""

from collections.abc import Iterator
from typing import Any

from bot.cli.counting import counted, span
from bot.cli.remote_lines import Told, clean, clock

_COLUMN = 12
_NOBODY = "–"  # nobody knows


def way(told: Told) -> Iterator[str]:
    """Of a service's status; nothing where the bot says nothing of it."""
    if (one := told["journey"]) is None:
        return
    served = f", soaked at {', '.join(f'{weight}%' for weight in one['served'])}" if one["served"] else ""
    yield f"  way: {clean(one['stage'])}{served}"
    yield from _soak(one)
    yield from _run(one)
    if one["next_step"] is not None and one["waits_for"]:
        yield f"  {one['next_step']}% waits: {clean('; '.join(one['waits_for']))}"
    yield f"  entry: {clean(one['entry']['state'])}: {clean(one['entry']['sentence'])}"
    yield from (f"  drift: {clean(sentence)}" for sentence in one["entry"]["drift"])
    if one["entry"]["old_ready"] == 0:
        yield "  the old application has no ready endpoint: there is nothing to go back to"
    yield from judgement(one["judgement"])


def judgement(told: Told) -> Iterator[str]:
    if not told["gates"] and told["numbers"] is None:
        return
    yield f"  gates: {clean(told['verdict'])}" + ("" if told["judged"] else " (no numbers of Prometheus have a part in it)")
    for one in told["gates"]:
        needed = f" ({one['needed']:,} requests more are needed)" if one["needed"] else ""
        yield f"    {clean(one['verdict'])}: {clean(one['sentence'])}{needed}"
    if told["numbers"] is not None:
        yield from (f"    {line}" for line in side_by_side(told["numbers"]))


def side_by_side(told: Told) -> Iterator[str]:
    """A table: old, new, and what the row is about."""
    old, new = told["old"], told["new"]
    share = told["share"]["value"]
    yield _row("old", "new", f"within {span(told['window'])}")
    yield _row(_whole(old["requests"]), _whole(new["requests"]), "requests")
    yield _row(_percent(None if share is None else 1 - share), _percent(share), "share")
    yield _row(_time(old["average"]), _time(new["average"]), "average")
    yield _row(_time(old["p99"]), _time(new["p99"]), "p99")
    yield _row(_rate(old), _rate(new), "errors")
    yield _row("", _percent(told["available"]["value"], digits=2), "availability")


def arrangement(told: Told) -> Iterator[str]:
    """What a stage would change."""
    for one in told["changes"]:
        yield f"{clean(one['verb'])} {clean(one['object'])}"
        yield from (f"    {_kept(line)}" for line in one["diff"].splitlines())
        if one["conflict"]:
            yield f"    in the way: {clean(one['conflict'])}"
    if not told["changes"]:
        yield "Nothing would change."
    yield from (f"stays: {clean(sentence)}" for sentence in told["left"])
    yield from (f"in the way: {clean(sentence)}" for sentence in told["troubles"])


def _soak(one: Told) -> Iterator[str]:
    if (soak := one["soak"]) is None or one["finished"]:
        return
    left = max(0.0, soak["needed"] - soak["seconds"])
    missing = f"; nothing counts now: {clean(soak['missing'])}" if soak["missing"] and left else ""
    again = f"; it went back to 0 {counted(soak['resets'], 'time')}" if soak["resets"] else ""
    said = f"{span(left)} of {span(soak['needed'])} missing" if left else f"{span(soak['needed'])}, served"
    yield f"  soak at {soak['weight']}%: {said}{missing}{again}"
    if one["backup_left"]:
        yield f"  backup time: {span(one['backup_left'])} until it may be finished"


def _run(one: Told) -> Iterator[str]:
    if (run := one["run"]) is None:
        return
    line = f"  ladder: {clean(run['mode'])}, by {clean(run['requester_shown'])}"
    if (standing := one["standing"]) is not None:
        steps = ", ".join(f"{weight}%" for weight in standing["left"]) or "none"
        line += f", steps left {steps}, until {clock(standing['until'])}"
    yield line
    if run["paused"]:
        yield f"    paused: {clean(run['paused'])}"


def _kept(line: str) -> str:
    """With its indentation, which means something in YAML."""
    return "".join(sign if sign.isprintable() else " " for sign in line)


def _row(left: str, right: str, label: str) -> str:
    return f"{left:>{_COLUMN}}{right:>{_COLUMN}}  {label}"


def _whole(number: dict[str, Any]) -> str:
    return _NOBODY if number["value"] is None else f"{number['value']:,.0f}"


def _percent(share: float | None, *, digits: int = 1) -> str:
    return _NOBODY if share is None else f"{share * 100:.{digits}f}%"


def _rate(side: Told) -> str:
    requests, failed = side["requests"]["value"], side["failed"]["value"]
    return _percent(failed / requests if requests and failed is not None else None, digits=2)


def _time(number: dict[str, Any]) -> str:
    if number["value"] is None:
        return _NOBODY
    return f"{number['value'] * 1000:,.0f} ms" if number["value"] < 10 else f"{number['value']:,.1f} s"
