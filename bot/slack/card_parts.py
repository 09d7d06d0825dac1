"""What every card is built of: blocks as plain dicts, persons, times, bars. mrkdwn comes in as `words.Live` only."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.slack import block_limits, buttons, escaping
from bot.slack.words import Live, Words, code, foreign

Block = block_limits.Block
SECTION_TEXT = 3_000
PERSON = re.compile(r"slack:[TE][A-Z0-9]+/([UW][A-Z0-9]+)")
CHANNEL = re.compile(r"[CG][A-Z0-9]+")
NAMED_CHANNEL = re.compile(r"&lt;#([CG][A-Z0-9]{2,20})&gt;")
NAMED_TIME = re.compile(r"\b([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) UTC\b")
MENTION = re.compile(r"<@[UW][A-Z0-9]+>|<!subteam\^S[A-Z0-9]+>")
DIFF_CHUNK = 2_500
LONGEST_LINE = 500


@dataclass(frozen=True, slots=True)
class Shown:
    """A message: `text` is one sentence for notifications (escaped mrkdwn), `blocks` the card. Within `block_limits`."""

    text: str
    blocks: list[Block]


def header(text: str, block_id: str = "") -> Block:
    return _named({"type": "header", "text": plain_text(text, 150)}, block_id)


def section(text: Live, block_id: str = "") -> Block:
    return _named({"type": "section", "text": mrkdwn(text)}, block_id)


def plain_section(text: str, block_id: str = "") -> Block:
    """For what somebody else wrote: nothing in it is live or formats."""
    return _named({"type": "section", "text": plain_text(text, SECTION_TEXT)}, block_id)


def fields(texts: Sequence[Live], block_id: str = "") -> Block:
    """Two columns of at most ten."""
    return _named({"type": "section", "fields": [mrkdwn(text) for text in texts]}, block_id)


def divider() -> Block:
    return {"type": "divider"}


def context(text: Live, block_id: str = "") -> Block:
    return _named({"type": "context", "elements": [mrkdwn(text)]}, block_id)


def actions(elements: Sequence[Block], block_id: str = "") -> list[Block]:
    """No block at all for no buttons."""
    return [_named({"type": "actions", "elements": list(elements)}, block_id)] if elements else []


def preformatted(text: str) -> list[Block]:
    """Lines kept as they are, in rich text, which parses nothing; in pieces of at most 2,500 characters."""
    chunks: list[str] = [""]
    for line in text.splitlines():
        shown = escaping.truncate(escaping.visible(line.expandtabs(4)), LONGEST_LINE)
        if len(chunks[-1]) + len(shown) > DIFF_CHUNK:
            chunks.append("")
        chunks[-1] += f"{shown}\n"
    return [
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": chunk.rstrip("\n")}]}],
        }
        for chunk in chunks
        if chunk.strip()
    ]


def packed(lines: Iterable[Live], budget: int) -> tuple[list[Block], int]:
    """Lines as few sections as possible, in order, until `budget` characters are used; and how many lines found room."""
    texts: list[str] = []
    used = shown = 0
    for line in lines:
        if len(line) > SECTION_TEXT or used + len(line) + 1 > budget:
            break
        used, shown = used + len(line) + 1, shown + 1
        if texts and len(texts[-1]) + len(line) + 1 <= SECTION_TEXT:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return [section(Live(text)) for text in texts], shown


def listed(lines: Sequence[Live], budget: int, words: Words) -> list[Block]:
    """As `packed`, and where lines were left out it says how many."""
    blocks, shown = packed(lines, budget)
    return [*blocks, context(words.live("more", count=len(lines) - shown))] if shown < len(lines) else blocks


def pages(lines: Iterable[Live], budget: int) -> list[list[Live]]:
    """Lines in order, in as many lists as it takes; each is within `budget` characters as `packed` counts them."""
    left, found = list(lines), []
    while left:
        shown = max(1, packed(left, budget)[1])
        found.append(left[:shown])
        left = left[shown:]
    return found


def paged(page: int, of: int, action: buttons.Action, words: Words, *, part: str = "") -> list[Block]:
    """Which page it is, and a button to the next (from the last to the first); nothing where there is only one."""
    if of < 2:
        return []
    last = page >= of
    label = words.plain("button.first_page" if last else "button.next_page")
    following = button(label, action, buttons.page_value(1 if last else page + 1, part))
    return [context(words.live("page_of", page=page, of=of)), *actions([following])]


def under(heading: Live, sentences: Sequence[str], words: Words) -> list[Block]:
    """Bullets under a heading; nothing for no sentence."""
    lines = [words.live("bullet", sentence=one) for one in sentences]
    return [section(heading), *listed(lines, 1_000, words)] if lines else []


def button(label: str, action: buttons.Action, value: str, *, style: str = "", confirm: Block | None = None) -> Block:
    """`style`: primary, danger or empty."""
    made: Block = {"type": "button", "text": plain_text(label, 75), "action_id": str(action), "value": value}
    if style:
        made["style"] = style
    if confirm:
        made["confirm"] = confirm
    return made


def confirm_dialog(title: str, text: str, *, yes: str, no: str, danger: bool = False) -> Block:
    return {
        "title": plain_text(title, 100),
        "text": plain_text(text, 300),
        "confirm": plain_text(yes, 30),
        "deny": plain_text(no, 30),
        "style": "danger" if danger else "primary",
    }


def hold_button(service: str, words: Words, *, safe_mode: bool = False) -> list[Block]:
    """The red button: 100% old, now. `service` may be `all`; nothing for a name that is no service's."""
    if not buttons.names_service(service):
        return []
    shown = words.plain("button.everything") if service == buttons.ALL else service
    dialog = confirm_dialog(
        words.plain("hold_dialog.title", service=shown),
        words.plain("hold_dialog.text", service=shown),
        yes=words.plain("hold_dialog.confirm"),
        no=words.plain("dialog.cancel"),
        danger=True,
    )
    label = words.plain("button.safe_mode") if safe_mode else words.plain("button.roll_back")
    return [button(label, buttons.Action.HOLD, buttons.service_value(service), style="danger", confirm=dialog)]


def service_button(label: str, action: buttons.Action, service: str) -> list[Block]:
    """Nothing for a name that is no service's."""
    return [button(label, action, buttons.service_value(service))] if buttons.names_service(service) else []


def take_back_line(take_back: str, words: Words, block_id: str = "") -> list[Block]:
    """The kubectl line that works without Ferry; nothing when there is none."""
    if not take_back:
        return []
    return [context(words.live("take_back", line=code(take_back, 550)), block_id)]


def person(person_id: str, shown: str = "") -> Live:
    """A mention where the id says that it is a person in Slack, the name (escaped) otherwise."""
    found = PERSON.fullmatch(person_id)
    return Live(f"<@{found[1]}>") if found else foreign(shown or person_id or "?", 80)


def readable(shown: Live) -> Live:
    """Escaped text in which `<#C…>` names the channel again (it calls nobody, and Slack itself writes the name), and times
    of the rules (`2026-01-02 12:00:00 UTC`) are shown like every other.
    """
    return Live(NAMED_TIME.sub(_time, NAMED_CHANNEL.sub(r"<#\1>", shown)))


def _time(found: re.Match[str]) -> str:
    try:
        return date(datetime.fromisoformat(found[1]).replace(tzinfo=UTC))
    except ValueError:
        return found[0]


def mentions(text: str) -> Live:
    """`<@U…>` and `<!subteam^S…>` from settings stay live; anything else in the text is escaped."""
    words = [Live(word) if MENTION.fullmatch(word) else foreign(word, 80) for word in text.split()]
    return Live(" ".join(words[:20]))


def date(at: datetime) -> Live:
    """In the reader's own zone; clients that cannot do that show UTC."""
    return Live(f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC>")


def moment(at: str) -> Live:
    """As `date`, of an ISO time that somebody else wrote; what is no such time is shown as it was written."""
    try:
        read = datetime.fromisoformat(at)
        zoned = read.astimezone(UTC) if read.tzinfo else None
    except (ValueError, OverflowError):
        zoned = None
    return date(zoned) if zoned else foreign(at or "?", 40)


def bar(done: int, of: int) -> Live:
    """`▰▰▱▱`: `done` of `of`."""
    return Live("▰" * min(done, of) + "▱" * max(of - done, 0))


def weight_bar(weight: int) -> Live:
    """Five cells; any weight above 0 shows at least one, only 100 shows all."""
    return bar(0 if weight <= 0 else 5 if weight >= 100 else min(4, max(1, weight // 20)), 5)


def plain_text(text: str, most: int) -> Block:
    return {"type": "plain_text", "text": escaping.plain(text, most) or "-", "emoji": False}


def mrkdwn(text: Live) -> Block:
    """`verbatim`: Slack must not turn names or addresses in it into links of its own accord."""
    return {"type": "mrkdwn", "text": text or "-", "verbatim": True}


def _named(block: Block, block_id: str) -> Block:
    return {**block, "block_id": block_id} if block_id else block
