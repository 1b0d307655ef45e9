"""How events become the user's view of a video and the workflow history. Repeats and late news change nothing."""

from services.gateway.domain import SAID, Failure, Origin, Rank, Stage, order_of
from services.gateway.progress import Progress, ProgressBuffer
from services.gateway.store.history import History
from services.gateway.store.videos import RESULT, Videos
from services.gateway.store.view_documents import error_of
from shared.contracts.events import (
    TransferProgressed,
    TransferStarted,
    VideoDeleted,
    VideoFailed,
    VideoReady,
    VideoRetryRequested,
    WorkflowCompleted,
    WorkflowFailed,
    WorkflowProgressed,
    WorkflowRemoved,
    WorkflowStarted,
)
from shared.contracts.videos import FailureCode, VideoStatus
from shared.wiring.metrics import Metrics


class View:
    """Applies one event at a time. Each method is safe to repeat and right in any order."""

    def __init__(self, videos: Videos, history: History, metrics: Metrics) -> None:
        self._videos = videos
        self._history = history
        self._metrics = metrics
        self.progress = ProgressBuffer(self._write_progress)

    async def deleted(self, event: VideoDeleted) -> None:
        """End what was under way about a deleted video; the view itself was left when its owner said so."""
        await self._history.forget(event.video_id, event.time)

    async def workflow_removed(self, event: WorkflowRemoved) -> None:
        """Note that the generator knows of the deletion: it need not be told of it again."""
        await self._videos.workflow_removed(event.video_id)

    async def retried(self, event: VideoRetryRequested) -> None:
        """End what the history has under way of the attempts before: the generator tells no more of them."""
        await self._history.supersede(event.video_id, event.attempt, event.time)

    async def workflow_started(self, event: WorkflowStarted) -> None:
        """Show that n8n has the attempt, or that nobody can say, and what that means."""
        rank = Rank.STARTED if event.certain else Rank.UNKNOWN
        await self._enter_history(event, rank, "pending")
        fields = {
            "status": VideoStatus.PROCESSING,
            "stage": Stage.RENDERING if event.certain else Stage.UNKNOWN,
            "estimatedCompletion": event.estimated_completion,
            **({"message": event.message} if event.message else {}),
        }
        await self._videos.advance(event.video_id, event.attempt, rank, fields)

    def workflow_progressed(self, event: WorkflowProgressed) -> None:
        """Show how far the rendering is and what the workflow says of it, soon."""
        order = order_of(event.attempt, Rank.STARTED)
        news = Progress(order, event.attempt, event.progress, event.message, event.execution_id)
        self.progress.put(event.video_id, news)

    async def workflow_completed(self, event: WorkflowCompleted) -> None:
        """Show that there is a file to fetch; a late one is fetched while the video still shows as failed."""
        await self._enter_history(event, Rank.READY, "completed")
        place = {"resultUrl": event.video_url} if event.video_url else {}
        place |= {"resultKey": event.s3_key} if event.s3_key else {}
        if event.adopted and await self._videos.adopting(event.video_id, event.attempt, place):
            return
        moving = {**place, "status": VideoStatus.PROCESSING, "stage": Stage.COMPLETED}
        moved = await self._videos.advance(event.video_id, event.attempt, Rank.COMPLETED, moving, clear=RESULT)
        if not moved and place:
            await self._videos.learn_result(event.video_id, event.attempt, place)

    async def workflow_failed(self, event: WorkflowFailed) -> None:
        """Show why the workflow made no video, also where it says so only after it was given up."""
        said = event.code in SAID
        await self._enter_history(event, Rank.SAID_WHY if said else Rank.FAILED, "failed")
        if not await self._fail(event, "workflow") and said:
            failure = Failure(event.code, event.message, event.retryable, "workflow")
            await self._videos.said_why(event.video_id, event.attempt, failure)

    async def transfer_started(self, event: TransferStarted) -> None:
        """Show that the file is being stored."""
        fields = {"status": VideoStatus.PROCESSING, "stage": Stage.TRANSFERRING}
        await self._videos.advance(event.video_id, event.attempt, Rank.TRANSFERRING, fields)

    def transfer_progressed(self, event: TransferProgressed) -> None:
        """Show how much of the file is stored, and what holds it up, soon."""
        order = order_of(event.attempt, Rank.TRANSFERRING)
        self.progress.put(event.video_id, Progress(order, event.attempt, event.percent, event.words))

    async def video_ready(self, event: VideoReady) -> None:
        """Show the video."""
        fields = {
            "status": VideoStatus.READY,
            "stage": Stage.READY,
            "readyAt": event.time,
            "s3Key": event.s3_key,
            "posterKey": event.poster_key,
            "metadata": event.metadata.model_dump(by_alias=True, exclude_none=True),
        }
        if await self._videos.advance(event.video_id, event.attempt, Rank.READY, fields, clear=("error",)):
            self._metrics.videos_ended.labels(status="ready", code="").inc()
            await self._measure(event)

    async def video_failed(self, event: VideoFailed) -> None:
        """Show why the file could not be stored, of a late result too."""
        if not await self._fail(event, "transfer"):
            failure = Failure(event.code, event.message, event.retryable, "transfer")
            await self._videos.adoption_failed(event.video_id, event.attempt, failure)

    async def _fail(self, event: WorkflowFailed | VideoFailed, origin: Origin) -> bool:
        cancelled = event.code == FailureCode.CANCELLED
        failure = Failure(event.code, event.message, event.retryable, "user" if cancelled else origin)
        fields = {
            "status": VideoStatus.FAILED,
            "stage": Stage.CANCELLED if cancelled else Stage.FAILED,
            "error": error_of(failure),
        }
        rank = Rank.CANCELLED if cancelled else Rank.FAILED
        changed = await self._videos.advance(event.video_id, event.attempt, rank, fields)
        if changed:
            self._metrics.videos_ended.labels(status="failed", code=_known(event.code)).inc()
        return changed

    async def _enter_history(
        self, event: WorkflowStarted | WorkflowCompleted | WorkflowFailed, rank: Rank, status: str
    ) -> None:
        entry = {
            "userId": event.user_id,
            "title": event.title,
            "email": event.email,
            "executionId": event.execution_id,
            "status": status,
            "completedAt": None if status == "pending" else event.time,
            "errorMessage": event.message if isinstance(event, WorkflowFailed) else None,
        }
        news = await self._history.record(event.video_id, event.attempt, rank, event.time, entry)
        if news and status == "pending":
            await self._end_what_ended_before(event)

    async def _end_what_ended_before(self, event: WorkflowStarted | WorkflowCompleted | WorkflowFailed) -> None:
        """Its deletion, or the next attempt, may have been heard of before it was known to have begun."""
        known = await self._videos.known(event.video_id)
        if known is None:
            await self._history.forget(event.video_id, event.time)
        elif known.attempt > event.attempt:
            await self._history.supersede(event.video_id, known.attempt, event.time)

    async def _write_progress(self, video_id: str, news: Progress) -> None:
        await self._videos.progressed(video_id, news.order, news.percent, news.message)
        if news.execution_id is not None:
            await self._history.learn_execution(video_id, news.attempt, news.execution_id)

    async def _measure(self, event: VideoReady) -> None:
        video = await self._videos.find(event.video_id, event.user_id)
        if video is not None:
            seconds = (event.time - (video.requested_at or video.created_at)).total_seconds()
            self._metrics.video_seconds.labels(kind=video.kind).observe(max(0.0, seconds))


def _known(code: str) -> str:
    """Keep the metric's label within the codes of the contract."""
    return code if code in FailureCode.__members__ else "other"
