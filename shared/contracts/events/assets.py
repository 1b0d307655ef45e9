"""Topic `video.assets`: what became of the file (media)."""

from shared.contracts import topics
from shared.contracts.events.base import NotedEvent, VideoEvent
from shared.contracts.videos import VideoMetadata
from shared.contracts.wire import UtcTime


class TransferStarted(VideoEvent):
    """The file is being fetched and stored."""

    topic = topics.VIDEO_ASSETS
    title: str
    adopted: bool = False


class TransferProgressed(VideoEvent):
    """So many bytes are stored. Sent straight, without outbox.

    `message` says what keeps the file from being stored while it is tried again (at `next_try_at`, where that is
    known); without it all is well.
    """

    topic = topics.VIDEO_ASSETS
    title: str
    transferred_bytes: int
    size_bytes: int | None = None
    message: str | None = None
    next_try_at: UtcTime | None = None

    @property
    def percent(self) -> float | None:
        """How much of the file is stored; None where nobody has said how long it is."""
        return round(min(100.0, 100 * self.transferred_bytes / self.size_bytes), 1) if self.size_bytes else None

    @property
    def words(self) -> str | None:
        """What its owner is told: what holds it up, or how far it is where no percentage can say that."""
        if self.message or self.size_bytes or not self.transferred_bytes:
            return self.message
        return f"{self.transferred_bytes / 1e6:.1f} MB are stored so far."


class VideoReady(VideoEvent):
    """The file is stored, checked and can be watched."""

    topic = topics.VIDEO_ASSETS
    title: str
    s3_key: str
    poster_key: str | None = None
    metadata: VideoMetadata


class VideoFailed(VideoEvent):
    """The file could not be stored; nothing of it is left."""

    topic = topics.VIDEO_ASSETS
    title: str
    code: str
    message: str
    retryable: bool


class VideoRemoved(VideoEvent):
    """Record and objects of a deleted video are gone."""

    topic = topics.VIDEO_ASSETS


class TransferNoted(NotedEvent):
    """What media met on the way: tries that failed, workers that took over, connections that were resumed."""

    topic = topics.VIDEO_ASSETS
