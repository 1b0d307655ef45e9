"""The open streams of one user in this process, and how far they have been told."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator

import structlog
from pymongo.errors import PyMongoError

from services.notifier import frames
from services.notifier.domain import Notification
from services.notifier.snapshot import newest_per_video
from services.notifier.store import Store
from services.notifier.stream import Stream
from shared.wiring.metrics import Metrics

READ_AT_ONCE = 100
_VIDEOS_REMEMBERED = 200

log = structlog.get_logger(__name__)


class Channel:
    """Gives each live stream of one user every notification once, in order, as one bytes object shared by all.

    `last` is the newest number all live streams have. What is exactly last + 1 is given straight; news of anything
    further makes the channel read what lies between. So a wake-up that got lost costs time, never a notification.
    """

    def __init__(self, user_id: str, store: Store, metrics: Metrics) -> None:
        self.user_id = user_id
        self.streams: set[Stream] = set()
        self.last = 0
        self._store = store
        self._metrics = metrics
        self._heard = 0
        self._reading: asyncio.Task[None] | None = None
        self._told: OrderedDict[str, int] = OrderedDict()
        self.opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        self.last = await self._store.last_seq(self.user_id)

    def give(self, notification: Notification) -> None:
        """Give a stored notification to the live streams."""
        if not self.opening.done() or notification.seq != self.last + 1:
            self.hear(notification.seq)
            return
        self.last = notification.seq
        self._remember(notification)
        for stream in self._spread(frames.update(notification), notification.payload["type"]):
            stream.last = notification.seq

    def hear(self, seq: int) -> None:
        """Take note that number `seq` exists, and read what is missing up to it."""
        self._heard = max(self._heard, seq)
        if self.opening.done() and self._heard <= self.last:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())

    def pass_on(self, frame: bytes, kind: str, video_id: str, before: int) -> None:
        """Show `frame` to the live streams unless its video's order has reached `before` by now."""
        if self._told.get(video_id, 0) < before:
            self._spread(frame, kind)

    async def catch_up(self, stream: Stream, snapshot_most: int) -> AsyncGenerator[bytes]:
        """Yield what `stream` missed after its `last`; when this ends the stream is live."""
        while stream.last < self.last and not stream.ended:
            missed = await self._store.between(self.user_id, stream.last, min(stream.last + READ_AT_ONCE, self.last))
            if not missed or missed[0].seq != stream.last + 1 or missed[-1].seq != stream.last + len(missed):
                yield await self.reset(stream, "expired", snapshot_most)
                continue
            stream.last = missed[-1].seq
            self._metrics.stream_events.labels(type="replay").inc(len(missed))
            yield b"".join(frames.update(notification) for notification in missed)
        stream.live = True  # nothing was awaited since the last comparison: no notification can slip through

    async def reset(self, stream: Stream, reason: str, most: int) -> bytes:
        """Return the one event that stands in for history which can't be told, and put `stream` after it.

        One event, so that a client cut in the middle of it asks again from where it was.
        """
        seq = self.last
        newest = await newest_per_video(self._store, self.user_id, seq, most)
        stream.last = seq
        self._metrics.stream_events.labels(type="reset").inc()
        data = {"reason": reason, "notifications": [notification.body for notification in newest]}
        return frames.frame("reset", data, seq=seq)

    def close(self) -> None:
        """Stop reading: nobody listens any more."""
        self.opening.cancel()
        if self._reading is not None:
            self._reading.cancel()

    def _remember(self, notification: Notification) -> None:
        self._told[notification.video_id] = notification.order
        self._told.move_to_end(notification.video_id)
        if len(self._told) > _VIDEOS_REMEMBERED:
            self._told.popitem(last=False)

    def _spread(self, frame: bytes, kind: str) -> list[Stream]:
        live = [stream for stream in self.streams if stream.live and not stream.ended]
        for stream in live:
            if not stream.put(frame):
                self._metrics.streams_cut.labels(reason="slow").inc()
                stream.cut()
        self._metrics.stream_events.labels(type=kind).inc(len(live))
        return live

    async def _read(self) -> None:
        try:
            await self.opening
            while self.last < self._heard:
                await self._read_some()
        except PyMongoError as error:
            log.warning("streams.read_failed", error=repr(error))  # the audit asks again

    async def _read_some(self) -> None:
        before = self.last
        for notification in await self._store.between(self.user_id, before, before + READ_AT_ONCE):
            if notification.seq == self.last + 1:
                self.give(notification)
        if self.last == before:
            await self._judge_silence(before)

    async def _judge_silence(self, before: int) -> None:
        """Number before + 1 was announced and is not there: nothing came, or it is gone for good."""
        newest = await self._store.last_seq(self.user_id)
        if newest <= before:
            self._heard = self.last
        elif self.last == before and not await self._store.between(self.user_id, before, before + 1):
            log.error("streams.gap", after=before, newest=newest)
            self.last = newest
            for stream in list(self.streams):
                self._metrics.streams_cut.labels(reason="gap").inc()
                stream.cut()  # it comes back with its last id and is told of the gap
