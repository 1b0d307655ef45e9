"""The gauge of videos by status: what stands in all galleries together."""

from services.gateway.store.tally import Tally
from shared.wiring.counting import keep_counting
from shared.wiring.metrics import Metrics


class Census:
    """Counts them now and then; where the database can't say, there is no number rather than an old one."""

    def __init__(self, tally: Tally, metrics: Metrics) -> None:
        self._tally = tally
        self._videos = metrics.videos

    async def run(self) -> None:
        """Count until cancelled."""
        await keep_counting(self.count, self._videos.clear)

    async def count(self) -> None:
        """Set the gauge from what the database holds. Raises PyMongoError."""
        for status, videos in (await self._tally.of_all()).items():
            self._videos.labels(status=status.value).set(videos)
