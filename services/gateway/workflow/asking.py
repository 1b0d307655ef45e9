"""What the gateway asks of the other services about a video: events with the same id however often they are made."""

from datetime import datetime, timedelta

from services.gateway.domain import UNANSWERED, Accepted, Restart, Stage, Video, VideoRequest
from shared.contracts.events import (
    VideoCancelled,
    VideoDeleted,
    VideoEvent,
    VideoImportRequested,
    VideoRequested,
    VideoRetryRequested,
    VideoUnanswered,
)
from shared.contracts.naming import naming


def asked(video: Video) -> tuple[VideoEvent, ...]:
    """Return what was asked about the newest attempt of `video`, in order; none for an attempt of unknown origin."""
    if video.attempt == 1:
        first: VideoEvent = requested(_accepted(video), _request(video))
    elif video.restart is not None:
        first = retried(video, video.restart)
    else:
        return ()
    return (first, cancelled(video, video.updated_at)) if video.stage is Stage.CANCELLED else (first,)


def requested(accepted: Accepted, request: VideoRequest) -> VideoRequested | VideoImportRequested:
    """Return the event of a new video."""
    about = {
        **naming(accepted.video_id, request.user_id, 1, "requested"),
        "time": accepted.accepted_at,
        "request_id": accepted.request_id,
        "title": request.title,
    }
    if request.kind == "import":
        return VideoImportRequested.model_validate({**about, "video_url": request.source_url})
    wanted = {"kind": request.kind, "email": request.email, "fields": dict(request.fields or {})}
    return VideoRequested.model_validate({**about, **wanted, "expected_seconds": accepted.expected_seconds})


def retried(video: Video, restart: Restart) -> VideoRetryRequested:
    """Return the event of the newest attempt of `video`, which is not its first and starts at `restart`."""
    return VideoRetryRequested(
        **naming(video.video_id, video.user_id, video.attempt, "retry_requested"),
        time=video.requested_at or video.updated_at,
        kind=video.kind,
        restart=restart,
        request_id=video.request_id,
        title=video.title,
        email=video.email,
        fields=video.fields,
        video_url=video.source_url or (video.result_url if restart == "transfer" else None),
        s3_key=video.result_key if restart == "transfer" else None,
        expected_seconds=video.expected_seconds,
        takes_result=video.takes_result,
    )


def cancelled(video: Video, at: datetime) -> VideoCancelled:
    """Return the event of an attempt that its owner stopped at `at`."""
    about = naming(video.video_id, video.user_id, video.attempt, "cancelled")
    return VideoCancelled(**about, time=at, title=video.title)


def unanswered(video: Video, at: datetime) -> VideoUnanswered:
    """Return the event of an attempt that nobody answered for until `at`."""
    return VideoUnanswered(
        **naming(video.video_id, video.user_id, video.attempt, "unanswered"),
        time=at,
        title=video.title,
        code=UNANSWERED.code,
        message=UNANSWERED.message,
        retryable=UNANSWERED.retryable,
    )


def deleted(video_id: str, user_id: str, attempt: int, title: str = "") -> VideoDeleted:
    """Return the event of a deleted video; its tombstone knows the title no more."""
    return VideoDeleted(**naming(video_id, user_id, attempt, "deleted"), title=title)


def _accepted(video: Video) -> Accepted:
    promised_for = video.created_at + timedelta(seconds=video.expected_seconds or 0)
    return Accepted(video.video_id, video.request_id, video.kind, video.created_at, promised_for)


def _request(video: Video) -> VideoRequest:
    return VideoRequest(video.user_id, video.kind, video.title, video.email, video.fields, video.source_url)
