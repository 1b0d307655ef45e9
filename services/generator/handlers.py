"""Kafka in: each event becomes one use case."""

from services.generator.callbacks import Callbacks
from services.generator.workflow import Requests
from shared.contracts import topics
from shared.contracts.events import (
    CompletionReported,
    ProgressReported,
    VideoCancelled,
    VideoDeleted,
    VideoRequested,
    VideoRetryRequested,
    WorkflowErrorReported,
)
from shared.delivery.inbox import Inbox


def register(inbox: Inbox, requests: Requests, callbacks: Callbacks) -> None:
    """Listen to requests and callbacks."""

    async def video_requested(event: VideoRequested) -> None:
        await requests.request(event)

    async def retry_requested(event: VideoRetryRequested) -> None:
        if event.restart == "workflow" and event.kind != "import":
            await requests.request(event)

    async def cancelled(event: VideoCancelled) -> None:
        await requests.cancel(event)

    async def deleted(event: VideoDeleted) -> None:
        await requests.delete(event)

    async def completion_reported(event: CompletionReported) -> None:
        await callbacks.report(event)

    async def error_reported(event: WorkflowErrorReported) -> None:
        await callbacks.report(event)

    async def progress_reported(event: ProgressReported) -> None:
        await callbacks.progress(event)

    inbox.on(topics.VIDEO_REQUESTS, video_requested, retry_requested, cancelled, deleted)
    inbox.on(topics.VIDEO_CALLBACKS, completion_reported, error_reported, progress_reported)
