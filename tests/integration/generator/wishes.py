"""What the owner of a video wants of it, as the gateway tells it."""

from typing import Any

from shared.contracts.events import VideoCancelled, VideoDeleted, VideoRequested, VideoRetryRequested, event_id


def retry_of(event: VideoRequested, attempt: int = 2, **changes: Any) -> VideoRetryRequested:
    return VideoRetryRequested(
        **{
            "id": event_id(event.video_id, attempt, "requested"),
            "video_id": event.video_id,
            "user_id": event.user_id,
            "attempt": attempt,
            "kind": event.kind,
            "restart": "workflow",
            "request_id": event.request_id,
            "title": event.title,
            "email": event.email,
            "fields": event.fields,
            **changes,
        }
    )


def cancelled(video_id: str, attempt: int = 1) -> VideoCancelled:
    id_ = event_id(video_id, attempt, "cancelled")
    return VideoCancelled(id=id_, video_id=video_id, user_id="ann", attempt=attempt, title="Rates")


def deleted(video_id: str) -> VideoDeleted:
    return VideoDeleted(id=event_id(video_id, 1, "deleted"), video_id=video_id, user_id="ann", attempt=1, title="Rates")
