"""One bad entry of `migration.yaml` concerns only its own service; where nothing good is known of it, nothing is concluded."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s import model, views, wish_document, wish_edit, wish_following

NAMES = ("api", "cart", "pay", "shop", "web")
SPOILT = [  # (what is replaced, by what)
    ("percentage: ", "percentage: x"),
    ("percentage: ", "percentage: &a "),
    ("percentage: ", "percentage: !!int "),
    ("percentage: ", "percentage: *a # "),
    ("percentage: ", "percentage: -"),
    ("enabled: true", "enabled: maybe"),
    ("old_backend", "old_backnd"),
    ('name: "', 'name: 5 # "'),
    ('name: "', 'name: "All '),
    ('name: "', 'nam: "'),
    ("old_host", "strategy: [[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]\n    old_host"),
    ("- name:", "- 5\n  - name:"),
]


def entry(name: str, weight: int) -> str:
    return (
        f'  - name: "{name}"\n    old_host: "{name}.old.example"\n    new_host: "{name}.new.example"\n'
        f'    old_backend: "{name}.team.svc.cluster.local:80"\n    migration_percentage: {weight}\n    enabled: true\n'
    )


def text_of(entries: Mapping[str, str]) -> str:
    return "services:\n" + "".join(entries.values())


def follow(*texts: str, hosts: Mapping[str, str] | None = None) -> wish_following.Following:
    """One document after the other."""
    now = wish_following.START
    for text in texts:
        try:
            now = wish_following.followed(now, wish_document.read_entries(text), hosts=hosts or {})
        except wish_document.WishError as error:
            now = wish_following.unreadable(now, str(error), hosts=hosts or {}, asked=wish_edit.weights(text))
    return now


@given(
    weights=st.lists(st.integers(0, 100), min_size=5, max_size=5),
    later=st.lists(st.integers(0, 100), min_size=5, max_size=5),
    which=st.sampled_from(NAMES),
    spoilt=st.sampled_from(SPOILT),
    started=st.booleans(),
)
def test_whatever_is_wrong_with_one_entry_all_others_count_as_they_stand(
    weights: list[int], later: list[int], which: str, spoilt: tuple[str, str], *, started: bool
) -> None:
    before = {name: entry(name, weight) for name, weight in zip(NAMES, weights, strict=True)}
    after = {name: entry(name, weight) for name, weight in zip(NAMES, later, strict=True)}
    broken = after | {which: after[which].replace(*spoilt, 1)}
    hosts = {name: f"{name}.old.example" for name in NAMES}
    now = follow(*((text_of(before),) if started else ()), text_of(broken), hosts=hosts)
    whole = follow(text_of(after))
    others = set(NAMES) - {which}
    assert {name: now.good[name] for name in others} == {name: whole.good[name] for name in others}
    assert now.state is views.DocumentState.ENTRIES
    garbage_beside = spoilt[1].startswith("- 5")
    assert set(now.refused) == (set() if garbage_beside else {which})
    if started and not garbage_beside:  # its last good entry counts, with what is clearly lower now
        last = follow(text_of(before)).good[which]
        assert now.good[which].exposure.weight in {last.exposure.weight, min(last.exposure.weight, later[NAMES.index(which)])}
    elif not garbage_beside:
        assert which not in now.good


def test_two_that_claim_the_same_concern_both_and_nobody_else() -> None:
    before = {name: entry(name, 50) for name in NAMES}
    for wrong in (entry("cart", 50).replace('"cart"', '"api"'), entry("cart", 50).replace("cart.old", "api.old")):
        now = follow(text_of(before), text_of(before | {"cart": wrong}))
        assert {"api"} <= set(now.refused) <= {"api", "cart"}
        assert set(now.good) == set(NAMES)
        assert all(one.exposure.weight == 50 for one in now.good.values())


def test_a_refused_entry_lowers_what_it_clearly_lowers_and_raises_nothing() -> None:
    before = {name: entry(name, 50) for name in NAMES}

    def weight(wrong: str) -> int:
        return follow(text_of(before), text_of(before | {"api": wrong})).good["api"].exposure.weight

    assert weight(entry("api", 5).replace("old_backend", "old_backnd")) == 5
    assert weight(entry("api", 95).replace("old_backend", "old_backnd")) == 50
    assert weight(entry("api", 95).replace("true", "off")) == 0


def test_what_is_removed_beside_a_refused_entry_is_removed_unless_it_may_be_that_entry() -> None:
    before = {name: entry(name, 50) for name in NAMES}
    removed = {name: text for name, text in before.items() if name != "web"}
    now = follow(text_of(before), text_of(removed | {"api": entry("api", 5).replace("true", "maybe")}))
    assert (set(now.good), set(now.refused)) == (set(NAMES) - {"web"}, {"api"})
    now = follow(text_of(before), text_of(removed) + "  - 5\n")
    assert (set(now.good), set(now.refused)) == (set(NAMES), {"web"})
    assert "may be the entry at services[4]" in now.refused["web"]


@pytest.mark.parametrize("text", ["services: [\n", "services: 5\n", "a: b\n", "- a\n", "services: []\nservices: []\n", "[" * 200])
def test_what_is_no_document_at_all_leaves_everything_as_it_was(text: str) -> None:
    before = text_of({name: entry(name, 50) for name in NAMES})
    now = follow(before, text)
    assert now.state is views.DocumentState.UNREADABLE
    assert now.good == follow(before).good
    assert set(now.refused) == set(NAMES)
    again = follow(text, hosts={"api": "api.old.example"})
    assert (set(again.good), set(again.refused)) == (set(), {"api"})


def test_after_a_start_every_broken_document_leaves_open_who_is_named_until_one_says_so() -> None:
    hosts = {"api": "api.old.example", "web": "web.old.example"}
    lost = text_of({"api": entry("api", 5)}) + "  - 5\n"
    assert set(follow("services: [", "services: {", hosts=hosts).refused) == {"api", "web"}
    assert set(follow("services: [", lost, hosts=hosts).refused) == {"web"}
    assert set(follow(lost, "services: [", hosts=hosts).refused) == {"api", "web"}
    assert set(follow("services: []", "services: [", hosts=hosts).refused) == set()
    unread = wish_following.unreadable(wish_following.START, "broken", hosts={}, asked={})  # the records come later
    again = wish_following.unreadable(unread, "broken", hosts=hosts, asked={})
    assert set(again.refused) == {"api", "web"}


def test_of_a_service_whose_wish_nobody_knows_nothing_is_concluded_but_what_the_text_clearly_lowers() -> None:
    unknown = views.ServiceView("api", refused="why")
    assert (unknown.wish_known, unknown.wish) == (False, 0)
    assert views.ServiceView("api").document_wish is None
    wished = model.Service(
        "api", model.Exposure(5, "old.example", "new.example"), model.Backend("api.team.svc.cluster.local", 80)
    )
    assert views.ServiceView("api", wished=wished, refused="why").document_wish == 5
