"""The handover report in the thread: once for each end, in pieces that Slack takes, with nothing in it that is live."""

from dataclasses import replace

import pytest

from bot.slack import handing_over, words
from handlers import answers, errors
from handlers.rules import migration
from tests.edges import journey_plans
from tests.edges.test_bot_journey_cards import way
from tests.edges.test_bot_service_cards import past, status

Kind = migration.Kind


class Front:
    def __init__(self, changes: int = 2, reason: str = "") -> None:
        self._past = tuple(past(number + 1, reason=reason) for number in reversed(range(changes)))

    async def status(self, service: str) -> answers.ServiceStatus | None:
        return status(100, journey=way(weight=100, stage=answers.Stage.FINISHED))

    async def history(self, service: str) -> tuple[answers.Past, ...]:
        return self._past


class Seen:
    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.away = False

    async def first_time(self, message_id: str) -> bool:
        if self.away:
            raise errors.Away("the store is away; start it")
        known = message_id in self.ids
        self.ids.add(message_id)
        return not known


def done(kind: Kind) -> migration.Operation:
    of = journey_plans.operation(migration.Phase.APPLYING, kind)
    return of.moved(outcome=migration.Outcome.DONE, phase=migration.Phase.STEADY, because="done")


@pytest.mark.parametrize("kind", Kind)
def test_only_an_end_that_was_reached_is_told(kind: Kind) -> None:
    assert handing_over.is_due(done(kind)) is (kind in (Kind.FINISH, Kind.REMOVE))
    assert not handing_over.is_due(replace(done(kind), outcome=migration.Outcome.FAILED))


async def test_it_is_told_once_over_all_replicas_and_rather_twice_than_never() -> None:
    seen = Seen()
    one, other = (handing_over.HandingOver(Front(), seen, words.Words("en")) for _ in range(2))
    first = await one.pieces(done(Kind.FINISH))
    assert first[0] == "*Handover of shop:* its whole way as Markdown, to be copied"
    assert "# Handover of shop" in first[1]
    assert await other.pieces(done(Kind.FINISH)) == ()
    seen.away = True
    assert await other.pieces(done(Kind.FINISH)) == first


async def test_a_long_way_comes_in_pieces_and_nothing_in_them_is_live() -> None:
    pieces = await handing_over.HandingOver(Front(60, "<!channel> ```x``` & more " * 4), Seen(), words.Words("en")).pieces(
        done(Kind.REMOVE)
    )
    assert len(pieces) > 3
    for piece in pieces[1:]:
        assert piece.startswith("```\n")
        assert piece.endswith("```")
        assert piece.count("```") == 2
        assert "<" not in piece
        assert len(piece) < 4_000 * 2
