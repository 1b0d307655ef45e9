"""How a process learns at once that a broker went away, though its clients would reconnect in silence."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Self

RENEW_SECONDS = 240.0
"""Brokers close what says nothing for long (Kafka: `connections.max.idle.ms`, 10 minutes)."""


class Tripwire:
    """Connections to the brokers that say nothing. `cut` is set the moment one of them ends.

    A broker that restarts may have forgotten its topics, and takes records for topics it does not have. Whoever
    publishes must know before the next record, not at the next look.
    """

    def __init__(self) -> None:
        self.cut = asyncio.Event()
        self._laid = time.monotonic()
        self._wires: list[tuple[asyncio.Task[None], asyncio.StreamWriter]] = []

    @classmethod
    async def lay(cls, servers: Sequence[str]) -> Self:
        """Connect to every server that can be reached. Raises OSError where none can."""
        tripwire = cls()
        problem: OSError = ConnectionError("no servers")
        for server in servers:
            host, _, port = server.strip().rpartition(":")
            try:
                reader, writer = await asyncio.open_connection(host, int(port))
            except OSError as error:
                problem = error
            else:
                tripwire._wires.append((asyncio.create_task(tripwire._feel(reader)), writer))
        if not tripwire._wires:
            raise problem
        return tripwire

    @property
    def worn(self) -> bool:
        """Return whether it is time for a new one, before the brokers find this one idle."""
        return time.monotonic() - self._laid > RENEW_SECONDS

    async def _feel(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):  # a reset says the same as an end
            await reader.read(1)
        self.cut.set()

    async def close(self) -> None:
        """Take it away without setting `cut`."""
        for feeling, writer in self._wires:
            feeling.cancel()
            writer.close()
            with contextlib.suppress(OSError):  # the other side was faster
                await writer.wait_closed()
        await asyncio.gather(*(feeling for feeling, _ in self._wires), return_exceptions=True)
