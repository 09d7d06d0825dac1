"""Cards about one service: where it stands, and a plan that nobody asked for yet. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.slack import buttons, card_parts, effect_words, journey_cards, list_cards, operation_cards, strategy_text
from bot.slack.words import Live, Words, code, foreign, joined, refused
from handlers import answers
from handlers.rules import migration, soaking
from k8s import entry_change, model, suppression

Action = buttons.Action
DIFF_IN_PREVIEW = 2_000
_HALF_OPEN = "half open: "  # how an agent's reason begins while its breaker tries again


def status_card(status: answers.ServiceStatus, words: Words, *, take_back: str, at: datetime) -> card_parts.Shown:
    """One service. `take_back`: the kubectl line, shown while the new cluster gets anything. `at`: when it was read."""
    facts = {"service": status.name, "phase": words.plain(f"service_phase.{status.phase}"), "weight": status.weight}
    blocks = [card_parts.header(_title(status, words, facts)), card_parts.fields(_status_fields(status, words))]
    if status.exposure:
        hosts = {"old_host": status.exposure.old_host, "new_host": status.exposure.new_host}
        blocks.append(card_parts.section(words.live("field.hosts", **hosts)))  # a field is too narrow for a whole host
    if status.suppressed:
        key = "status.suppressed_on_trial" if _on_trial(status) else "status.suppressed"
        said = words.live(key, approved=status.weight, **_kept_from_new(status.suppressed, words))
        blocks.insert(1, card_parts.section(said))
    if status.journey:
        ladder = status.wished.ladder if status.wished else ()
        blocks += journey_cards.way(status.journey, ladder, words, at=at)
        blocks += journey_cards.gates_of(status.journey.judgement, status.weight, words)
    blocks += _holds(status.holds, words)
    blocks += _proxies(status, words)
    if not status.synced:
        blocks.insert(1, card_parts.section(words.live("overview.not_synced")))
    blocks += card_parts.under(words.live("status.firing"), status.firing, words)
    blocks += card_parts.under(words.live("status.trouble"), status.trouble, words)
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
    if status.suppressed and not _on_trial(status):
        return card_parts.Shown(foreign(_title(status, words, facts)), blocks)
    return card_parts.Shown(words.live("status.text", served=status.served, **facts), blocks)


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
        _, *said = refused(preview.refusal, words.locale)
        why, remedy = (card_parts.readable(foreign(one, 500)) for one in said)
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


def _on_trial(status: answers.ServiceStatus) -> bool:
    """A breaker lets so many requests through that what is served is what was approved: nothing is kept from new."""
    return status.suppressed is not None and status.suppressed.lowest == status.suppressed.highest == status.weight


def _title(status: answers.ServiceStatus, words: Words, facts: Mapping[str, object]) -> str:
    if status.suppressed and not _on_trial(status):
        return words.plain("status.title_suppressed", **facts, now=list_cards.now(status.suppressed))
    return words.plain("status.title", **facts)


def _kept_from_new(suppressed: suppression.Suppressed, words: Words) -> dict[str, object]:
    """The facts of a breaker that cuts; the reason is an agent's, whatever the language around it."""
    why = foreign(_each_once(suppressed.why), 250)
    if suppressed.since:
        why = words.live("status.suppressed_since", why=why, since=card_parts.moment(suppressed.since))
    return {"now": list_cards.now(suppressed), "count": len(suppressed.pods), "of": suppressed.total, "why": why}


def _each_once(why: str) -> str:
    """Agents' reasons without those that differ only in that one of them tries again already."""
    reasons = [one.strip() for one in why.split("; ")]
    on_trial = {one.removeprefix(_HALF_OPEN) for one in reasons if one.startswith(_HALF_OPEN)}
    return "; ".join(dict.fromkeys(one for one in reasons if one not in on_trial)) or why


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
    if status.journey and (told := _next_on_the_way(status.journey, words)):
        return told
    ladder = status.wished.ladder if status.wished else (5, 25, 50, 75, 100)
    step = next((weight for weight in ladder if weight > status.weight), None)
    if step is None:
        return words.live("status.next", command=code(f"/migrate history {name}"))
    return words.live("status.next", command=code(f"/migrate shift {name} {step}% {words.plain('preview.reason')}"))


def _next_on_the_way(journey: answers.JourneyStatus, words: Words) -> Live | None:
    """None: nothing but the next shift."""
    name, why = journey.service, words.plain("preview.reason")
    if journey.run is not None and not journey.run.paused and journey.next_step is not None:
        return words.live("status.next_by_itself", weight=journey.next_step, command=code(f"/migrate pause {name} {why}"))
    match journey.stage:
        case answers.Stage.NEW if journey.entry.state is entry_change.EntryState.DIRECT:
            told = [code(f"/migrate preflight {name}"), code(f"/migrate prepare {name} {why}")]
            return words.live("status.next", command=joined(told, " → "))
        case answers.Stage.BACKUP:
            left = soaking.span(journey.backup_left or 0.0)
            return words.live("status.next_after_backup", left=left, command=code(f"/migrate finish {name} {why}"))
        case answers.Stage.FINISHABLE:
            return words.live("status.next", command=code(f"/migrate finish {name} {why}"))
        case answers.Stage.FINISHED:
            return words.live("status.next", command=code(f"/migrate finish {name} remove {why}"))
        case answers.Stage.REMOVED:
            return words.live("status.next", command=code(f"/migrate history {name}"))
        case _:
            return None


def _status_buttons(status: answers.ServiceStatus, words: Words) -> list[card_parts.Block]:
    again = card_parts.service_button(words.plain("button.refresh"), Action.STATUS, status.name)
    if status.journey:
        again += journey_cards.buttons_of(status.journey, words)
        if status.journey.stage in (answers.Stage.FINISHED, answers.Stage.REMOVED):
            return again  # there is no old to go back to
    if status.weight > 0:
        return [*card_parts.hold_button(status.name, words), *again]
    if status.holds:
        return [*again, *card_parts.service_button(words.plain("button.release"), Action.RELEASE, status.name)]
    return [*card_parts.hold_button(status.name, words, safe_mode=True), *again]
