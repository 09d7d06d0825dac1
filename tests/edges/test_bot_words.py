"""No card lacks a word in any language; and no fact gets into a card unescaped."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.slack import effect_words, operation_cards, parsing, words
from handlers import answers, messages
from handlers.rules import gates, migration, refusals
from k8s import entry_change, model

SOURCES = sorted((Path(words.__file__).parent.parent).rglob("*.py"))
CHINESE = re.compile("[\u4e00-\u9fff]")
# Words that are only marks around facts, or a name, in any language.
MARKS_ONLY = re.compile(r"(\{\w+\}|[\s·:%→/*•⛔❌🔒✓▶_(),，（）：。.]|Ferry)*")
Call = tuple[str, str, str, frozenset[str] | None]  # file and line, live or plain, key (a prefix when it ends with .), facts


def _calls() -> Iterator[Call]:
    """Every `….live(key, …)` and `….plain(key, …)` in the bot; facts None where they are handed through."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("live", "plain")):
                continue
            if not node.args or ast.unparse(node.func.value) == "escaping":
                continue
            facts = frozenset(one.arg for one in node.keywords if one.arg)
            passed_on = any(one.arg is None for one in node.keywords)
            for key in _keys(node.args[0]):
                yield f"{path.name}:{node.lineno}", node.func.attr, key, None if passed_on else facts


def _keys(argument: ast.expr) -> list[str]:
    match argument:
        case ast.Constant(value=str(key)):
            return [key]
        case ast.JoinedStr(values=[ast.Constant(value=str(start)), *_]):
            return [start]
        case _:
            return []  # a name: its values are asked for in `test_a_key_that_is_chosen_elsewhere_is_known`


CALLS = list(_calls())
CHOSEN_ELSEWHERE = {
    "status.proxy", "status.proxy_not_ready", "details.approval", "details.approval_void",
    "effect.weight", "effect.header", "effect.ip", "effect.user", "effect.user_named", "effect.nothing", "effect.release",
    "effect.run", "effect.wave", "effect.prepare", "effect.finish", "effect.remove", "effect.bypass", "status.suppressed",
    "status.suppressed_on_trial", "way.done", "way.ahead", "button.first_page",
    "button.next_page", "approve_dialog.title", "approve_dialog.title_finish", "approve_dialog.title_remove",
    "audit.line", "audit.refused", "overview.on_trial", "overview.suppressed",
}  # fmt: skip


def _fits(key: str, used: str) -> bool:
    return key == used or (used[-1] in "._" and key.startswith(used))


@pytest.mark.parametrize("locale", words.LOCALES)
def test_every_word_that_the_code_uses_exists_with_the_facts_it_wants(locale: str) -> None:
    known = words.keys(locale)
    assert len(CALLS) > 100
    wrong = []
    for where, _, used, facts in CALLS:
        fitting = [key for key in known if _fits(key, used)]
        lacking = {key for key in fitting if facts is not None and not words.placeholders(known[key]) <= facts}
        if not fitting or lacking:
            wrong.append(f"{where} {used} {lacking or 'unknown'}")
    assert wrong == []


def test_a_key_that_is_chosen_elsewhere_is_known() -> None:
    assert set(words.keys("en")) >= CHOSEN_ELSEWHERE


def test_every_word_is_used() -> None:
    used = [key for _, _, key, _ in CALLS]
    idle = [key for key in words.keys("en") if key not in CHOSEN_ELSEWHERE and not any(_fits(key, one) for one in used)]
    assert idle == []


def test_every_language_has_the_same_words_with_the_same_facts() -> None:
    english = words.keys("en")
    for locale in words.LOCALES:
        other = words.keys(locale)
        assert set(other) == set(english)
        assert {key: words.placeholders(text) for key, text in other.items()} == {
            key: words.placeholders(text) for key, text in english.items()
        }


def test_chinese_is_chinese() -> None:
    english, chinese = words.keys("en"), words.keys("zh-CN")
    untranslated = [key for key, text in chinese.items() if not CHINESE.search(text) and not MARKS_ONLY.fullmatch(text)]
    assert untranslated == []
    assert [key for key, text in english.items() if CHINESE.search(text)] == []
    assert [key for key, text in chinese.items() if re.search(r"[\u4e00-\u9fff][,;:!?]\s?[\u4e00-\u9fff]", text)] == []


@pytest.mark.parametrize("locale", words.LOCALES)
def test_words_for_plain_text_carry_no_marks(locale: str) -> None:
    marked = [
        (where, key)
        for where, kind, used, _ in CALLS
        for key, text in words.keys(locale).items()
        if kind == "plain" and used and _fits(key, used) and re.search(r"[*`<]", text)
    ]
    assert marked == []


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("phase", set(migration.Phase)),
        ("service_phase", set(migration.Phase)),
        ("outcome", (set(migration.Outcome) - {migration.Outcome.OPEN}) | {"not_judged"}),
        (
            "ended",
            (set(migration.Outcome) - {migration.Outcome.OPEN})
            | {"not_judged", "failed_objects"}
            | {f"done_{kind}" for kind in effect_words.NO_SHIFT},
        ),
        ("kind", set(migration.Kind)),
        ("severity", set(messages.Severity)),
        ("help", set(parsing.EXAMPLES)),
        ("step", set(operation_cards.STEPS)),
        ("effect", {*model.Strategy, "user_named", "nothing", "release", *effect_words.NO_SHIFT}),
        ("change_by", set(effect_words.NO_SHIFT)),
        ("way.stages", set(answers.Stage)),
        ("way.entries", set(entry_change.EntryState)),
        ("gates.verdicts", {verdict.name.lower() for verdict in gates.Verdict}),
    ],
)
@pytest.mark.parametrize("locale", words.LOCALES)
def test_words_that_are_chosen_by_a_name_exist_for_every_name(locale: str, prefix: str, names: set[str]) -> None:
    found = {key.removeprefix(f"{prefix}.") for key in words.keys(locale) if key.startswith(f"{prefix}.")}
    assert found == {str(name) for name in names}


def test_a_fact_is_escaped_unless_it_was_made_here() -> None:
    english = words.Words("en")
    hostile = "<!channel> *bold* `code` & <@U1>"
    shown = english.live("bullet", sentence=hostile)
    assert shown == "• &lt;!channel&gt; ∗bold∗ ˋcodeˋ &amp; &lt;@U1&gt;"
    assert english.live("bullet", sentence=words.Live("<@U1>")) == "• <@U1>"
    assert english.plain("operation.reason", reason="a\u202eb\n\n<c>") == "Reason: ab <c>"


def test_markup_in_plain_text_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="who would show its markup"):
        words.Words("en").plain("operation.reason", who=words.Live("<@U1>"))


def test_a_missing_word_a_missing_fact_and_a_missing_language_are_named() -> None:
    with pytest.raises(words.WordsError, match=r"no word of\.nothing"):
        words.Words("en").live("of.nothing")
    with pytest.raises(words.WordsError, match=r"more in en\.yaml needs count"):
        words.Words("en").plain("more")
    with pytest.raises(words.WordsError, match="use one of en, zh-CN"):
        words.Words("xx")


def test_a_person_reads_the_nearest_language() -> None:
    found = {locale: words.nearest(locale).locale for locale in ("zh-CN", "zh-TW", "zh", "en-GB", "de", "")}
    assert found == {"zh-CN": "zh-CN", "zh-TW": "zh-CN", "zh": "zh-CN", "en-GB": "en", "de": "en", "": "en"}


@pytest.mark.parametrize("make", [words.foreign, words.sentence])
@pytest.mark.parametrize("sign", ["&", "<", "x", "字", "&x"])
def test_foreign_text_keeps_its_bound_after_escaping(make: Callable[[str, int], words.Live], sign: str) -> None:
    made = make(sign * 900, 300)
    assert 250 < len(made) <= 300
    assert made.endswith("…")


@pytest.mark.parametrize("locale", [one for one in words.LOCALES if one != "en"])
def test_every_refusal_of_the_rules_can_be_said_in_every_language_with_the_same_facts(locale: str) -> None:
    wanted = {str(reason): [words.placeholders(text) - {"service"} for text in texts] for reason, texts in refusals.WORDS.items()}
    facts = {reason: {name: f"[{name}]" for each in some for name in each} for reason, some in wanted.items()}
    for reason, english in refusals.WORDS.items():
        refusal = refusals.refuse(reason, service="shop", **facts[reason])
        said = words.refused(refusal, locale)
        assert all(CHINESE.search(one) or one == "[why]" for one in said), reason
        assert said != (refusal.what, refusal.why, refusal.remedy)
        for before, after in zip((refusal.what, refusal.why, refusal.remedy), said, strict=True):
            assert set(re.findall(r"\[\w+\]", before)) == set(re.findall(r"\[\w+\]", after)), reason
        assert len(english) == len(said)
    assert words.refused(refusal, "en") == (refusal.what, refusal.why, refusal.remedy)


def test_a_refusal_with_sentences_of_its_own_stays_as_it_is() -> None:
    own = refusals.Refusal(refusals.Reason.INVALID, "Nothing was added.", "It reads wrong.", "Correct it.")
    assert words.refused(own, "zh-CN") == ("Nothing was added.", "It reads wrong.", "Correct it.")
