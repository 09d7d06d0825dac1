"""Prometheus and Alertmanager with the very files of deploy/monitoring: only addresses and the token are this machine's."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from deploy.playground import objects
from deploy.playground.world import alertmanager, cluster_mirror, prometheus
from k8s import credentials

Json = dict[str, Any]
FOLDER = Path(__file__).parents[1] / "monitoring"
RULES = FOLDER / "rules.yaml"
RESEND = "5s"  # as deploy/monitoring/prometheus.yaml says in its first lines
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
_EYES = "ferry_bot_eyes_open 1.0"
_SERVICES = {"ferry-agents": "ferry-agents", "ferry-bot": "ferry-bot"}  # Service by scrape job


def new_alertmanager(folder: Path, *, webhook: str, token: str) -> alertmanager.Alertmanager:
    """`webhook`: the bot's Service, `/alerts/alertmanager` included."""
    config = yaml.safe_load((FOLDER / "alertmanager.yaml").read_text(encoding="utf-8"))
    for receiver in config["receivers"]:
        for hook in receiver.get("webhook_configs") or ():
            hook["url"] = webhook
            hook["http_config"]["authorization"] = {"type": "Bearer", "credentials": token}
    return alertmanager.Alertmanager(folder, config=config)


def new_prometheus(folder: Path, *, targets: "Targets", alertmanagers: list[str]) -> prometheus.Prometheus:
    """The shipped jobs and rules, with pods from `targets` where the cluster's DNS would name them."""
    config = yaml.safe_load((FOLDER / "prometheus.yaml").read_text(encoding="utf-8"))
    scrapes = []
    for job in config["scrape_configs"]:
        found = {key: value for key, value in job.items() if key != "dns_sd_configs"}
        found.setdefault("scrape_interval", config["global"]["scrape_interval"])
        found.setdefault("scrape_timeout", "1500ms")
        scrapes.append({**found, "file_sd_configs": [{"files": [str(targets.file(job["job_name"]))]}]})
    return prometheus.Prometheus(
        folder,
        scrapes=scrapes,
        rules=[RULES],
        alertmanagers=alertmanagers,
        interval=config["global"]["evaluation_interval"],
        arguments=[f"--rules.alert.resend-delay={RESEND}"],
    )


class Targets:
    """The pods to scrape, written down whenever the cluster's EndpointSlices change: what dns_sd finds in a cluster."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for job in _SERVICES:
            self.file(job).write_text("[]")

    def file(self, job: str) -> Path:
        """For file_sd_configs."""
        return self._folder / f"{job}.json"

    def following(self, access: credentials.Credentials) -> cluster_mirror.ClusterMirror:
        """What keeps them written, between its start and stop."""
        token = access.headers().get("Authorization", "").removeprefix("Bearer ")
        mirror = cluster_mirror.ClusterMirror(
            url=access.url, token=token, tls=access.tls(), collections=(SLICES,), changed=lambda: self.write(mirror.of(SLICES))
        )
        return mirror

    def write(self, slices: list[Json]) -> None:
        """From all EndpointSlices of the cluster. Prometheus watches the files."""
        for job, service in _SERVICES.items():
            text = json.dumps([{"targets": sorted(_addresses(slices, service))}])
            file = self.file(job)
            if file.read_text() != text:
                fresh = file.with_suffix(".new")
                fresh.write_text(text)
                fresh.replace(file)


def _addresses(slices: list[Json], service: str) -> set[str]:
    """Ready or not, as a headless Service with publishNotReadyAddresses names them."""
    return {
        f"{address}:{port['port']}"
        for item in slices
        if item["metadata"]["namespace"] == objects.NAMESPACE
        and (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == service
        for endpoint in item.get("endpoints") or ()
        for address in endpoint["addresses"]
        for port in item.get("ports") or ()
    }


async def eyes_open(session: aiohttp.ClientSession, bots: list[str]) -> bool:
    """Whether every bot (there must be one) says that somebody watches. They hear of the watchdog one after the other."""
    for address in bots:
        try:
            async with session.get(f"http://{address}:8080/metrics") as answer:
                text = await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False
        if _EYES not in text.splitlines():
            return False
    return bool(bots)


async def firing(url: str) -> list[Json]:
    """What Alertmanager says fires now; nothing when it does not answer."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
            session.get(f"{url}/api/v2/alerts", params={"active": "true"}) as answer,
        ):
            found: list[Json] = await answer.json()
            return found
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return []
