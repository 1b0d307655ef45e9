"""How long the jobs of one collection wait for a worker, and how long one is at them: what is stuck shows here."""

import time
from collections.abc import Iterable
from datetime import datetime

from pymongo.asynchronous.collection import AsyncCollection

from shared.contracts.wire import utc_now
from shared.delivery.outbox import EPOCH, Document
from shared.wiring.metrics import Metrics

LOOK_EVERY_SECONDS = 5.0


class Ages:
    """Sets the two gauges of a collection, each to the age of its oldest job, or to 0."""

    def __init__(self, collection: AsyncCollection[Document], metrics: Metrics) -> None:
        self._collection = collection
        self._due = metrics.jobs_due_seconds.labels(collection=collection.name)
        self._leased = metrics.jobs_leased_seconds.labels(collection=collection.name)
        self._looked_at = float("-inf")

    async def measure_due(self) -> None:
        """Look now and then at what is due, also what there is no place for here. Raises PyMongoError."""
        if time.monotonic() - self._looked_at < LOOK_EVERY_SECONDS:
            return
        due = {"job.dueAt": {"$gte": EPOCH, "$lte": utc_now()}}
        oldest = await self._collection.find(due, {"job.dueAt": 1}).sort("job.dueAt").limit(1).to_list()
        self._due.set(_age(document["job"]["dueAt"] for document in oldest))
        self._looked_at = time.monotonic()

    def measure_leased(self, held: Iterable[Document]) -> None:
        """Note the jobs that any worker has now."""
        self._leased.set(_age(document["job"]["leasedAt"] for document in held))


def _age(since: Iterable[datetime]) -> float:
    oldest = min(since, default=None)
    return 0.0 if oldest is None else max(0.0, (utc_now() - oldest).total_seconds())
