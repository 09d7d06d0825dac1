"""Names to addresses, for an nginx that cannot do it itself. The last good answer stays while DNS is silent."""

import ipaddress
from collections.abc import Iterable

import dns.asyncresolver
import dns.exception
import dns.resolver


class Resolver:
    """`server` is ADDRESS:PORT of a DNS server; empty: the system's resolv.conf. Only A and AAAA, in sorted order.

    `search`: names may be short, completed by the system's search list.
    """

    def __init__(self, server: str = "", *, limit: float = 2.0, search: bool = False) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=not server)
        if server:
            address, _, port = server.rpartition(":")
            self._resolver.nameservers = [address]
            self._resolver.port = int(port)
        self._resolver.lifetime = limit
        self._search = search
        self._last_good: dict[str, tuple[str, ...]] = {}
        self.trouble: dict[str, str] = {}

    async def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """`IP:port` (or `[IP]:port`) of the host; the last good ones when DNS fails; empty if it was never known."""
        try:
            answer = await self._resolver.resolve_name(host, search=self._search)
        except (dns.exception.DNSException, OSError) as error:
            self.trouble[host] = f"{host} does not resolve now ({type(error).__name__}); its last known addresses stay"
        else:
            self.trouble.pop(host, None)
            self._last_good[host] = tuple(sorted(answer.addresses()))
        return tuple(_with_port(address, port) for address in self._last_good.get(host, ()))

    def forget_others(self, hosts: Iterable[str]) -> None:
        """Names that no service uses any more leave no memory and no trouble behind."""
        kept = set(hosts)
        self._last_good = {host: found for host, found in self._last_good.items() if host in kept}
        self.trouble = {host: sentence for host, sentence in self.trouble.items() if host in kept}


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ipaddress.ip_address(address).version == 6 else f"{address}:{port}"
