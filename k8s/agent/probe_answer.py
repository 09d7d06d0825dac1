"""One question to the new cluster's host of a service, as nginx would ask it: its addresses, its TLS, its Host.

A service that names a health path is up when it answers below 500 there. One that does not (the path is `/`) has promised
nothing about its front page: any answer is one, but those by which an ingress says that nobody is behind it.
"""

import asyncio
import contextlib
import errno
import os
import re
import ssl
from dataclasses import dataclass, replace
from pathlib import Path

from k8s import model
from k8s.agent import probe_doors, probe_line, probe_trust, resolving

LIMIT = 3.0  # seconds for one question, asking DNS and all addresses included
HURRIED = 1.0  # the same, while requests fail
DNS_PATIENCE = 1 / 3  # of the limit, where an earlier answer of DNS is known: a silent DNS server is not the new cluster's fault
MOST_ADDRESSES = 8  # of one host that are asked, all at once
NO_PATH = model.Health().path
NOBODY_BEHIND = frozenset({502, 503, 504})

OK, DNS, CONNECT, TLS, TIMEOUT, HTTP, UNASKED = OUTCOMES = ("ok", "dns", "connect", "tls", "timeout", "http", "unasked")
_TELLING = (UNASKED, HTTP, TLS, TIMEOUT, CONNECT)  # of several addresses that fail: the one that came farthest is told
_OUR_OWN = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})  # says nothing about the new cluster
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r\n]")
_LONGEST_HEAD = 65536  # bytes


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for one service. `health`: `path`, `interval` (seconds) and `failures` as in the model's Health."""

    host: str
    port: int
    tls: model.Tls
    health: model.Health


@dataclass(frozen=True, slots=True)
class Answer:
    """`outcome` is one of OUTCOMES, `why` half a sentence about one that is not ok, `seconds` how long it all took.

    `unasked`: the agent itself lacked what asking takes (file descriptors, memory).
    `certificate_expires`: Unix seconds; None when no certificate was seen.
    """

    outcome: str
    why: str = ""
    seconds: float = 0.0
    certificate_expires: float | None = None


@dataclass(slots=True)
class _Seen:
    """How far one address came: connected at all, what is being waited for, and the certificate if it was shown."""

    connected: bool = False
    waits_for: str = "its TCP connection is not accepted"
    expires: float | None = None
    expired: bool = False


class Questions:
    """Asks whatever addresses DNS gives; `ca_folder` and `default_ca` as nginx has them."""

    def __init__(self, resolver: resolving.Resolver, *, ca_folder: Path, default_ca: Path) -> None:
        self._resolver = resolver
        self._trust = probe_trust.Trust(ca_folder=ca_folder, default_ca=default_ca)
        self._doors = probe_doors.Doors()

    async def ask(self, target: Target, *, wanted: float, limit: float | None = None) -> Answer:
        """Within `limit` seconds; None: LIMIT. Good as soon as one address is; otherwise what the most telling one said.

        `wanted`: since when this answer is waited for (the event loop's clock). An address that was found closed after that
        by another question is not asked again.
        """
        loop = asyncio.get_running_loop()
        begun, limit = loop.time(), LIMIT if limit is None else limit
        addresses = await self._addresses(target, limit=limit)
        if addresses:
            answer = await self._any(target, addresses, wanted=wanted, begun=begun, limit=limit)
        else:
            answer = Answer(DNS, f"{target.host} does not resolve ({self._resolver.failing(target.host) or 'no address'})")
        return replace(answer, seconds=loop.time() - begun)

    async def _addresses(self, target: Target, *, limit: float) -> tuple[str, ...]:
        """What DNS says now; while it says nothing, what it said last: nginx goes on with that, too."""
        known = self._resolver.known(target.host, target.port)
        try:
            async with asyncio.timeout(limit * DNS_PATIENCE if known else limit):
                found = await self._resolver.addresses(target.host, target.port)
        except TimeoutError:
            found = known
        return () if self._resolver.failing(target.host) in resolving.ABSENT else found

    async def _any(self, target: Target, addresses: tuple[str, ...], *, wanted: float, begun: float, limit: float) -> Answer:
        answers, asked = [], []
        for address in addresses[:MOST_ADDRESSES]:
            if (closed := self._doors.closed(address, since=wanted)) is not None:
                answers.append(Answer(*closed))
            else:
                asked.append(asyncio.create_task(self._one(target, address, begun=begun, limit=limit)))
        try:
            for soonest in asyncio.as_completed(asked):
                answer = await soonest
                if answer.outcome == OK:
                    return answer
                answers.append(answer)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        return min(answers, key=lambda one: _TELLING.index(one.outcome))

    async def _one(self, target: Target, address: str, *, begun: float, limit: float) -> Answer:
        seen, deadline = _Seen(), begun + limit
        try:
            async with asyncio.timeout_at(deadline):
                outcome, why = await self._talk(target, address, seen)
        except TimeoutError:
            outcome, why = TIMEOUT, f"{address}: {seen.waits_for} within {limit:.0f} s"
        if not seen.connected and outcome not in {TLS, UNASKED}:
            self._doors.found_closed(address, outcome, why, now=asyncio.get_running_loop().time())
        if seen.expired:
            await self._look(target, address, seen, deadline=deadline)
        return Answer(outcome, why, certificate_expires=seen.expires)

    async def _talk(self, target: Target, address: str, seen: _Seen) -> tuple[str, str]:
        """An outcome and why. Raises TimeoutError when the system gave up before we did."""
        try:
            context = await self._trust.context(target.tls)
        except OSError as error:
            if error.errno in _OUR_OWN:
                return UNASKED, plain(error)
            path = self._trust.file(target.tls)
            return TLS, f"the CA file {path} cannot be used ({plain(error)}): put it there"
        outcome = CONNECT
        try:
            async with probe_line.connected(address) as connected:
                self._doors.found_open(address)
                seen.connected = True
                outcome, seen.waits_for = TLS, "it accepts the connection, but no TLS handshake is done"
                line = probe_line.Line(connected, context, target.tls.server_name or target.host)
                await line.handshake()
                seen.expires = line.certificate_expires
                outcome, seen.waits_for = HTTP, "TLS is there, but no answer comes"
                return _judged(target, address, await status(line, host=target.host, path=target.health.path))
        except TimeoutError:
            raise
        except ssl.SSLCertVerificationError as error:
            seen.expired = error.verify_code == _EXPIRED
            return TLS, f"{address}: its certificate is refused ({error.verify_message})"
        except ssl.SSLError as error:
            # A server that wants a certificate of ours says so only after its handshake.
            refused = outcome == TLS or "ALERT" in (error.reason or "")
            return TLS if refused else HTTP, f"{address}: {reason(error)}"
        except OSError as error:
            return UNASKED if error.errno in _OUR_OWN else outcome, f"{address}: {plain(error)}"

    async def _look(self, target: Target, address: str, seen: _Seen, *, deadline: float) -> None:
        """When the certificate that was refused as too old ended: a second handshake that asks nothing."""
        with contextlib.suppress(OSError):  # TimeoutError and ssl.SSLError are some: the date stays unknown
            async with asyncio.timeout_at(deadline), probe_line.connected(address) as connected:
                line = probe_line.Line(connected, self._trust.unchecked, target.tls.server_name or target.host)
                await line.handshake()
                seen.expires = line.certificate_expires


def reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLEOFError):
        return "it ended the connection instead of answering"
    return f"TLS failed ({error.reason or type(error).__name__})"


def plain(error: OSError) -> str:
    """The system's own words without asyncio's, which repeat the address."""
    return os.strerror(error.errno) if error.errno and not isinstance(error, ssl.SSLError) else type(error).__name__


async def status(line: probe_line.Line, *, host: str, path: str) -> int:
    """The status of the answer's head; 0 when it is none that HTTP/1.1 knows, or the connection ends before it."""
    asked = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n"
    await line.send(f"{asked}User-Agent: ferry-agent\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode("ascii"))
    head = b""
    while len(head) < _LONGEST_HEAD:
        received = await line.receive()
        if not received:
            return 0
        head += received
        while b"\n" in head:
            found = _STATUS.match(head)
            if found is None:
                return 0
            if found[1] >= b"200":
                return int(found[1])
            _, ended, rest = head.partition(b"\r\n\r\n")
            if not ended:
                break
            head = rest  # 100 and 103 come before the answer
    return 0


def _judged(target: Target, address: str, code: int) -> tuple[str, str]:
    path = target.health.path
    if not code:
        return HTTP, f"{address}: what it says to GET {path} is no HTTP answer"
    bad = code in NOBODY_BEHIND if path == NO_PATH else code >= 500
    return (HTTP, f"{address} answers {code} to GET {path}") if bad else (OK, "")
