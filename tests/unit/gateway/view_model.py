"""What the news of a video means: the model that its view is held against."""

from typing import Any

from shared.contracts.events import (
    Event,
    TransferProgressed,
    TransferStarted,
    VideoFailed,
    VideoReady,
    WorkflowCompleted,
    WorkflowFailed,
    WorkflowProgressed,
    WorkflowStarted,
)
from shared.contracts.videos import VideoMetadata
from shared.delivery.outbox import Document
from tests.unit.gateway.view_world import NOW, USER, VIDEO

NEWS = (
    *("unknown", "started", "progressed", "completed", "adopted", "failed", "cancelled"),
    *("transferring", "transferred", "ready", "ready other", "not stored", "refused", "stopped"),
)
OFTEN = ("unknown", "started", "completed", "adopted", "adopted", "failed", "failed", "not stored", "not stored")
"""What an end that stands above all others hides most often; so it is drawn more often than that."""

OF_ITS_USER = {"title", "fields", "error", "message", "progress", "slot", "s3Key", "resultUrl", "resultKey"}


def news_of(name: str, attempt: int) -> Event:
    """Return the event: the same name and attempt make the same one."""
    about: dict[str, Any] = {"id": f"{name}:{attempt}", "video_id": VIDEO, "user_id": USER, "attempt": attempt}
    about |= {"time": NOW, "title": "Rates"}
    run: dict[str, Any] = {"email": "a@example.com", "execution_id": "7"}
    why: dict[str, Any] = {"message": "It broke.", "retryable": True}
    match name:
        case "unknown" | "started":
            certain = name == "started"
            return WorkflowStarted(**about, **run, kind="create", certain=certain, estimated_completion=NOW)
        case "progressed":
            return WorkflowProgressed(**about, progress=40.0, message="scene 2", execution_id="7")
        case "completed" | "adopted":
            url = f"https://files.example.com/{attempt}.mp4"
            return WorkflowCompleted(**about, **run, video_url=url, adopted=name == "adopted")
        case "failed" | "cancelled":
            return WorkflowFailed(**about, **run, **why, code="WORKFLOW_TIMEOUT" if name == "failed" else "CANCELLED")
        case "transferring":
            return TransferStarted(**about)
        case "transferred":
            return TransferProgressed(**about, transferred_bytes=5, size_bytes=10)
        case "ready" | "ready other":
            return VideoReady(**about, s3_key=f"{name}.mp4", poster_key=f"{name}.jpg", metadata=VideoMetadata(size=9))
    codes = {"not stored": "SOURCE_UNREACHABLE", "refused": "NOT_A_VIDEO", "stopped": "CANCELLED"}
    return VideoFailed(**about, **why, code=codes[name])


def meaning(news: set[str], attempt: int) -> tuple[str, set[str], str | None]:
    """Return the status, the stages that may be shown, and which part failed, of an attempt with this news."""
    if news & {"cancelled", "stopped", "cancelled by its owner"}:
        return "failed", {"cancelled"}, "user"
    if news & {"ready", "ready other"}:
        return "ready", {"ready"}, None
    if news & {"not stored", "refused"}:
        return "failed", {"failed"}, "transfer"
    if "failed" in news:
        return "failed", {"failed", "adopting"} if "adopted" in news else {"failed"}, "workflow"
    if "unanswered" in news:
        return "failed", {"failed"}, "user"
    for name, stage in (("transferring", "transferring"), ("completed", "completed"), ("adopted", "completed")):
        if name in news:
            return "processing", {stage}, None
    for name, stage in (("started", "rendering"), ("unknown", "unknown")):
        if name in news:
            return "processing", {stage}, None
    return "pending" if attempt == 1 else "processing", {"queued"}, None


def entry_of(news: set[str], *, superseded: bool) -> str | None:
    """Return how the workflow history shows an attempt with this news."""
    if news & {"completed", "adopted"}:
        return "completed"
    if news & {"failed", "cancelled", "unanswered when begun"}:
        return "failed"
    if news & {"unknown", "started"}:
        return "failed" if superseded else "pending"
    return None


def shown(video: Document) -> Document:
    """Return the view without what only says when somebody looked, or was asked, last."""
    passing = ("updatedAt", "job", "asked", "toldOrder", "workflowRemoved", "traceparent", "outbox", "outboxAt")
    return {name: value for name, value in video.items() if name not in passing}
