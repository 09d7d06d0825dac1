"""The bot's settings: what is good loads, defaults are safe, the example is true, secrets are shown nowhere."""

import re
from datetime import timedelta
from pathlib import Path

import pydantic
import pytest
import yaml

from bot import settings, settings_journey, settings_trust
from deploy.playground.slack import people, server
from handlers.rules import migration
from tests.edges import settings_files
from tests.edges.settings_files import API_TOKEN, PASSWORD, refused, said, with_file

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "deploy/examples/settings.yaml"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return settings_files.good(tmp_path)


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


def test_the_least_that_must_be_said_gives_every_default(environment: dict[str, str], tmp_path: Path) -> None:
    found = settings.load(environment)
    assert found.namespace == "migration-system"
    assert found.replica == "ferry-bot-0"
    assert found.signing_key == tmp_path / "signing-key.pem"
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
    assert found.trust.policy == migration.Trust(soak=True)
    assert (found.prometheus.url, found.prometheus.window, found.prometheus.every) == ("", 600.0, 15.0)
    assert (found.entry.ingress_class, found.entry.forward, found.entry.dns_namespace) == ("nginx", "proxy", "kube-system")
    assert found.new_cluster.kubeconfig is None
    assert found.discovery.rules == ()
    assert (found.limits.converge, found.limits.hold, found.limits.verify) == (30.0, 30.0, 10.0)
    assert found.limits.no_proxies == 30.0
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
    assert found.trust.policy == migration.Trust(timedelta(minutes=90), ((0, 1), (50, 2)), 25, soak=True)
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
    for name in ("web", "prometheus", "trust", "entry", "new_cluster", "limits", "locale"):
        assert getattr(full, name) == getattr(plain, name)
    assert (full.alertmanager.poll, full.alertmanager.watchdog, full.alertmanager.unmapped) == (5.0, "FerryWatchdog", "tell")
    assert (full.slack.mode, full.slack.heard) == (plain.slack.mode, plain.slack.heard)
    assert [(one.person, one.token_file.get_secret_value()) for one in full.api.tokens] == [("U0123456789", API_TOKEN)]
    values = yaml.safe_load(spoken.read_text())
    secret = {"bot_token", "app_token", "signing_secret", "api_url", "token"}
    models: dict[str, type[pydantic.BaseModel]] = {
        "slack": settings.Slack, "alertmanager": settings.Alertmanager, "web": settings.Web, "trust": settings_trust.Trust,
        "limits": settings.Limits, "api": settings.Api, "prometheus": settings_journey.Prometheus,
        "entry": settings_journey.Entry, "new_cluster": settings_journey.NewCluster, "discovery": settings_journey.Discovery,
    }  # fmt: skip
    for section, model in models.items():
        assert set(model.model_fields) - secret == set(values[section]), f"{section}: the example names every field"
    assert set(settings_journey.HostRule.model_fields) == set(values["discovery"]["rules"][0])


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
