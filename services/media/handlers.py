"""Kafka in: each event becomes one call of the workflow."""

from services.media.domain import Attempt, Source
from services.media.workflow import Workflow
from shared.contracts import topics
from shared.contracts.events import (
    ResultDiscarded,
    VideoCancelled,
    VideoDeleted,
    VideoImportRequested,
    VideoRetryRequested,
    WorkflowCompleted,
)
from shared.delivery.inbox import Inbox


def register(inbox: Inbox, workflow: Workflow) -> None:
    """Listen to what users ask for and to what workflows deliver."""

    async def on_import(event: VideoImportRequested) -> None:
        source = Source(video_url=event.video_url)
        await workflow.move(Attempt(event.video_id, event.user_id, event.attempt, event.title, source, imported=True))

    async def on_retry(event: VideoRetryRequested) -> None:
        if event.restart == "transfer":
            source = _source(event)
            imported = event.kind == "import"
            await workflow.move_again(
                Attempt(event.video_id, event.user_id, event.attempt, event.title, source, imported=imported)
            )

    async def on_cancel(event: VideoCancelled) -> None:
        await workflow.cancel(event.video_id, event.user_id, event.title, event.attempt)

    async def on_delete(event: VideoDeleted) -> None:
        await workflow.delete(event.video_id, event.user_id, event.attempt)

    async def on_completed(event: WorkflowCompleted) -> None:
        await workflow.move(
            Attempt(event.video_id, event.user_id, event.attempt, event.title, _source(event), adopted=event.adopted)
        )

    async def on_discarded(event: ResultDiscarded) -> None:
        await workflow.discard(event.video_id, event.user_id, event.s3_key)

    inbox.on(topics.VIDEO_REQUESTS, on_import, on_retry, on_cancel, on_delete)
    inbox.on(topics.VIDEO_WORKFLOWS, on_completed, on_discarded)


def _source(event: WorkflowCompleted | VideoRetryRequested) -> Source:
    # An object the workflow has put into the bucket itself needs no moving, so it comes first.
    return Source(s3_key=event.s3_key) if event.s3_key else Source(video_url=event.video_url)
