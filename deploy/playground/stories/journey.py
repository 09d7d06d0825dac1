"""The story `journey`: one service from its first proposal to the removal of its old application, while people use it all along.

Every step is asked for in Slack and approved by another person; what comes too early is refused; gates are judged by a real
Prometheus; what old and new served is counted by themselves.
"""

from deploy.playground.nodes import node_client
from deploy.playground.stories import clients, cluster_list, scene, walk

MANY = 2.0  # times the people of other stories: at 5% the gates need some requests, too
_FOREIGN = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "left-over", "namespace": walk.APP.namespace},
    "spec": {"ports": [{"port": 80}]},
}
_REPORT_WITHIN = 30.0  # seconds until the report is in the thread


async def play(told: scene.Scene) -> None:
    """Raises people.Stuck, TimeoutError."""
    async with clients.using(told.playground, walk.APP, times=MANY, writing=told.sizes.writing) as users:
        way = walk.Walk(told, users, told.sizes.ladder or walk.LADDER)
        try:
            await _acts(told, way)
        finally:
            way.sum_up()


async def _acts(told: scene.Scene, way: walk.Walk) -> None:
    if told.sabotage == "failing-new":
        told.playground.new.knobs.error_share = 0.2
    since = told.persons.newest()
    for act in (way.discovered, way.prepared, way.climbed, way.finished, way.removed):
        if not await act():
            return
    if told.sabotage == "left-over":
        await told.playground.api.create(node_client.SERVICES, walk.APP.namespace, _FOREIGN)
    found = await cluster_list.standing(told.playground)
    wrong = cluster_list.differences(found, cluster_list.FINISHED)
    told.measured["objects"] = sorted(found)
    told.demand(not wrong, "the objects are not what they should be: " + "; ".join(wrong))
    report = await told.persons.hears(f"# Handover of {walk.APP.name}", since=since, within=_REPORT_WITHIN)
    told.demand(report is not None, "no report of the way stands in the thread")
