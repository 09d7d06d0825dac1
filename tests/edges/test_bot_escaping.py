"""Foreign text may say anything and does nothing."""

import html
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bot.slack import escaping

HOSTILE = some.lists(
    some.one_of(
        some.sampled_from(["<!channel>", "<@U1>", "<https://evil|safe>", "`", "*", "_", "~", "&lt;", "\u202e", "\u200b", "\n"]),
        some.text(max_size=20),
    ),
    max_size=40,
).map("".join)


@given(HOSTILE, some.integers(1, 400))
def test_nothing_escaped_is_live_or_cut_in_half(text: str, most: int) -> None:
    shown = escaping.escape(text, most)
    assert "<" not in shown
    assert ">" not in shown
    assert shown.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").count("&") == 0
    assert len(html.unescape(html.unescape(shown))) <= most
    assert html.unescape(shown) == escaping.truncate(escaping.clean(text), most)


@given(HOSTILE)
def test_nothing_quoted_formats(text: str) -> None:
    quoted = escaping.quoted(text)
    assert not set("*~`<>") & set(quoted)
    assert not re.search(r"(?<![A-Za-z0-9_])_|_(?![A-Za-z0-9_])", quoted), "an underscore at the edge of a word formats"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("see `/migrate safe-mode off shop` now", "see `/migrate safe-mode off shop` now"),
        ("`kubectl get cm` & `/migrate`", "`kubectl get cm` &amp; `/migrate`"),
        ("set REDIS_URL, not _REDIS_", "set REDIS_URL, not ˍREDISˍ"),
        ("`/migrate x <!channel> *y*`", "`/migrate x &lt;!channel&gt; *y*`"),
        ("`rm` is not ours, nor is ``/migrate``x`", "ˋrmˋ is not ours, nor is ˋ`/migrate`ˋxˋ"),
        ("`/migratex`", "ˋ/migratexˋ"),
    ],
)
def test_what_is_to_be_copied_stays_as_it_is(said: str, shown: str) -> None:
    assert escaping.quoted(said) == shown


@given(HOSTILE)
def test_what_is_clean_is_one_visible_line_and_stays_so(text: str) -> None:
    cleaned = escaping.clean(text)
    assert not [sign for sign in cleaned if unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}]
    assert escaping.clean(cleaned) == cleaned
    assert "  " not in cleaned


@pytest.mark.parametrize(
    "sign",
    ["\u202e", "\u2066", "\u200f", "\u061c", "\u00ad", "\u180e", "\U000e0041", "\ufeff", "\x00", "\x1b", "\ue000", "\ud800"],
)
def test_signs_that_hide_or_turn_text_are_dropped(sign: str) -> None:
    assert escaping.clean(f"a{sign}b") == "ab"


@pytest.mark.parametrize("text", ["日本語 中文", "שלום", "naïve café", "🔴 done 👍", "0% → 25%"])
def test_what_people_write_stays(text: str) -> None:
    assert escaping.clean(text) == text


@given(some.text(), some.integers(0, 50))
def test_a_cut_is_marked_and_keeps_its_bound(text: str, most: int) -> None:
    cut = escaping.truncate(text, most)
    assert len(cut) <= most
    assert cut == text or most == 0 or cut.endswith("…")
