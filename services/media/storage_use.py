"""The gauge of the storage in use: what the records say, since listing a bucket takes long and costs money."""

from services.media.store import Assets
from shared.wiring.counting import keep_counting
from shared.wiring.metrics import Metrics


class StorageUse:
    """Adds up now and then; where the database can't say, there is no number that tells anything."""

    def __init__(self, assets: Assets, metrics: Metrics) -> None:
        self._assets = assets
        self._used = metrics.storage_used

    async def run(self) -> None:
        """Count until cancelled."""
        await keep_counting(self.count, self._forget)

    async def count(self) -> None:
        """Set the gauge from what the database holds. Raises PyMongoError."""
        self._used.set(await self._assets.stored_bytes())

    def _forget(self) -> None:
        self._used.set(float("nan"))
