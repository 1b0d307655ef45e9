"""A deployment restarts what serves live streams: they are told to come back, and the process ends in time."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from urllib.parse import urlsplit

import pytest

from deploy.local.stack import LocalStack
from tests.conftest import User
from tests.driving import eventually

pytestmark = pytest.mark.timeout(240)

USERS, STREAMS_EACH = 10, 100  # to register people is the slow part
GRACE_SECONDS = 20
OPENED, AGAIN_SECONDS = b"HTTP/1.1 200 ", 1.0


class OpenStream:
    """One live stream over a bare connection: a thousand HTTP clients would be the slow part of the test."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._host, self._port, self._token = host, port, token
        self.heard = b""
        self.ended = False

    async def listen(self) -> None:
        """Read until the server ends the stream; as browsers do, come again where it was too busy to open one."""
        while not self.heard.startswith(OPENED):
            self.heard = b""
            with contextlib.suppress(ConnectionError):
                await self._listen_once()
            await asyncio.sleep(AGAIN_SECONDS)
        self.ended = True

    async def _listen_once(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        request = (
            "GET /api/notifications/stream HTTP/1.1",
            f"Host: {self._host}:{self._port}",
            f"Authorization: Bearer {self._token}",
            "Connection: close",
            "\r\n",
        )
        writer.write("\r\n".join(request).encode())
        try:
            while data := await reader.read(65_536):
                self.heard += data
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def a_thousand_streams(stack: LocalStack, tokens: list[str]) -> AsyncIterator[list[OpenStream]]:
    address = urlsplit(stack.url("gateway"))
    streams = [
        OpenStream(str(address.hostname), address.port or 0, token) for token in tokens for _ in range(STREAMS_EACH)
    ]
    reading = [asyncio.create_task(stream.listen()) for stream in streams]
    try:
        await eventually(lambda: _all(b"retry:" in stream.heard for stream in streams), "a thousand streams", 120)
        yield streams
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def _all(found: Iterable[bool]) -> bool:
    return all(found)


@pytest.mark.parametrize("name", ["notifier", "gateway"])
async def test_a_thousand_streams_do_not_hold_up_a_stop(
    stack: LocalStack, new_user: Callable[[], Awaitable[User]], name: str
) -> None:
    tokens = [(await new_user()).token for _ in range(USERS)]
    async with a_thousand_streams(stack, tokens) as streams:
        began = time.monotonic()
        await stack.stop(name)
        assert time.monotonic() - began < GRACE_SECONDS
        assert stack.children[name].exit_code() == 0, "it was killed"
        await eventually(lambda: _all(stream.ended for stream in streams), "all streams ended", 60)
        assert all(b"event: reconnect" in stream.heard for stream in streams)
        await stack.start(name)
