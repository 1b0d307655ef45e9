"""A live stream on its way through: nothing is held back, and whichever side goes takes the other with it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import httpx
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.wiring.sse import reconnect

RECONNECT_AFTER = timedelta(seconds=2)

log = structlog.get_logger(__name__)


class PassedOnStream(Response):
    """Sends on what `upstream` brings until it ends, the client goes or `closing` is set; then calls `release`."""

    def __init__(self, upstream: httpx.Response, closing: asyncio.Event, release: Callable[[], None]) -> None:
        super().__init__(
            media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        del self.headers["content-length"]
        self._upstream = upstream
        self._closing = closing
        self._release = release
        self._between_events = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the stream on to its end."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._until_first_end(receive, send)
            await send({"type": "http.response.body", "body": self._farewell()})
        finally:
            self._release()
            await self._upstream.aclose()

    async def _until_first_end(self, receive: Receive, send: Send) -> None:
        ends = [
            asyncio.ensure_future(self._pass_on(send)),
            asyncio.ensure_future(_gone(receive)),
            asyncio.ensure_future(self._closing.wait()),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    def _farewell(self) -> bytes:
        """Return the hint to come back where we stop; an event that is cut in its middle is left as it is."""
        return reconnect(RECONNECT_AFTER) if self._closing.is_set() and self._between_events else b""

    async def _pass_on(self, send: Send) -> None:
        try:
            async for chunk in self._upstream.aiter_raw():
                self._between_events = chunk.endswith(b"\n\n")
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except httpx.HTTPError as error:
            log.info("stream.broken", error=repr(error))  # the browser reconnects, with its last id


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
