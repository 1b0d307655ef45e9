"""Everybody who listens in this process: who may join, what reaches them, one clock for all of them."""

import asyncio
import time
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta

import structlog
from pymongo.errors import PyMongoError

from services.notifier import frames
from services.notifier.channel import Channel
from services.notifier.domain import Notification
from services.notifier.settings import NotifierSettings
from services.notifier.store import LARGEST_SEQ, Store
from services.notifier.stream import Stream
from shared.contracts.wire import iso, utc_now
from shared.wiring.metrics import Metrics
from shared.wiring.sse import reconnect

TICK_SECONDS = 1.0
AUDIT_OVERLAP = timedelta(minutes=1)

log = structlog.get_logger(__name__)


class TooManyStreamsError(Exception):
    """The user has as many streams open here as one may have."""


class StoppingError(Exception):
    """The process stops and takes no more streams."""


class Audience:
    """The live streams of one process, by user. What is not `async` here never blocks and awaits nothing."""

    def __init__(self, store: Store, metrics: Metrics, settings: NotifierSettings) -> None:
        self._store = store
        self._metrics = metrics
        self._settings = settings
        self._channels: dict[str, Channel] = {}
        self._stopping = False

    async def join(self, user_id: str, expires_at: datetime) -> tuple[Stream, Channel]:
        """Return a new stream of the user. Raises TooManyStreamsError, StoppingError, PyMongoError."""
        if self._stopping:
            raise StoppingError
        channel = self._channels.get(user_id)
        if channel is None:
            channel = self._channels[user_id] = Channel(user_id, self._store, self._metrics)
        if len(channel.streams) >= self._settings.streams_per_user:
            raise TooManyStreamsError
        ends_at = time.monotonic() + (expires_at - utc_now()).total_seconds()
        stream = Stream(self._settings.stream_queue, expires_at, ends_at)
        channel.streams.add(stream)
        self._metrics.streams.inc()
        try:
            await asyncio.shield(channel.opening)
        except BaseException:
            self.leave(stream, channel)
            raise
        return stream, channel

    def leave(self, stream: Stream, channel: Channel) -> None:
        """Forget the stream, and the user's channel with their last one."""
        if stream not in channel.streams:
            return
        channel.streams.remove(stream)
        self._metrics.streams.dec()
        if not channel.streams:
            channel.close()
            self._channels.pop(channel.user_id, None)

    async def frames(self, stream: Stream, channel: Channel, last_event_id: str | None) -> AsyncGenerator[bytes]:
        """Yield all that goes over the stream: the past the client asks for, `ready`, then what happens."""
        yield frames.retry(self._settings.stream_retry)
        most = self._settings.snapshot_most
        try:
            reason = self._place(stream, channel, last_event_id)
            if reason is not None:
                yield await channel.reset(stream, reason, most)
            async for missed in channel.catch_up(stream, most):
                yield missed
        except PyMongoError as error:
            log.warning("streams.replay_failed", error=repr(error))  # the client comes back with its last id
            self._metrics.streams_cut.labels(reason="database").inc()
            return
        yield frames.frame("ready", {"seq": stream.last}, seq=stream.last)
        async for waiting in stream.frames():
            yield waiting

    def give(self, notification: Notification) -> None:
        """Give a notification that was just stored to its user's streams here."""
        channel = self._channels.get(notification.user_id)
        if channel is not None:
            channel.give(notification)

    def wake(self, user_id: str, seq: int) -> None:
        """Make the user's streams here look for notifications up to number `seq`."""
        channel = self._channels.get(user_id)
        if channel is not None:
            channel.hear(seq)

    def channel(self, user_id: str) -> Channel | None:
        """Return the user's channel, None while nobody listens here."""
        return self._channels.get(user_id)

    async def run(self) -> None:
        """Heartbeats, expiring tokens and the audit, for all streams, until cancelled."""
        audited = time.monotonic()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            for stream in [stream for channel in self._channels.values() for stream in channel.streams]:
                self._tick(stream, now)
            if now - audited >= self._settings.audit_every.total_seconds():
                await self._audit()
                audited = now

    def stop(self) -> None:
        """Tell every stream to come back elsewhere, end it, and let nobody join any more."""
        self._stopping = True
        for channel in self._channels.values():
            for stream in list(channel.streams):
                self._metrics.streams_cut.labels(reason="stopping").inc()
                stream.finish(reconnect(self._settings.stream_retry))

    def _place(self, stream: Stream, channel: Channel, last_event_id: str | None) -> str | None:
        """Put the stream where its client left off; return why that is not possible, None where it is."""
        stream.last = channel.last
        if last_event_id is None:
            return None
        if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= len(str(LARGEST_SEQ))):
            return "unknown-id"
        asked = int(last_event_id)
        if asked > channel.last:
            return "unknown-id"
        if channel.last - asked > self._settings.replay_most:
            return "too-many"
        stream.last = asked
        return None

    def _tick(self, stream: Stream, now: float) -> None:
        if now >= stream.ends_at:
            if not stream.ended:
                self._metrics.streams_cut.labels(reason="token_expired").inc()
                stream.finish(b": the access token has ended\n\n")
        elif not stream.warned and now >= stream.ends_at - self._settings.auth_expiring_before.total_seconds():
            stream.warned = True
            data = {"expiresAt": iso(stream.expires_at), "inSeconds": round(stream.ends_at - now)}
            stream.put(frames.frame("auth-expiring", data))
        elif stream.idle and now - stream.put_at >= self._settings.stream_heartbeat.total_seconds():
            stream.put(frames.HEARTBEAT)

    async def _audit(self) -> None:
        """Ask once for all users what moved lately, so that no stream depends on a wake-up arriving."""
        if not self._channels:
            return
        try:
            for user_id, seq in await self._store.moved_since(utc_now() - AUDIT_OVERLAP):
                self.wake(user_id, seq)
        except PyMongoError as error:
            log.warning("streams.audit_failed", error=repr(error))
