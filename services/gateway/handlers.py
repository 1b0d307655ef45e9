"""Kafka in: what the services did becomes the user's view, the history, the timeline and the catalog."""

from services.gateway.store import Store
from services.gateway.store.catalog import Catalog
from services.gateway.store.videos import Videos
from services.gateway.timeline.chronicle import Chronicle
from services.gateway.view import View
from services.gateway.workflow.callbacks import Callbacks
from shared.contracts import topics
from shared.contracts.events import (
    AvatarChanged,
    CallbackJudged,
    CatalogEvent,
    CatalogItemRemoved,
    CompletionReported,
    NotificationCreated,
    ProgressReported,
    ResultDiscarded,
    TopicChanged,
    TransferNoted,
    TransferProgressed,
    TransferStarted,
    VideoCancelled,
    VideoDeleted,
    VideoFailed,
    VideoImportRequested,
    VideoReady,
    VideoRequested,
    VideoRetryRequested,
    VideoUnanswered,
    VoiceChanged,
    WorkflowCompleted,
    WorkflowErrorReported,
    WorkflowFailed,
    WorkflowNoted,
    WorkflowProgressed,
    WorkflowRemoved,
    WorkflowStarted,
)
from shared.delivery.inbox import Inbox


def register(inbox: Inbox, view: View, callbacks: Callbacks, store: Store, chronicle: Chronicle) -> None:
    """Let the view, the receipts, the timeline and the catalog hear of everything that concerns them."""
    _listen_to_requests(inbox, view, chronicle)
    _listen_to_callbacks(inbox, chronicle)
    _listen_to_workflows(inbox, view, callbacks, chronicle)
    _listen_to_assets(inbox, view, chronicle)
    _listen_to_notifications(inbox, store.videos, chronicle)
    _listen_to_catalog(inbox, store.catalog)


def _listen_to_requests(inbox: Inbox, view: View, chronicle: Chronicle) -> None:
    """Hear of the gateway's own requests as the others do: what was promised is told, whatever crashed meanwhile."""

    async def video_requested(event: VideoRequested) -> None:
        await chronicle.hear(event)

    async def import_requested(event: VideoImportRequested) -> None:
        await chronicle.hear(event)

    async def retry_requested(event: VideoRetryRequested) -> None:
        await view.retried(event)
        await chronicle.hear(event)

    async def video_cancelled(event: VideoCancelled) -> None:
        await chronicle.hear(event)

    async def video_unanswered(event: VideoUnanswered) -> None:
        await chronicle.hear(event)

    async def video_deleted(event: VideoDeleted) -> None:
        await view.deleted(event)
        await chronicle.forget(event.video_id)

    inbox.on(
        topics.VIDEO_REQUESTS,
        video_requested,
        import_requested,
        retry_requested,
        video_cancelled,
        video_unanswered,
        video_deleted,
    )


def _listen_to_callbacks(inbox: Inbox, chronicle: Chronicle) -> None:
    async def completion_reported(event: CompletionReported) -> None:
        await chronicle.hear(event)

    async def error_reported(event: WorkflowErrorReported) -> None:
        await chronicle.hear(event)

    async def progress_reported(event: ProgressReported) -> None:
        await chronicle.hear(event)

    inbox.on(topics.VIDEO_CALLBACKS, completion_reported, error_reported, progress_reported)


def _listen_to_workflows(inbox: Inbox, view: View, callbacks: Callbacks, chronicle: Chronicle) -> None:
    async def workflow_started(event: WorkflowStarted) -> None:
        await view.workflow_started(event)
        await chronicle.hear(event)

    async def workflow_progressed(event: WorkflowProgressed) -> None:
        view.workflow_progressed(event)
        await chronicle.hear(event)

    async def workflow_completed(event: WorkflowCompleted) -> None:
        await view.workflow_completed(event)
        await chronicle.hear(event)

    async def workflow_failed(event: WorkflowFailed) -> None:
        await view.workflow_failed(event)
        await chronicle.hear(event)

    async def workflow_removed(event: WorkflowRemoved) -> None:
        await view.workflow_removed(event)

    async def workflow_noted(event: WorkflowNoted) -> None:
        await chronicle.hear(event)

    async def result_discarded(event: ResultDiscarded) -> None:
        await chronicle.hear(event)

    async def callback_judged(event: CallbackJudged) -> None:
        await chronicle.judged(event)
        await callbacks.judged(event)

    inbox.on(
        topics.VIDEO_WORKFLOWS,
        workflow_started,
        workflow_progressed,
        workflow_completed,
        workflow_failed,
        workflow_removed,
        workflow_noted,
        result_discarded,
        callback_judged,
    )


def _listen_to_assets(inbox: Inbox, view: View, chronicle: Chronicle) -> None:
    async def transfer_started(event: TransferStarted) -> None:
        await view.transfer_started(event)
        await chronicle.hear(event)

    async def transfer_progressed(event: TransferProgressed) -> None:
        view.transfer_progressed(event)
        await chronicle.hear(event)

    async def transfer_noted(event: TransferNoted) -> None:
        await chronicle.hear(event)

    async def video_ready(event: VideoReady) -> None:
        await view.video_ready(event)
        await chronicle.hear(event)

    async def video_failed(event: VideoFailed) -> None:
        await view.video_failed(event)
        await chronicle.hear(event)

    inbox.on(topics.VIDEO_ASSETS, transfer_started, transfer_progressed, transfer_noted, video_ready, video_failed)


def _listen_to_notifications(inbox: Inbox, videos: Videos, chronicle: Chronicle) -> None:
    async def notification_created(event: NotificationCreated) -> None:
        if event.video_id is not None and event.order is not None:
            await videos.told(event.video_id, event.order)
            await chronicle.hear(event)

    inbox.on(topics.NOTIFICATIONS, notification_created)


def _listen_to_catalog(inbox: Inbox, catalog: Catalog) -> None:
    async def put(event: CatalogEvent) -> None:
        item = event.model_dump(by_alias=False, exclude={"id", "time", "traceparent"}, exclude_none=True)
        await catalog.put(event.key(), event.time, item)

    async def avatar_changed(event: AvatarChanged) -> None:
        await put(event)

    async def voice_changed(event: VoiceChanged) -> None:
        await put(event)

    async def topic_changed(event: TopicChanged) -> None:
        await put(event)

    async def item_removed(event: CatalogItemRemoved) -> None:
        await catalog.remove(event.key(), event.time)

    inbox.on(topics.CATALOG, avatar_changed, voice_changed, topic_changed, item_removed)
