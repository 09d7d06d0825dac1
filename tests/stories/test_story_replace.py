"""`ferry playground --story replace`: by the application's own Ingress, on one standing approval of all steps."""

import pytest

from deploy.playground.stories import cluster_list, running, scene
from tests.stories.keeps_idle import keeps_idle

pytestmark = [pytest.mark.stories, pytest.mark.long, pytest.mark.xdist_group("playground-replace"), pytest.mark.timeout(400)]


async def test_a_ladder_that_was_approved_as_a_whole_climbs_by_itself() -> None:
    sizes = scene.Sizes(ladder=(50, 100), window=6.0, writing=await keeps_idle())
    told = await running.tell("replace", sizes=sizes)
    assert told.held, told.why
    assert told.measured["climbed_by_itself"] == [50, 100]
    assert told.measured["failed_requests"] == 0
    assert told.measured["objects"] == sorted(cluster_list.FINISHED)
    assert told.measured["processes_of_old_that_ended"] == 2
    assert told.verdict.broken == ()
    assert told.verdict.checked["I1"] == len(sizes.ladder) + 1
