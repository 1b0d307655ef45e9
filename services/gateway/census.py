"""The gauges of what the gateway's database holds: videos by status, and what has waited longest for an answer."""

from datetime import datetime

from services.gateway.domain import Stage
from services.gateway.store.tally import Tally
from services.gateway.store.unjudged import Unjudged
from shared.contracts.wire import utc_now
from shared.wiring.counting import keep_counting
from shared.wiring.metrics import Metrics

RUNNING = (Stage.QUEUED, Stage.RENDERING, Stage.UNKNOWN, Stage.COMPLETED, Stage.TRANSFERRING)


class Census:
    """Counts them now and then; where the database can't say, there is no number of videos rather than an old one."""

    def __init__(self, tally: Tally, unjudged: Unjudged, metrics: Metrics) -> None:
        self._tally = tally
        self._unjudged = unjudged
        self._videos = metrics.videos
        self._standing = metrics.video_stage_seconds
        self._callback = metrics.callback_oldest_seconds

    async def run(self) -> None:
        """Count until cancelled."""
        await keep_counting(self.count, self._videos.clear)

    async def count(self) -> None:
        """Set the gauges from what the database holds. Raises PyMongoError."""
        for status, videos in (await self._tally.of_all()).items():
            self._videos.labels(status=status.value).set(videos)
        standing = await self._tally.standing_since()
        for stage in RUNNING:
            self._standing.labels(stage=stage.value).set(_age(standing.get(stage.value)))
        self._callback.set(_age(await self._unjudged.oldest()))


def _age(since: datetime | None) -> float:
    return 0.0 if since is None else max(0.0, (utc_now() - since).total_seconds())
