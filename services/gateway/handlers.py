"""Kafka in: what the other services concluded becomes the user's view, the history and the catalog."""

from services.gateway.store import Store
from services.gateway.store.catalog import Catalog
from services.gateway.store.receipts import Receipts
from services.gateway.store.videos import Videos
from services.gateway.view import View
from shared.contracts import topics
from shared.contracts.events import (
    AvatarChanged,
    CallbackJudged,
    CatalogEvent,
    CatalogItemRemoved,
    NotificationCreated,
    TopicChanged,
    TransferProgressed,
    TransferStarted,
    VideoFailed,
    VideoReady,
    VoiceChanged,
    WorkflowCompleted,
    WorkflowFailed,
    WorkflowProgressed,
    WorkflowStarted,
)
from shared.delivery.inbox import Inbox


def register(inbox: Inbox, view: View, store: Store) -> None:
    """Let the view, the receipts and the catalog hear of everything that concerns them."""
    _listen_to_workflows(inbox, view, store.receipts)
    _listen_to_assets(inbox, view)
    _listen_to_notifications(inbox, store.videos)
    _listen_to_catalog(inbox, store.catalog)


def _listen_to_workflows(inbox: Inbox, view: View, receipts: Receipts) -> None:
    async def workflow_started(event: WorkflowStarted) -> None:
        await view.workflow_started(event)

    async def workflow_progressed(event: WorkflowProgressed) -> None:
        view.workflow_progressed(event)

    async def workflow_completed(event: WorkflowCompleted) -> None:
        await view.workflow_completed(event)

    async def workflow_failed(event: WorkflowFailed) -> None:
        await view.workflow_failed(event)

    async def callback_judged(event: CallbackJudged) -> None:
        await receipts.judged(event.receipt_id, event.outcome)

    inbox.on(
        topics.VIDEO_WORKFLOWS,
        workflow_started,
        workflow_progressed,
        workflow_completed,
        workflow_failed,
        callback_judged,
    )


def _listen_to_assets(inbox: Inbox, view: View) -> None:
    async def transfer_started(event: TransferStarted) -> None:
        await view.transfer_started(event)

    async def transfer_progressed(event: TransferProgressed) -> None:
        view.transfer_progressed(event)

    async def video_ready(event: VideoReady) -> None:
        await view.video_ready(event)

    async def video_failed(event: VideoFailed) -> None:
        await view.video_failed(event)

    inbox.on(topics.VIDEO_ASSETS, transfer_started, transfer_progressed, video_ready, video_failed)


def _listen_to_notifications(inbox: Inbox, videos: Videos) -> None:
    async def notification_created(event: NotificationCreated) -> None:
        if event.video_id is not None and event.order is not None:
            await videos.told(event.video_id, event.order)

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
