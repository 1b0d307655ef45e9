"""The end, for its owner, of a video that nobody answers for: its request is a dead letter, say.

It shows as failed, its owner is told so, and it gives its place in the quota back. It is asked about as before, and
whatever end it comes to after all is shown. Only the time counts that lay between asking and the next time of asking:
an outage of Kafka or of the gateway itself adds one wait at most.
"""

from datetime import datetime, timedelta

import structlog

from services.gateway.domain import UNANSWERED, Rank, Video, is_running, order_of
from services.gateway.store.history import History
from services.gateway.store.videos import Videos
from services.gateway.store.view_documents import to_video
from services.gateway.workflow.asking import unanswered
from shared.contracts.wire import utc_now
from shared.delivery.leases import Lease
from shared.delivery.outbox import Document
from shared.delivery.workers import Work
from shared.wiring.metrics import Metrics
from shared.wiring.tracing import enter_trace

log = structlog.get_logger(__name__)


class Unheard:
    """Goes on `asking` about a video; gives it up where that was in vain for `most`, without any news of it."""

    def __init__(self, videos: Videos, history: History, metrics: Metrics, asking: Work, most: timedelta) -> None:
        self._videos = videos
        self._history = history
        self._metrics = metrics
        self._asking = asking
        self._most = most

    async def work(self, lease: Lease) -> None:
        """Do the job of one claim."""
        document = lease.document
        enter_trace(document.get("traceparent"))
        if is_running(document["status"]) and asked_for(document) >= self._most:
            await self._give_up(to_video(document))
        elif document["order"] == order_of(document["attempt"], Rank.UNANSWERED):
            video = to_video(document)
            await self._end_history(video, video.updated_at)  # a crash may have come between the two writes
        await self._asking(lease)

    async def _give_up(self, video: Video) -> None:
        now = utc_now()
        if await self._videos.give_up(video, UNANSWERED, unanswered(video, now)):
            await self._end_history(video, now)
            self._metrics.videos_ended.labels(status="failed", code=UNANSWERED.code).inc()
            log.warning("video.unanswered", video=video.video_id, attempt=video.attempt, stage=video.stage)

    async def _end_history(self, video: Video, at: datetime) -> None:
        await self._history.give_up(video.video_id, video.attempt, at, UNANSWERED.message)


def asked_for(document: Document) -> timedelta:
    """Return how long the answers to what was asked were waited for, since the last news."""
    asked = document.get("asked")
    if asked is None or asked["since"] != document.get("updatedAt"):
        return timedelta(0)
    return timedelta(seconds=asked["seconds"])


def asking_for(document: Document, wait: timedelta) -> Document:
    """Return the update that adds to that the wait which follows another time of asking."""
    seconds = (asked_for(document) + wait).total_seconds()
    return {"$set": {"asked": {"since": document.get("updatedAt"), "seconds": seconds}}}
