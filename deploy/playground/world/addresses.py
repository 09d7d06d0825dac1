"""Loopback addresses for pods: each playground takes a network 127.A.B.0/24 of its own, so that two never meet."""

import errno
import random
import socket

_TRIES = 50
_NEVER_GIVEN = (10_000, 32_768)  # below what Linux gives to outgoing connections
_LOTS = random.SystemRandom()
_MARK_PORT = 65001  # on the last address of a network, bound as long as the network is in use


class NoAddresses(OSError):
    """This machine gives no loopback addresses to pods; the text says what to do."""


class PodNetwork:
    """A network taken at `start()` and given back at `stop()`. Raises NoAddresses where binding does not work."""

    def __init__(self) -> None:
        self._mark: socket.socket | None = None
        self._prefix = ""
        self._next = 0
        self._given: set[str] = set()

    @property
    def network(self) -> str:
        """`127.A.B.0/24`. Known after start."""
        if not self._prefix:
            raise RuntimeError("The pod network has no addresses yet: call start() first")
        return f"{self._prefix}.0/24"

    def start(self) -> None:
        """Takes a random free network."""
        for _ in range(_TRIES):
            prefix = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}"
            mark = socket.socket()
            try:
                mark.bind((f"{prefix}.254", _MARK_PORT))
            except OSError as error:
                mark.close()
                if error.errno == errno.EADDRINUSE:
                    continue
                raise NoAddresses(error.errno, _not_here(f"{prefix}.254", error)) from error
            mark.listen(1)
            self._mark, self._prefix, self._next = mark, prefix, 0
            return
        raise NoAddresses(
            errno.EADDRINUSE, f"No free 127.A.B.0/24 in {_TRIES} tries: stop other playgrounds on this machine first"
        )

    def stop(self) -> None:
        """Gives the network back."""
        mark, self._mark = self._mark, None
        if mark is not None:
            mark.close()
        self._prefix = ""
        self._given.clear()

    def next_pod_ip(self) -> str:
        """An address no other pod has now, the least recently used first. Raises NoAddresses when all 250 are taken."""
        network = self.network
        for _ in range(250):
            self._next = self._next % 250 + 1
            address = f"{self._prefix}.{self._next}"
            if address not in self._given:
                self._given.add(address)
                return address
        raise NoAddresses(
            errno.EADDRNOTAVAIL, f"All 250 pod addresses of {network} are in use: delete pods before new ones start"
        )

    def give_back(self, address: str) -> None:
        """The pod with this address is gone."""
        self._given.discard(address)


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port nobody listens on at the moment. Raises NoAddresses when the address cannot be bound.

    Not one of those that the system gives to outgoing connections and to whoever asks for any: it would give it away again
    before it is listened on.
    """
    for _ in range(_TRIES):
        port = _LOTS.randrange(*_NEVER_GIVEN)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise NoAddresses(error.errno, _not_here(address, error)) from error
            else:
                return port
    raise NoAddresses(errno.EADDRINUSE, f"{_TRIES} ports of {address} were taken, one after the other; end what listens there")


def _not_here(address: str, error: OSError) -> str:
    return (
        f"Cannot bind {address} ({error.strerror}): pods of the playground need addresses of 127.0.0.0/8 other than 127.0.0.1, "
        "which Linux has by itself; run the playground on Linux or in a Linux container"
    )
