"""Cards about services: one, all of them, the past of one, a plan that nobody asked for yet. Pure."""

from collections.abc import Mapping, Sequence

from bot.slack import buttons, card_parts, effect_words, operation_cards, strategy_text
from bot.slack.words import Live, Words, code, foreign, joined
from handlers import answers
from handlers.rules import migration
from k8s import model, suppression

Action = buttons.Action
DIFF_IN_PREVIEW = 2_000
LINES_BUDGET = 8_500  # characters of a list; the rest of block_limits.TEXT_IN_MESSAGE is for what stands around it


def status_card(status: answers.ServiceStatus, words: Words, *, take_back: str) -> card_parts.Shown:
    """One service. `take_back`: the kubectl line, shown while the new cluster gets anything."""
    facts = {"service": status.name, "phase": words.plain(f"service_phase.{status.phase}"), "weight": status.weight}
    blocks = [card_parts.header(_title(status, words, facts)), card_parts.fields(_status_fields(status, words))]
    if status.exposure:
        hosts = {"old_host": status.exposure.old_host, "new_host": status.exposure.new_host}
        blocks.append(card_parts.section(words.live("field.hosts", **hosts)))  # a field is too narrow for a whole host
    if status.suppressed:
        said = words.live("status.suppressed", approved=status.weight, **_kept_from_new(status.suppressed, words))
        blocks.insert(1, card_parts.section(said))
    blocks += _holds(status.holds, words)
    blocks += _proxies(status, words)
    if not status.synced:
        blocks.insert(1, card_parts.section(words.live("overview.not_synced")))
    blocks += _sentences(words.live("status.firing"), status.firing, words)
    blocks += _sentences(words.live("status.trouble"), status.trouble, words)
    if status.operation:
        under_way = words.live("status.under_way", title=operation_cards.title(status.operation, words))
        blocks.append({**card_parts.section(under_way), "accessory": operation_cards.details_button(status.operation, words)})
    if status.last:
        title, because = operation_cards.title(status.last, words), foreign(status.last.because)
        blocks.append(card_parts.section(words.live("status.last", title=title, because=because)))
    blocks.append(card_parts.context(_what_next(status, words)))
    blocks += card_parts.actions(_status_buttons(status, words))
    if status.weight > 0:
        blocks += card_parts.take_back_line(take_back, words)
    if status.suppressed:
        return card_parts.Shown(foreign(_title(status, words, facts)), blocks)
    return card_parts.Shown(words.live("status.text", served=status.served, **facts), blocks)


def overview_card(overview: answers.Overview, words: Words) -> card_parts.Shown:
    """All services, those that need a look first; what finds no room is counted."""
    count = len(overview.services)
    blocks = [card_parts.header(words.plain("overview.title", count=count)), *overview_trouble(overview, words)]
    blocks += service_lines(overview, words)
    again = card_parts.service_button(words.plain("button.refresh"), Action.STATUS, buttons.ALL)
    blocks += card_parts.actions([*again, *card_parts.hold_button(buttons.ALL, words, safe_mode=True)])
    moving = sum(1 for line in overview.services if line.weight > 0)
    held = sum(1 for line in overview.services if line.holds)
    return card_parts.Shown(words.live("overview.text", count=count, moving=moving, held=held), blocks)


def service_lines(overview: answers.Overview, words: Words) -> list[card_parts.Block]:
    """One line a service, within a message's limits; `and N more` when there is no room."""
    if not overview.services:
        return [card_parts.section(words.live("overview.empty"))]
    lines = [_service_line(line, words) for line in sorted(overview.services, key=_calm)]
    blocks, shown = card_parts.packed(lines, LINES_BUDGET)
    if shown < len(lines):
        blocks.append(card_parts.context(words.live("overview.more", count=len(lines) - shown)))
    return blocks


def overview_trouble(overview: answers.Overview, words: Words) -> list[card_parts.Block]:
    """What is wrong with the whole, before anything else; empty when nothing is."""
    blind = [] if overview.synced else [card_parts.section(words.live("overview.not_synced"))]
    return [*blind, *_sentences(words.live("status.trouble"), overview.trouble, words)]


def history_card(service: str, past: Sequence[answers.Past], words: Words) -> card_parts.Shown:
    """Changes that were made, newest first (the order of `past`)."""
    title = words.plain("history.title", service=service)
    text = words.live("history.text", service=service, count=len(past))
    if not past:
        return card_parts.Shown(
            text, [card_parts.header(title), card_parts.section(words.live("history.empty", service=service))]
        )
    blocks, shown = card_parts.packed([_past(one, words) for one in past], LINES_BUDGET)
    if shown < len(past):
        blocks.append(card_parts.context(words.live("history.more", count=len(past) - shown)))
    return card_parts.Shown(text, [card_parts.header(title), *blocks])


def preview_card(preview: answers.Preview, words: Words, *, take_back: str = "") -> card_parts.Shown:
    """What a shift would do, whether it would be refused now, and what to type to ask for it."""
    plan = preview.plan
    facts = {"service": plan.service, "change": effect_words.briefly(plan)}
    blocks = [
        card_parts.header(words.plain("preview.title", **facts)),
        card_parts.section(operation_cards.asked_for(plan, words)),
        card_parts.fields([
            words.live("field.traffic", change=effect_words.change(plan, words)),
            words.live("field.kind", kind=words.live(f"kind.{plan.kind}")),
            words.live("field.generation", generation=plan.generation, wish=plan.wish),
            words.live("field.plan", hash=code(plan.hash[:8])),
        ]),
    ]  # fmt: skip
    if preview.keys is not None:
        blocks.append(card_parts.context(effect_words.keys(preview.keys, plan.after, words)))
    if preview.refusal:
        why, remedy = (card_parts.readable(foreign(said, 500)) for said in (preview.refusal.why, preview.refusal.remedy))
        blocks.append(card_parts.section(words.live("preview.refused", why=why, remedy=remedy)))
    if plan.config_diff.strip():
        blocks.append(card_parts.section(words.live("details.diff")))
        blocks += card_parts.preformatted(plan.config_diff[:DIFF_IN_PREVIEW])
        if len(plan.config_diff) > DIFF_IN_PREVIEW:
            left = len(plan.config_diff) - DIFF_IN_PREVIEW
            blocks.append(card_parts.context(words.live("preview.diff_cut", left=left)))
    command = effect_words.shift_command(plan, words.plain("preview.reason"))
    blocks.append(card_parts.context(words.live("preview.next", command=code(command))))
    return card_parts.Shown(words.live("preview.text", **facts), [*blocks, *card_parts.take_back_line(take_back, words)])


def _title(status: answers.ServiceStatus, words: Words, facts: Mapping[str, object]) -> str:
    if status.suppressed:
        return words.plain("status.title_suppressed", **facts, now=_now(status.suppressed))
    return words.plain("status.title", **facts)


def _kept_from_new(suppressed: suppression.Suppressed, words: Words) -> dict[str, object]:
    """The facts of a breaker that cuts; the reason is an agent's, whatever the language around it."""
    why = foreign(suppressed.why, 250)
    if suppressed.since:
        why = words.live("status.suppressed_since", why=why, since=card_parts.moment(suppressed.since))
    return {"now": _now(suppressed), "count": len(suppressed.pods), "of": suppressed.total, "why": why}


def _now(suppressed: suppression.Suppressed) -> str:
    """What proxies serve meanwhile: `0%`, or `0–25%` where not every breaker is open."""
    low, high = suppressed.lowest, suppressed.highest
    return f"{low}%" if low == high else f"{low}–{high}%"


def _status_fields(status: answers.ServiceStatus, words: Words) -> list[Live]:
    shown = [
        words.live("field.weight", bar=card_parts.weight_bar(status.weight), weight=status.weight),
        words.live("field.served", served=status.served),
        words.live("field.record", generation=status.generation, weight=status.weight, wish=status.wish),
    ]
    if status.exposure and status.exposure.strategy is not model.Strategy.WEIGHT:
        shown.append(words.live("field.rule", rule=f"{status.exposure.strategy} {strategy_text.rule_of(status.exposure)}"))
    if status.wished and not status.wished.enabled:
        shown.append(words.live("field.disabled"))
    return shown


def _holds(holds: Sequence[model.Hold], words: Words) -> list[card_parts.Block]:
    lines = []
    for hold in holds:
        facts = {"id": foreign(hold.id, 80), "reason": foreign(hold.reason or "-", 160), "since": card_parts.moment(hold.since)}
        by = card_parts.person(hold.by)
        match answers.maker(hold):
            case answers.Maker.BREAKER:
                lines.append(words.live("status.hold_latch", by=by, **facts))
            case answers.Maker.DOCUMENT:
                lines.append(words.live("status.hold_document", by=by, **facts))
            case answers.Maker.OTHER:
                lines.append(words.live("status.hold", by=by, **facts))
    return [card_parts.section(words.live("status.holds")), *card_parts.listed(lines, 1_500, words)] if holds else []


def _proxies(status: answers.ServiceStatus, words: Words) -> list[card_parts.Block]:
    agree = sum(1 for proxy in status.proxies if proxy.served == status.weight)
    heading = words.live("status.proxies", agree=agree, expected=status.expected, weight=status.weight)
    lines = []
    for proxy in status.proxies:
        if proxy.pod.startswith("("):  # no pod, but why not all are known; it stands under what is wrong
            continue
        facts = {"pod": foreign(proxy.pod, 80), "because": foreign(proxy.because or "-", 120), "generation": proxy.generation}
        if proxy.served is None:
            lines.append(words.live("status.proxy_silent", **facts))
        else:
            key = "status.proxy" if proxy.ready else "status.proxy_not_ready"
            lines.append(words.live(key, served=proxy.served, **facts))
    return [card_parts.section(heading), *card_parts.listed(lines, 1_800, words)]


def _sentences(heading: Live, sentences: Sequence[str], words: Words) -> list[card_parts.Block]:
    lines = [words.live("bullet", sentence=one) for one in sentences]
    return [card_parts.section(heading), *card_parts.listed(lines, 1_000, words)] if lines else []


def _what_next(status: answers.ServiceStatus, words: Words) -> Live:
    """The one thing to type now."""
    name = status.name
    running = status.operation and status.operation.phase in migration.RUNNING
    if not status.synced or running or (status.suppressed and not status.operation):
        return words.live("status.next_wait", command=code(f"/migrate rollback {name} {words.plain('preview.reason')}"))
    if status.holds:
        return words.live("status.next", command=code(f"/migrate safe-mode off {name} {words.plain('preview.reason')}"))
    if status.operation:
        return words.live("status.next_on_card")
    ladder = status.wished.ladder if status.wished else (5, 25, 50, 75, 100)
    step = next((weight for weight in ladder if weight > status.weight), None)
    if step is None:
        return words.live("status.next", command=code(f"/migrate history {name}"))
    return words.live("status.next", command=code(f"/migrate shift {name} {step}% {words.plain('preview.reason')}"))


def _status_buttons(status: answers.ServiceStatus, words: Words) -> list[card_parts.Block]:
    again = card_parts.service_button(words.plain("button.refresh"), Action.STATUS, status.name)
    if status.weight > 0:
        return [*card_parts.hold_button(status.name, words), *again]
    if status.holds:
        return [*again, *card_parts.service_button(words.plain("button.release"), Action.RELEASE, status.name)]
    return [*card_parts.hold_button(status.name, words, safe_mode=True), *again]


def _service_line(line: answers.ServiceLine, words: Words) -> Live:
    note = words.live("overview.held", count=len(line.holds)) if line.holds else words.live("overview.steady")
    if line.operation:
        note = Live(note + _under_way(line.operation, words))
    elif not line.holds and line.phase is not migration.Phase.STEADY:
        note = words.live("overview.phase", phase=words.plain(f"service_phase.{line.phase}"))
    if line.suppressed:
        facts = {"now": _now(line.suppressed), "count": len(line.suppressed.pods), "of": line.suppressed.total}
        note = Live(note + words.live("overview.suppressed", **facts))
    if line.wish != line.weight and not line.operation:
        note = Live(note + words.live("overview.wish", wish=line.wish))
    return words.live("overview.line", bar=card_parts.weight_bar(line.weight), service=line.name, weight=line.weight, note=note)


def _under_way(operation: migration.Operation, words: Words) -> Live:
    plan, status = operation.plan, operation_cards.status(operation, words)
    if plan.kind is migration.Kind.RELEASE:
        return words.live("overview.release", status=status)
    return words.live("overview.operation", status=status, change=effect_words.briefly(plan))


def _calm(line: answers.ServiceLine) -> tuple[bool, bool, str]:
    """Sorts what needs a look before what moves, and that before the rest; by name."""
    return not (line.operation or line.holds or line.suppressed or line.wish != line.weight), line.weight == 0, line.name


def _past(one: answers.Past, words: Words) -> Live:
    at = card_parts.date(one.at) if one.at else words.live("history.unknown_time")
    first = [words.live("history.line", at=at, change=_weights(one, words), who=card_parts.person(one.who, one.who))]
    if one.approved_by:
        first.append(words.live("history.approved", who=foreign(", ".join(one.approved_by))))
    lines = [joined(first, " ")]
    if one.reason:
        lines.append(words.live("history.reason", reason=foreign(one.reason, 200)))
    elif one.sentence:
        lines.append(words.live("history.said", sentence=foreign(one.sentence, 200)))
    # The plan is what the card showed and people approved; what Ferry settled by itself has only its record.
    proof = {
        "generation": one.generation,
        "hash": code((one.plan or one.hash)[:8] or "-"),
        "operation": code(one.operation or "-"),
    }
    named = words.live("history.approved_plan", **proof) if one.plan else words.live("history.proof", **proof)
    return joined([*lines, named])


def _weights(one: answers.Past, words: Words) -> Live:
    before = 0 if one.before is None and one.generation <= 1 else one.before  # before the first record everything goes to old
    if before is None:
        return words.live("history.change_from_unknown", after=one.weight)
    return words.live("history.change", before=before, after=one.weight)
