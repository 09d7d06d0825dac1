"""How the bot reaches the API server: a kubeconfig (KUBECONFIG), or the service account of its pod.

Nothing here talks to the API server: one that is away at the start is asked again and again by the watches.
"""

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

import structlog
import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, kube_config

from k8s import credentials

_LOG = structlog.get_logger(__name__)


class NoAccess(ValueError):
    """There is no way to the cluster as configured; the sentence says what to set."""


def credentials_from(
    kubeconfig: Path | None, *, service_account: Path, host: str, port: int, scheme: str = "https"
) -> credentials.Credentials:
    """`host` and `port`: of the API server as a pod is told them; used when there is no kubeconfig. Raises NoAccess.

    Blocks while a kubeconfig's credential plugin runs.
    """
    if kubeconfig is not None:
        return Kubeconfig(kubeconfig)
    if not host:
        raise NoAccess(
            "The API server is not known: KUBECONFIG is not set and this is no pod (no KUBERNETES_SERVICE_HOST); "
            "set KUBECONFIG to a kubeconfig file, or run Ferry in the old cluster."
        )
    return credentials.InCluster(service_account, host=host, port=port, scheme=scheme)


@dataclass(frozen=True, slots=True)
class _Loaded:
    url: str
    authorization: str
    tls: ssl.SSLContext | None


class Kubeconfig:
    """`k8s.credentials.Credentials` from the current context of a kubeconfig file. Raises NoAccess when it is no use.

    After a 401 the file is read again, plugin included, in a thread of its own: a plugin may take seconds, and the call
    that was refused does not wait for it; the next one finds what it brought.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loaded = _load(path)
        self._renewal: threading.Thread | None = None

    @property
    def url(self) -> str:
        return self._loaded.url

    def headers(self) -> dict[str, str]:
        authorization = self._loaded.authorization
        return {"Authorization": authorization} if authorization else {}

    def tls(self) -> ssl.SSLContext | None:
        return self._loaded.tls

    def read_again(self) -> bool:
        if self._renewal is None or not self._renewal.is_alive():
            self._renewal = threading.Thread(target=self._renew, name="kubeconfig", daemon=True)
            self._renewal.start()
        return False

    def _renew(self) -> None:
        try:
            self._loaded = _load(self._path)
        except NoAccess as error:
            _LOG.warning("the credentials were refused and cannot be renewed", why=str(error))


def _load(path: Path) -> _Loaded:
    if not path.is_file():
        raise NoAccess(f"KUBECONFIG names {path}, which is no file; name a kubeconfig file.")
    found = Configuration()
    try:
        # persist_config: nothing that is somebody else's file is written.
        kube_config.load_kube_config(str(path), client_configuration=found, persist_config=False)  # type: ignore[no-untyped-call]  # the package has no types
        _demand_plain(found, path)
        return _Loaded(found.host.rstrip("/"), found.api_key.get("BearerToken", ""), _tls(found))
    except NoAccess:
        raise
    except (ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())[:300] or type(error).__name__
        raise NoAccess(f"The kubeconfig {path} cannot be used ({why}); see that kubectl works with it.") from None


def _demand_plain(found: Configuration, path: Path) -> None:
    for field, value in (("tls-server-name", found.tls_server_name), ("proxy-url", found.proxy)):
        if value:
            raise NoAccess(f"The kubeconfig {path} sets {field}, which Ferry does not follow; name the API server's own address.")


def _tls(found: Configuration) -> ssl.SSLContext | None:
    if not found.host.startswith("https:"):
        return None
    context = ssl.create_default_context(cafile=found.ssl_ca_cert or None)
    if not found.verify_ssl:
        _LOG.warning("the kubeconfig turns the verification of the API server's certificate off")
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if found.cert_file:
        context.load_cert_chain(found.cert_file, found.key_file)
    return context
