"""A service's way on a card: the ladder with its soak, what the next step waits for, the gates with old beside new. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.slack import buttons, card_parts
from bot.slack.words import Live, Words, foreign, joined
from handlers import answers, journey_messages
from handlers.rules import gates, journeys, soaking
from k8s import entry_change

Action = buttons.Action
Verdict = gates.Verdict
MARKS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.TOO_FEW: "…", Verdict.UNKNOWN: "?", Verdict.ASK: "!"}
MOST_WAITS = 6
_COLUMN = 10  # characters; labels come last, so that wide letters move nothing


def way(status: answers.JourneyStatus, ladder: Sequence[int], words: Words, *, at: datetime) -> list[card_parts.Block]:
    """Where it is, how long it has soaked and until when, what is missing, who lets it climb. `at`: when it was read."""
    lines = [words.live("way.stage", stage=words.live(f"way.stages.{status.stage}"), ladder=_ladder(status, ladder, words))]
    lines += _soak(status, words, at)
    lines += _run(status, words)
    lines += [words.live("way.entry", state=words.live(f"way.entries.{status.entry.state}"), sentence=_entry(status.entry))]
    if status.entry.old_ready == 0:
        lines.append(words.live("way.old_dead"))
    blocks = [card_parts.section(joined(lines))]
    waits = [words.live("bullet", sentence=foreign(one, 250)) for one in status.waits_for]
    if status.next_step is not None and waits:
        heading = words.live("way.waits", weight=status.next_step)
        blocks.append(card_parts.section(joined([heading, *waits[:MOST_WAITS]])))
        if len(waits) > MOST_WAITS:
            blocks.append(card_parts.context(words.live("more", count=len(waits) - MOST_WAITS)))
    drift = [words.live("bullet", sentence=foreign(one, 250)) for one in status.entry.drift]
    if drift:
        blocks += [card_parts.section(words.live("way.drift")), *card_parts.listed(drift, 1_000, words)]
    return blocks


def gates_of(judgement: gates.Judgement, weight: int, words: Words) -> list[card_parts.Block]:
    """Old against new side by side, and each verdict. Nothing where nothing is judged and nothing was measured."""
    blocks: list[card_parts.Block] = []
    if judgement.measured is not None:
        table = side_by_side(judgement.measured, weight, words)
        blocks = [card_parts.section(_heading(judgement, words)), *card_parts.preformatted(table)]
    elif judgement.gates:
        blocks = [card_parts.section(_heading(judgement, words))]
    lines = [_gate(one, words) for one in judgement.gates]
    return [*blocks, *card_parts.listed(lines, 1_600, words)] if lines else blocks


def side_by_side(measured: gates.Measured, weight: int, words: Words) -> str:
    """A table: old, new, and what the row is about. `–` where nobody knows."""
    old, new = measured.old, measured.new
    share = measured.share.value
    rows = [
        (words.plain("gates.old"), words.plain("gates.new"), ""),
        (_whole(old.requests), _whole(new.requests), words.plain("gates.requests")),
        (_percent(None if share is None else 1 - share), _percent(share), words.plain("gates.share", weight=weight)),
        (_seconds(old.average), _seconds(new.average), words.plain("gates.average")),
        (_seconds(old.p99), _seconds(new.p99), words.plain("gates.p99")),
        (_rate(old), _rate(new), words.plain("gates.errors")),
        ("", _percent(measured.available.value, digits=2), words.plain("gates.availability")),
    ]
    return "\n".join(f"{left:>{_COLUMN}}{right:>{_COLUMN}}  {label}".rstrip() for left, right, label in rows)


def buttons_of(status: answers.JourneyStatus, words: Words) -> list[card_parts.Block]:
    """Pause what climbs, resume what is paused."""
    if status.run is None:
        return []
    if status.run.paused:
        return card_parts.service_button(words.plain("button.resume"), Action.RESUME, status.service)
    return card_parts.service_button(words.plain("button.pause"), Action.PAUSE, status.service)


def run_line(run: journeys.Run, standing: journeys.Standing | None, words: Words) -> Live:
    """Who lets it climb, how, until when; and why it does not now."""
    who = card_parts.person(run.requester, run.requester_shown)
    auto = run.mode is journey_messages.Mode.AUTO
    line = words.live("way.run_ask", who=who)
    if auto and standing is not None:
        left = [weight for weight in standing.steps if weight not in standing.used]
        steps = ", ".join(f"{weight}%" for weight in left) or "-"
        line = words.live("way.run_auto", who=who, steps=steps, until=card_parts.date(standing.until))
    elif auto:
        line = words.live("way.run_auto_ended", who=who)
    if run.paused:
        line = joined([line, words.live("way.paused", why=card_parts.readable(foreign(run.paused, 250)))])
    return line


def _ladder(status: answers.JourneyStatus, ladder: Sequence[int], words: Words) -> Live:
    """`✓ 5%  ▶ 25%  · 50%`: what is behind, where it stands, what is ahead."""
    steps = sorted({*ladder, *([status.weight] if status.weight else [])})
    marks = [_step(weight, status, words) for weight in steps]
    return joined(marks, "  ")


def _step(weight: int, status: answers.JourneyStatus, words: Words) -> Live:
    if weight == status.weight:
        return words.live("way.now", weight=weight)
    return words.live("way.done" if weight < status.weight else "way.ahead", weight=weight)


def _soak(status: answers.JourneyStatus, words: Words, at: datetime) -> list[Live]:
    """`3 h 12 min of 24 h, ends …` while it counts; without an end while it does not."""
    if status.weight == 0 or status.soak_needed <= 0 or status.stage in (answers.Stage.FINISHED, answers.Stage.REMOVED):
        return []
    soak = status.soak
    served = soak.seconds if soak is not None and soak.weight == status.weight else 0.0
    left = max(0.0, status.soak_needed - served)
    facts = {"weight": status.weight, "served": _span(served), "needed": _span(status.soak_needed)}
    if left == 0:
        lines = [words.live("way.soaked", **facts)]
    elif soak is None or soak.missing or soak.weight != status.weight:
        lines = [words.live("way.soak_waits", **facts)]
    else:
        lines = [words.live("way.soak", ends=card_parts.date(at + timedelta(seconds=left)), **facts)]
    if left and soak is not None and soak.missing:
        lines.append(words.live("way.missing", why=foreign(soak.missing, 250)))
    if soak is not None and soak.resets:
        lines.append(words.live("way.resets", count=soak.resets))
    if status.backup_left:
        lines.append(words.live("way.backup", left=_span(status.backup_left)))
    return lines


def _run(status: answers.JourneyStatus, words: Words) -> list[Live]:
    return [run_line(status.run, status.standing, words)] if status.run is not None else []


def _entry(entry: entry_change.EntryView) -> Live:
    return foreign(entry.sentence, 250)


def _heading(judgement: gates.Judgement, words: Words) -> Live:
    measured = judgement.measured
    verdict = words.live(f"gates.verdicts.{judgement.verdict.name.lower()}")
    if measured is None or not measured.window:
        return words.live("gates.heading_unmeasured", verdict=verdict)
    return words.live("gates.heading", verdict=verdict, within=_span(measured.window))


def _gate(gate: gates.Gate, words: Words) -> Live:
    facts = {"mark": MARKS[gate.verdict], "sentence": foreign(gate.sentence, 250)}
    if gate.needed > 0:
        return words.live("gates.gate_needed", needed=f"{gate.needed:,}", **facts)
    return words.live("gates.gate", **facts)


def _span(seconds: float) -> str:
    return soaking.span(seconds)


def _whole(reading: gates.Reading) -> str:
    return "–" if reading.value is None else f"{reading.value:,.0f}"


def _percent(share: float | None, *, digits: int = 1) -> str:
    return "–" if share is None else f"{share * 100:.{digits}f}%"


def _rate(side: gates.Side) -> str:
    requests, failed = side.requests.value, side.failed.value
    if requests is None or failed is None:
        return "–"
    return _percent(failed / requests if requests > 0 else None, digits=2)


def _seconds(reading: gates.Reading) -> str:
    if reading.value is None:
        return "–"
    return f"{reading.value * 1000:,.0f} ms" if reading.value < 10 else f"{reading.value:,.1f} s"
