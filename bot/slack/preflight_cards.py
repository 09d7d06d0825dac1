"""Whether everything is there before traffic moves, check by check; and what differs from what was approved. Pure."""

from bot.slack import buttons, card_parts
from bot.slack.words import Live, Words, code, foreign
from k8s import preflight

Action = buttons.Action
MARKS = {preflight.Ok.YES: "✓", preflight.Ok.NO: "✗", preflight.Ok.UNKNOWN: "?"}
WORDS = {preflight.Ok.YES: "ok", preflight.Ok.NO: "not_ok", preflight.Ok.UNKNOWN: "unknown"}
CHECKS_BUDGET = 6_500
FIREWALL_BUDGET = 2_000


def preflight_card(report: preflight.Report, words: Words) -> card_parts.Shown:
    """What is not well first, with what to do; then what is; then the openings that a firewall needs."""
    against = report.against
    facts = {"service": report.service, "against": len(against), "of": len(report.checks)}
    title = words.plain(f"preflight.title_{WORDS[report.ok]}", service=report.service)
    lines = [_check(one, words) for one in against]
    lines += [_check(one, words) for one in report.checks if one.ok is preflight.Ok.YES]
    blocks = [card_parts.header(title), *card_parts.listed(lines, CHECKS_BUDGET, words)]
    if not lines:
        blocks.append(card_parts.section(words.live("preflight.nothing")))
    if report.firewall:
        openings = [words.live("bullet", sentence=code(one, 200)) for one in report.firewall]
        blocks += [card_parts.section(words.live("preflight.firewall")), *card_parts.listed(openings, FIREWALL_BUDGET, words)]
    if report.ok is preflight.Ok.YES:
        command = code(f"/migrate prepare {report.service} {words.plain('preview.reason')}", 120)
        blocks.append(card_parts.context(words.live("status.next", command=command)))
    else:
        again = code(f"/migrate preflight {report.service}", 120)
        blocks.append(card_parts.context(words.live("preflight.again", command=again)))
    return card_parts.Shown(words.live("preflight.text", **facts), blocks)


def _check(one: preflight.Check, words: Words) -> Live:
    facts = {"mark": MARKS[one.ok], "name": foreign(one.name, 80), "sentence": foreign(one.sentence, 250)}
    if not one.remedy:
        return words.live("preflight.check", **facts)
    return words.live("preflight.check_remedy", remedy=foreign(one.remedy, 250), **facts)
