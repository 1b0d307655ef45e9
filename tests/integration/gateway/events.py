"""What the other services say about a video, as they would."""

from datetime import UTC, datetime
from typing import Any

from shared.contracts.events import (
    TransferProgressed,
    TransferStarted,
    VideoFailed,
    VideoReady,
    WorkflowCompleted,
    WorkflowFailed,
    WorkflowProgressed,
    WorkflowRemoved,
    WorkflowStarted,
    event_id,
)
from shared.contracts.videos import VideoMetadata

METADATA = VideoMetadata(size=12345, duration=8.5, width=1280, height=720, codec="h264", sha256="ab" * 32)
ENDS = datetime(2030, 1, 2, 3, 4, 5, 678000, UTC)


def about(video_id: str, attempt: int, transition: str) -> dict[str, Any]:
    """Return what every event says of an attempt."""
    return {
        "id": event_id(video_id, attempt, transition),
        "video_id": video_id,
        "user_id": video_id.rpartition("_")[0],
        "attempt": attempt,
        "title": "A tour",
    }


def started(video_id: str, attempt: int = 1, **changes: Any) -> WorkflowStarted:
    fields = {"kind": "generate", "email": "a@example.com", "execution_id": "7", "estimated_completion": ENDS}
    return WorkflowStarted.model_validate({**about(video_id, attempt, "started"), **fields, **changes})


def progressed(video_id: str, percent: float, attempt: int = 1, message: str | None = None) -> WorkflowProgressed:
    return WorkflowProgressed(**about(video_id, attempt, f"progress {percent}"), progress=percent, message=message)


def completed(video_id: str, attempt: int = 1, *, adopted: bool = False) -> WorkflowCompleted:
    fields = {"email": "a@example.com", "execution_id": "7", "video_url": "http://n8n.test/a.mp4"}
    return WorkflowCompleted(**about(video_id, attempt, "completed"), **fields, adopted=adopted)


def workflow_failed(video_id: str, attempt: int = 1, code: str = "WORKFLOW_FAILED") -> WorkflowFailed:
    fields = {"email": "a@example.com", "code": code, "message": "It broke.", "retryable": True}
    return WorkflowFailed.model_validate({**about(video_id, attempt, "failed"), **fields})


def workflow_removed(video_id: str) -> WorkflowRemoved:
    return WorkflowRemoved(**about(video_id, 1, "workflow_removed"))


def transfer_started(video_id: str, attempt: int = 1) -> TransferStarted:
    return TransferStarted(**about(video_id, attempt, "transfer_started"))


def transferred(
    video_id: str, done: int, size: int | None, attempt: int = 1, message: str | None = None
) -> TransferProgressed:
    fields = about(video_id, attempt, f"transferred {done}")
    return TransferProgressed(**fields, transferred_bytes=done, size_bytes=size, message=message)


def video_failed(
    video_id: str, attempt: int = 1, code: str = "SOURCE_UNREACHABLE", *, retryable: bool = True
) -> VideoFailed:
    fields = about(video_id, attempt, "transfer_failed")
    return VideoFailed(**fields, code=code, message="The file could not be fetched.", retryable=retryable)


def ready(video_id: str, attempt: int = 1, **changes: Any) -> VideoReady:
    user_id, _, timestamp = video_id.rpartition("_")
    fields = {
        "s3_key": f"videos/{user_id}/{timestamp}.mp4",
        "poster_key": f"videos/{user_id}/{timestamp}.jpg",
        "metadata": METADATA,
        "time": datetime.now(UTC),
    }
    return VideoReady.model_validate({**about(video_id, attempt, "ready"), **fields, **changes})
