"""The gauge of the storage in use: what the records say, since listing a bucket takes long and costs money."""

from services.media.store import Assets
from shared.wiring.counting import keep_counting
from shared.wiring.metrics import Metrics


class StorageUse:
    """Adds up now and then; where the database can't say, there is no number rather than an old one."""

    def __init__(self, assets: Assets, metrics: Metrics, bucket: str) -> None:
        self._assets = assets
        self._used = metrics.storage_used
        self._bucket = bucket

    async def run(self) -> None:
        """Count until cancelled."""
        await keep_counting(self.count, self._used.clear)

    async def count(self) -> None:
        """Set the gauge from what the database holds. Raises PyMongoError."""
        self._used.labels(bucket=self._bucket).set(await self._assets.stored_bytes())
