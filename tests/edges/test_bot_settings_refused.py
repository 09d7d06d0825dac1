"""Every wrong value of the bot's settings is named with its place and its fix, never with a secret."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import settings
from tests.edges import settings_files
from tests.edges.settings_files import PASSWORD, SLACK, refused, said, with_file


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return settings_files.good(tmp_path)


def test_with_nothing_everything_that_is_missing_is_named_at_once() -> None:
    problems = refused({})
    named = {problem.split()[0] for problem in problems}
    assert named == {
        "FERRY_CONFIG", "KUBECONFIG", "FERRY_SIGNING_KEY", "FERRY_AGENT_TOKEN", "REDIS_URL", "SLACK_BOT_TOKEN",
        "SLACK_APP_TOKEN", "ALERTMANAGER_TOKEN",
    }  # fmt: skip
    assert all("is missing" in problem for problem in problems)


@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_an_empty_variable_is_a_missing_one(environment: dict[str, str], empty: str) -> None:
    [problem] = refused({**environment, "SLACK_BOT_TOKEN": empty})
    assert problem.startswith("SLACK_BOT_TOKEN is missing: use the app's bot token")


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SLACK_BOT_TOKEN", "xapp-1-A0-1234567", "no bot token; use the one that starts with xoxb-"),
        ("SLACK_BOT_TOKEN", "xoxb-1234-abcd\n", "holds a space or a line break"),
        ("SLACK_APP_TOKEN", "xoxb-1234-abcd", "no app-level token; use the one that starts with xapp-"),
        ("SLACK_API_URL", "https://slack.com.example.org/api/", "neither Slack's own nor on loopback"),
        ("SLACK_API_URL", "https://127.0.0.1@example.org/api/", "no plain address"),
        ("SLACK_API_URL", "https://127.0.0.1.example.org/api/", "neither Slack's own nor on loopback"),
        ("SLACK_API_URL", "http://slack.com/api/", "neither Slack's own nor on loopback"),
        ("SLACK_API_URL", "https://slack.com:8443/api/", "neither Slack's own nor on loopback"),
        ("SLACK_API_URL", "http://192.168.0.7/api/", "neither Slack's own nor on loopback"),
        ("SLACK_API_URL", "http://127.0.0.1:99999/api/", "names no host, or no port that exists"),
        ("SLACK_API_URL", "slack.com/api", "no plain address"),
        ("REDIS_URL", f"http://x:{PASSWORD}@redis", "no address of Redis; write redis://"),
        ("REDIS_URL", f"redis://x:{PASSWORD}/9@redis", "no address of Redis; write redis://"),
        ("REDIS_URL", "redis://", "no address of Redis; write redis://"),
        ("ALERTMANAGER_TOKEN", "fifteen-letters", "shorter than 16 characters"),
        ("ALERTMANAGER_TOKEN", "sixteen letters with spaces", "holds a space or a line break"),
        ("FERRY_AGENT_TOKEN", "agent-token-of-the-secret\n", "holds a space or a line break"),
        ("FERRY_AGENT_PORT", "http", "'http' is not allowed; "),
        ("FERRY_AGENT_PORT", "70000", "less than or equal to 65535"),
        ("FERRY_SIGNING_KEY", "/nowhere/key.pem", "names /nowhere/key.pem, which is no file"),
        ("KUBECONFIG", "/nowhere/config", "names /nowhere/config, which is no file"),
        ("FERRY_API_SCHEME", "ftp", "'https' or 'http'"),
        ("POD_NAMESPACE", "Night_System", "write the name of a namespace"),
        ("POD_NAME", "../etc", "(Kubernetes sets the pod's name)"),
        ("FERRY_CONFIG", "/nowhere/settings.yaml", "names /nowhere/settings.yaml, which cannot be read (No such file"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named_with_its_fix_and_without_its_secret(
    environment: dict[str, str], variable: str, value: str, words: str
) -> None:
    problems = refused({**environment, variable: value})
    assert [problem.split()[0] for problem in problems] == [variable]
    if "TOKEN" in variable or PASSWORD in value:
        assert value.strip() not in str(problems)
        assert PASSWORD not in str(problems)
    assert words in problems[0]


@pytest.mark.parametrize(
    ("text", "line", "field", "words"),
    [
        (said(wat=1), 7, "wat", "is not a known field; remove it, or use one of slack, alertmanager"),
        (said(alertmanger={}), 1, "alertmanger", "did you mean alertmanager?"),
        (said(alertmanager={"unmaped": "all"}), 2, "alertmanager.unmaped", "did you mean unmapped?"),
        (said(alertmanager={"services": [{"matchers": {}, "service": "a"}]}), 3, "alertmanager.services[0].matchers", "is empty"),
        (said(alertmanager={"services": [{"matchers": {"a-b": "x"}, "service": "a"}]}), 4,
         "alertmanager.services[0].matchers.a-b", "write the name of an alert's label"),
        (said(alertmanager={"services": [{"matchers": {"a": 1}, "service": "a"}]}), 4, "alertmanager.services[0].matchers.a",
         "1 is not allowed; write a text, in quotes"),
        (said(alertmanager={"services": [{"matchers": {"a": "b"}, "service": "all"}]}), 5, "alertmanager.services[0].service",
         "not 'all'"),
        (said(alertmanager={"url": "http://user:pw@host"}), 2, "alertmanager.url", "is no plain address"),
        (said(alertmanager={"token": "0123456789abcdef"}), 2, "alertmanager.token", "set ALERTMANAGER_TOKEN in the environment"),
        (said(web={"address": "localhost"}), 8, "web.address", "is no IP address; write 0.0.0.0"),
        (said(web={"port": "many"}), 8, "web.port", "'many' is not allowed; write a whole number"),
        (said(web=8080), 7, "web", "8080 is not allowed; write fields as name: value"),
        (said(trust={"expires": "soon"}), 8, "trust.expires", "'soon' is no time; write 30s, 10m, 1h"),
        (said(trust={"expires": "8d"}), 8, "trust.expires", "from 60s to 604800s"),
        (said(trust={"expires": True}), 8, "trust.expires", "True is no time"),
        (said(trust={"largest_step": 0}), 8, "trust.largest_step", "greater than or equal to 1"),
        (said(trust={"approvers": []}), 8, "trust.approvers", "is empty; write at least one entry"),
        (said(trust={"approvers": [[0, 0]]}), 10, "trust.approvers[0][1]", "greater than or equal to 1"),
        (said(trust={"approvers": [[0, 2]]}), 8, "trust.approvers", "asks for 2 persons and slack.approvers names 1"),
        (said(limits={"converge": 0}), 2, "limits.converge", "from 1s to 3600s"),
        (said(locale="de"), 1, "locale", "'en' or 'zh-CN'"),
        ("locale: en\nlocale: en\n" + said(), 2, "locale", "stands twice; remove one"),
        ("slack: [", 2, "document", "is not YAML"),
        ("- slack", 1, "document", "is not a mapping; write fields as name: value"),
        ("slack: &a {}\nweb: *a\n", 1, "document", "anchors and aliases"),
        ("locale: !!python/name:os.system x\n", 1, "document", "tag"),
    ],
)  # fmt: skip
def test_a_wrong_value_of_the_file_is_named_with_line_field_and_fix(
    environment: dict[str, str], text: str, line: int, field: str, words: str
) -> None:
    problems = refused(with_file(environment, text))
    wanted = f"{environment['FERRY_CONFIG']}:{line}: {field}: "
    assert [problem for problem in problems if problem.startswith(wanted) and words in problem], problems
    assert not [problem for problem in problems if "0123456789abcdef" in problem]


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"team": "aibang"}, "slack.team", "write the id that starts with T"),
        ({"team": None}, "slack.team", "is missing; add team: …"),
        ({"team": 12}, "slack.team", "12 is no workspace id"),
        ({"channel": "#migration"}, "slack.channel", "a name such as #migration is not enough"),
        ({"channels": "C1"}, "slack.channels", "write a list"),
        ({"channels": ["C1", "general"]}, "slack.channels[1]", "is no channel id"),
        ({"approvers": {}}, "slack.approvers", "names nobody, so nothing could be approved"),
        ({"approvers": None}, "slack.approvers", "names nobody, so nothing could be approved"),
        ({"approvers": {"users": ["@bob"]}}, "slack.approvers.users[0]", "is no person id"),
        ({"approvers": {"group": "approvers"}}, "slack.approvers.group", "is no user group id"),
        ({"page": "C1"}, "slack.page", "is no user group or person id"),
        ({"mode": "sockets"}, "slack.mode", "it should be 'socket' or 'http'"),
        ({"bot_token": "xoxb-1234-abcd"}, "slack.bot_token", "does not belong into the file; set SLACK_BOT_TOKEN"),
        ({"api_url": "http://127.0.0.1/"}, "slack.api_url", "does not belong into the file; set SLACK_API_URL"),
    ],
)  # fmt: skip
def test_a_wrong_value_about_slack_is_the_only_problem_named(
    environment: dict[str, str], changes: dict[str, Any], field: str, words: str
) -> None:
    [problem] = refused(with_file(environment, yaml.safe_dump({"slack": {**SLACK, **changes}})))
    assert f": {field}: " in problem
    assert words in problem
    assert "xoxb-1234" not in problem


def test_each_mode_needs_its_own_secret(environment: dict[str, str]) -> None:
    del environment["SLACK_APP_TOKEN"]
    [problem] = refused(environment)
    assert problem.startswith("SLACK_APP_TOKEN is missing: Socket Mode needs the app-level token")
    with_file(environment, yaml.safe_dump({"slack": {**SLACK, "mode": "http"}}))
    [problem] = refused(environment)
    assert problem.startswith("SLACK_SIGNING_SECRET is missing: HTTP mode needs it")
    assert settings.load({**environment, "SLACK_SIGNING_SECRET": "0123456789abcdef"}).slack.mode == "http"


def test_wrong_values_of_file_and_environment_are_listed_together(environment: dict[str, str]) -> None:
    environment |= {"ALERTMANAGER_TOKEN": "short", "REDIS_URL": "ferry-redis"}
    problems = refused(with_file(environment, said(locale="de", web={"port": -1}, extra=1)))
    assert len(problems) == 5


def test_a_kubeconfig_needs_no_pod_around_it(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("{}")
    del environment["KUBERNETES_SERVICE_HOST"]
    assert settings.load({**environment, "KUBECONFIG": str(tmp_path / "kubeconfig")}).kubeconfig == tmp_path / "kubeconfig"
    [problem] = refused(environment)
    assert problem.startswith("KUBECONFIG is missing, and this is no pod")
