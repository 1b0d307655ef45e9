"""What owners do with their videos: try again, cancel, delete. Each change carries its event in the same write."""

from dataclasses import dataclass, replace

from services.gateway.domain import CANCELLED, Stage, Video, failed_at_its_file, restart_of, taken_late
from services.gateway.forecast import Forecast
from services.gateway.store.receipts import Receipts, Result
from services.gateway.store.videos import SlotTakenError, Videos
from services.gateway.workflow.asking import cancelled, deleted, retried
from services.gateway.workflow.quota import Quota
from shared.contracts.videos import VideoStatus
from shared.contracts.wire import utc_now
from shared.wiring.metrics import Metrics


class NotFoundError(Exception):
    """Nobody has this video, or somebody else."""


class NotReadyError(Exception):
    """There is no file yet, or, where it `failed`, none at all."""

    def __init__(self, *, failed: bool) -> None:
        super().__init__("not ready")
        self.failed = failed


class NotFailedError(Exception):
    """Only a failed video can be tried again."""


class NotRunningError(Exception):
    """Only a video that may still come can be cancelled."""


@dataclass(frozen=True, slots=True)
class File:
    """The stored file of a ready video."""

    key: str
    title: str


class Lifecycle:
    """Changes one video of one user. All methods raise NotFoundError where it is not theirs."""

    def __init__(self, videos: Videos, receipts: Receipts, quota: Quota, metrics: Metrics, forecast: Forecast) -> None:
        self._videos = videos
        self._receipts = receipts
        self._quota = quota
        self._metrics = metrics
        self._forecast = forecast

    async def find(self, video_id: str, user_id: str) -> Video:
        """Return the video."""
        video = await self._videos.find(video_id, user_id)
        if video is None:
            raise NotFoundError
        return video

    async def find_file(self, video_id: str, user_id: str) -> File:
        """Return the video's file. Raises NotReadyError."""
        video = await self.find(video_id, user_id)
        if video.status is not VideoStatus.READY or video.s3_key is None:
            raise NotReadyError(failed=not video.running)
        return File(video.s3_key, video.title)

    async def retry(self, video_id: str, user_id: str) -> Video:
        """Begin the next attempt. Raises NotFailedError, QuotaReachedError."""
        slot, misses = self._quota.guess(), 0
        while True:
            video = await self.find(video_id, user_id)
            if video.status is not VideoStatus.FAILED:
                raise NotFailedError
            late = await self._late_result(video)
            restart = restart_of(video) if late is None else "transfer"
            if late is not None:
                video = replace(video, result_url=late.url, result_key=late.key)
            expected = await self._forecast.expected(video.kind, restart)
            fields = {
                "status": VideoStatus.PROCESSING,
                "stage": Stage.QUEUED,
                "estimatedCompletion": utc_now() + expected,
                **_place(late),
            }
            again = replace(
                video,
                attempt=video.attempt + 1,
                requested_at=utc_now(),
                expected_seconds=expected.total_seconds(),
                takes_result=restart == "workflow" and not failed_at_its_file(video),
            )
            try:
                if await self._videos.retry(video, fields, slot, retried(again, restart)):
                    return await self.find(video_id, user_id)
            except SlotTakenError:
                misses += 1
                slot = await self._quota.next_slot(user_id, misses)

    async def _late_result(self, video: Video) -> Result | None:
        """Return the result that came after `video` was given up: it may wait to be heard of, and is not paid twice."""
        outcomes = taken_late(video)
        return await self._receipts.result_of(video.video_id, video.attempt, outcomes) if outcomes else None

    async def cancel(self, video_id: str, user_id: str) -> Video:
        """Stop what is being done. Raises NotRunningError."""
        while True:
            video = await self.find(video_id, user_id)
            if not video.may_come:
                raise NotRunningError
            if await self._videos.cancel(video, CANCELLED, cancelled(video, utc_now())):
                self._metrics.videos_ended.labels(status="failed", code=CANCELLED.code).inc()
                return await self.find(video_id, user_id)

    async def delete(self, video_id: str, user_id: str) -> None:
        """Leave nothing but a tombstone; whatever runs is cancelled by the same event."""
        while True:
            video = await self.find(video_id, user_id)
            event = deleted(video_id, user_id, video.attempt, video.title)
            if await self._videos.delete(video, event):
                return


def _place(result: Result | None) -> dict[str, str]:
    if result is None:
        return {}
    return {name: value for name, value in (("resultUrl", result.url), ("resultKey", result.key)) if value}
