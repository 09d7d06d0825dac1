"""Whom a probe trusts: the same files, protocols and ciphers as nginx has them for the same service."""

import asyncio
import ssl
from pathlib import Path

from k8s import model

_Version = tuple[int, int]  # of a file: when it was changed (nanoseconds), its size (bytes)


class Trust:
    """Contexts for a client, one for each CA file as it is now. `unchecked` believes anybody: only to look, never to ask."""

    def __init__(self, *, ca_folder: Path, default_ca: Path) -> None:
        self._ca_folder = ca_folder
        self._default_ca = default_ca
        self._loaded: dict[Path, tuple[_Version, ssl.SSLContext]] = {}
        self._loading = asyncio.Lock()
        self.unchecked = _context(None)

    def file(self, tls: model.Tls) -> Path:
        return self._ca_folder / tls.ca if tls.ca is not None else self._default_ca

    async def context(self, tls: model.Tls) -> ssl.SSLContext:
        """For this service. Raises OSError (ssl.SSLError is one) when its CA file cannot be read."""
        if not tls.verify:
            return self.unchecked  # the service's own choice, approved with its record
        path = self.file(tls)
        if (known := self._known(path)) is not None:
            return known
        async with self._loading:
            if (known := self._known(path)) is not None:
                return known  # whoever was first has read it
            version = _version(path)
            context = await asyncio.to_thread(_context, path)  # a system's bundle takes tens of milliseconds
            self._loaded[path] = version, context
            return context

    def _known(self, path: Path) -> ssl.SSLContext | None:
        version, context = self._loaded.get(path, (None, None))
        return context if version == _version(path) else None


def _version(path: Path) -> _Version:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _context(authorities: Path | None) -> ssl.SSLContext:
    """Checks names and chains against this file; None: checks nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DEFAULT")  # nginx's own default: a probe must not fail where nginx would not
    if authorities is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cafile=str(authorities))
    return context
