"""Foreign text on its way into a card: a reason, an alert's summary, a name. It may say anything and must do nothing.

Slack reads `<!channel>`, `<@U…>` and `<https://evil|safe>` in mrkdwn as live; only `& < >` need escaping for that, but
`*_~` and backticks still format, so that foreign text stands in plain text or in a quotation (`quoted`, `code`).
"""

import re

CUT_MARK = "…"
# Direction overrides would let foreign text rewrite how the rest of the line is read; zero-width signs hide words.
INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
SPACES = re.compile(r"\s+")
FORMATTING = str.maketrans({"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ"})


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
    """For mrkdwn: as `escape`, and the four signs that format are replaced by look-alikes that do not."""
    return escape(text, most).translate(FORMATTING)


def plain(text: str, most: int) -> str:
    """For a plain_text object: cleaned and cut; nothing in plain text is live."""
    return truncate(clean(text), most)
