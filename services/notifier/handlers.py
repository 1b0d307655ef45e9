"""Kafka in: what the services concluded becomes news; wake-ups reach the streams of this process."""

from services.notifier import domain
from services.notifier.audience import Audience
from services.notifier.workflow import Telling
from shared.contracts import topics
from shared.contracts.events import (
    NotificationCreated,
    NotificationPassed,
    TransferProgressed,
    TransferStarted,
    VideoFailed,
    VideoReady,
    VideoRemoved,
    VideoUnanswered,
    WorkflowFailed,
    WorkflowProgressed,
    WorkflowStarted,
)
from shared.delivery.inbox import Inbox


class Handlers:
    """One method per event."""

    def __init__(self, telling: Telling, audience: Audience) -> None:
        self._telling = telling
        self._audience = audience

    def listen(self, inbox: Inbox) -> None:
        """Register every handler."""
        inbox.on(topics.VIDEO_REQUESTS, self.video_unanswered)
        inbox.on(topics.VIDEO_WORKFLOWS, self.workflow_started, self.workflow_progressed, self.workflow_failed)
        inbox.on(
            topics.VIDEO_ASSETS,
            self.transfer_started,
            self.transfer_progressed,
            self.video_ready,
            self.video_failed,
            self.video_removed,
        )
        inbox.on_every_replica(topics.NOTIFICATIONS, self.notification_created, self.notification_passed)

    async def video_unanswered(self, event: VideoUnanswered) -> None:
        """Tell that nothing is heard of the attempt."""
        await self._telling.tell(domain.failed(event))

    async def workflow_started(self, event: WorkflowStarted) -> None:
        """Tell that rendering began."""
        await self._telling.tell(domain.rendering_started(event))

    async def workflow_progressed(self, event: WorkflowProgressed) -> None:
        """Show how far rendering is."""
        await self._telling.pass_on(domain.rendering_progressed(event), event.id)

    async def workflow_failed(self, event: WorkflowFailed) -> None:
        """Tell that the attempt failed."""
        await self._telling.tell(domain.failed(event))

    async def transfer_started(self, event: TransferStarted) -> None:
        """Tell that the file is being fetched."""
        news = domain.download_started(event)
        if news is not None:
            await self._telling.tell(news)

    async def transfer_progressed(self, event: TransferProgressed) -> None:
        """Show how much is stored."""
        await self._telling.pass_on(domain.transfer_progressed(event), event.id)

    async def video_ready(self, event: VideoReady) -> None:
        """Tell that the video can be watched."""
        await self._telling.tell(domain.completed(event))

    async def video_failed(self, event: VideoFailed) -> None:
        """Tell that the file could not be stored."""
        await self._telling.tell(domain.failed(event))

    async def video_removed(self, event: VideoRemoved) -> None:
        """Tell that the video is gone."""
        await self._telling.tell(domain.removed(event))

    async def notification_created(self, event: NotificationCreated) -> None:
        """Let the user's streams here look for it."""
        self._audience.wake(event.user_id, event.seq)

    async def notification_passed(self, event: NotificationPassed) -> None:
        """Show it to the user's streams here."""
        self._telling.show(event)
