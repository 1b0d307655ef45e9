"""`throttle`: how often something was tried within a window of time, counted across all replicas."""

import hashlib
from datetime import UTC, datetime, timedelta

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from shared.contracts.wire import utc_now
from shared.delivery.outbox import Document


class Throttle:
    """Counters that start anew with each window. What they count is kept as a hash only."""

    def __init__(self, collection: AsyncCollection[Document], window: timedelta) -> None:
        self._collection = collection
        self._window_seconds = int(window.total_seconds())

    async def ensure_indexes(self) -> None:
        """Make the index that lets past windows go."""
        await self._collection.create_index("expiresAt", expireAfterSeconds=0)

    async def let_through(self, what: str, whom: str, most: int) -> bool:
        """Count one more try of `what` by `whom`, unless there were `most` in this window already."""
        counter, end = self._counter(what, whom)
        below = {"_id": counter, "tries": {"$lt": most}}
        update = {"$inc": {"tries": 1}, "$setOnInsert": {"expiresAt": end}}
        try:
            await self._collection.update_one(below, update, upsert=True)
        except DuplicateKeyError:  # at its limit, or made by another first try a moment ago
            return bool((await self._collection.update_one(below, {"$inc": {"tries": 1}})).modified_count)
        return True

    async def take_back(self, what: str, whom: str) -> None:
        """Uncount one try that turned out to be all right."""
        counter, _ = self._counter(what, whom)
        await self._collection.update_one({"_id": counter}, {"$inc": {"tries": -1}})

    async def forget(self, what: str, whom: str) -> None:
        """Begin this window's count anew."""
        counter, _ = self._counter(what, whom)
        await self._collection.delete_one({"_id": counter})

    def seconds_left(self) -> int:
        """Return how long the present window lasts, at least one second."""
        return max(1, self._window_seconds - int(utc_now().timestamp()) % self._window_seconds)

    def _counter(self, what: str, whom: str) -> tuple[str, datetime]:
        window = int(utc_now().timestamp()) // self._window_seconds
        digest = hashlib.sha256(whom.encode(errors="replace")).hexdigest()[:32]
        end = datetime.fromtimestamp((window + 2) * self._window_seconds, UTC)
        return f"{what}:{window}:{digest}", end
