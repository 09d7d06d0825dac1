"""Where the API server is, and the headers and TLS for each request.

Nothing is cached longer than the file it came from: kubelet rotates a pod's token and CA under a running process.
"""

import ssl
from pathlib import Path
from typing import Protocol

from k8s import errors


class Credentials(Protocol):
    """What a client asks before every request. `url` has no slash at its end."""

    @property
    def url(self) -> str: ...
    def headers(self) -> dict[str, str]: ...
    def tls(self) -> ssl.SSLContext | None: ...
    def read_again(self) -> bool:
        """Called after a 401. True: there is something newer than what was refused, so one more try makes sense."""
        ...


class Explicit:
    """A known address with a bearer token. `ca`: PEM text that alone is trusted; None: the system's authorities."""

    def __init__(self, url: str, *, token: str = "", ca: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._tls = _context(ca, "the given CA") if self.url.startswith("https:") else None

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def tls(self) -> ssl.SSLContext | None:
        return self._tls

    def read_again(self) -> bool:
        return False


class InCluster:
    """The service account of a pod: `folder` holds `token`, `ca.crt` and `namespace`; host and port as kubelet states them.

    Raises Unauthorized when a file is missing. `scheme` is `http` only for a server on loopback.
    """

    def __init__(self, folder: Path, *, host: str, port: int, scheme: str = "https") -> None:
        self.url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        self._token = _Rotated(folder / "token")
        self._ca = _Rotated(folder / "ca.crt") if scheme == "https" else None
        self._tls: ssl.SSLContext | None = None
        self._tls_text = ""
        self._namespace = folder / "namespace"

    @property
    def namespace(self) -> str:
        return _Rotated(self._namespace).text()

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token.text()}"}

    def tls(self) -> ssl.SSLContext | None:
        if self._ca is None:
            return None
        text = self._ca.text()
        if self._tls is None or text != self._tls_text:
            self._tls, self._tls_text = _context(text, str(self._ca.path)), text
        return self._tls

    def read_again(self) -> bool:
        return self._token.differs_when_read_again()


class _Rotated:
    """A small text file that is read again when it was replaced (kubelet swaps a symlink, so the inode changes)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._text = ""

    def text(self) -> str:
        try:
            stat = self.path.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._text, self._seen = self.path.read_text().strip(), seen
        except (OSError, ValueError) as error:
            if not self._text:
                raise errors.Unauthorized(
                    f"{self.path} cannot be read ({type(error).__name__}); mount the service account's token into this pod"
                ) from None
            # In the middle of a swap: what was read before is still the best there is.
        return self._text

    def differs_when_read_again(self) -> bool:
        before, self._seen = self._text, None
        return self.text() != before


def _context(ca: str | None, source: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=ca)
    except (ssl.SSLError, ValueError) as error:
        raise errors.BadReply(f"{source} is no PEM certificate ({type(error).__name__}); give the CA of the API server") from None
