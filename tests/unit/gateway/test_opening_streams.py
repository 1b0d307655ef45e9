"""Many live streams that are to be opened at once: a few at a time are asked for, and a stop does not wait for them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from starlette.responses import Response

from services.gateway import notifier as module
from services.gateway.notifier import OPENING_AT_ONCE, Notifier, NotifierAwayError
from services.gateway.stream import PassedOnStream
from shared.wiring.metrics import Metrics
from tests.waiting import until

MANY = 2 * OPENING_AT_ONCE


class SlowNotifier:
    """Takes every request, and opens as many of the streams as it is allowed to."""

    def __init__(self) -> None:
        self.asked = 0
        self.serving = 0
        self.allowed = asyncio.Semaphore(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            await self.allowed.acquire()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            await reader.read()
        writer.close()
        self.serving -= 1

    def open(self, count: int) -> None:
        for _ in range(count):
            self.allowed.release()


class Openings:
    """Streams that are being opened through one gateway."""

    def __init__(self, gateway: Notifier, upstream: SlowNotifier) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.tasks: list[asyncio.Task[Response]] = []

    async def begin(self, count: int) -> None:
        """Return once the notifier was asked for as many as it is asked for at once."""
        self.tasks += [asyncio.create_task(self.gateway.stream(f"user{n}", "/s", "", {})) for n in range(count)]
        await until(lambda: self.upstream.asked >= OPENING_AT_ONCE)

    def done(self) -> list[asyncio.Task[Response]]:
        return [task for task in self.tasks if task.done()]


@pytest_asyncio.fixture
async def openings() -> AsyncIterator[Openings]:
    upstream = SlowNotifier()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    gateway = Notifier(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", MANY, Metrics())
    openings = Openings(gateway, upstream)
    try:
        yield openings
    finally:
        for task in openings.tasks:
            task.cancel()
        await asyncio.gather(*openings.tasks, return_exceptions=True)
        await gateway.close()
        server.close()
        upstream.open(MANY)
        await until(lambda: upstream.serving == 0)


async def test_the_notifier_is_asked_for_a_few_at_a_time(openings: Openings) -> None:
    await openings.begin(MANY)
    openings.upstream.open(1)
    await until(lambda: openings.upstream.asked == OPENING_AT_ONCE + 1)
    assert len(openings.done()) == 1
    openings.upstream.open(MANY)
    opened = await asyncio.gather(*openings.tasks)
    assert all(isinstance(response, PassedOnStream) for response in opened)
    assert openings.upstream.asked == MANY


async def test_who_waits_too_long_for_a_turn_is_told_and_the_notifier_was_not_asked(
    openings: Openings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await openings.begin(OPENING_AT_ONCE)
    monkeypatch.setattr(module, "OPENING_SECONDS", 0.05)
    with pytest.raises(NotifierAwayError):
        await openings.gateway.stream("ann", "/s", "", {})
    assert openings.upstream.asked == OPENING_AT_ONCE


async def test_a_stop_ends_those_being_opened(openings: Openings) -> None:
    await openings.begin(MANY)
    openings.gateway.close_streams()
    async with asyncio.timeout(5):
        ended = await asyncio.gather(*openings.tasks, return_exceptions=True)
    assert all(isinstance(error, NotifierAwayError) for error in ended)
    assert openings.upstream.asked == OPENING_AT_ONCE
