"""An agent that starts while the document is refused: what it remembers stands, nothing is concluded from what nobody knows."""

from dataclasses import replace
from pathlib import Path

import pytest

from k8s import views
from tests.edges.test_agent_memory import Agent, cluster


def refused(view: views.ClusterView, *, asked: int | None = None) -> views.ClusterView:
    """The same records, and an entry that cannot be followed."""
    one = replace(view.services["api"], wished=None, refused="its entry is refused", asked=asked)
    return replace(view, services={"api": one})


@pytest.mark.parametrize(("asked", "served"), [(None, 40), (80, 40), (5, 5), (0, 0)])
def test_a_restart_while_the_entry_is_refused_moves_nothing_but_what_is_clearly_lower(
    tmp_path: Path, asked: int | None, served: int
) -> None:
    assert Agent(tmp_path).serves(cluster(40)) == 40
    again = Agent(tmp_path)
    assert again.serves(refused(cluster(40), asked=asked)) == served
    assert again.serves(cluster(40)) == served  # what was low once goes up by a record only


def test_an_agent_that_never_knew_the_wish_serves_nothing_and_lowers_nothing_for_later(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    assert agent.serves(refused(cluster(40))) == 0
    assert agent.serving.memories["api"].lowest_wish == 100
    assert agent.serves(cluster(40)) == 40


def test_a_document_that_does_not_name_the_service_is_still_obeyed(tmp_path: Path) -> None:
    agent = Agent(tmp_path)
    assert agent.serves(cluster(40)) == 40
    gone = cluster(40)
    assert agent.serves(replace(gone, services={"api": replace(gone.services["api"], wished=None)})) == 0
    assert agent.serves(refused(cluster(40))) == 0
