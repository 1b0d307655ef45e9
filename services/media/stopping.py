"""How a transfer's thread is stopped from outside, even while it waits for a silent peer."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class StoppedError(Exception):
    """The transfer was told to stop; nobody waits for its result."""


class Stop:
    """One transfer's stop sign. Thread-safe; `stop` never blocks."""

    def __init__(self) -> None:
        self._told = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()

    def stop(self) -> None:
        """Tell the transfer to end, and wake it where it waits on one of its connections."""
        with self._lock:
            self._told.set()
            for connection in self._sockets:
                _wake(connection)

    def check(self) -> None:
        """Return while the transfer may go on. Raises StoppedError."""
        if self._told.is_set():
            raise StoppedError

    def pause(self, seconds: float) -> None:
        """Wait `seconds`. Raises StoppedError as soon as the transfer is stopped."""
        if self._told.wait(seconds):
            raise StoppedError

    @contextlib.contextmanager
    def waking(self, connection: socket.socket) -> Iterator[None]:
        """Wake a wait on `connection` when the transfer is stopped meanwhile. Raises StoppedError."""
        with self._lock:
            self.check()
            self._sockets.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._sockets.discard(connection)


@contextlib.contextmanager
def limited(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Let what reads from `connection` in here take `seconds` in all, however little comes at a time.

    Raises TimeoutError in place of whatever the reader made of the sudden end.
    """
    over = threading.Event()

    def end() -> None:
        over.set()
        _wake(connection)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if over.is_set():
            raise TimeoutError(f"not done within {seconds:g} s")


def _wake(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # already closed: then nobody waits on it
        # Not connection.shutdown: a TLS socket's own would take its state away under the thread that reads.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
