"""The agent's settings: the only place of the agent that reads the environment.

`deploy/kubernetes/base/proxy-deployment.yaml` sets them; what Kubernetes itself sets keeps its usual name.
"""

from pathlib import Path
from typing import Any

import pydantic
import pydantic_settings


def _named(name: str, default: Any) -> Any:
    return pydantic.Field(default=default, validation_alias=name)


class AgentSettings(pydantic_settings.BaseSettings):
    """Where this agent is, what it may trust, and which nginx it looks after. Times are seconds."""

    run: Path = _named("FERRY_RUN_FOLDER", Path("/run/ferry"))  # tmpfs shared with nginx: links, config, logs
    scratch: Path = _named("FERRY_NGINX_SCRATCH", Path("/var/cache/nginx"))  # on disk, shared with nginx: bodies of requests
    state: Path = _named("FERRY_STATE_FOLDER", Path("/run/ferry/memory"))  # on disk before the agent answers
    public_keys: Path = _named("FERRY_PUBLIC_KEYS", Path("/etc/ferry/public-keys"))  # PEM files: who may sign records
    token: pydantic.SecretStr = _named("FERRY_AGENT_TOKEN", pydantic.SecretStr(""))  # who may push a hold; empty: nobody
    ca_folder: Path = _named("FERRY_CA_FOLDER", Path("/etc/ferry/ca"))
    default_ca: Path = _named("FERRY_DEFAULT_CA", Path("/etc/ssl/certs/ca-certificates.crt"))
    overrides: Path = _named("FERRY_OVERRIDES", Path("/etc/ferry/overrides"))  # testers' secrets, a file a service; may be absent
    nginx: Path = _named("FERRY_NGINX_PROGRAM", Path("/usr/sbin/nginx"))
    service_account: Path = _named("FERRY_SERVICE_ACCOUNT", Path("/var/run/secrets/kubernetes.io/serviceaccount"))
    peers: str = _named("FERRY_PEERS", "")  # the name behind which all agents are, this one too; empty: it has no peers
    resolver: str = _named("FERRY_RESOLVER", "")  # ADDRESS:PORT of a DNS server; empty: the system's
    reload_spacing: float = _named("FERRY_RELOAD_SPACING", 5.0)  # between two reloads: old workers cost memory
    document_patience: float = _named("FERRY_DOCUMENT_PATIENCE", 30.0)  # of an unreadable document; then all goes to old
    long_lived_grace: float = _named("FERRY_LONG_LIVED_GRACE", 65.0)  # nginx keeps idle connections to new for 60
    latch_after: float = _named("FERRY_LATCH_AFTER", 60.0)  # without an answer of the new cluster: then it ends by people only
    largest_log: int = _named("FERRY_LARGEST_LOG", 16 * 1024 * 1024)  # bytes of nginx's access log before it is rotated
    port: int = _named("FERRY_AGENT_PORT", 9080)
    proxy_port: int = _named("FERRY_NGINX_PORT", 8080)
    status_port: int = _named("FERRY_NGINX_STATUS_PORT", 9081)  # of nginx, on the pod's loopback: only the agent asks there
    worker_user: str = _named("FERRY_NGINX_USER", "")  # only where nginx starts as root
    pod: str = _named("POD_NAME", "migration-proxy-0")
    namespace: str = _named("POD_NAMESPACE", "migration-system")
    address: str = _named("POD_IP", "127.0.0.1")
    api_host: str = _named("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
    api_scheme: str = _named("FERRY_API_SCHEME", "https")
    api_port: int = _named("KUBERNETES_SERVICE_PORT", 443)


class SettingsError(ValueError):
    """Every wrong value, one line each, with the name to change."""


def load() -> AgentSettings:
    """From the environment. Raises SettingsError."""
    try:
        return AgentSettings()
    except pydantic.ValidationError as error:
        lines = [f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()]
        raise SettingsError("the agent cannot start with these settings:\n" + "\n".join(lines)) from None
