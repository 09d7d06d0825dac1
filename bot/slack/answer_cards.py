"""Short answers: a refusal, a usage error, help, who one is, an order to hold, a page, an alert. Pure."""

import difflib
from collections.abc import Sequence

from bot.slack import buttons, card_parts, parsing
from bot.slack.words import Live, Words, code, foreign, joined, refused, sentence
from handlers import answers, messages
from handlers.rules import refusals

Action = buttons.Action
MOST_NAMES = 10
MOST_PUSHES = 10
EACH_BUDGET = 6_000


def sentence_card(text: str, _words: Words) -> card_parts.Shown:
    """Sentences of ours as they are, such as `str(ButtonError)` or those of an error. Never empty."""
    shown = card_parts.readable(sentence(text, 2_500))
    return card_parts.Shown(shown or "-", [card_parts.section(shown)])


def told_card(told: Live) -> card_parts.Shown:
    """One sentence in the reader's language."""
    return card_parts.Shown(told, [card_parts.section(told)])


def answer_card(answer: answers.Answer, words: Words) -> card_parts.Shown:
    """To whoever asked: the refusal, or what happened. The operation has a card of its own."""
    return refusal_card(answer.refusal, words) if answer.refusal else sentence_card(answer.sentence, words)


def refusal_card(refusal: refusals.Refusal, words: Words) -> card_parts.Shown:
    """What was not done, why, and what to do: the sentences of the rules, in the reader's language; facts as they are."""
    refused_what, refused_why, refused_remedy = refused(refusal, words.locale)
    # `why` quotes what others wrote; `what` and `remedy` are the rules' own and mark commands with backticks.
    why = foreign(refused_why, 200)
    told = words.live("refusal", what=sentence(refused_what, 180), why=card_parts.readable(why))
    remedy = words.live("refusal_remedy", remedy=card_parts.readable(sentence(refused_remedy, 300)))
    if refusal.reason is refusals.Reason.PERSON and card_parts.NAMED_CHANNEL.search(why):
        remedy = words.live("refusal_elsewhere")  # the person is right, the place is not: no colleague is needed
    return card_parts.Shown(joined([told, remedy], " "), [card_parts.section(told), card_parts.context(remedy)])


def forgotten_card(words: Words) -> card_parts.Shown:
    """A click on a request that nobody remembers."""
    told, following = words.live("click.forgotten"), words.live("click.forgotten_next")
    return card_parts.Shown(joined([told, following], " "), [card_parts.section(told), card_parts.context(following)])


def usage_card(error: parsing.UsageError, words: Words) -> card_parts.Shown:
    told = words.live("usage", sentence=foreign(error.sentence, 300))
    attempt = words.live("usage_try", attempt=code(error.attempt, 300))
    return card_parts.Shown(joined([told, attempt], " "), [card_parts.section(told), card_parts.context(attempt)])


def unknown_service_card(asked: str, names: Sequence[str], words: Words) -> card_parts.Shown:
    """`names`: those that exist; near ones are offered."""
    told = words.live("unknown_service", asked=foreign(asked, 80))
    near = difflib.get_close_matches(asked, names, n=3, cutoff=0.5) or list(names[:MOST_NAMES])
    offered = words.live("unknown_service_near", names=joined([code(name, 80) for name in near], ", ") or words.live("none"))
    return card_parts.Shown(joined([told, offered], " "), [card_parts.section(told), card_parts.context(offered)])


def unread_card(asked: str, why: str, words: Words) -> card_parts.Shown:
    """Whether the service exists cannot be said: the cluster cannot be read, `why` says so. Holding works all the same."""
    told = words.live("unread", asked=foreign(asked, 80), why=sentence(why, 400))
    command = code(f"/migrate rollback {asked}", 120)
    following = words.live("unread_next", command=command)
    return card_parts.Shown(joined([told, following], " "), [card_parts.section(told), card_parts.context(following)])


def help_card(words: Words, verb: str = "") -> card_parts.Shown:
    """Every verb in one line, and who may use it; or this one alone."""
    verbs = [verb] if verb in parsing.EXAMPLES else list(parsing.EXAMPLES)
    lines = [words.live(f"help.{one}", example=code(parsing.EXAMPLES[one])) for one in verbs]
    blocks, _ = card_parts.packed(lines, 6_000)
    title, thread = words.plain("help_title"), words.live("help_thread")
    return card_parts.Shown(words.live("help_text"), [card_parts.header(title), *blocks, card_parts.context(thread)])


def whoami_card(person: messages.Person, words: Words, *, channel_ok: bool, channels: Sequence[str] = ()) -> card_parts.Shown:
    """`channel_ok`: commands are heard in this channel. `channels`: ids (C…) of those where they are."""
    told = words.live("whoami.who", who=card_parts.person(person.id, person.shown), id=code(person.id))
    if not person.member:
        outside = words.live("whoami.outsider", why=card_parts.readable(foreign(person.refused)))
        return card_parts.Shown(told, [card_parts.section(told), card_parts.section(outside)])
    rights = [words.live("whoami.rollback")]
    if person.refused:
        rights.append(words.live("whoami.refused", why=card_parts.readable(foreign(person.refused))))
    else:
        rights.append(words.live("whoami.asks"))
        rights.append(words.live("whoami.approves") if person.approver else words.live("whoami.approves_not"))
    heard = joined([_channel(one) for one in channels[:MOST_NAMES]], " ") or words.live("none")
    rights.append(words.live("whoami.channel_ok") if channel_ok else words.live("whoami.channel_wrong", channels=heard))
    return card_parts.Shown(told, [card_parts.section(told), card_parts.section(joined(rights))])


def placed_card(
    placed: answers.Placed,
    words: Words,
    *,
    actor: messages.Person | None = None,
    take_back: str = "",
    each: Sequence[Live] = (),
) -> card_parts.Shown:
    """An order to hold that was carried out, or not. `actor` None: an alert, or Ferry itself. `each`: of `all`, a line for
    every service.
    """
    hold = placed.hold
    service = words.plain("button.everything") if hold.service == buttons.ALL else hold.service
    key = "safe" if placed.safe else "unsafe"
    title = words.plain(f"placed.title_{key}", service=service)
    who = card_parts.person(actor.id, actor.shown) if actor else words.live("placed.by_itself")
    held = sum(1 for push in placed.pushes if push.held)
    facts = {"who": who, "milliseconds": round(placed.seconds * 1000), "held": held, "asked": len(placed.pushes)}
    lines = [words.live(f"placed.told_{key}", **facts)]
    lines.append(words.live("placed.written") if placed.written else words.live("placed.not_written"))
    lagging = [push for push in placed.pushes if not push.held]
    lines += [
        words.live("placed.lagging", pod=foreign(push.pod, 80), trouble=foreign(push.trouble or "-", 120))
        for push in lagging[:MOST_PUSHES]
    ]
    if len(lagging) > MOST_PUSHES:
        lines.append(words.live("more", count=len(lagging) - MOST_PUSHES))
    if placed.trouble:
        lines.append(words.live("bullet", sentence=foreign(placed.trouble)))
    blocks = [card_parts.header(title), card_parts.section(joined(lines))]
    if hold.reason:
        blocks.append(card_parts.plain_section(words.plain("operation.reason", reason=hold.reason)))
    if each:
        blocks += [card_parts.section(words.live("placed.each", count=len(each))), *card_parts.listed(each, EACH_BUDGET, words)]
    command = _release(hold.service, words)
    blocks.append(card_parts.context(words.live("placed.next", id=code(hold.id, 100), command=command)))
    again = card_parts.service_button(words.plain("button.status"), Action.STATUS, hold.service)
    blocks += card_parts.actions([*([] if placed.safe else card_parts.hold_button(hold.service, words)), *again])
    return card_parts.Shown(foreign(title), [*blocks, *card_parts.take_back_line(take_back, words)])


def page_card(
    service: str, text: str, words: Words, *, mention: str = "", take_back: str = "", held: bool = False
) -> card_parts.Shown:
    """Somebody must act now. `mention`: `<!subteam^S…>` or `<@U…>` from settings. `service` may be empty or `all`.

    `held`: everything goes to the old cluster already, so there is nothing to take back, and something to release.
    """
    shown = sentence(text, 1_500)
    title = words.plain("page.title", service=service) if service else words.plain("page.title_all")
    if held and service:
        title = words.plain("page.title_held", service=service)
    told = joined([card_parts.mentions(mention), shown], " ") if mention else shown
    blocks = [card_parts.header(title), card_parts.section(told)]
    if held and service:
        blocks.append(card_parts.context(words.live("page.next", command=_release(service, words))))
        blocks += card_parts.actions(card_parts.service_button(words.plain("button.status"), Action.STATUS, service))
    else:
        blocks += [*_service_actions(service, words), *card_parts.take_back_line(take_back, words)]
    return card_parts.Shown(words.live("page.text", sentence=shown), blocks)


def alert_card(alert: messages.Alert, words: Words, *, take_back: str = "") -> card_parts.Shown:
    """An alert that moved nothing by itself: what fires, and the red button. Of one that is over there is nothing to do."""
    key = "firing" if alert.firing else "resolved"
    title = words.plain(f"alert.title_{key}", name=alert.name)
    service: str | Live = alert.service or words.live("none")
    fields = [
        words.live("field.service", service=service),
        words.live("alert.severity", severity=words.live(f"severity.{alert.severity}")),
        words.live("alert.started", at=card_parts.date(alert.started)),
    ]
    blocks = [card_parts.header(title), card_parts.fields(fields)]
    if alert.summary:
        said = {"summary": alert.summary}
        summary = words.plain("alert.summary", **said) if alert.firing else words.plain("alert.summary_resolved", **said)
        blocks.append(card_parts.plain_section(summary))
    blocks.append(card_parts.section(words.live(f"alert.told_{key}")))
    if not alert.firing:
        status = card_parts.service_button(words.plain("button.status"), Action.STATUS, alert.service) if alert.service else []
        return card_parts.Shown(foreign(title), [*blocks, *(card_parts.actions(status) if status else [])])
    blocks += _service_actions(alert.service, words)
    return card_parts.Shown(foreign(title), [*blocks, *card_parts.take_back_line(take_back, words)])


def _service_actions(service: str, words: Words) -> list[card_parts.Block]:
    if not service:
        return []
    again = card_parts.service_button(words.plain("button.status"), Action.STATUS, service)
    return card_parts.actions([*card_parts.hold_button(service, words), *again])


def _release(service: str, words: Words) -> Live:
    return code(f"/migrate safe-mode off {service} {words.plain('preview.reason')}", 120)


def _channel(channel: str) -> Live:
    return Live(f"<#{channel}>") if card_parts.CHANNEL.fullmatch(channel) else foreign(channel, 40)
