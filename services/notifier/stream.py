"""One open live stream: a bounded queue which its own task writes out."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import datetime

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

FAREWELL_SECONDS = 1.0

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


class Stream:
    """What waits for one client, and how the stream ends. `put`, `finish` and `cut` never block.

    `last` is the number of the newest notification given to it; while it is not `live` it still reads what it missed.
    `expires_at` is when its access token ends, `ends_at` the same by this process's monotonic clock.
    """

    __slots__ = (
        *("_ended", "_limit", "_queue", "_task", "_woken"),
        *("ends_at", "expires_at", "last", "live", "put_at", "warned"),
    )

    def __init__(self, limit: int, expires_at: datetime, ends_at: float) -> None:
        self.last = 0
        self.live = False
        self.expires_at = expires_at
        self.ends_at = ends_at
        self.warned = False
        self.put_at = time.monotonic()
        self._limit = limit
        self._queue: deque[bytes] = deque()
        self._woken: asyncio.Future[None] | None = None
        self._ended = False
        self._task: asyncio.Task[object] | None = None

    @property
    def ended(self) -> bool:
        """Return whether nothing new is taken any more."""
        return self._ended

    @property
    def idle(self) -> bool:
        """Return whether everything that was put has been written."""
        return not self._queue

    def put(self, frame: bytes) -> bool:
        """Queue `frame`; return False where the queue is full: the client is too slow and must be cut."""
        if self._ended:
            return True
        if len(self._queue) >= self._limit:
            return False
        self._queue.append(frame)
        self.put_at = time.monotonic()
        self._wake()
        return True

    def finish(self, farewell: bytes) -> None:
        """Send what waits and `farewell`, then end the stream; a client that does not take it in time is cut."""
        if self._ended:
            return
        self._queue.append(farewell)
        self._ended = True
        self._wake()
        asyncio.get_running_loop().call_later(FAREWELL_SECONDS, self.cut)

    def cut(self) -> None:
        """End the stream now, whatever waits: the client is gone or too slow, and resumes by id."""
        self._ended = True
        self._queue.clear()
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()

    async def frames(self) -> AsyncGenerator[bytes]:
        """Yield what is put, as much at once as there is, until the end."""
        while True:
            while self._queue:
                waiting = b"".join(self._queue)
                self._queue.clear()
                yield waiting
            if self._ended:
                return
            self._woken = asyncio.get_running_loop().create_future()
            await self._woken

    @contextlib.contextmanager
    def written_here(self) -> Iterator[None]:
        """Make the running task the one that `cut` stops, also where it waits for a client that does not read."""
        self._task = asyncio.current_task()
        try:
            yield
        except asyncio.CancelledError:
            if self._task is not None:
                raise  # not by `cut`
        finally:
            self._task = None

    def _wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)


class EventStream(Response):
    """The HTTP answer that writes a stream out: one task writes, one waits for the client to go away."""

    def __init__(self, stream: Stream, frames: AsyncGenerator[bytes], leave: Callable[[], None]) -> None:
        self.status_code = 200
        self.background = None
        self.raw_headers = list(_HEADERS)
        self._stream = stream
        self._frames = frames
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write until the stream ends, is cut, or the client goes away."""
        watch = asyncio.create_task(self._watch(receive))
        try:
            with self._stream.written_here():
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                async with contextlib.aclosing(self._frames) as frames:
                    async for chunk in frames:
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        finally:
            self._leave()
            watch.cancel()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._stream.cut()
