"""Topic `video.requests`: what users asked for, and that nobody answered (gateway)."""

from typing import Any, Literal

from shared.contracts import topics
from shared.contracts.events.base import VideoEvent
from shared.contracts.videos import VideoKind


class VideoRequested(VideoEvent):
    """A user asked for a video to be rendered; `fields` are the request's own, under their wire names.

    `expected_seconds` is how long such a video takes by this installation's own history, where that is known.
    """

    topic = topics.VIDEO_REQUESTS
    kind: Literal["create", "generate"]
    request_id: str
    title: str
    email: str
    fields: dict[str, Any]
    expected_seconds: float | None = None


class VideoImportRequested(VideoEvent):
    """A user asked for a file at `video_url` to be stored."""

    topic = topics.VIDEO_REQUESTS
    request_id: str
    title: str
    video_url: str


class VideoRetryRequested(VideoEvent):
    """A user asked for another attempt (`attempt` is the new one), starting again at the stage that failed.

    `video_url` or `s3_key` is where an earlier attempt's file is; `expected_seconds` as in VideoRequested.
    `takes_result` says that the attempt before did not fail at its file: where it has a result after all, that is taken
    and nothing is rendered.
    """

    topic = topics.VIDEO_REQUESTS
    kind: VideoKind
    restart: Literal["workflow", "transfer"]
    request_id: str
    title: str
    email: str | None = None
    fields: dict[str, Any] | None = None
    video_url: str | None = None
    s3_key: str | None = None
    expected_seconds: float | None = None
    takes_result: bool = False


class VideoCancelled(VideoEvent):
    """A user stopped this attempt; it stays failed with code CANCELLED whatever comes later."""

    topic = topics.VIDEO_REQUESTS
    title: str


class VideoUnanswered(VideoEvent):
    """Nobody answered for this attempt for too long: it shows as failed (UNANSWERED) until more is heard of it."""

    topic = topics.VIDEO_REQUESTS
    title: str
    code: str
    message: str
    retryable: bool


class VideoDeleted(VideoEvent):
    """A user deleted the video, every attempt of it, for ever."""

    topic = topics.VIDEO_REQUESTS
    title: str
