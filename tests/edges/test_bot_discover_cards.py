"""What was discovered and what a preflight found, in every language and for two hundred hosts: within limits, nothing live."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bot.slack import buttons, discover_cards, preflight_cards, words
from k8s import discovery, model, preflight
from tests.edges import card_checks
from tests.edges.test_bot_service_cards import ENGLISH, EVERY_LANGUAGE, texts
from tests.rules import builders

Action = buttons.Action
Level = discovery.Level
Ok = preflight.Ok
STOP = discovery.Note(Level.STOP, "gRPC", "The old ingress speaks GRPC to the backend.", "Leave this host out.")
INFO = discovery.Note(Level.INFO, "body size", "The old ingress takes bodies of up to 8m.", "Let new take as much.")


def proposal(name: str, *notes: discovery.Note) -> discovery.Proposal:
    exposure = replace(builders.exposure(0), old_host=f"{name}.team.example.com", new_host=f"{name}.kong.example.com")
    service = model.Service(name, exposure, model.Backend("shop.team.svc", 80))
    text = f"services:\n  - name: {name}\n    old_host: {name}.team.example.com\n"
    return discovery.Proposal(service, None, text, notes, (f"Ingress team/{name}",))


def many(count: int) -> discovery.Found:
    some_stop = [proposal(f"api-{n:03}", *([STOP] if n % 7 == 0 else []), *[INFO] * (n % 6)) for n in range(count)]
    return discovery.Found(tuple(some_stop), (discovery.Skipped("x.example.com", "Ingress a/b", "no rule", "Add one."),) * 40, ())


@EVERY_LANGUAGE
def test_two_hundred_hosts_come_in_pages_each_once_with_its_buttons(say: words.Words) -> None:
    found, pages = many(200), list[str]()
    while True:
        shown = discover_cards.discover_card(found, say, page=len(pages) + 1)
        card_checks.passes(shown)
        card_checks.nothing_foreign_is_live(iter([shown.text, *card_checks.live_texts(shown.blocks)]))
        pages.append(texts(shown.blocks))
        (following,) = [
            element["value"]
            for block in shown.blocks
            if block["type"] == "actions"
            for element in block["elements"]
            if element["action_id"] == Action.PROPOSALS
        ]
        if buttons.decode(Action.PROPOSALS, following) == buttons.PageClick(Action.PROPOSALS, 1):
            break
    assert 15 < len(pages) < 60
    assert [sum(f"*{one.name}*" in page for page in pages) for one in found.proposals] == [1] * 200


def test_accepting_all_means_those_that_nothing_stops_and_names_what_was_seen() -> None:
    found = discovery.Found((proposal("a"), proposal("b", STOP), proposal("c", INFO)))
    pressed = card_checks.pressed(discover_cards.discover_card(found, ENGLISH).blocks)
    click = buttons.decode(Action.ACCEPT, pressed[Action.ACCEPT]["value"])
    assert click == buttons.FoundClick(Action.ACCEPT, "all", discovery.digest(found.clear))
    assert pressed[Action.ACCEPT]["text"]["text"] == "Accept 2 that nothing stops"
    assert "exactly as they were shown" in pressed[Action.ACCEPT]["confirm"]["text"]["text"]


def test_a_part_of_a_host_shows_only_those_and_goes_along_with_the_click() -> None:
    shown = discover_cards.discover_card(many(20), ENGLISH, part="api-01")
    assert "Discovered hosts: 10" in texts(shown.blocks)
    click = buttons.decode(Action.ACCEPT, card_checks.pressed(shown.blocks)[Action.ACCEPT]["value"])
    assert isinstance(click, buttons.FoundClick)
    assert click.part == "api-01"


def test_what_something_stops_is_adjusted_before_it_can_be_accepted() -> None:
    shown = discover_cards.discover_card(discovery.Found((proposal("b", STOP),)), ENGLISH)
    assert set(card_checks.pressed(shown.blocks)) == {Action.ADJUST}
    assert "⛔ _gRPC_: The old ingress speaks GRPC" in texts(shown.blocks)


@EVERY_LANGUAGE
def test_the_form_shows_every_note_and_the_entry(say: words.Words) -> None:
    view = discover_cards.proposal_view(proposal("a", *[STOP] * 60), say)
    card_checks.view_passes(view)
    assert view["blocks"][-1]["element"]["initial_value"] == proposal("a").text
    assert "Leave this host out." in texts(view["blocks"])
    assert discover_cards.adjusted({**view, "state": {"values": {"entry": {"text": {"value": "typed"}}}}}) == ("a", "typed")
    card_checks.view_passes(discover_cards.proposal_view(replace(proposal("a"), text="x" * 9_000), say))


RAISED = """services:
  - {name: a, old_host: a.example.com, new_host: b.example.com, old_backend: "x.y.svc.cluster.local:80",
     migration_percentage: 5, strategy: weight, enabled: true}
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "services"),
        ("services: []", "one entry below services"),
        ("services: [", "the entry"),
        (
            RAISED,
            "weight of an entry that is added is 0",
        ),
    ],
)
def test_what_cannot_be_an_entry_is_said_in_the_form(text: str, says: str) -> None:
    assert says in discover_cards.wrong(text, ENGLISH)


REPORT = preflight.Report(
    "shop",
    (
        preflight.Check("dns", Ok.YES, "shop.new.example.com is 192.0.2.7"),
        preflight.Check("TLS", Ok.NO, "the certificate ended yesterday", "Renew it."),
        preflight.Check("roles", Ok.UNKNOWN, "nobody could look", "Give read rights."),
    ),
    ("tcp 10.0.0.7 → 192.0.2.7:443",),
)


def test_a_preflight_says_what_is_wrong_first_with_what_to_do() -> None:
    shown = preflight_cards.preflight_card(REPORT, ENGLISH)
    card_checks.passes(shown)
    said = texts(shown.blocks)
    assert said.index("✗ *TLS*") < said.index("? *roles*") < said.index("✓ *dns*")
    assert "→ Renew it." in said
    assert "`tcp 10.0.0.7 → 192.0.2.7:443`" in said
    assert "Preflight of shop: something is missing" in said
    assert "/migrate prepare" not in said
    well = preflight_cards.preflight_card(replace(REPORT, checks=REPORT.checks[:1]), ENGLISH)
    assert "/migrate prepare shop" in texts(well.blocks)
    nothing = preflight_cards.preflight_card(preflight.Report("shop", ()), ENGLISH)
    assert "not everything is known" in texts(nothing.blocks)


@settings(max_examples=30, deadline=None)
@given(some.sampled_from(words.LOCALES), card_checks.HOSTILE)
def test_whatever_was_found_is_not_live_and_fits(locale: str, text: str) -> None:
    say = words.Words(locale)
    checks = tuple(preflight.Check(text, ok, text, text) for ok in Ok) * 20
    shown = preflight_cards.preflight_card(preflight.Report("shop", checks, (text,) * 50), say)
    card_checks.passes(shown)
    card_checks.nothing_foreign_is_live(card_checks.live_texts(shown.blocks))
    note = discovery.Note(Level.STOP, text, text, text)
    skipped = (discovery.Skipped(text, text, text, text),) * 30
    found = discovery.Found((replace(proposal("a", *[note] * 40), sources=(text,) * 9),) * 20, skipped, (text,) * 9)
    shown = discover_cards.discover_card(found, say)
    card_checks.passes(shown)
    card_checks.nothing_foreign_is_live(card_checks.live_texts(shown.blocks))
    view = discover_cards.proposal_view(found.proposals[0], say)
    card_checks.view_passes(view)
    card_checks.nothing_foreign_is_live(card_checks.live_texts(view))
