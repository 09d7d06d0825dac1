"""A small DNS server on loopback: the names of Services and hosts, from a mapping that may change at any time."""

import asyncio
from collections.abc import Iterable
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset


class NameServer:
    """Answers A questions over UDP. `failing`: SERVFAIL to everything; `silent`: no answer at all.

    `ttl`: seconds; 1, so that a change is seen by whoever resolves again.
    """

    def __init__(self, *, address: str = "127.0.0.1", port: int = 0, ttl: int = 1) -> None:
        self.address = address
        self._port = port
        self._ttl = ttl
        self._records: dict[str, tuple[str, ...]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.failing = False
        self.silent = False
        self.asked = 0

    @property
    def port(self) -> int:
        """Known after the first start."""
        if not self._port:
            raise RuntimeError("The name server has no port yet: await start() first")
        return self._port

    def put(self, name: str, addresses: Iterable[str]) -> None:
        """This name has these IPv4 addresses from now on; none: it exists without an address (NODATA)."""
        self._records[_plain(name)] = tuple(addresses)

    def remove(self, name: str) -> None:
        """This name does not exist (NXDOMAIN) from now on."""
        self._records.pop(_plain(name), None)

    def addresses(self, name: str) -> tuple[str, ...]:
        """What `name` has now, without asking over the wire."""
        return self._records.get(_plain(name), ())

    async def start(self) -> None:
        """Listens on UDP. Raises OSError when the port is taken."""
        if self._transport is not None:
            return
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Questions(self), (self.address, self._port))
        self._port = int(self._transport.get_extra_info("sockname")[1])

    async def stop(self) -> None:
        """Closes the port; may be started again on the same one."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
            await asyncio.sleep(0)  # the socket is closed in the next round of the loop

    def reply(self, wire: bytes) -> bytes | None:
        """The answer to one datagram; None when there is none to give."""
        try:
            question = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        self.asked += 1
        if self.silent or question.flags & dns.flags.QR or not question.question:
            return None
        response = dns.message.make_response(question, recursion_available=True)
        response.flags |= dns.flags.AA
        entry = question.question[0]
        known = self._records.get(_plain(entry.name.to_text()))
        if self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif known is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif known and entry.rdtype == dns.rdatatype.A:
            response.answer.append(dns.rrset.from_text(entry.name, self._ttl, dns.rdataclass.IN, dns.rdatatype.A, *known))
        return response.to_wire()


class _Questions(asyncio.DatagramProtocol):
    def __init__(self, names: NameServer) -> None:
        self._names = names
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # asyncio's own does not inherit from it

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        response = self._names.reply(data)
        if response is not None and self._transport is not None:
            self._transport.sendto(response, addr)


def _plain(name: str) -> str:
    return name.rstrip(".").lower()
