"""`ferry playground`: flags that do not go together are refused with one sentence and code 2; figures of the page are counted."""

import time
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from deploy.playground import __main__ as playground
from deploy.playground import figures, flags, objects
from deploy.playground.stories import counting
from deploy.playground.world import backends, traffic
from k8s import wish_document

TOKENS = {
    "SLACK_BOT_TOKEN": "xoxb-1234567", "SLACK_APP_TOKEN": "xapp-1234567", "SLACK_TEAM": "T0123", "SLACK_CHANNEL": "C0123",
    "SLACK_APPROVERS": "U1, U2", "ALERTMANAGER_TOKEN": "0123456789abcdef",
}  # fmt: skip


def kubeconfig(folder: Path, server: str) -> Path:
    path = folder / "kubeconfig"
    document = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize(
    ("typed", "environment", "says"),
    [
        (
            {"story": "shfit"},
            {},
            "there is no story 'shfit'; tell one of shift, alert, real-alert, new-cluster-dies, control-plane-gone",
        ),
        ({"as_json": True}, {}, "add --story"),
        ({"sabotage": "no-entry"}, {}, "add --story"),
        ({"story": "shift", "sabotage": "frozen-agents"}, {}, "the story shift has no sabotage 'frozen-agents'; use no-entry"),
        ({"story": "shift", "slack_url": "https://slack.com/api/"}, TOKENS, "leave --slack-url out, or leave --story out"),
        ({"story": "shift", "kubeconfig": Path("k")}, {}, "leave --kubeconfig out, or leave --story out"),
        ({"story": "real-alert", "alertmanager_url": "http://a:9093"}, TOKENS, "leave --alertmanager-url out"),
        ({"before_ferry": True, "story": "shift"}, {}, "leave --before-ferry out, or leave --story out"),
        ({"before_ferry": True, "kubeconfig": Path("k")}, {}, "in the stand-in; leave --kubeconfig out"),
        ({"disposable": True}, {}, "--kubeconfig, which is missing"),
        ({"kubeconfig": Path("no-such-file")}, {}, "--kubeconfig no-such-file cannot be used"),
        ({"redis_url": "http://127.0.0.1"}, {}, "--redis-url is no address of Redis"),
        ({"alertmanager_url": "alertmanager:9093"}, TOKENS, "is no address; write http://HOST:9093"),
        ({"alertmanager_url": "http://a:9093"}, {}, "needs ALERTMANAGER_TOKEN"),
        ({"slack_url": "slack.com"}, TOKENS, "is no address; write https://slack.com/api/"),
        ({"slack_url": "https://slack.com/api/"}, {"SLACK_BOT_TOKEN": "xoxb-1"}, "needs SLACK_APP_TOKEN (xapp-…), SLACK_TEAM"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_sentence(
    typed: dict[str, Any], environment: dict[str, str], says: str
) -> None:
    with pytest.raises(flags.Refused) as refused:
        flags.choose(flags.Typed(**typed), environment)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_cluster_elsewhere_needs_the_word_that_it_is_disposable(tmp_path: Path) -> None:
    there = kubeconfig(tmp_path, "https://10.0.0.1:6443")
    with pytest.raises(flags.Refused, match="add --disposable if nothing in that cluster is needed"):
        flags.choose(flags.Typed(kubeconfig=there), {})
    assert flags.choose(flags.Typed(kubeconfig=there, disposable=True), {}).kubeconfig == there
    here = kubeconfig(tmp_path, "https://127.0.0.1:6443")
    assert flags.choose(flags.Typed(kubeconfig=here), {}).kubeconfig == here


def test_a_real_slack_gets_its_tokens_and_people_from_the_environment() -> None:
    slack = flags.choose(flags.Typed(slack_url="https://slack.com/api/"), TOKENS).slack
    assert slack is not None
    assert (slack.bot_token, slack.team, slack.channel, slack.approvers) == ("xoxb-1234567", "T0123", "C0123", ("U1", "U2"))
    assert slack.group == ""


def test_a_refusal_ends_with_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        playground.command(story="nothing")
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err == f"there is no story 'nothing'; tell one of {', '.join(flags.STORIES)}\n"


def test_the_demos_document_is_the_customers_with_one_port_more() -> None:
    first, second = wish_document.read(objects.document(objects.APPS, new_port=8443)).services.values()
    assert (first.name, first.exposure.old_host) == ("api-name01", "api-name01.teamname.dev.aliyun.intracloud.cn.aibang")
    assert first.exposure.new_host == "api-name01.kong.dev.aliyun.intracloud.cn.aibang"
    assert first.exposure.new_port == 8443
    assert str(first.old_backend) == "bbdm-api.aibang-1111111111-bbdm.svc.cluster.local:8078"
    assert (first.wish, second.name, second.wish) == (0, "web-name02", 0)


def test_the_chart_shows_what_the_backends_counted_and_the_share_of_the_last_seconds() -> None:
    old, new = backends.Counts(), backends.Counts()
    now = float(int(time.monotonic())) + 0.5
    for second, (to_old, to_new) in enumerate([(60, 0), (57, 3), (45, 15), (45, 15)]):
        at = int(now) - 4 + second + 0.25
        for counts, number in ((old, to_old), (new, to_new)):
            for _ in range(number):
                counts.add(backends.Arrival(at, "a", "/", "GET"))
    failed = {int(now) - 1: traffic.Tally(old=45, new=13, failed=2)}
    points = figures.series([old], new, failed, {int(now) - 2: 4}, now=now)
    assert len(points) == figures.SHOWN
    assert [(point["old"], point["new"]) for point in points[-4:]] == [(60, 0), (57, 3), (45, 15), (45, 15)]
    assert [point["errors"] for point in points[-2:]] == [0, 2]
    assert [point["fallback"] for point in points[-2:]] == [4, 0]
    latest = figures.latest(points, steady=0.0, served=True)
    assert latest["share_new"] == pytest.approx(100 * 33 / 180)
    assert (latest["old"], latest["new"]) == (45, 15)


def test_a_share_is_right_within_chance_and_exact_at_the_ends() -> None:
    assert counting.within(20_000, 1_000, 5)
    assert not counting.within(20_000, 1_102, 5)
    assert not counting.within(20_000, 898, 5)
    assert counting.within(20_000, 0, 0)
    assert not counting.within(20_000, 1, 0)
    assert not counting.within(20_000, 19_999, 100)
    assert counting.percentile([5.0, 1.0, 3.0], 50) == 3.0
    assert counting.percentile([], 99) == 0.0
