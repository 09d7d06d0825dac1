"""The bot's settings: what is good loads, and every wrong value is named with its place and its fix, never with a secret."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pydantic
import pytest
import yaml

from bot import settings
from deploy.playground.slack import people, server
from handlers.rules import migration

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "deploy/examples/settings.yaml"
SLACK = {"team": "T0FERRY001", "channel": "C0MIGRATE1", "approvers": {"users": ["U0BOB00001"]}}
PASSWORD = "hunter2-hunter2"
API_TOKEN = "0123456789abcdef" * 2


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "signing-key.pem"
    file.write_text("a key")
    return file


@pytest.fixture
def environment(tmp_path: Path, key: Path) -> dict[str, str]:
    """A good one for Socket Mode in a pod; the file says the least."""
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump({"slack": SLACK}))
    return {
        "FERRY_CONFIG": str(file),
        "FERRY_SIGNING_KEY": str(key),
        "FERRY_AGENT_TOKEN": "agent-token-of-the-secret",
        "SLACK_BOT_TOKEN": "xoxb-1234-abcd",
        "SLACK_APP_TOKEN": "xapp-1-A0-1234",
        "REDIS_URL": f"redis://ferry:{PASSWORD}@ferry-redis:6379/0",
        "ALERTMANAGER_TOKEN": "a-token-of-the-webhook",
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "POD_NAME": "ferry-bot-0",
        "PATH": "/usr/bin",
    }


def refused(environment: dict[str, str]) -> list[str]:
    with pytest.raises(settings.SettingsError) as raised:
        settings.load(environment)
    problems = [str(problem) for problem in raised.value.problems]
    assert all(problem in str(raised.value) for problem in problems)
    return problems


def with_file(environment: dict[str, str], text: str) -> dict[str, str]:
    Path(environment["FERRY_CONFIG"]).write_text(text)
    return environment


def said(**sections: Any) -> str:
    return yaml.safe_dump({"slack": SLACK, **sections})


def test_alerts_by_webhook_alone_are_allowed_with_a_warning_that_names_the_fix(environment: dict[str, str]) -> None:
    warned = settings.load(environment).warnings()
    assert len(warned) == 1
    assert "alertmanager.url" in warned[0]
    assert "one replica" in warned[0]
    polled = with_file(environment, said(alertmanager={"url": "http://alertmanager.monitoring.svc:9093"}))
    assert settings.load(polled).warnings() == ()


def test_the_way_to_the_cluster_alone_needs_no_secret(tmp_path: Path) -> None:
    config = str(tmp_path / "config")
    found = settings.cluster({"KUBECONFIG": config, "POD_NAMESPACE": "here"}, namespace="there")
    assert (found.namespace, found.kubeconfig) == ("there", Path(config))
    assert settings.cluster({"KUBERNETES_SERVICE_HOST": "10.96.0.1", "POD_NAMESPACE": "here"}).namespace == "here"
    with pytest.raises(settings.SettingsError, match="KUBECONFIG is missing"):
        settings.cluster({})
    with pytest.raises(settings.SettingsError, match="name of a namespace"):
        settings.cluster({"KUBECONFIG": config}, namespace="No Such")


def test_the_least_that_must_be_said_gives_every_default(environment: dict[str, str], key: Path) -> None:
    found = settings.load(environment)
    assert found.namespace == "migration-system"
    assert found.replica == "ferry-bot-0"
    assert found.signing_key == key
    assert found.agent_port == 9080
    assert found.redis_url.get_secret_value() == environment["REDIS_URL"]
    assert found.kubeconfig is None
    assert found.service_account == Path("/var/run/secrets/kubernetes.io/serviceaccount")
    assert (found.api_host, found.api_port, found.api_scheme) == ("10.96.0.1", 443, "https")
    assert found.slack.mode == "socket"
    assert found.slack.heard == ("C0MIGRATE1",)
    assert found.slack.approvers.users == ("U0BOB00001",)
    assert found.slack.requesters.users == ()
    assert found.slack.api_url == "https://slack.com/api/"
    assert found.slack.bot_token.get_secret_value() == "xoxb-1234-abcd"
    assert (found.alertmanager.url, found.alertmanager.unmapped, found.alertmanager.poll) == ("", "tell", 5.0)
    assert found.alertmanager.watchdog == "FerryWatchdog"
    assert (found.web.address, found.web.port) == ("0.0.0.0", 8080)
    assert found.trust.policy == migration.Trust()
    assert (found.limits.converge, found.limits.hold, found.limits.verify) == (30.0, 30.0, 10.0)
    assert found.locale == "en"


def test_everything_can_be_said(environment: dict[str, str]) -> None:
    text = """\
slack:
  mode: http
  team: T0FERRY001
  app: A0FERRY001
  channel: C0MIGRATE1
  channels: [C0MIGRATE1, C0GENERAL1]
  approvers: {users: [U0BOB00001, U0CAROL001], group: S0APPROVE1}
  requesters: {users: [U0ANN00001]}
  page: S0APPROVE1
alertmanager:
  url: http://127.0.0.1:9093/
  poll: 500ms2
  watchdog: ""
  unmapped: all
  services:
    - matchers: {namespace: bbdm, job: api}
      service: api-name01
web: {address: "::1", port: 0}
trust: {expires: 1h30m, largest_step: 25, approvers: [[0, 1], [50, 2]]}
limits: {converge: 1m, hold: 5, verify: 0}
locale: zh-CN
"""
    [problem] = refused({**with_file(environment, text), "SLACK_SIGNING_SECRET": "0123456789abcdef"})
    assert "settings.yaml:12: alertmanager.poll: '500ms2' is no time; write 30s" in problem
    found = settings.load(
        {
            **with_file(environment, text.replace("500ms2", "1500ms")),
            "SLACK_SIGNING_SECRET": "0123456789abcdef",
            "SLACK_API_URL": "http://127.0.0.1:5000/api",
            "POD_NAMESPACE": "night",
        }
    )
    assert found.namespace == "night"
    assert found.slack.mode == "http"
    assert found.slack.heard == ("C0MIGRATE1", "C0GENERAL1")
    assert found.slack.api_url == "http://127.0.0.1:5000/api/"
    assert found.alertmanager.url == "http://127.0.0.1:9093"
    assert (found.alertmanager.poll, found.alertmanager.watchdog, found.alertmanager.unmapped) == (1.5, "", "all")
    assert found.alertmanager.services[0].matchers == {"namespace": "bbdm", "job": "api"}
    assert found.alertmanager.services[0].service == "api-name01"
    assert (found.web.address, found.web.port) == ("::1", 0)
    assert found.trust.policy == migration.Trust(timedelta(minutes=90), ((0, 1), (50, 2)), 25)
    assert (found.limits.converge, found.limits.hold, found.limits.verify) == (60.0, 5.0, 0.0)
    assert found.locale == "zh-CN"


def test_the_settings_of_the_production_overlay_load(environment: dict[str, str]) -> None:
    overlay = ROOT / "deploy/kubernetes/overlays/production/settings.yaml"
    assert settings.load({**environment, "FERRY_CONFIG": str(overlay)}).alertmanager.url.startswith("http://alertmanager")


def test_the_example_loads_and_what_it_comments_out_is_the_default(environment: dict[str, str], tmp_path: Path) -> None:
    plain = settings.load({**environment, "FERRY_CONFIG": str(EXAMPLE)})
    _, slack, rest = EXAMPLE.read_text().partition("slack:\n")
    spoken = tmp_path / "spoken.yaml"
    token = tmp_path / "U0123456789"
    token.write_text(f"{API_TOKEN}\n")
    spoken.write_text(slack + re.sub(r"(?m)^( *)# ?", r"\1", rest).replace("/etc/ferry/api-tokens/U0123456789", str(token)))
    full = settings.load({**environment, "FERRY_CONFIG": str(spoken)})
    for name in ("web", "trust", "limits", "locale"):
        assert getattr(full, name) == getattr(plain, name)
    assert (full.alertmanager.poll, full.alertmanager.watchdog, full.alertmanager.unmapped) == (5.0, "FerryWatchdog", "tell")
    assert (full.slack.mode, full.slack.heard) == (plain.slack.mode, plain.slack.heard)
    assert [(one.person, one.token_file.get_secret_value()) for one in full.api.tokens] == [("U0123456789", API_TOKEN)]
    values = yaml.safe_load(spoken.read_text())
    secret = {"bot_token", "app_token", "signing_secret", "api_url", "token"}
    models: dict[str, type[pydantic.BaseModel]] = {
        "slack": settings.Slack, "alertmanager": settings.Alertmanager, "web": settings.Web, "trust": settings.Trust,
        "limits": settings.Limits, "api": settings.Api,
    }  # fmt: skip
    for section, model in models.items():
        assert set(model.model_fields) - secret == set(values[section]), f"{section}: the example names every field"


def api_tokens(tmp_path: Path, **held: str) -> str:
    """The section, with a file for each person (named by id) that holds this text."""
    tokens = []
    for person, text in held.items():
        file = tmp_path / f"token-{person}"
        file.write_text(text)
        tokens.append({"person": person.partition("_")[0], "token_file": str(file)})
    return said(api={"tokens": tokens})


def test_api_tokens_are_read_from_their_files_and_kept_secret(environment: dict[str, str], tmp_path: Path) -> None:
    told = api_tokens(tmp_path, U0ANN00001=f"{API_TOKEN}\n", U0ANN00001_next=API_TOKEN[::-1])
    found = settings.load(with_file(environment, told))
    assert {one.person for one in found.api.tokens} == {"U0ANN00001"}  # two of one person, for a rotation
    assert {API_TOKEN, API_TOKEN[::-1]} <= set(found.secrets())
    assert API_TOKEN not in repr(found)
    assert settings.load(with_file(environment, said())).api.tokens == ()


@pytest.mark.parametrize("text", [API_TOKEN[:-1], "", f"{API_TOKEN} x", f"{API_TOKEN}\n\n", "é" * 32, "a" * 513])
def test_a_token_that_is_short_or_strange_is_refused_and_never_shown(
    environment: dict[str, str], tmp_path: Path, text: str
) -> None:
    (problem,) = refused(with_file(environment, api_tokens(tmp_path, U0ANN00001=text)))
    assert "api.tokens[0].token_file" in problem
    assert "openssl rand -hex 32" in problem
    assert not text.strip() or text.strip() not in problem


def test_what_is_wrong_with_api_tokens_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    (twice,) = refused(with_file(environment, api_tokens(tmp_path, U0ANN00001=API_TOKEN, U0BOB00001=API_TOKEN)))
    assert "the same token" in twice
    (away,) = refused(with_file(environment, said(api={"tokens": [{"person": "U0ANN00001", "token_file": "/nowhere/token"}]})))
    assert "/nowhere/token" in away
    (nobody,) = refused(with_file(environment, api_tokens(tmp_path, ann=API_TOKEN)))
    assert "is no person id" in nobody
    (unknown,) = refused(with_file(environment, said(api={"token": []})))
    assert "did you mean tokens?" in unknown


def test_the_tokens_of_the_slack_stand_in_look_right(environment: dict[str, str]) -> None:
    stand_in = server.SlackStandIn
    text = yaml.safe_dump({"slack": {
        "team": people.TEAM_ID, "app": people.APP_ID, "channel": people.C_MIGRATION, "approvers": {"group": people.S_APPROVERS},
    }})  # fmt: skip
    found = settings.load(
        {
            **with_file(environment, text),
            "SLACK_BOT_TOKEN": stand_in.bot_token,
            "SLACK_APP_TOKEN": stand_in.app_token,
            "SLACK_SIGNING_SECRET": stand_in.signing_secret,
        }
    )
    assert found.slack.app_token.get_secret_value() == stand_in.app_token


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


@pytest.mark.parametrize(
    "url", ["https://slack.com/api/", "http://localhost:5000/api/", "https://[::1]:5000/api", "http://127.9.9.9/"]
)
def test_slacks_own_address_and_loopback_may_be_called(environment: dict[str, str], url: str) -> None:
    assert settings.load({**environment, "SLACK_API_URL": url}).slack.api_url == url.rstrip("/") + "/"


def test_secrets_are_shown_nowhere_and_known_to_the_logs(environment: dict[str, str]) -> None:
    found = settings.load({**environment, "SLACK_SIGNING_SECRET": "0123456789abcdef"})
    for secret in ("xoxb-1234", "xapp-1", "0123456789abcdef", "agent-token", PASSWORD, "of-the-webhook"):
        assert secret not in repr(found) + str(found) + found.model_dump_json()
        assert any(secret in known for known in found.secrets())


def test_settings_do_not_change(environment: dict[str, str]) -> None:
    found = settings.load(environment)
    with pytest.raises(ValueError, match="frozen"):
        found.slack.team = "T1"


def test_fields_left_empty_are_as_if_they_were_not_there(environment: dict[str, str]) -> None:
    text = said() + "web:\ntrust:\n  expires:\nalertmanager:\n"
    assert settings.load(with_file(environment, text)).trust.expires == timedelta(hours=1)


def test_the_process_environment_is_read_when_asked(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert settings.from_process().replica == "ferry-bot-0"
    assert settings.redis_url().get_secret_value() == environment["REDIS_URL"]
    with pytest.raises(settings.SettingsError, match="REDIS_URL is missing"):
        settings.redis_url({})
    with pytest.raises(settings.SettingsError, match="REDIS_URL is no address of Redis"):
        settings.redis_url({"REDIS_URL": "ferry-redis:6379"})
