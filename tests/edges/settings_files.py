"""A good settings file with its environment, and the ways in which tests make it say something else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import settings

SLACK = {"team": "T0FERRY001", "channel": "C0MIGRATE1", "approvers": {"users": ["U0BOB00001"]}}
PASSWORD = "hunter2-hunter2"
API_TOKEN = "0123456789abcdef" * 2


def good(folder: Path) -> dict[str, str]:
    """The environment for Socket Mode in a pod; the file says the least."""
    (folder / "signing-key.pem").write_text("a key")
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump({"slack": SLACK}))
    return {
        "FERRY_CONFIG": str(file),
        "FERRY_SIGNING_KEY": str(folder / "signing-key.pem"),
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


def loaded(environment: dict[str, str], **sections: Any) -> settings.Settings:
    return settings.load(with_file(environment, said(**sections)))
