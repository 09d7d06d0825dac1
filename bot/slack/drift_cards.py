"""What somebody changed by hand: what stands now, what was put back or accepted lately; and the notice that tells of it. Pure."""

from collections.abc import Sequence
from datetime import datetime

from bot.slack import card_parts
from bot.slack.buttons import Action
from bot.slack.words import Live, Words, foreign, sentence
from handlers import answers

BUDGET = 6_000
LATELY_BUDGET = 3_000
MOST_LATELY = 20
LONGEST = 600


def drift_card(found: answers.Drift, words: Words, service: str = "") -> card_parts.Shown:
    """`service` empty: of all. Nothing where nobody can look is said to be well: what is not known has a line of its own."""
    title = words.plain("drift.title", service=service) if service else words.plain("drift.title_all")
    unknown = [] if found.synced else [words.live("overview.not_synced")]
    unknown += [words.live("drift.unseen", why=sentence(one, 250)) for one in found.unseen]
    standing = [_line(one, words) for one in found.standing]
    lately = [_line(one, words) for one in found.lines if one not in found.standing][:MOST_LATELY]
    blocks = card_parts.listed([*unknown, *standing], BUDGET, words) if unknown or standing else []
    if not standing:
        blocks.append(card_parts.section(words.live("drift.none")))
    if lately:
        blocks += [card_parts.section(words.live("drift.lately")), *card_parts.listed(lately, LATELY_BUDGET, words)]
    return card_parts.Shown(foreign(title), [card_parts.header(title), *blocks])


def notice_card(service: str, told: Sequence[tuple[datetime, str]], words: Words) -> card_parts.Shown:
    """The one card of a service's notices, newest first. It calls nobody."""
    title = words.plain("notice.title", service=service)
    lines = [words.live("notice.line", at=card_parts.date(at), sentence=sentence(one, LONGEST)) for at, one in told]
    foot = card_parts.context(words.live("notice.foot", service=service))
    button = card_parts.service_button(words.plain("button.status"), Action.STATUS, service)
    blocks = [card_parts.header(title), *card_parts.listed(lines, BUDGET, words), foot, *card_parts.actions(button)]
    newest = sentence(told[0][1], LONGEST) if told else Live("")
    return card_parts.Shown(newest if newest.strip() else foreign(title), blocks)


def _line(one: answers.DriftLine, words: Words) -> Live:
    by = words.live("drift.by", who=foreign(one.by, 80)) if one.by else Live("")
    return words.live(
        "drift.line",
        service=foreign(one.service),
        what=sentence(one.what, 400),
        by=by,
        at=card_parts.date(one.since),
        became=words.live(f"drift.became_{one.became}"),
        todo=sentence(one.todo, 250),
    )
