"""The one card of an operation, in every phase and outcome. Pure."""

from datetime import UTC, datetime

from bot.slack import buttons, card_parts, effect_words
from bot.slack.words import Live, Words, code, foreign, joined
from handlers.rules import approvals, health, migration

Phase = migration.Phase
Action = buttons.Action
FOREVER = datetime.max.replace(tzinfo=UTC)  # to count every approval: a card has no clock
ASK_TWICE_FROM = 50  # percent: from here on Approve asks whether it is meant
WAITING = (Phase.PROPOSED, Phase.APPROVED)
STEPS = (Phase.ARRANGING, Phase.APPLYING, Phase.CONVERGING, Phase.VERIFYING)
MOST_APPROVALS = 8
MOST_OBJECTS = 12
MOST_MEMBERS = 25
_MOVES_NOTHING_TO_NEW = frozenset({
    migration.Kind.RELEASE, migration.Kind.PREPARE, migration.Kind.BYPASS, migration.Kind.REMOVE,
})  # fmt: skip
_ENDS = frozenset({migration.Kind.FINISH, migration.Kind.REMOVE})  # after which no button leads back


def operation_card(
    operation: migration.Operation, words: Words, *, take_back: str, approvers_shown: str = ""
) -> card_parts.Shown:
    """`take_back`: the kubectl line (`handlers.kubectl.hold_line`). `approvers_shown`: `<!subteam^S…>` or `<@U…> <@U…>`
    from settings; shown live, and so pinged, only in the first form of a request.
    """
    if operation.phase in WAITING and is_open(operation):
        text = words.live("operation.text_waiting", title=title(operation, words), who=operation.requester_shown)
    else:
        because = foreign(operation.because, 500)
        text = words.live("operation.text", title=title(operation, words), because=because)
    blocks = [
        card_parts.header(title(operation, words), _block_id(operation, "title")),
        card_parts.fields(_fields(operation, words), _block_id(operation, "fields")),
        card_parts.section(asked_for(operation.plan, words), _block_id(operation, "effect")),
    ]
    blocks += _objects(operation, words)
    blocks.append(reason(operation, words, _block_id(operation, "reason")))
    blocks.append(card_parts.section(_standing(operation, words, approvers_shown), _block_id(operation, "standing")))
    blocks += card_parts.actions(offered(operation, words), _block_id(operation, "actions"))
    foot = words.live("operation.foot", operation=code(operation.id), revision=operation.revision)
    blocks.append(card_parts.context(foot, _block_id(operation, "foot")))
    if _moves_traffic(operation):
        blocks += card_parts.take_back_line(take_back, words, _block_id(operation, "take_back"))
    return card_parts.Shown(text, blocks)


def title(operation: migration.Operation, words: Words) -> str:
    """`🟡 Approval needed — shift api-name01 5% → 25%`."""
    plan = operation.plan
    if plan.kind is migration.Kind.RELEASE:
        return words.plain("operation.title.release", status=status(operation, words), service=plan.service)
    if plan.kind in effect_words.NO_SHIFT:
        named = {"status": status(operation, words), "service": plan.service, "steps": effect_words.climb(plan)}
        return words.plain(f"operation.title.{plan.kind}", **named, count=len(plan.members), weight=plan.after.weight)
    facts = {"service": plan.service, "change": effect_words.briefly(plan)}
    return words.plain("operation.title.shift", status=status(operation, words), **facts)


def asked_for(plan: migration.Plan, words: Words) -> Live:
    """The effect, named as what is asked for: a card stays when the request did not come through."""
    return words.live("operation.asked_for", effect=effect_words.effect(plan, words))


def reason(operation: migration.Operation, words: Words, block_id: str = "") -> card_parts.Block:
    """Whoever decides must see that none was given, too."""
    given = words.plain("operation.reason", reason=operation.reason) if operation.reason else words.plain("operation.no_reason")
    return card_parts.plain_section(given, block_id)


def status(operation: migration.Operation, words: Words) -> str:
    """The sign and the word for where it stands."""
    if is_open(operation) and operation.plan.kind is migration.Kind.WAVE and operation.phase in STEPS:
        return words.plain("wave.moving")
    if is_open(operation):
        return words.plain(f"phase.{operation.phase}")
    return words.plain(f"outcome.{_end(operation)}")


def _end(operation: migration.Operation) -> str:
    """The outcome, or `not_judged`: it ended well, but too few requests came to say so of the new cluster."""
    quiet = operation.outcome is migration.Outcome.DONE and operation.plan.kind is migration.Kind.RAISE
    return "not_judged" if quiet and health.TOO_FEW in operation.because else str(operation.outcome)


def is_open(operation: migration.Operation) -> bool:
    return operation.outcome is migration.Outcome.OPEN


def approved_by(operation: migration.Operation) -> tuple[migration.Approval, ...]:
    """The approvals that count, the first of each person."""
    return approvals.counting(operation, FOREVER)


def details_button(operation: migration.Operation, words: Words) -> card_parts.Block:
    value = buttons.operation_value(operation.id, operation.revision)
    return card_parts.button(words.plain("button.details"), Action.DETAILS, value)


def _fields(operation: migration.Operation, words: Words) -> list[Live]:
    plan = operation.plan
    asked_by = card_parts.person(operation.requester, operation.requester_shown)
    shown = [
        words.live("field.service", service=plan.service),
        words.live("field.traffic", change=effect_words.change(plan, words)),
        words.live("field.requested", who=asked_by, at=card_parts.date(operation.requested_at)),
        words.live("field.approvals", approvals=_approvals(operation, words)),
        words.live("field.plan", hash=code(plan.hash[:8])),
    ]
    if operation.confirmed_at is not None:
        shown.append(words.live("field.confirmed", at=card_parts.date(operation.confirmed_at)))
    elif is_open(operation):
        shown.append(words.live("field.expires", at=card_parts.date(operation.expires_at)))
    if plan.clears:
        shown.append(words.live("field.clears", holds=foreign(", ".join(plan.clears))))
    if also := effect_words.also_changes(plan):
        shown.append(words.live("field.also", names=code(", ".join(also))))
    return shown


def _objects(operation: migration.Operation, words: Words) -> list[card_parts.Block]:
    """By name, in the order in which they are changed; what each will be stands in the details."""
    plan = operation.plan
    if plan.kind is migration.Kind.WAVE:
        return [card_parts.section(_members(plan, words), _block_id(operation, "members"))]
    if plan.kind not in migration.OBJECTS:
        return []
    if not plan.objects:
        return [card_parts.section(words.live("operation.no_objects"), _block_id(operation, "objects"))]
    lines = [words.live("operation.objects")]
    lines += [words.live("bullet", sentence=code(name, 200)) for name, _ in plan.objects[:MOST_OBJECTS]]
    if len(plan.objects) > MOST_OBJECTS:
        lines.append(words.live("operation.more_objects", count=len(plan.objects) - MOST_OBJECTS))
    return [card_parts.section(joined(lines), _block_id(operation, "objects"))]


def _members(plan: migration.Plan, words: Words) -> Live:
    """In the order of their turns; the plan hash covers all of them."""
    shown = plan.members[:MOST_MEMBERS]
    lines = [words.live("wave.members")]
    lines += [words.live("wave.member", service=code(one.service), before=one.before, after=one.after) for one in shown]
    if len(plan.members) > MOST_MEMBERS:
        lines.append(words.live("more", count=len(plan.members) - MOST_MEMBERS))
    return joined(lines)


def _approvals(operation: migration.Operation, words: Words) -> Live:
    if approvals.needed(operation) == 0:
        return words.live("approvals.not_needed")
    given = approved_by(operation)
    lines = [words.live("approvals.count", have=len(given), needed=approvals.needed(operation))]
    for one in given[:MOST_APPROVALS]:
        who = card_parts.person(one.by, one.shown)
        lines.append(words.live("approvals.given", who=who, at=card_parts.date(one.at)))
    if len(given) > MOST_APPROVALS:
        lines.append(words.live("more", count=len(given) - MOST_APPROVALS))
    return joined(lines)


def _standing(operation: migration.Operation, words: Words, approvers_shown: str) -> Live:
    """What is awaited, how far it is, or how it ended and why."""
    because = card_parts.readable(foreign(operation.because, 500))
    if not is_open(operation):
        return _ended(operation, because, words)
    asker = card_parts.person(operation.requester, operation.requester_shown)
    if operation.phase is Phase.PROPOSED:
        if operation.revision == 1 and approvers_shown:
            return words.live("next.proposed_first", approvers=card_parts.mentions(approvers_shown), requester=asker)
        missing = approvals.needed(operation) - len(approved_by(operation))
        return words.live("next.proposed", missing=max(missing, 0), requester=asker)
    if operation.phase is Phase.APPROVED:
        return words.live("next.approved", requester=asker)
    if operation.phase in STEPS and operation.plan.kind is migration.Kind.WAVE:
        return words.live("wave.running", because=because)
    if operation.phase in STEPS:
        steps = _steps(operation.plan)
        done = steps.index(operation.phase) + 1 if operation.phase in steps else 1
        of = len(steps) + (1 if Phase.VERIFYING in steps else 0)  # what is watched is not over when it begins
        facts = {"step": words.live(f"step.{operation.phase}"), "because": because}
        return words.live("operation.running", bar=card_parts.bar(done, of), done=done, of=of, **facts)
    return words.live("operation.going_back", because=because)


def _steps(plan: migration.Plan) -> tuple[Phase, ...]:
    """The phases that a confirmed plan of this kind goes through."""
    match plan.kind:
        case migration.Kind.PREPARE | migration.Kind.REMOVE | migration.Kind.BYPASS:
            return STEPS[:1]
        case migration.Kind.FINISH:
            return STEPS
        case migration.Kind.RAISE:
            return STEPS[1:]
        case _:
            return STEPS[1:3]


def _ended(operation: migration.Operation, because: Live, words: Words) -> Live:
    kind, end = operation.plan.kind, _end(operation)
    if kind is migration.Kind.WAVE and operation.outcome not in (migration.Outcome.DONE, migration.Outcome.HALTED):
        return words.live("wave.not_begun", because=because)
    facts = {"because": because, "weight": effect_words.weight_left(operation)}
    if kind in effect_words.NO_SHIFT and operation.outcome is migration.Outcome.DONE:
        return words.live(f"ended.done_{kind}", **facts)
    if kind in migration.OBJECTS and operation.outcome is migration.Outcome.FAILED:
        return words.live("ended.failed_objects", **facts)  # what was done before is in `because`: it is not always nothing
    return words.live(f"ended.{end}", **facts)


def offered(operation: migration.Operation, words: Words) -> list[card_parts.Block]:
    """The buttons of what may be done now, wherever the operation is shown to be decided."""
    service, details = operation.plan.service, details_button(operation, words)
    if not is_open(operation):
        return [details, *_afterwards(operation, words)]
    if operation.phase is Phase.PROPOSED:
        return [_approve(operation, words), _plain(operation, words, Action.REJECT), details]
    if operation.phase is Phase.APPROVED:
        return [_confirm(operation, words), _withdraw(operation, words), details]
    if operation.phase in migration.RUNNING:
        several = operation.plan.kind is migration.Kind.WAVE  # each of them is held by its own name
        return [details] if several else [*card_parts.hold_button(service, words), details]
    return [details]


def _afterwards(operation: migration.Operation, words: Words) -> list[card_parts.Block]:
    """A ladder that climbs can be paused; what is at new can come back, unless there is no old any more."""
    plan = operation.plan
    done = operation.outcome is migration.Outcome.DONE
    pause = []
    if done and plan.kind is migration.Kind.RUN:
        pause = card_parts.service_button(words.plain("button.pause"), Action.PAUSE, plan.service)
    over = plan.kind is migration.Kind.REMOVE or (done and plan.kind is migration.Kind.FINISH)
    back = [] if over or effect_words.weight_left(operation) == 0 else card_parts.hold_button(plan.service, words)
    return [*pause, *back]


def _approve(operation: migration.Operation, words: Words) -> card_parts.Block:
    dialog, plan = None, operation.plan
    if plan.kind in _ENDS or plan.after.weight >= ASK_TWICE_FROM:
        facts = {"service": plan.service, "weight": plan.after.weight}
        dialog = card_parts.confirm_dialog(
            words.plain(f"approve_dialog.title_{plan.kind}" if plan.kind in _ENDS else "approve_dialog.title", **facts),
            effect_words.effect_in_dialog(operation.plan, words),
            yes=words.plain("button.approve"),
            no=words.plain("dialog.cancel"),
        )
    return {**_plain(operation, words, Action.APPROVE), "style": "primary", **({"confirm": dialog} if dialog else {})}


def _confirm(operation: migration.Operation, words: Words) -> card_parts.Block:
    dialog = card_parts.confirm_dialog(
        words.plain("confirm_dialog.title", service=operation.plan.service),
        effect_words.effect_in_dialog(operation.plan, words),
        yes=words.plain("confirm_dialog.confirm"),
        no=words.plain("dialog.cancel"),
    )
    return {**_plain(operation, words, Action.CONFIRM), "style": "primary", "confirm": dialog}


def _withdraw(operation: migration.Operation, words: Words) -> card_parts.Block:
    dialog = card_parts.confirm_dialog(
        words.plain("withdraw_dialog.title", service=operation.plan.service),
        words.plain("withdraw_dialog.text"),
        yes=words.plain("button.withdraw"),
        no=words.plain("dialog.keep"),
        danger=True,
    )
    return {**_plain(operation, words, Action.WITHDRAW), "confirm": dialog}


def _plain(operation: migration.Operation, words: Words, action: Action) -> card_parts.Block:
    value = buttons.operation_value(operation.id, operation.revision)
    return card_parts.button(words.plain(f"button.{action.name.lower()}"), action, value)


def _moves_traffic(operation: migration.Operation) -> bool:
    """It may yet, or it has: then the card ends with the line that takes it back."""
    if operation.plan.kind in _MOVES_NOTHING_TO_NEW or operation.plan.kind is migration.Kind.WAVE:
        return False  # members of a wave are taken back each by its own name
    return is_open(operation) or operation.generation > 0 or effect_words.weight_left(operation) > 0


def _block_id(operation: migration.Operation, part: str) -> str:
    return f"{operation.id}:{operation.revision}:{part}"
