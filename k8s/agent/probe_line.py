"""One fresh TLS connection of a probe, without a buffer or a task that would outlive it: memory for what is read, no more."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from socket import AF_INET, AF_INET6, SOCK_STREAM, socket
from typing import TypeVar

from cryptography import x509

_Result = TypeVar("_Result")
_BLOCK = 16384  # bytes: one TLS record


class Line:
    """TLS over a connected socket that does not block. Raises ssl.SSLError and OSError as they come; sets no limit of time."""

    def __init__(self, connected: socket, context: ssl.SSLContext, server_name: str) -> None:
        self._socket = connected
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    async def handshake(self) -> None:
        try:
            await self._step(self._tls.do_handshake)
        except ssl.SSLError:
            with contextlib.suppress(OSError):
                await self._flush()  # the server's log should say why we left
            raise

    async def send(self, sent: bytes) -> None:
        """A few hundred bytes at most: they fit one record."""
        await self._step(lambda: self._tls.write(sent))

    async def receive(self) -> bytes:
        """What comes next, a record at most; empty when the other side has ended the connection properly."""
        try:
            return await self._step(lambda: self._tls.read(_BLOCK))
        except ssl.SSLZeroReturnError:
            return b""

    @property
    def certificate(self) -> x509.Certificate | None:
        """The server's, trusted or not; None when it shows none that can be read."""
        shown = self._tls.getpeercert(binary_form=True)
        try:
            return x509.load_der_x509_certificate(shown) if shown else None
        except ValueError:
            return None

    @property
    def certificate_expires(self) -> float | None:
        """Unix seconds at which the server's certificate ends; None when it shows none that can be read."""
        shown = self.certificate
        try:
            return shown.not_valid_after_utc.timestamp() if shown else None
        except ValueError:
            return None

    @property
    def version(self) -> str:
        """Of TLS, after the handshake: `TLSv1.3`."""
        return self._tls.version() or ""

    async def _step(self, step: Callable[[], _Result]) -> _Result:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
                received = await asyncio.get_running_loop().sock_recv(self._socket, _BLOCK)
                if received:
                    self._incoming.write(received)
                else:
                    self._incoming.write_eof()
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await asyncio.get_running_loop().sock_sendall(self._socket, self._outgoing.read())


@contextlib.asynccontextmanager
async def connected(address: str) -> AsyncIterator[socket]:
    """A TCP connection to `IP:port` or `[IP]:port`. Raises OSError when it is refused or no way leads there."""
    host, _, port = address.rpartition(":")
    with socket(AF_INET6 if host.startswith("[") else AF_INET, SOCK_STREAM) as one:
        one.setblocking(False)
        await asyncio.get_running_loop().sock_connect(one, (host.strip("[]"), int(port)))
        yield one
