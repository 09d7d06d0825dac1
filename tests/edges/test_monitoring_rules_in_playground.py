"""The playground runs the shipped rules, jobs and routes: only addresses and the token are this machine's."""

from pathlib import Path
from typing import Any

import aiohttp
import yaml

from deploy.playground import monitoring

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "monitoring"
WEBHOOK = "http://127.0.0.1:9/alerts/alertmanager"
DISCOVERY = {"dns_sd_configs", "file_sd_configs"}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def elsewhere(config: Any) -> Any:
    """Without what belongs to a place: where the bot is, and its token."""
    for receiver in config["receivers"]:
        for hook in receiver.get("webhook_configs", []):
            del hook["url"], hook["http_config"]["authorization"]
    return config


async def test_prometheus_in_the_playground_runs_the_shipped_rules_at_the_shipped_pace(tmp_path: Path) -> None:
    targets = monitoring.Targets(tmp_path / "targets")
    server = monitoring.new_prometheus(tmp_path / "prometheus", targets=targets, alertmanagers=[])
    await server.start()
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{server.url}/api/v1/rules") as answer:
            running = (await answer.json())["data"]["groups"]
    finally:
        await server.stop()
    shipped = read(SHIPPED / "rules.yaml")["groups"]
    names = {group["name"]: [rule.get("alert") or rule["record"] for rule in group["rules"]] for group in shipped}
    assert {group["name"]: [rule["name"] for rule in group["rules"]] for group in running} == names
    written, meant = read(tmp_path / "prometheus" / "prometheus.yml"), read(SHIPPED / "prometheus.yaml")
    assert written["rule_files"] == [str(SHIPPED / "rules.yaml")]
    assert written["global"]["evaluation_interval"] == meant["global"]["evaluation_interval"]
    for job, ours in zip(written["scrape_configs"], meant["scrape_configs"], strict=True):
        kept = {key: value for key, value in ours.items() if key not in DISCOVERY}
        assert {key: job[key] for key in kept} == kept
        assert job["scrape_interval"] == ours.get("scrape_interval", meant["global"]["scrape_interval"])


async def test_alertmanager_in_the_playground_runs_the_shipped_routes_and_receivers(tmp_path: Path) -> None:
    server = monitoring.new_alertmanager(tmp_path / "alertmanager", webhook=WEBHOOK, token="a-token-of-this-machine")
    await server.start()
    await server.stop()
    assert elsewhere(read(tmp_path / "alertmanager" / "alertmanager.yml")) == elsewhere(read(SHIPPED / "alertmanager.yaml"))
