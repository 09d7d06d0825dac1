"""Foreign text on its way into a card: a reason, an alert's summary, a name. It may say anything and must do nothing.

Slack reads `<!channel>`, `<@U…>` and `<https://evil|safe>` in mrkdwn as live; only `& < >` need escaping for that, but
`*_~` and backticks still format, so that foreign text stands in plain text or in a quotation (`quoted`, `code`).
Sentences of ours quote such text too, so they are shown in the same way; only the commands in them stay as they are.
"""

import re

CUT_MARK = "…"
# Direction overrides would let foreign text rewrite how the rest of the line is read; zero-width signs hide words.
INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
SPACES = re.compile(r"\s+")
FORMATTING = str.maketrans({"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ"})
# What may be copied stays as it is: a command in backticks, in which nothing formats and which nothing runs, and an
# underscore between letters (REDIS_URL), which Slack does not read as a mark.
COPIED = re.compile(r"(`(?:/migrate|kubectl|ferry)(?: [^`]{1,200})?`|(?<=[A-Za-z0-9])_+(?=[A-Za-z0-9]))")


def clean(text: str) -> str:
    """One line without control, invisible or direction signs; runs of spaces become one."""
    return SPACES.sub(" ", visible(text)).strip()


def visible(text: str) -> str:
    """Without control, format (bidi marks, tags), surrogate, private and unassigned signs; spaces and line ends stay."""
    if text.isprintable():
        return text
    return "".join(sign for sign in text if sign.isprintable() or sign.isspace())


def truncate(text: str, most: int) -> str:
    """At most `most` characters, the last of them a mark where something was cut."""
    if len(text) <= most:
        return text
    return text[: max(most - len(CUT_MARK), 0)] + CUT_MARK[:most]


def escape(text: str, most: int = 300) -> str:
    """For mrkdwn: cleaned, cut to `most` characters, then `& < >` escaped, so that no escape is ever cut in half.

    The result may be up to five times `most` long.
    """
    return truncate(clean(text), most).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def quoted(text: str, most: int = 300) -> str:
    """For mrkdwn: as `escape`, and signs that would format are replaced by look-alikes that do not."""
    parts = COPIED.split(escape(text, most))  # what is to be copied stands at the odd places
    return "".join(part if place % 2 else part.translate(FORMATTING) for place, part in enumerate(parts))


def plain(text: str, most: int) -> str:
    """For a plain_text object: cleaned and cut; nothing in plain text is live."""
    return truncate(clean(text), most)
