"""What the gateway answers with: the contract's shapes, from what the database holds."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from services.gateway.domain import Accepted, Video
from services.gateway.forecast import nearest_rank
from services.gateway.objects import SignedUrls
from services.gateway.store.tally import Numbers
from services.gateway.timeline.entry import Entry, sentence
from services.gateway.timeline.standing import standing, why
from shared.contracts.videos import FailureCode, VideoStatus
from shared.contracts.wire import iso, utc_now
from shared.delivery.outbox import Document

ACCEPTED = {
    "create": ("Video generation started successfully", "Video generation is running in the background"),
    "generate": ("Video generation started successfully", "Video generation is running in the background"),
    "import": ("Video download started successfully", "Video download is running in the background"),
}

Shape = dict[str, Any]


def accepted_shape(accepted: Accepted) -> Shape:
    """Return the data of a 202 to a request for a video."""
    return {
        "status": "processing",
        "timestamp": iso(accepted.accepted_at),
        "estimated_completion": iso(accepted.estimated_completion),
        "note": ACCEPTED[accepted.kind][1],
        "videoId": accepted.video_id,
        "requestId": accepted.request_id,
    }


def video_shape(video: Video, urls: SignedUrls) -> Shape:
    """Return Video with its stage, attempt, progress and error."""
    failed = video.failure
    expected = video.estimated_completion
    if not video.running or (expected and expected <= utc_now()):
        expected = None
    return _present(
        {
            "videoId": video.video_id,
            "userId": video.user_id,
            "title": video.title,
            "status": video.status.value,
            "downloadUrl": _signed(urls, video.s3_key, shown=video.status is VideoStatus.READY),
            "videoUrl": video.result_url or video.source_url,
            "s3Key": video.s3_key,
            "posterUrl": _signed(urls, video.poster_key, shown=video.status is VideoStatus.READY),
            "metadata": video.metadata,
            "createdAt": iso(video.created_at),
            "updatedAt": iso(video.updated_at),
            "stage": video.stage.value,
            "progress": video.progress,
            "message": video.message,
            "attempt": video.attempt,
            "estimated_completion": iso(expected) if expected else None,
            "error": (
                {"code": failed.code, "message": failed.message, "retryable": failed.retryable} if failed else None
            ),
        }
    )


def history_shape(document: Document) -> Shape:
    """Return WorkflowHistory, with the video and the attempt it belongs to."""
    completed = document.get("completedAt")
    return _present(
        {
            "executionId": document.get("executionId", ""),
            "userId": document["userId"],
            "email": document["email"],
            "status": document["status"],
            "createdAt": iso(document["createdAt"]),
            "completedAt": iso(completed) if completed else None,
            "errorMessage": document.get("errorMessage"),
            "videoId": document["videoId"],
            "attempt": document["attempt"],
            "title": document.get("title"),
        }
    )


def numbers_shape(numbers: Numbers) -> Shape:
    """Return a person's numbers; a rate or a time that nothing is known of is None."""
    ready = numbers.videos.get(VideoStatus.READY, 0)
    tried = ready + sum(count for code, count in numbers.failures.items() if code != FailureCode.CANCELLED)
    return {
        "videos": {
            "total": sum(numbers.videos.values()),
            **{status.value: numbers.videos.get(status, 0) for status in VideoStatus},
        },
        "successRate": round(ready / tried, 4) if tried else None,
        "failures": dict(sorted(numbers.failures.items())),
        "processingSeconds": {
            "median": _seconds_within(numbers.took, 50),
            "p90": _seconds_within(numbers.took, 90),
        },
        "storage": {"bytes": numbers.stored_bytes, "videoSeconds": round(numbers.stored_seconds, 3)},
    }


def _seconds_within(ranked: Sequence[timedelta], percent: int) -> float | None:
    if not ranked:
        return None
    return round(nearest_rank(ranked, percent).total_seconds(), 3)


def timeline_shape(video: Video, entries: Sequence[Entry]) -> Shape:
    """Return where the video stands, why it failed if it did, and everything that happened, in order of time."""
    return _present(
        {
            "videoId": video.video_id,
            "title": video.title,
            "status": video.status.value,
            "stage": video.stage.value,
            "attempt": video.attempt,
            "createdAt": iso(video.created_at),
            "standing": standing(video, entries),
            "why": why(video, entries),
            "entries": [_entry_shape(entry) for entry in entries],
        }
    )


def _entry_shape(entry: Entry) -> Shape:
    return _present(
        {
            "id": entry.id,
            "time": iso(entry.at),
            "attempt": entry.attempt,
            "service": entry.service,
            "code": entry.code,
            "level": entry.level,
            "message": sentence(entry),
            "outcome": entry.outcome,
            "traceId": entry.trace_id,
            "details": dict(entry.details) or None,
        }
    )


def _signed(urls: SignedUrls, key: str | None, *, shown: bool) -> str | None:
    return urls.show(key).url if key and shown else None


def _present(shape: Mapping[str, Any]) -> Shape:
    return {name: value for name, value in shape.items() if value is not None}
