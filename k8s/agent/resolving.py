"""Names to addresses, for an nginx that cannot do it itself. The last good answer stays while DNS is silent."""

import asyncio
import ipaddress
from collections.abc import Iterable, Mapping

import dns.asyncresolver
import dns.exception
import dns.resolver

AT_ONCE = 32  # names asked for at the same time
ROUND = 5.0  # seconds for all names together: a silent DNS server must not keep anything else waiting
ABSENT = ("NXDOMAIN", "NoAnswer")  # what DNS says of a name that has no address; everything else is about DNS itself
SENTENCES = 5  # names that are spelled out in the report


class Resolver:
    """`server` is ADDRESS:PORT of a DNS server; empty: the system's resolv.conf. Only A and AAAA, in sorted order.

    `limit`: seconds for one name. `search`: names may be short, completed by the system's search list.
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
        self._failing: dict[str, str] = {}

    @property
    def last_good(self) -> Mapping[str, tuple[str, ...]]:
        """IP addresses by name."""
        return self._last_good

    @property
    def trouble(self) -> list[str]:
        """Which names do not resolve now, in sentences."""
        failing = sorted(self._failing)
        said = [f"{host} does not resolve now ({self._failing[host]}); {self._instead(host)}" for host in failing[:SENTENCES]]
        more = len(failing) - SENTENCES
        return [*said, f"{more} more names do not resolve now; look at the cluster's DNS"] if more > 0 else said

    def _instead(self, host: str) -> str:
        if host in self._last_good:
            return "its last known addresses stay"
        return "this proxy has never known an address of it; correct the name, or look at the cluster's DNS"

    def failing(self, host: str) -> str:
        """Why its last question failed, one of ABSENT if DNS said that it has no address; empty when it was answered."""
        return self._failing.get(host, "")

    def unanswered(self, hosts: Iterable[str]) -> bool:
        """Whether one of them may well exist: DNS did not say that it has no address, it said nothing (or failed)."""
        return any(self._failing.get(host, ABSENT[0]) not in ABSENT for host in hosts)

    def remember(self, last_good: Mapping[str, tuple[str, ...]]) -> None:
        """What an earlier agent knew, for names that were not resolved since."""
        self._last_good = {**last_good, **self._last_good}

    async def look_up(self, hosts: Iterable[str]) -> None:
        """Asks for all of them; whatever is not answered in time stays as it was."""
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(host: str) -> None:
            async with turn:
                await self._ask(host)

        # Those that failed the last time come last: slow ones must not use up everybody's time.
        order = sorted(set(hosts), key=lambda host: (host in self._failing, host))
        asked = {asyncio.create_task(one(host)): host for host in order}
        try:
            done = (await asyncio.wait(asked, timeout=ROUND))[0] if asked else set()
            for task in asked.keys() - done:
                self._failing.setdefault(asked[task], "no answer in time")
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        for task in done:
            task.result()

    def known(self, host: str, port: int) -> tuple[str, ...]:
        """`IP:port` (or `[IP]:port`) of the host as last resolved; empty if it never was."""
        return tuple(_with_port(address, port) for address in self._last_good.get(host, ()))

    async def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """`IP:port` (or `[IP]:port`) of the host; the last good ones when DNS fails; empty if it was never known."""
        await self._ask(host)
        return self.known(host, port)

    async def _ask(self, host: str) -> None:
        try:
            answer = await self._resolver.resolve_name(host, search=self._search)
        except (dns.exception.DNSException, OSError) as error:
            self._failing[host] = type(error).__name__
        else:
            self._failing.pop(host, None)
            self._last_good[host] = tuple(sorted(answer.addresses()))

    def forget_others(self, hosts: Iterable[str]) -> None:
        """Names that no service uses any more leave no memory and no trouble behind."""
        kept = set(hosts)
        self._last_good = {host: found for host, found in self._last_good.items() if host in kept}
        self._failing = {host: why for host, why in self._failing.items() if host in kept}


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ipaddress.ip_address(address).version == 6 else f"{address}:{port}"
