"""Modals: the details of an operation, and the question why it is rejected. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.slack import block_limits, buttons, card_parts, effect_words, escaping, operation_cards
from bot.slack.words import Live, Words, code, foreign
from handlers.rules import approvals, key_outlook, migration
from k8s import model

DETAILS = "ferry.details_view"  # callback ids
REJECT = "ferry.reject_view"
REASON_BLOCK = "reason"
REASON_INPUT = "text"
LONGEST_REASON = 300
MOST_DIFF = 20_000
MOST_OBJECTS = 40
MOST_APPROVALS = 20
MOST_EVENTS = 25
SECRET = frozenset({"override_hash"})  # of which only the change is shown


def details_view(
    operation: migration.Operation, words: Words, keys: key_outlook.Outlook | key_outlook.Unseen | None = None
) -> block_limits.Block:
    """Everything that is frozen in the plan, who approved it, and what has happened since. Nothing to decide here.

    `keys`: what its weight means for the keys that the proxies see now; None: no key decides.
    """
    plan = operation.plan
    blocks = [
        card_parts.header(operation_cards.title(operation, words)),
        card_parts.section(operation_cards.asked_for(plan, words)),
        card_parts.fields(_facts(operation, words)),
    ]
    blocks.append(operation_cards.reason(operation, words))
    if keys is not None:
        blocks.append(card_parts.context(effect_words.keys(keys, plan.after, words)))
    blocks += _exact(words.live("details.exposure"), exposure_changes(plan.before, plan.after))
    if plan.clears:
        blocks += _exact(words.live("details.clears"), plan.clears[:MOST_OBJECTS])
    if plan.objects:
        blocks += _exact(words.live("details.objects"), [f"{name} {digest[:12]}" for name, digest in plan.objects[:MOST_OBJECTS]])
        blocks += _left_out(len(plan.objects) - MOST_OBJECTS, words)
    blocks += _diff(plan.config_diff, words)
    blocks += _approvals(operation, words)
    blocks += _timeline(operation, words)
    return {
        "type": "modal",
        "callback_id": DETAILS,
        "title": card_parts.plain_text(words.plain("details.title"), 24),
        "close": card_parts.plain_text(words.plain("dialog.close"), 24),
        "blocks": blocks,
    }


def reject_view(operation_id: str, revision: int, words: Words) -> block_limits.Block:
    """Asks for a reason. `private_metadata` is the button's value: `rejection` reads it back."""
    return {
        "type": "modal",
        "callback_id": REJECT,
        "private_metadata": buttons.operation_value(operation_id, revision),
        "title": card_parts.plain_text(words.plain("reject.title"), 24),
        "submit": card_parts.plain_text(words.plain("button.reject"), 24),
        "close": card_parts.plain_text(words.plain("dialog.cancel"), 24),
        "blocks": [
            {
                "type": "input",
                "block_id": REASON_BLOCK,
                "label": card_parts.plain_text(words.plain("reject.label"), 200),
                "hint": card_parts.plain_text(words.plain("reject.hint"), 200),
                "element": {
                    "type": "plain_text_input",
                    "action_id": REASON_INPUT,
                    "multiline": True,
                    "min_length": 3,
                    "max_length": LONGEST_REASON,
                },
            }
        ],
    }


def rejection(view: Mapping[str, Any]) -> tuple[buttons.OperationClick, str]:
    """What was submitted in `reject_view`: the click it began with, and the reason in one line.

    Raises buttons.ButtonError for a view that is not ours.
    """
    click = buttons.decode(buttons.Action.REJECT, view.get("private_metadata"))
    if not isinstance(click, buttons.OperationClick) or view.get("callback_id") != REJECT:
        raise buttons.ButtonError
    typed: Any = view.get("state")
    for name in ("values", REASON_BLOCK, REASON_INPUT, "value"):
        typed = typed.get(name) if isinstance(typed, Mapping) else None
    return click, escaping.plain(typed, LONGEST_REASON) if isinstance(typed, str) else ""


def exposure_changes(before: model.Exposure | None, after: model.Exposure) -> list[str]:
    """`weight: 5 → 25`, a line for each field that differs; without a before, every field. Never a secret's hash."""
    new = after.as_document()
    old = before.as_document() if before else {}
    lines = []
    for name in new:
        if before and old[name] == new[name]:
            continue
        was, now = (_without_secret(name, one.get(name)) for one in (old, new))
        lines.append(f"{name}: {was} → {now}" if before else f"{name}: {now}")
    return lines


def _without_secret(name: str, value: object) -> object:
    return value if name not in SECRET else "set" if value else "not set"


def _facts(operation: migration.Operation, words: Words) -> list[Live]:
    plan = operation.plan
    asked_by = card_parts.person(operation.requester, operation.requester_shown)
    return [
        words.live("field.kind", kind=words.live(f"kind.{plan.kind}")),
        words.live("field.requested", who=asked_by, at=card_parts.date(operation.requested_at)),
        words.live("field.expires", at=card_parts.date(operation.expires_at)),
        words.live("field.generation", generation=plan.generation, wish=plan.wish),
        words.live("field.operation", operation=code(operation.id), revision=operation.revision),
        words.live("field.hash", hash=code(plan.hash)),
    ]


def _diff(diff: str, words: Words) -> list[card_parts.Block]:
    if not diff.strip():
        return [card_parts.section(words.live("details.no_diff"))]
    kept: list[str] = []
    size = 0
    lines = diff.splitlines()
    for line in lines:
        size += min(len(line), card_parts.LONGEST_LINE) + 1
        if size > MOST_DIFF:
            break
        kept.append(line)
    shown = _exact(words.live("details.diff"), kept)
    if left := len(lines) - len(kept):
        shown.append(card_parts.section(words.live("details.diff_cut", left=left, lines=len(lines))))
    return shown


def _approvals(operation: migration.Operation, words: Words) -> list[card_parts.Block]:
    counting = operation_cards.approved_by(operation)
    lines = [words.live("details.approvals", have=len(counting), needed=approvals.needed(operation))]
    for one in operation.approvals[:MOST_APPROVALS]:
        key = "details.approval" if one in counting else "details.approval_void"
        who = card_parts.person(one.by, one.shown)
        lines.append(words.live(key, who=who, at=card_parts.date(one.at), source=one.source, hash=code(one.plan_hash[:8])))
    return _lines(lines, len(operation.approvals) - MOST_APPROVALS, words)


def _timeline(operation: migration.Operation, words: Words) -> list[card_parts.Block]:
    newest = operation.timeline[-MOST_EVENTS:]
    lines = [words.live("details.timeline")]
    if earlier := len(operation.timeline) - len(newest):
        lines.append(words.live("details.earlier", count=earlier))
    lines += [words.live("details.event", at=card_parts.date(at), sentence=foreign(said, 250)) for at, said in newest]
    return _lines(lines, 0, words)


def _exact(heading: Live, lines: Sequence[str]) -> list[card_parts.Block]:
    return [card_parts.section(heading), *card_parts.preformatted("\n".join(lines))]


def _lines(lines: Sequence[Live], left_out: int, words: Words) -> list[card_parts.Block]:
    blocks, _ = card_parts.packed(lines, 60_000)
    return [card_parts.divider(), *blocks, *_left_out(left_out, words)]


def _left_out(count: int, words: Words) -> list[card_parts.Block]:
    return [card_parts.context(words.live("more", count=count))] if count > 0 else []
