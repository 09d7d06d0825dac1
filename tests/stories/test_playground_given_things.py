"""Each stand-in gives way to the real thing by a flag: here the "real things" run outside the playground, and it uses them."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from deploy.playground import flags, knobs, laptop, monitoring, objects
from deploy.playground.kubernetes import server as kubernetes
from deploy.playground.slack import people as slack_people
from deploy.playground.slack import server as slack_server
from deploy.playground.stories import people
from deploy.playground.world import certificates, redis
from handlers.rules import migration
from k8s import client

pytestmark = [pytest.mark.stories, pytest.mark.xdist_group("playground-given"), pytest.mark.timeout(240)]


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[tuple[kubernetes.KubernetesStandIn, Path]]:
    """An API server of somebody else, over HTTPS, with its kubeconfig."""
    authority = certificates.Authority(tmp_path / "their-ca")
    server = kubernetes.KubernetesStandIn(tls=authority.server("api", ["127.0.0.1"]).server_context())
    await server.start()
    ca = base64.b64encode(authority.certificate.read_bytes()).decode()
    document = {
        "apiVersion": "v1", "kind": "Config", "current-context": "theirs",
        "clusters": [{"name": "theirs", "cluster": {"server": server.url, "certificate-authority-data": ca}}],
        "users": [{"name": "admin", "user": {"token": server.admin_token}}],
        "contexts": [{"name": "theirs", "context": {"cluster": "theirs", "user": "admin"}}],
    }  # fmt: skip
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    yield server, path
    await server.stop()


@pytest_asyncio.fixture
async def workspace() -> AsyncIterator[slack_server.SlackStandIn]:
    """A Slack of somebody else."""
    async with slack_server.SlackStandIn() as theirs:
        yield theirs


async def test_a_cluster_a_slack_a_redis_and_an_alertmanager_of_ones_own_carry_a_whole_shift(
    cluster: tuple[kubernetes.KubernetesStandIn, Path], workspace: slack_server.SlackStandIn, tmp_path: Path
) -> None:
    server, kubeconfig = cluster
    store = redis.Redis(tmp_path / "their-redis")
    await store.start()
    # Their Alertmanager has no receiver of ours: the bot asks it, and hears of the watchdog that way.
    alerts = monitoring.new_alertmanager(tmp_path / "their-alertmanager", webhook="http://127.0.0.1:9/", token="t")
    await alerts.start()
    typed = flags.Typed(kubeconfig=kubeconfig, redis_url=store.url, alertmanager_url=alerts.url, slack_url=workspace.api_url)
    tokens = {
        "SLACK_BOT_TOKEN": workspace.bot_token, "SLACK_APP_TOKEN": workspace.app_token, "SLACK_TEAM": workspace.team_id,
        "SLACK_CHANNEL": slack_people.C_MIGRATION, "SLACK_APPROVERS": f"{slack_people.U_BOB},{slack_people.U_CAROL}",
    }  # fmt: skip
    choices = flags.choose(typed, {"ALERTMANAGER_TOKEN": "a-token-of-their-own", **tokens})
    try:
        async with laptop.Playground(choices, limits={"verify": "100ms"}) as playground:
            await playground.watched_within()
            await workspace.connected(2)
            persons = people.Persons(playground, workspace)
            assert await persons.shift(objects.FIRST.name, 25, "on their cluster") is migration.Outcome.DONE
            assert playground.slack.connections == 0
            held = [knob.id for knob in knobs.Knobs(playground).listed()]
            assert {"redis", "api", "slack"}.isdisjoint(held), "what somebody else runs is not stopped by a knob"
            burst = await playground.client_of([objects.FIRST]).burst(500)
            assert burst.failed == 0
            assert burst.new > 50
            written = {write.name for write in server.writes if write.namespace == objects.NAMESPACE}
            assert f"migration-record-{objects.FIRST.name}" in written
    finally:
        await alerts.stop()
        await store.stop()
    async with laptop.Playground(flags.Choices(kubeconfig=kubeconfig)) as again:
        found = await again.api.list(client.CONFIG_MAPS, objects.NAMESPACE)
        names = {item["metadata"]["name"] for item in found["items"]}
        assert f"migration-record-{objects.FIRST.name}" not in names, "another key signed it: it would only be in the way"
        assert objects.CONFIG in names


async def test_every_knob_answers_in_a_sentence_and_what_it_breaks_can_be_mended() -> None:
    async with laptop.Playground() as playground:
        turned = knobs.Knobs(playground)
        for knob in turned.listed():
            values = {"toggle": ["on", "off"], "choice": list(reversed(knob.options)), "action": [""]}[knob.kind]
            for value in values:
                said = await turned.turn(knob.id, value)
                assert said.endswith((".", "}}'")), (knob.id, said)
                assert not said.startswith("That did not work"), said
            after = {one.id: one.value for one in turned.listed()}[knob.id]
            assert after == ("up" if knob.kind == "choice" else "off" if knob.kind == "toggle" else "")
        burst = await playground.client_of([objects.FIRST]).burst(200)
        assert burst.failed == 0
