"""What waits in `receipts` for the generator's judgement."""

from datetime import datetime

from pymongo.asynchronous.collection import AsyncCollection

from shared.delivery.outbox import EPOCH, FAR, Document


class Unjudged:
    """The webhooks of which nobody has said yet what came of them. Reads only."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def oldest(self) -> datetime | None:
        """Return when the oldest was received; None where there is none. Raises PyMongoError."""
        # Each waits with a job, so the index of those serves.
        waiting = {"job.dueAt": {"$gte": EPOCH, "$lt": FAR}, "outcome": {"$exists": False}}
        found = await self._collection.find(waiting, {"receivedAt": 1}).sort("receivedAt").limit(1).to_list()
        return found[0]["receivedAt"] if found else None
