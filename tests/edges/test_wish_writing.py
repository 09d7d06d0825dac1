"""Weight, strategy and rule are written into any form of entry: it reads as the exposure, and nothing else changes."""

import re
import textwrap
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import model, wish_change, wish_document, wish_writing

VALUES = ("yes", "true", "1", "beta", "a:b", "x/y=z", "@me", "-dash", "10:30", "null", "end:", "1.5")
NETWORKS = ("10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16", "192.168.7.0/24", "::/64", "fd00::/48")
SOURCES = ("cookie:uid", "header:X-User", "cookie:session.id")
HEADERS = ("X-Beta", "x-canary", "No", "Y")
some_values = st.lists(st.sampled_from(VALUES), min_size=1, max_size=4, unique=True)
some_networks = st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=4, unique=True)
PLAIN = re.compile(r"X-\w+|[a-z]+:[a-zX.-]+[a-z]|[0-9]+\.[0-9.]+/[0-9]+|[xb][-/=a-z]+[a-z]")


@st.composite
def rules(draw: st.DrawFn) -> model.Exposure:
    """Any strategy with its rule, perhaps others besides, at any weight."""
    header = draw(st.none() | st.builds(model.HeaderRule, st.sampled_from(HEADERS), some_values.map(tuple)))
    user = draw(
        st.none()
        | st.builds(
            model.UserRule,
            st.sampled_from(SOURCES).map(model.sticky_from),
            st.lists(st.sampled_from(VALUES), max_size=3, unique=True).map(tuple),
        )
    )
    cidrs = tuple(draw(st.just([]) | some_networks))
    possible = [model.Strategy.WEIGHT]
    possible += [model.Strategy(kind) for kind, rule in (("header", header), ("ip", cidrs), ("user", user)) if rule]
    return model.Exposure(
        weight=draw(st.integers(0, 100)),
        old_host="api.old.example",
        new_host="api.new.example",
        strategy=draw(st.sampled_from(possible)),
        header=header,
        cidrs=cidrs,
        user=user,
    )


@st.composite
def likewise(draw: st.DrawFn, was: model.Exposure) -> model.Exposure:
    """By a rule that `was` has, with other values: what stands there is changed in place."""
    weight = draw(st.integers(0, 100))
    possible = [
        replace(was, weight=weight, strategy=model.Strategy.IP, cidrs=tuple(draw(some_networks))) if was.cidrs else None,
        replace(was, weight=weight, strategy=model.Strategy.HEADER, header=replace(was.header, values=tuple(draw(some_values))))
        if was.header
        else None,
        replace(was, weight=weight, strategy=model.Strategy.USER, user=replace(was.user, ids=tuple(draw(some_values))))
        if was.user
        else None,
    ]
    return draw(st.sampled_from([one for one in possible if one is not None] or [was.at(weight)]))


class Writer:
    """One entry in a form that was drawn: quotes, lists and mappings as blocks or in one line, comments anywhere."""

    def __init__(self, draw: st.DrawFn, *, blocks: bool = False) -> None:
        self.draw = draw
        self.blocks = blocks  # wherever it may be one
        self.comments = 0
        self.key = draw(st.sampled_from(["", "", '"', "'"]))

    def text(self, value: str) -> str:
        quote = self.draw(st.sampled_from(['"', "'", ""]))
        return f"{quote}{value}{quote}" if quote or PLAIN.fullmatch(value) else f'"{value}"'

    def comment(self, what: str = "field") -> str:
        self.comments += 1
        return f"  # {what} {self.comments} 说明" if self.draw(st.booleans()) else ""

    def line(self, name: str, value: str) -> list[str]:
        return [f"{self.pair(name, value)}{self.comment()}"]

    def pair(self, name: str, value: str) -> str:
        return f"{self.key}{name}{self.key}: {value}"

    def texts(self, name: str, values: tuple[str, ...], *, block: bool) -> list[str]:
        if not block or not values:
            return self.line(name, f"[{', '.join(map(self.text, values))}]")
        indent = self.draw(st.sampled_from(["", "  "]))
        items = [f"{indent}- {self.text(value)}{self.comment(f'item {value}')}" for value in values]
        return [f"{self.key}{name}{self.key}:{self.comment()}", *items]

    def fields(self, exposure: model.Exposure, *, block: bool) -> list[list[str]]:
        """Lines of each field; in one line each where not `block`."""
        found = [
            self.line("old_host", self.text(exposure.old_host)),
            self.line("new_host", self.text(exposure.new_host)),
            self.line("old_backend", self.text("app.team.svc.cluster.local:80")),
            self.line("migration_percentage", str(exposure.weight)),
        ]
        if exposure.strategy is not model.Strategy.WEIGHT or self.draw(st.booleans()):
            found.append(self.line("strategy", self.text(str(exposure.strategy))))
        if exposure.cidrs:
            found.append(self.texts("cidrs", exposure.cidrs, block=block and (self.blocks or self.draw(st.booleans()))))
        if exposure.header:
            found.append(self.mapping("header", "name", exposure.header.name, "values", exposure.header.values, block=block))
        if exposure.user:
            source, ids = str(exposure.user.source), exposure.user.ids
            found.append(self.mapping("user", "source", source, "ids", ids, block=block, may_lack=not ids))
        return list(self.draw(st.permutations(found)))

    def mapping(
        self, name: str, first: str, text: str, second: str, values: tuple[str, ...], *, block: bool, may_lack: bool = False
    ) -> list[str]:
        lacks = may_lack and self.draw(st.booleans())
        if not block or (not self.blocks and self.draw(st.booleans())):
            more = "" if lacks else ", " + self.pair(second, f"[{', '.join(map(self.text, values))}]")
            return self.line(name, f"{{{self.pair(first, self.text(text))}{more}}}")
        parts = [self.line(first, self.text(text))]
        if not lacks:
            parts.append(self.texts(second, values, block=self.blocks or self.draw(st.booleans())))
        inside = ["  " + line for part in self.draw(st.permutations(parts)) for line in part]
        return [f"{self.key}{name}{self.key}:{self.comment()}", *inside]


@st.composite
def entries(draw: st.DrawFn, exposure: model.Exposure, *, blocks: bool) -> str:
    """The text of one entry of a list, as a block or in one line."""
    writer = Writer(draw, blocks=blocks)
    if blocks or draw(st.booleans()):
        found = ["name: api" + writer.comment(), *(line for field in writer.fields(exposure, block=True) for line in field)]
        at = draw(st.integers(1, len(found)))
        found.insert(at, "# a line of its own")
        return "\n".join(("  - " if number == 0 else "    ") + line for number, line in enumerate(found)) + "\n"
    writer.comment = lambda what="": ""  # type: ignore[method-assign]  # none inside of braces
    inside = ", ".join([writer.pair("name", "api"), *(field[0] for field in writer.fields(exposure, block=False))])
    return f"  - {{{inside}}}  # all of it\n"


@st.composite
def documents(draw: st.DrawFn, exposure: model.Exposure, *, blocks: bool = False) -> str:
    before, after = (
        f"  # {name} comes here\n  - name: {name}\n    old_host: {name}.old.example\n    new_host: {name}.new.example\n"
        f"    old_backend: {name}.team.svc.cluster.local:80\n    migration_percentage: 5  # of {name}\n"
        for name in ("before", "after")
    )
    whole = "# by hand\nservices:\n" + before + draw(entries(exposure, blocks=blocks)) + draw(st.sampled_from(["", after]))
    if draw(st.integers(0, 3)) == 0:
        whole = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n  migration.yaml: |\n" + textwrap.indent(
            whole, "    "
        )
    elif draw(st.booleans()):
        whole = whole.rstrip("\n")
    return draw(st.sampled_from(["", "\ufeff"])) + whole.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


def comments(text: str) -> list[str]:
    """In order, but those beside items of a list, which go with their items."""
    return [found for found in re.findall(r"#[^\r\n]*", text) if not found.startswith("# item")]


@given(data=st.data(), was=rules(), wanted=rules())
def test_any_entry_reads_as_the_exposure_that_was_written_and_nothing_else_changes(
    data: st.DataObject, was: model.Exposure, wanted: model.Exposure
) -> None:
    demand_written(data.draw(documents(was)), was, wanted)


@settings(max_examples=200)
@given(data=st.data(), was=rules())
def test_a_rule_in_any_form_is_changed_in_place(data: st.DataObject, was: model.Exposure) -> None:
    wanted = data.draw(likewise(was))
    demand_written(data.draw(documents(was, blocks=data.draw(st.booleans()))), was, wanted)


def demand_written(text: str, was: model.Exposure, wanted: model.Exposure) -> None:
    old = wish_document.read(text).services
    assert old["api"].exposure == was
    change = wish_change.WishChange("api", wanted, was.weight, wish_change.digest(was))
    now = wish_writing.written(text, [change])
    assert now.outcomes == (wish_writing.Outcome(),)
    read = wish_document.read(now.text).services
    assert read == {**old, "api": replace(old["api"], exposure=wish_change.merged(was, wanted))}
    assert list(read) == list(old)
    assert comments(now.text) == comments(text)
    assert ("\r\n" in text) == ("\r\n" in now.text)
    if "\r\n" in text:
        assert "\n" not in now.text.replace("\r\n", "")
    assert wish_writing.written(now.text, [change]) == now, "a retry after a lost answer changes nothing"
    back = wish_change.WishChange("api", was, wanted.weight, wish_change.digest(read["api"].exposure))
    again = wish_document.read(wish_writing.written(now.text, [back]).text).services["api"].exposure
    assert (again.weight, wish_change.same_rules(again, was)) == (was.weight, True)


@given(data=st.data(), was=rules(), weight=st.integers(0, 100))
def test_a_change_of_the_weight_alone_touches_no_other_character(data: st.DataObject, was: model.Exposure, weight: int) -> None:
    text = data.draw(documents(was))
    other = replace(was, strategy=model.Strategy.IP, cidrs=("10.9.0.0/16",), weight=weight)
    now = wish_writing.written(text, [wish_change.WishChange("api", other, was.weight)])
    assert now.outcomes == (wish_writing.Outcome(),)
    assert wish_document.read(now.text).services["api"].exposure == was.at(weight)
    if weight == was.weight:
        assert now.text == text


ENTRY = """\
services:
  - name: api
    old_host: api.old.example
    new_host: api.new.example
    old_backend: app.team.svc.cluster.local:80
    migration_percentage: 5  # percent
    strategy: 'ip'  # as the office wants it
    cidrs:  # of the office
      # the first floor
      - 10.1.0.0/16  # Ann sits here
      - "10.2.0.0/16"  # Bob sits here
    enabled: true
"""
EXPOSURE = wish_document.read(ENTRY).services["api"].exposure


def asked(exposure: model.Exposure, *, over: model.Exposure = EXPOSURE) -> wish_change.WishChange:
    return wish_change.WishChange("api", exposure, over.weight, wish_change.digest(over))


def test_networks_that_stay_keep_their_line_and_what_is_written_beside_them() -> None:
    now = wish_writing.written(ENTRY, [asked(replace(EXPOSURE, weight=9, cidrs=("10.2.0.0/16", "10.3.0.0/16")))])
    assert now.text == ENTRY.replace("percentage: 5", "percentage: 9").replace(
        '      - 10.1.0.0/16  # Ann sits here\n      - "10.2.0.0/16"  # Bob sits here\n',
        '      - "10.2.0.0/16"  # Bob sits here\n      - "10.3.0.0/16"\n',
    )


def test_another_strategy_keeps_its_quotes_and_the_rule_that_is_not_used_any_more() -> None:
    now = wish_writing.written(ENTRY, [asked(replace(EXPOSURE, strategy=model.Strategy.WEIGHT, cidrs=()))])
    assert now.text == ENTRY.replace("'ip'", "'weight'")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("percentage: 5", "percentage: 6", "is 6, not 5: somebody edited it"),
        ("10.1.0.0", "10.7.0.0", "other rules than before: somebody edited it"),
        ("'ip'", "weight", "another strategy or other rules than before"),
        ("enabled: true", "timeout: soon", "cannot be read"),
        ("enabled: true", "enabled: false", "while enabled is not true"),
    ],
)
def test_an_edit_of_weight_strategy_or_rules_in_between_is_not_written_over(old: str, new: str, said: str) -> None:
    text = ENTRY.replace(old, new)
    now = wish_writing.written(text, [asked(replace(EXPOSURE, weight=25, cidrs=("10.8.0.0/16",)))])
    assert (now.text, now.outcomes[0].told) == (text, "")
    assert said in now.outcomes[0].refused


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("'ip'  # as the office wants it", ">-\n      ip", replace(EXPOSURE, weight=9, strategy=model.Strategy.WEIGHT)),
        ("- 10.1.0.0/16  # Ann sits here", "-\n        10.1.0.0/16", replace(EXPOSURE, weight=9, cidrs=("10.9.0.0/16",))),
    ],
)
def test_of_an_unusual_form_the_number_alone_is_written_and_that_is_said(old: str, new: str, wanted: model.Exposure) -> None:
    text = ENTRY.replace(old, new)
    now = wish_writing.written(text, [asked(wanted)])
    assert now.text == text.replace("percentage: 5", "percentage: 9")
    assert "the strategy of api in migration.yaml stays as it was, only the number is written" in now.outcomes[0].told
    assert wish_writing.written(now.text, [asked(wanted)]) == now


def test_a_document_that_would_grow_too_large_gets_the_number_alone() -> None:
    text = ENTRY + "# " + "x" * (900 * 1024 - len(ENTRY) - 5) + "\n"
    many = tuple(f"10.{number}.0.0/16" for number in range(200))
    now = wish_writing.written(text, [asked(replace(EXPOSURE, weight=9, cidrs=many))])
    assert now.text == text.replace("percentage: 5", "percentage: 9")
    assert "larger than 900 KiB" in now.outcomes[0].told


def test_one_change_that_is_refused_or_cannot_be_written_whole_hinders_no_other() -> None:
    entry = ENTRY.removeprefix("services:\n")
    odd = (
        ENTRY.replace("'ip'  # as the office wants it", ">-\n      ip")
        + entry.replace("api", "web")
        + entry.replace("api", "cart")
    )
    change = asked(replace(EXPOSURE, weight=9, strategy=model.Strategy.WEIGHT))
    edited = replace(change, service="web", over="another digest")
    now = wish_writing.written(odd, [change, edited, replace(change, service="cart"), replace(change, service="nobody")])
    found = {name: (one.exposure.weight, one.exposure.strategy) for name, one in wish_document.read(now.text).services.items()}
    assert found == {"api": (9, "ip"), "web": (5, "ip"), "cart": (9, "weight")}
    assert [(bool(one.refused), bool(one.told)) for one in now.outcomes] == [
        (False, True),
        (True, False),
        (False, False),
        (True, False),
    ]
