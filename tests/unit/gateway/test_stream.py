"""How a live stream that is passed on ends when the gateway stops."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any, cast

import httpx
import pytest

from services.gateway.stream import PassedOnStream


class Upstream:
    """A notifier's answer that brings one chunk and then stays open."""

    def __init__(self, chunk: bytes) -> None:
        self.chunk = chunk
        self.passed = asyncio.Event()

    async def aiter_raw(self) -> AsyncIterator[bytes]:
        yield self.chunk
        self.passed.set()
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        return


@pytest.mark.parametrize(
    ("chunk", "told"),
    [(b"event: a\ndata: {}\n\n", True), (b":\n\n", True), (b"event: a\ndata: {", False), (b"data: {}\n", False)],
)
async def test_a_stop_tells_the_client_to_come_back_unless_an_event_is_half_sent(chunk: bytes, *, told: bool) -> None:
    upstream, closing, sent = Upstream(chunk), asyncio.Event(), [b""]
    released: list[bool] = []

    async def receive() -> dict[str, str]:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message.get("body", b""))

    stream = PassedOnStream(cast("httpx.Response", upstream), closing, lambda: released.append(True))
    passing = asyncio.create_task(stream({"type": "http"}, receive, send))
    await upstream.passed.wait()
    closing.set()
    await passing
    heard = b"".join(sent)
    assert heard.startswith(chunk)
    assert (b"event: reconnect" in heard) is told
    assert released == [True]
