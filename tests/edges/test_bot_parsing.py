"""What people type, as values; and that no text whatever makes the parser raise anything but a usage error."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bot.slack import parsing, strategy_text
from bot.slack.wanted import Mode, Stage
from k8s import model


@pytest.mark.parametrize(
    "text",
    [
        "shift api-name01 25% why not",
        "shift api-name01 25 why not",
        "shift api-name01 25 % why not",
        "SHIFT API-NAME01 25％ why not",
        "/migrate shift api-name01 25% “why not”",
        "<@U0BOT> shift\u00a0api-name01\u00a025\u00a0% reason: why not",
        "<@U0BOT|ferry>: shift `api-name01` 25% ‘why not’",
    ],
)
def test_a_percentage_may_be_written_in_many_ways(text: str) -> None:
    assert parsing.parse(text) == parsing.Shift("api-name01", 25, "why not")


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("", parsing.Help()),
        ("  <@U0BOT> ", parsing.Help()),
        ("help me please", parsing.Help()),
        ("whoami", parsing.WhoAmI()),
        ("list", parsing.ListServices()),
        ("status", parsing.Status()),
        ("shift a,b,c 25% why", parsing.Wave(("a", "b", "c"), 25, "why")),
        ("shift a, b ,c.old.example 25 % why, and how", parsing.Wave(("a", "b", "c.old.example"), 25, "why, and how")),
        ("shift a, 25% why", parsing.Shift("a", 25, "why")),
        ("shift a 25% b, c and d", parsing.Shift("a", 25, "b, c and d")),
        ("status api-name01", parsing.Status("api-name01")),
        ("status <http://api.team.example.com|api.team.example.com>", parsing.Status("api.team.example.com")),
        ("status <http://api.team.example.com/>", parsing.Status("api.team.example.com")),
        ("plan api-name01 5%", parsing.Shift("api-name01", 5, "", None, only_plan=True)),
        ("rollback api-name01", parsing.Rollback("api-name01")),
        ("rollback api-name01 to be safe", parsing.Rollback("api-name01", None, "to be safe")),
        ("rollback api-name01 to", parsing.Rollback("api-name01", None, "to")),
        ("rollback api-name01 it is slow", parsing.Rollback("api-name01", None, "it is slow")),
        ("rollback api-name01 to 5 % it is slow", parsing.Rollback("api-name01", 5, "it is slow")),
        ("rollback api-name01 to 5 it is slow", parsing.Rollback("api-name01", None, "it is slow", generation=5)),
        ("help me", parsing.Help()),
        ("help shift", parsing.Help("shift")),
        ("help remove", parsing.Help("remove")),
        ("discover", parsing.Discover()),
        ("discover Team.example", parsing.Discover("team.example")),
        ("preflight api-name01", parsing.Preflight("api-name01")),
        ("prepare api-name01 as agreed", parsing.Objects(Stage.PREPARE, "api-name01", "as agreed")),
        ("bypass api-name01", parsing.Objects(Stage.BYPASS, "api-name01")),
        ("finish api-name01", parsing.Finish("api-name01")),
        ("finish api-name01 the week is over", parsing.Finish("api-name01", "the week is over")),
        ("finish api-name01 remove it is idle", parsing.Objects(Stage.REMOVE, "api-name01", "it is idle")),
        ("run api-name01", parsing.Run("api-name01")),
        ("run api-name01 ask because", parsing.Run("api-name01", Mode.ASK, reason="because")),
        ("run api-name01 because", parsing.Run("api-name01", Mode.ASK, reason="because")),
        ("run api-name01 AUTO until 7d go", parsing.Run("api-name01", Mode.AUTO, None, timedelta(days=7), "go")),
        ("run api-name01 auto until 36h", parsing.Run("api-name01", Mode.AUTO, None, timedelta(hours=36))),
        (
            "run api-name01 auto until 2026-12-31 go",
            parsing.Run("api-name01", Mode.AUTO, datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), None, "go"),
        ),
        (
            "run api-name01 auto until 2026-12-31T18:00+08:00",
            parsing.Run("api-name01", Mode.AUTO, datetime(2026, 12, 31, 10, 0, tzinfo=UTC)),
        ),
        (
            "run api-name01 auto until 2026-12-31t18:00z",
            parsing.Run("api-name01", Mode.AUTO, datetime(2026, 12, 31, 18, 0, tzinfo=UTC)),
        ),
        ("run api-name01 skip enough was seen", parsing.Skip("api-name01", "enough was seen")),
        ("pause api-name01 lunch", parsing.Pause("api-name01", "lunch")),
        ("resume api-name01", parsing.Resume("api-name01")),
        ("audit", parsing.Audit()),
        ("audit api-name01", parsing.Audit("api-name01")),
        ("drift", parsing.Drift()),
        ("drift api-name01", parsing.Drift("api-name01")),
        ("safe-mode on", parsing.SafeMode(on=True)),
        ("safe-mode off api-name01 fixed", parsing.SafeMode(on=False, service="api-name01", reason="fixed")),
        ("safe-mode on all fire", parsing.SafeMode(on=True, service="all", reason="fire")),
        ("history api-name01", parsing.History("api-name01")),
        ("confirm", parsing.ConfirmAsked()),
        ("approve api-name01", parsing.ApproveAsked("api-name01")),
    ],
)
def test_every_verb_has_its_value(text: str, asked: parsing.Asked) -> None:
    assert parsing.parse(text) == asked


RULES = {
    "header X-Canary=yes,on": strategy_text.StrategyAsked(
        model.Strategy.HEADER, header=model.HeaderRule("X-Canary", ("yes", "on"))
    ),
    "ip 10.2.0.0/16": strategy_text.StrategyAsked(model.Strategy.IP, cidrs=("10.2.0.0/16",)),
    "IP 10.2.0.0/16, 2001:DB8::/32": strategy_text.StrategyAsked(model.Strategy.IP, cidrs=("10.2.0.0/16", "2001:db8::/32")),
    "ip 10.2.0.7 ,10.3.0.0/16": strategy_text.StrategyAsked(model.Strategy.IP, cidrs=("10.2.0.7/32", "10.3.0.0/16")),
    "user cookie:uid": strategy_text.StrategyAsked(model.Strategy.USER, user=model.UserRule(model.sticky_from("cookie:uid"))),
    "user header:X-User=ann,bob": strategy_text.StrategyAsked(
        model.Strategy.USER, user=model.UserRule(model.sticky_from("header:X-User"), ("ann", "bob"))
    ),
    "weight": strategy_text.StrategyAsked(model.Strategy.WEIGHT),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_strategy_may_stand_on_either_side_of_the_percentage(rule: str) -> None:
    asked = parsing.Shift("api-name01", 10, "why, not", RULES[rule])
    assert parsing.parse(f"shift api-name01 strategy {rule} 10% why, not") == asked
    assert parsing.parse(f"shift api-name01 10 % strategy {rule} why, not") == asked
    planned = parsing.Shift("api-name01", 10, "", RULES[rule], only_plan=True)
    assert parsing.parse(f"plan api-name01 strategy {rule} 10%") == planned
    assert parsing.parse(f"plan api-name01 10% strategy {rule}") == planned


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_written_as_it_is_typed(rule: str) -> None:
    kind, written = RULES[rule].kind, strategy_text.rule_of(RULES[rule])
    assert strategy_text.read(kind, written) == RULES[rule]


@pytest.mark.parametrize(
    ("text", "says", "attempt"),
    [
        ("shift a strategy", "one of weight, header, ip, user", "shift a strategy header X-Canary=yes 25% reason"),
        ("shift a strategy magic 5% x", "“magic” is no strategy", "shift a strategy header X-Canary=yes 5% reason"),
        ("shift a strategy ip", "needs to know which requests", "shift a strategy ip 10.2.0.0/16 25% reason"),
        ("shift a strategy ip 5% x", "needs to know which requests", "shift a strategy ip 10.2.0.0/16 5% reason"),
        ("shift a strategy ip here 5% x", "“here” is no network", "shift a strategy ip 10.2.0.0/16 5% reason"),
        (
            "shift a strategy ip 10.7.0.1/16 5% x",
            "the network itself is 10.7.0.0/16",
            "shift a strategy ip 10.7.0.0/16 5% reason",
        ),
        ("shift a 5% strategy ip 0.0.0.0/0 x", "too wide", "shift a 5% strategy ip 10.2.0.0/16 reason"),
        (
            "shift a 5% strategy header X-Team x",
            "which value the header must have",
            "shift a 5% strategy header X-Team=yes reason",
        ),
        ("shift a 5% strategy header X_T=1 x", "letters, digits and -", "shift a 5% strategy header X-Canary=yes reason"),
        ("shift a 5% strategy header X-T= x", "names nothing after the =", "shift a 5% strategy header X-Canary=yes reason"),
        ("shift a 5% strategy user uid x", "where a user's name stands", "shift a 5% strategy user cookie:uid=alice reason"),
        ("shift a 5% strategy user client_ip x", "where a user's name", "shift a 5% strategy user cookie:uid=alice reason"),
        ("shift a 5% strategy user cookie:u=é x", "is not allowed", "shift a 5% strategy user cookie:uid=alice reason"),
        ("shift a strategy ip 10.8.0.0/16", "how much of the matching", "shift a strategy ip 10.8.0.0/16 25% reason"),
        ("shift a strategy ip 10.8.0.0/16 why", "“why” is not a whole percentage", "shift a strategy ip 10.8.0.0/16 25% reason"),
        ("shift a strategy ip 10.8.0.0/16 5%", "Say why", "shift a strategy ip 10.8.0.0/16 5% reason"),
        ("shift a 5% strategy ip 10.8.0.0/16 9% x", "two percentages, 5% and 9%", "shift a 5% strategy ip 10.8.0.0/16 reason"),
        ("shift a ip 10.8.0.0/16 5% x", "The word strategy stands before ip", "shift a strategy ip 10.2.0.0/16 5% reason"),
        ("shift a weight 5% x", "The word strategy stands before weight", "shift a strategy weight 5% reason"),
        ("shift a 5% ip 10.8.0.0/16 x", "right beside the percentage", "shift a 5% strategy ip 10.8.0.0/16 reason"),
        ("shift a 5% why strategy ip 10.8.0.0/16", "right beside the percentage", "shift a 5% strategy ip 10.8.0.0/16 reason"),
        ("plan a strategy ip 10.8.0.0/16", "how much of the matching", "plan a strategy ip 10.8.0.0/16 25% reason"),
        (
            f"shift a strategy ip {'10.8.0.0/16,' * 200} 5% x",
            "at most 1500 characters",
            "shift a strategy ip 10.2.0.0/16 5% reason",
        ),
    ],
)
def test_a_mistake_in_a_strategy_is_one_sentence_with_an_example_that_works(text: str, says: str, attempt: str) -> None:
    with pytest.raises(parsing.UsageError) as caught:
        parsing.parse(text)
    assert says in caught.value.sentence
    assert caught.value.attempt == f"/migrate {attempt}"
    assert isinstance(parsing.parse(attempt), parsing.Shift)


def test_a_reason_may_speak_of_strategies() -> None:
    asked = parsing.parse("shift a 5% ip rules were wrong, the strategy header was meant")
    assert isinstance(asked, parsing.Shift)
    assert asked.reason == "ip rules were wrong, the strategy header was meant"


def test_a_strategy_stands_between_the_percentage_and_the_reason() -> None:
    header = parsing.parse("shift a 50% strategy header X-Canary=yes,on because")
    assert header == parsing.Shift(
        "a", 50, "because", strategy_text.StrategyAsked(model.Strategy.HEADER, header=model.HeaderRule("X-Canary", ("yes", "on")))
    )
    network = parsing.parse("shift a 50% strategy ip 10.2.0.0/16,10.3.0.0/16 because")
    assert isinstance(network, parsing.Shift)
    assert network.strategy == strategy_text.StrategyAsked(model.Strategy.IP, cidrs=("10.2.0.0/16", "10.3.0.0/16"))
    user = parsing.parse("shift a 50% strategy user cookie:uid=ann because")
    assert isinstance(user, parsing.Shift)
    assert user.strategy is not None
    assert user.strategy.user == model.UserRule(model.sticky_from("cookie:uid"), ("ann",))
    assert parsing.parse("shift a 50% strategy weight because") == parsing.Shift(
        "a", 50, "because", strategy_text.StrategyAsked(model.Strategy.WEIGHT)
    )


@pytest.mark.parametrize(
    ("text", "attempt"),
    [("list Shop", "/migrate status shop"), ("list all", "/migrate list"), ("list <!x>", "/migrate list")],
)
def test_a_name_after_list_is_what_status_is_for(text: str, attempt: str) -> None:
    with pytest.raises(parsing.UsageError) as caught:
        parsing.parse(text)
    assert caught.value.attempt == attempt


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("list api-name01", "takes no word after it"),
        ("shift", "which service"),
        ("shift api-name01", "how much"),
        ("shift api-name01 25%", "why"),
        ("shift api-name01 101% x", "“101%” is not a whole percentage"),
        ("shift api-name01 abc% x", "“abc%” is not a whole percentage"),
        ("shift api-name01 -5% x", "“-5%” is not a whole percentage"),
        ("shift api-name01 2.5% x", "“2.5%” is not a whole percentage"),
        ("shift api-name01 ２５% x", "is not a whole percentage"),
        ("shift api_name 25% x", "“api_name” is not a service's name"),
        ("shift all 25% x", "only with safe-mode"),
        ("shift a 25% strategy magic x", "one of weight, header, ip, user"),
        ("shift a 25% strategy ip 10.2.0.1/16 x", "an address inside a network"),
        ("shift a 25% strategy header yes", "does not say which value"),
        ("rollback", "which service"),
        ("rollback api-name01 to 101%", "whole percentage"),
        ("safe-mode", "on or off"),
        ("history", "whose history"),
        ("status one two", "too many"),
        ("run a auto until", "before a date"),
        ("run a auto until someday", "“someday” is no date"),
        ("run a until 7d", "Only a standing approval has an end"),
        ("run a skip", "Say why the rest of the soak"),
        ("run a atuo", "Did you mean auto?"),
        ("run a auto untill 7d", "Did you mean until?"),
        ("run a skpi enough", "Did you mean skip?"),
        ("finish a remvoe", "Did you mean remove?"),
        ("remove a", "the last part of finish"),
        ("preflight", "which service"),
        ("discover a b", "one word at most"),
        ("discover <!x>", "no part of a host"),
        ("rollback a to 5x", "whole percentage"),
        ("x" * 5000, "5000 characters"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_with_something_to_try(text: str, says: str) -> None:
    with pytest.raises(parsing.UsageError) as caught:
        parsing.parse(text)
    assert says in caught.value.sentence
    assert str(caught.value).count(" Try: /migrate ") == 1


def test_the_suggested_text_is_itself_understood() -> None:
    for example in parsing.EXAMPLES.values():
        assert parsing.parse(example)
    with pytest.raises(parsing.UsageError) as caught:
        parsing.parse("shift api-name01 101% x")
    assert parsing.parse(caught.value.attempt) == parsing.Shift("api-name01", 25, "reason")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("shfit api 5%", "shift"),
        ("rolback api", "rollback"),
        ("safemode on", "safe-mode"),
        ("prepair api", "prepare"),
        ("finsh api", "finish"),
        ("disover", "discover"),
        ("preflihgt api", "preflight"),
        ("bypas api", "bypass"),
        ("puase api", "pause"),
        ("rusume api", "resume"),
        ("rnu api", "run"),
        ("adit", "audit"),
        ("drft", "drift"),
    ],
)
def test_a_misspelt_verb_is_guessed_but_never_carried_out(typed: str, meant: str) -> None:
    with pytest.raises(parsing.UsageError, match=f"Did you mean {meant}"):
        parsing.parse(typed)


def test_an_example_keeps_the_percentage_that_was_typed() -> None:
    for typed in (
        "shift a strategy hedaer X-Team=b 50% because",
        "shift a strategy ip nowhere 50% x",
        "shift a header X=y 50% x",
    ):
        with pytest.raises(parsing.UsageError) as caught:
            parsing.parse(typed)
        asked = parsing.parse(caught.value.attempt)
        assert isinstance(asked, parsing.Shift)
        assert asked.weight == 50


def test_a_misspelt_strategy_is_guessed_in_the_example() -> None:
    with pytest.raises(parsing.UsageError, match="Did you mean user") as caught:
        parsing.parse("shift a 10% strategy usr cookie:uid x")
    assert "strategy user " in caught.value.attempt


def test_people_in_a_reason_become_names_and_cannot_be_pinged() -> None:
    asked = parsing.parse("shift a 5% asked by <@U1|ann> in <#C1|ops> &amp; <!channel>")
    assert isinstance(asked, parsing.Shift)
    assert asked.reason == "asked by @ann in #ops & @channel"


def test_a_very_long_reason_is_cut_with_a_mark() -> None:
    asked = parsing.parse("shift a 5% " + "so " * 500)
    assert isinstance(asked, parsing.Shift)
    assert len(asked.reason) == parsing.LONGEST_REASON
    assert asked.reason.endswith("…")


WORDS = some.sampled_from(
    [
        *parsing.VERBS,
        "strategy",
        "header",
        "ip",
        "user",
        "to",
        "on",
        "off",
        "all",
        "api-name01",
        "25%",
        "%",
        "X=1",
        "10.0.0.0/8",
        "cookie:a",
        "<http://",
        "|",
        ">",
        "<@U1>",
        "&lt;",
        "“",
        "\u00a0",
        "\u202e",
        "=",
    ]
)


@given(some.one_of(some.text(), some.lists(some.one_of(WORDS, some.text(max_size=6)), max_size=9).map(" ".join)))
def test_no_text_raises_anything_but_a_usage_error(text: str) -> None:
    try:
        asked = parsing.parse(text)
    except parsing.UsageError as error:
        assert "\n" not in str(error)  # noqa: PT017 - a usage error is one of two allowed outcomes, not the expected one
    else:
        assert isinstance(asked, parsing.Asked)
