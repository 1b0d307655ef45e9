"""What users are told about their videos, and when it is too late to tell it.

Every piece of news has an order, attempt * 1000 + rank. Of one video only news of a higher order than all before is
told: a download after its attempt's end, a second end, anything of an older attempt, anything after a removal is
not. A result that is adopted after a failure ranks above it, so `complete` may follow `error`; what nobody answered
for is no end yet, so every end may follow it; and nothing else does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from shared.contracts.events import (
    TransferProgressed,
    TransferStarted,
    VideoEvent,
    VideoFailed,
    VideoReady,
    VideoRemoved,
    VideoUnanswered,
    WorkflowFailed,
    WorkflowProgressed,
    WorkflowStarted,
)
from shared.contracts.videos import FailureCode
from shared.contracts.wire import iso

REMOVED_ORDER = 10**12


class Rank(IntEnum):
    """How far an attempt is."""

    UNKNOWN = 30
    STARTED = 31
    TRANSFERRING = 50
    UNANSWERED = 80
    FAILED = 90
    READY = 95
    CANCELLED = 99


_RANKS: Mapping[str, Rank] = {FailureCode.UNANSWERED: Rank.UNANSWERED, FailureCode.CANCELLED: Rank.CANCELLED}
"""Of the failures that are not simply FAILED."""


@dataclass(frozen=True, slots=True)
class News:
    """Something to store and tell. `source` names the event behind it: the same event is told once."""

    user_id: str
    video_id: str
    source: str
    order: int
    payload: dict[str, Any]

    @property
    def is_asked_about(self) -> bool:
        """Return whether it comes again until the gateway knows that it was told: it tells of an end, or of none."""
        return self.order >= REMOVED_ORDER or self.order % 1000 >= Rank.UNANSWERED


@dataclass(frozen=True, slots=True)
class PassingNews:
    """Progress: told to whoever listens now, as long as the video's order is below `before`; not stored."""

    user_id: str
    video_id: str
    before: int
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Notification:
    """A stored piece of news: number `seq` (1, 2, ...) of its user."""

    user_id: str
    seq: int
    video_id: str
    order: int
    payload: dict[str, Any]

    @property
    def body(self) -> dict[str, Any]:
        """Return the notification as clients see it."""
        return {**self.payload, "seq": self.seq}


def order(attempt: int, rank: Rank) -> int:
    """Return the place of `rank` of this attempt in the life of a video."""
    return attempt * 1000 + rank


def rendering_started(event: WorkflowStarted) -> News:
    """Return the news that the workflow has the attempt, or may have it."""
    message = "Your video is being rendered."
    if not event.certain:
        message = event.message or "Your video may be rendering. Waiting for its result."
    payload = _payload(event, "rendering", "progress", message)
    payload["estimated_completion"] = iso(event.estimated_completion)
    return _news(event, Rank.STARTED if event.certain else Rank.UNKNOWN, payload)


def download_started(event: TransferStarted) -> News | None:
    """Return the news that the file is being fetched; None for an adopted result: its user already saw the end."""
    if event.adopted:
        return None
    return _news(event, Rank.TRANSFERRING, _payload(event, "download", "progress", "Starting video download..."))


def completed(event: VideoReady) -> News:
    """Return the news that the video can be watched."""
    payload = _payload(event, "complete", "success", "Video downloaded and uploaded successfully!")
    payload["size"] = event.metadata.size
    return _news(event, Rank.READY, payload)


def failed(event: WorkflowFailed | VideoFailed | VideoUnanswered) -> News:
    """Return the news that there is no video of the attempt, or that nobody answers; `reason` is the plain message."""
    payload = _payload(event, "error", "error", "Video creation failed. Please try again.")
    payload |= {"code": event.code, "reason": event.message, "retryable": event.retryable}
    return _news(event, _RANKS.get(event.code, Rank.FAILED), payload)


def removed(event: VideoRemoved) -> News:
    """Return the news that the video is gone; nothing is told of it afterwards."""
    payload = _payload(event, "removed", "success", "The video was deleted.")
    return News(event.user_id, event.video_id, _source(event), REMOVED_ORDER, payload)


def rendering_progressed(event: WorkflowProgressed) -> PassingNews:
    """Return how far the workflow is; too late once the file is being fetched."""
    payload = _payload(event, "rendering", "progress", event.message or "Your video is being rendered.")
    if event.progress is not None:
        payload["progress"] = event.progress
    return PassingNews(event.user_id, event.video_id, order(event.attempt, Rank.TRANSFERRING), payload)


def transfer_progressed(event: TransferProgressed) -> PassingNews:
    """Return how much of the file is stored, or what holds it up; too late once the attempt shows as failed."""
    payload = _payload(event, "transfer", "progress", event.words or "Storing your video.")
    payload["transferredBytes"] = event.transferred_bytes
    if event.next_try_at is not None:
        payload["nextTryAt"] = iso(event.next_try_at)
    if event.size_bytes:
        payload |= {"sizeBytes": event.size_bytes, "progress": event.percent}
    return PassingNews(event.user_id, event.video_id, order(event.attempt, Rank.UNANSWERED), payload)


def _news(event: VideoEvent, rank: Rank, payload: dict[str, Any]) -> News:
    return News(event.user_id, event.video_id, _source(event), order(event.attempt, rank), payload)


def _source(event: VideoEvent) -> str:
    # With the type, because an id is unique only within what its producer names so.
    return f"{type(event).__name__}/{event.id}"


def _payload(event: VideoEvent, kind: str, status: str, message: str) -> dict[str, Any]:
    known: Mapping[str, object] = {"title": title} if (title := getattr(event, "title", None)) else {}
    return {
        "type": kind,
        "status": status,
        "message": message,
        "videoId": event.video_id,
        "attempt": event.attempt,
        **known,
        "timestamp": iso(event.time),
    }
