"""A TCP proxy in front of one engine, or of a service's replicas, which can cut, refuse and stall what passes."""

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Iterator

_BLOCK_BYTES = 65_536
_LOOPBACK = "127.0.0.1"


class Proxy:
    """Passes everything from one loopback port to others until it is told otherwise. Blocks nobody.

    With several targets each connection goes to the next one that takes it.
    """

    def __init__(self, listen: int, *targets: int) -> None:
        self.port = listen
        self._targets = deque(targets)
        self._server: asyncio.Server | None = None
        self._opening = asyncio.Lock()  # two disruptions of one proxy may end at once
        self._writers: set[asyncio.StreamWriter] = set()
        self._joins: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def open(self) -> None:
        """Listen."""
        async with self._opening:
            if self._server is None:
                self._server = await asyncio.start_server(self._accept, _LOOPBACK, self.port)

    async def close(self) -> None:
        """Refuse every new connection and cut those there are."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self.cut()
        for join in list(self._joins):
            join.cancel()
        await asyncio.gather(*self._joins, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection there is; new ones are let through."""
        for writer in list(self._writers):
            _reset(writer)

    async def refuse(self) -> None:
        """Be as an address where nobody listens, until `heal`."""
        await self.close()

    def stall(self) -> None:
        """Take connections and bytes, but pass nothing on until `heal`: as a network that swallows packets."""
        self._flowing.clear()

    async def heal(self) -> None:
        """Pass everything again."""
        self._flowing.set()
        await self.open()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        join = asyncio.create_task(self._join(reader, writer))
        self._joins.add(join)
        join.add_done_callback(self._joins.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._kept(writer):
            await self._flowing.wait()
            far = await self._far_side()
            if far is None:
                _reset(writer)  # nobody listens there: the client is to see that at once
                return
            far_reader, far_writer = far
            with self._kept(far_writer):
                await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

    async def _far_side(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        self._targets.rotate(-1)
        for target in tuple(reversed(self._targets)):  # others rotate them meanwhile
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(_LOOPBACK, target)
        return None

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(_BLOCK_BYTES):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except OSError:
            _reset(writer)

    @contextlib.contextmanager
    def _kept(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close the connection so that the other side sees a reset, not an end."""
    connection = writer.get_extra_info("socket")
    if connection is not None and not writer.transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
