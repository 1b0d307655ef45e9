"""What media tells of an attempt, the same however often it is told: each event is made here and nowhere else."""

from typing import Any

from services.media.domain import Attempt, Rank
from services.media.store import attempt_of
from shared.contracts.events import TransferStarted, VideoEvent, VideoFailed, VideoReady, VideoRemoved
from shared.contracts.naming import naming
from shared.contracts.videos import FailureCode, VideoMetadata, may_pass
from shared.delivery.outbox import Document


def started(attempt: Attempt) -> TransferStarted:
    """Return the news that the file is being fetched."""
    return TransferStarted(**_named(attempt, "started"), title=attempt.title, adopted=attempt.adopted)


def ready(attempt: Attempt, key: str, poster_key: str, metadata: VideoMetadata) -> VideoReady:
    """Return the news that the file is stored."""
    return VideoReady(
        **_named(attempt, "ready"), title=attempt.title, s3_key=key, poster_key=poster_key, metadata=metadata
    )


def failed(attempt: Attempt, code: FailureCode, message: str) -> VideoFailed:
    """Return the news that the file could not be stored, and why, as its owner reads it."""
    return VideoFailed(
        **_named(attempt, "failed"),
        title=attempt.title,
        code=code,
        message=message,
        retryable=may_pass(code) or not attempt.imported,  # what was rendered is rendered anew
    )


def cancelled(attempt: Attempt) -> VideoFailed:
    """Return the news that the owner stopped the attempt."""
    return VideoFailed(
        **_named(attempt, "cancelled"),
        title=attempt.title,
        code=FailureCode.CANCELLED,
        message="You cancelled this video.",
        retryable=True,
    )


def removed(attempt: Attempt) -> VideoRemoved:
    """Return the news that a deleted video's objects are gone."""
    return VideoRemoved(**_named(attempt, "removed"))


def answer_of(document: Document) -> VideoEvent | None:
    """Return the newest news of an asset as its document holds it, None where nothing was told of this state yet."""
    attempt = attempt_of(document)
    match document["state"]:
        case Rank.TRANSFERRING if "deadlineAt" in document:
            return started(attempt)
        case Rank.READY:
            metadata = VideoMetadata.model_validate(document["metadata"])
            return ready(attempt, document["key"], document["posterKey"], metadata)
        case Rank.FAILED:
            failure = document["failure"]
            return failed(attempt, FailureCode(failure["code"]), failure["message"])
        case Rank.CANCELLED:
            return cancelled(attempt)
        case Rank.DELETED if "erasedAt" in document:
            return removed(attempt)
    return None


def _named(attempt: Attempt, transition: str) -> dict[str, Any]:
    return naming(attempt.video_id, attempt.user_id, attempt.number, transition)
