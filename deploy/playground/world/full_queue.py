"""A port that answers no SYN: connecting there takes until the client's patience ends, as where packets are dropped.

Needs no right over the machine's network: a listening socket whose queue is full lets the kernel drop whatever knocks.
"""

import contextlib
import socket

_FILLERS = 8  # more than the shortest queue takes on any system


class FullQueue:
    """Listens at once. `close` frees the port. Raises OSError when it is taken."""

    def __init__(self, address: str, port: int) -> None:
        self._sockets: list[socket.socket] = []
        listener = self._socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections of the port may still be open
            listener.bind((address, port))
            listener.listen(0)
            for _ in range(_FILLERS):
                filler = self._socket()
                filler.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    filler.connect((address, port))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Resets what waits in the queue."""
        for one in self._sockets:
            one.close()
        self._sockets.clear()

    def _socket(self) -> socket.socket:
        self._sockets.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        return self._sockets[-1]
