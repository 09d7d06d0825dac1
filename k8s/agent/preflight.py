"""The new hosts of services looked at from where this proxy stands, before anything is sent there: names, doors, TLS, answers.

Asked for by the bot, a few services at a time. It is bounded in time and in sockets, and nothing that serves requests waits
for it: neither probes nor breakers hear of what it finds.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from k8s.agent import probe_answer, probe_line, probe_trust, resolving
from k8s.preflight import certificates, seen

LIMIT = 4.0  # seconds for one service, all its addresses included
AT_ONCE = 8  # connections open at a time, for all who ask
MOST_ADDRESSES = 4  # of one host
WRONG_HOST = "nobody.ferry.invalid"


class _NoTrustError(Exception):
    """There is nothing that its certificate could be checked against."""


@dataclass(slots=True)
class _Way:
    """How far one address came."""

    outcome: str = seen.UNASKED
    waits_for: str = "its turn did not come"
    version: str = ""
    certificate: seen.Certificate | None = None
    refused: bool = False  # the certificate


class Preflight:
    """`resolver`: makes a fresh one, so that what is told is what DNS says now. `ca_folder`, `default_ca`: as nginx has them.

    `copy_of`: brings a CA file of this name there, if there is one.
    """

    def __init__(
        self,
        resolver: Callable[[], resolving.Resolver],
        *,
        ca_folder: Path,
        default_ca: Path,
        copy_of: Callable[[str | None], object] = lambda _: None,
    ) -> None:
        self._resolver = resolver
        self._trust = probe_trust.Trust(ca_folder=ca_folder, default_ca=default_ca)
        self._copy_of = copy_of
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def look(self, targets: Sequence[seen.Target]) -> tuple[seen.Seen, ...]:
        """One answer for each target, in their order; never raises for what is found."""
        return tuple(await asyncio.gather(*(self._service(one) for one in targets)))

    async def _service(self, target: seen.Target) -> seen.Seen:
        loop, resolver = asyncio.get_running_loop(), self._resolver()
        begun = loop.time()
        self._copy_of(target.tls.ca)
        try:
            async with asyncio.timeout_at(begun + LIMIT):
                found = await resolver.addresses(target.host, target.port)
        except TimeoutError:
            found = ()
        seconds = loop.time() - begun
        if not found:
            why = resolver.failing(target.host) or "it has no address"
            return seen.Seen(target.service, dns_seconds=seconds, dns_why=f"{target.host} does not resolve ({why})")
        asked = [self._address(target, one, deadline=begun + LIMIT) for one in found[:MOST_ADDRESSES]]
        return seen.Seen(target.service, found, seconds, at=tuple(await asyncio.gather(*asked)))

    async def _address(self, target: seen.Target, address: str, *, deadline: float) -> seen.At:
        loop, way = asyncio.get_running_loop(), _Way()
        begun, why, code, wrong = loop.time(), "", 0, 0
        try:
            async with asyncio.timeout_at(deadline), self._turns:
                begun = loop.time()
                way.outcome, way.waits_for = seen.CONNECT, "its TCP connection is not accepted"
                code = await self._ask(target, address, target.host, way)
                wrong = await self._ask_wrongly(target, address)
        except TimeoutError:
            if not code:
                why = f"{way.waits_for} within {LIMIT:.0f} s"
        except ssl.SSLCertVerificationError as error:
            way.refused, why = True, f"its certificate is refused ({error.verify_message})"
        except _NoTrustError as error:
            way.outcome, why = seen.TLS, str(error)
        except ssl.SSLError as error:
            why = probe_answer.reason(error)
        except OSError as error:
            why = probe_answer.plain(error)
        if way.refused:
            await self._look_at_certificate(target, address, way, deadline=deadline)
        told = seen.At(address, way.outcome, why, loop.time() - begun, way.version, way.certificate, code, wrong)
        return told if code or why else replace(told, why="what it answers is no HTTP")

    async def _ask(self, target: seen.Target, address: str, host: str, way: _Way) -> int:
        """The status of the answer; 0: it is none. Raises OSError, ssl.SSLError as they come."""
        context = await self._context(target)
        async with probe_line.connected(address) as connected:
            way.outcome, way.waits_for = seen.TLS, "it accepts the connection, but no TLS handshake is done"
            line = probe_line.Line(connected, context, target.tls.server_name or target.host)
            await line.handshake()
            way.version, way.certificate = line.version, certificates.shown(line.certificate)
            way.outcome, way.waits_for = seen.HTTP, "TLS is there, but no answer comes"
            code = await probe_answer.status(line, host=host, path=target.path)
            way.outcome = seen.OK if code else seen.HTTP
            return code

    async def _context(self, target: seen.Target) -> ssl.SSLContext:
        try:
            return await self._trust.context(target.tls)
        except OSError as error:
            path = self._trust.file(target.tls)
            raise _NoTrustError(f"the CA file {path} cannot be used ({probe_answer.plain(error)}): put it there") from None

    async def _ask_wrongly(self, target: seen.Target, address: str) -> int:
        """What a Host gets that nobody has: it tells an answer of the app from one of an ingress that knows no host."""
        with contextlib.suppress(OSError):
            return await self._ask(target, address, WRONG_HOST, _Way())
        return 0

    async def _look_at_certificate(self, target: seen.Target, address: str, way: _Way, *, deadline: float) -> None:
        """The one that was refused: a second handshake that asks nothing."""
        with contextlib.suppress(OSError):
            async with asyncio.timeout_at(deadline), self._turns, probe_line.connected(address) as connected:
                line = probe_line.Line(connected, self._trust.unchecked, target.tls.server_name or target.host)
                await line.handshake()
                way.version, way.certificate = line.version, certificates.shown(line.certificate)
