"""A broken `migration.yaml` put back: only what is refused where that is safe, and never a higher weight than anybody said."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s import wish_document, wish_restore
from tests.edges.test_wish_following import NAMES, SPOILT, entry, text_of

MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: migration-config\ndata:\n  migration.yaml: |\n"


def weights(text: str) -> dict[str, int]:
    return {name: one.exposure.weight for name, one in wish_document.read(text).services.items()}


@given(
    before=st.lists(st.integers(0, 100), min_size=5, max_size=5),
    after=st.lists(st.integers(0, 100), min_size=5, max_size=5),
    which=st.sampled_from(NAMES),
    spoilt=st.sampled_from(SPOILT),
)
def test_one_refused_entry_is_put_back_and_all_other_text_stays(
    before: list[int], after: list[int], which: str, spoilt: tuple[str, str]
) -> None:
    last = {name: entry(name, weight) for name, weight in zip(NAMES, before, strict=True)}
    edited = {name: f"  # about {name}\n" + entry(name, weight) for name, weight in zip(NAMES, after, strict=True)}
    broken = edited | {which: edited[which].replace(*spoilt, 1)}
    text = wish_restore.put_back(text_of(last), text_of(broken), approved={})
    number = NAMES.index(which)
    if spoilt[1].startswith("- 5"):  # another entry beside it: it goes
        assert text == text_of(edited)
        return
    now = weights(text)
    assert now[which] in {before[number], min(before[number], after[number])}
    assert text == text_of(edited | {which: f"  # about {which}\n" + entry(which, now[which])})


def test_a_text_that_cannot_be_read_is_replaced_with_the_lowest_of_all_that_is_known() -> None:
    last = text_of({name: entry(name, 50) for name in NAMES})
    broken = text_of({name: entry(name, 50) for name in NAMES} | {"cart": entry("cart", 5), "web": entry("web", 80)})
    off = broken.replace(entry("shop", 50), entry("shop", 50).replace("true", "false"))
    text = wish_restore.put_back(last, off + "  - [\n", approved={"api": 25, "pay": 100})
    assert weights(text) == {"api": 25, "cart": 5, "pay": 50, "shop": 0, "web": 50}
    assert text == last.replace(entry("api", 50), entry("api", 25)).replace(entry("cart", 50), entry("cart", 5)).replace(
        entry("shop", 50), entry("shop", 0)
    )


def test_what_was_removed_on_purpose_stays_removed() -> None:
    last = {name: entry(name, 50) for name in NAMES}
    edited = {name: text for name, text in last.items() if name != "web"}
    bad = edited | {"api": entry("api", 50).replace("true", "maybe")}
    assert wish_restore.put_back(text_of(last), text_of(bad), approved={}) == text_of(edited)
    unknown = text_of(bad) + "gates: {}\n"  # what concerns no entry cannot be put back entry by entry
    assert wish_restore.put_back(text_of(last), unknown, approved={}) == text_of(edited)
    flow = "services: [" + ", ".join(
        f"{{{', '.join(one.strip(' -') for one in entry(name, 50).splitlines())}}}" for name in NAMES
    )
    gone = weights(wish_restore.put_back(flow + "]\n", text_of(bad), approved={}))
    assert gone == dict.fromkeys(edited, 50) | {"web": 0}


def test_where_all_of_the_text_is_put_back_what_could_be_read_keeps_its_weight() -> None:
    last = {name: entry(name, 50) for name in NAMES}
    edited = last | {"cart": entry("cart", 75), "pay": entry("pay", 5), "shop": entry("shop", 50).replace("true", "false")}
    bad = edited | {"api": entry("api", 75).replace("true", "maybe"), "web": entry("web", 10).replace("old_backend", "backend")}
    text = wish_restore.put_back(text_of(last), text_of(bad) + "gates: {}\n", approved={"api": 25, "cart": 25})
    assert weights(text) == {"api": 25, "cart": 75, "pay": 5, "shop": 0, "web": 10}


def test_a_new_entry_that_never_was_good_goes_and_its_neighbours_stay() -> None:
    last = {name: entry(name, 50) for name in NAMES}
    new = entry("new", 5).replace("true", "maybe")
    assert wish_restore.put_back(text_of(last), text_of(last) + new, approved={}) == text_of(last)
    twin = entry("new", 5).replace("new.old", "api.old")
    assert wish_restore.put_back(text_of(last), text_of(last) + twin, approved={}) == text_of(last)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_lost_document_comes_back_with_every_weight_at_0_but_of_what_is_finished(*, wrapped: bool) -> None:
    last = "# ours\n" + text_of({name: entry(name, 50) for name in NAMES})
    if wrapped:
        last = MANIFEST + textwrap.indent(last, "    ")
    text = wish_restore.zeroed(last, finished={"web"})
    assert weights(text) == dict.fromkeys(NAMES, 0) | {"web": 50}
    assert text == last.replace("percentage: 50", "percentage: 0", 4)
