"""What a service's migration was, from its first change to its end, as Markdown for whoever keeps the service from now on. Pure.

Everything in it comes from the history in the cluster and the signed journey; nothing is remembered elsewhere.
"""

from collections.abc import Sequence
from datetime import datetime

from handlers import answers
from handlers.rules import gates, journeys, soaking
from k8s import model

_MARKS = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]<>|#~"})
_LONGEST = 300


def report(status: answers.JourneyStatus, past: Sequence[answers.Past], wished: model.Service | None) -> str:
    """`past`: every change that is kept, newest first, as `Front.history` answers."""
    changes = list(reversed(past))
    parts = [f"# Handover of {_line(status.service)}", _summary(status, changes)]
    if wished is not None:
        parts.append(_where(wished))
    parts += [_timeline(changes), _soaked(status.journey), _numbers(status), _approvals(changes), _left(status)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(status: answers.JourneyStatus, changes: Sequence[answers.Past]) -> str:
    dated = [one.at for one in changes if one.at is not None]
    journey = status.journey
    facts = [
        ("Stands at", f"{status.weight}% new, {status.stage}"),
        ("First change", _time(dated[0]) if dated else "not known"),
        ("At 100% since", _time(journey.hundred) if journey and journey.hundred else "not yet"),
        ("Finished", _time(journey.finished) if journey and journey.finished else "not yet"),
        ("Old application removed", _time(journey.removed) if journey and journey.removed else "not yet"),
        ("Changes", str(len(changes))),
    ]
    return "\n".join(f"- {name}: {value}" for name, value in facts)


def _where(wished: model.Service) -> str:
    exposure = wished.exposure
    rows = [
        f"- Old host: {_line(exposure.old_host)} (it keeps working: the forward stays)",
        f"- New host: {_line(exposure.new_host)}",
    ]
    return "## Where it is\n\n" + "\n".join(rows)


def _timeline(changes: Sequence[answers.Past]) -> str:
    rows = ["| When | Weight | By | Approved by | Why |", "|---|---|---|---|---|"]
    for one in changes:
        before = "?" if one.before is None and one.generation > 1 else f"{one.before or 0}%"
        approved = ", ".join(_line(name) for name in one.approved_by) or "–"
        why = _line(one.reason or one.sentence) or "–"
        when = _time(one.at) if one.at else "not known"
        rows.append(f"| {when} | {before} → {one.weight}% | {_line(one.who)} | {approved} | {why} |")
    return "## Timeline\n\n" + ("\n".join(rows) if changes else "Nothing was ever changed.")


def _soaked(journey: journeys.Journey | None) -> str:
    if journey is None:
        return ""
    rows = []
    if journey.served:
        rows.append(f"- Weights whose soak was served: {', '.join(f'{weight}%' for weight in journey.served)}")
    if journey.soak is not None:
        soak = journey.soak
        rows.append(f"- Last counted at {soak.weight}%: {soaking.span(soak.seconds)}, back to 0 {soak.resets} times")
    if journey.baseline is not None:
        base = journey.baseline
        told = f"average {_milliseconds(base.average)}, p99 {_milliseconds(base.p99)}, {base.requests:,} requests"
        rows.append(f"- How old answered when it last carried traffic: {told} ({_time(base.at)})")
    return "## Soak\n\n" + "\n".join(rows) if rows else ""


def _numbers(status: answers.JourneyStatus) -> str:
    measured = status.judgement.measured
    rows = [f"- {_line(gate.name)}: {gate.verdict}. {_line(gate.sentence)}" for gate in status.judgement.gates]
    table = []
    if measured is not None:
        table = ["| | Old | New |", "|---|---|---|"]
        table += [
            f"| {name} | {_reading(old, unit)} | {_reading(new, unit)} |"
            for name, old, new, unit in (
                ("Tries", measured.old.requests, measured.new.requests, ""),
                ("Failed", measured.old.failed, measured.new.failed, ""),
                ("Average", measured.old.average, measured.new.average, "s"),
                ("p99", measured.old.p99, measured.new.p99, "s"),
            )
        ]
        table.append("")
    if not rows and not table:
        return "## Numbers\n\nNothing was measured."
    return f"## Numbers (last look: {status.judgement.verdict})\n\n" + "\n".join([*table, *rows])


def _approvals(changes: Sequence[answers.Past]) -> str:
    rows = []
    for one in changes:
        if one.approved_by:
            names, plan = ", ".join(map(_line, one.approved_by)), one.plan[:16] or "–"
            rows.append(f"- Generation {one.generation}: {names}; plan `{plan}`, operation `{_code(one.operation)}`")
    return "## Approvals\n\n" + ("\n".join(rows) if rows else "No change needed one.")


def _left(status: answers.JourneyStatus) -> str:
    rows = [f"- Entry: {status.entry.state}. {_line(status.entry.sentence)}".rstrip()]
    rows += [f"- Changed by hand: {_line(one)}" for one in status.entry.drift]
    rows += [f"- {_line(one)}" for one in status.judgement.against()]
    rows += [f"- {_line(one)}" for one in status.waits_for]
    return "## What stays\n\n" + "\n".join(rows)


def _reading(reading: gates.Reading, unit: str) -> str:
    if reading.value is None:
        return f"not known ({_line(reading.trouble)})"
    return _milliseconds(reading.value) if unit == "s" else f"{reading.value:,.0f}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _line(text: str) -> str:
    """Foreign text on one line, in which nothing formats."""
    shown = " ".join(text.split()).translate(_MARKS)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _code(text: str) -> str:
    return text.replace("`", "'") or "–"
