"""What is counted in `videos`: one person's own numbers, of what is in their gallery now, and those of everybody."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo.asynchronous.collection import AsyncCollection

from services.gateway.store.view_documents import shelf_of
from shared.contracts.videos import VideoStatus
from shared.delivery.outbox import Document

SAMPLE = 200


@dataclass(frozen=True, slots=True)
class Numbers:
    """`failures` by code; `took` is how long the newest ready videos took, SAMPLE at most, shortest first."""

    videos: Mapping[VideoStatus, int]
    failures: Mapping[str, int]
    took: Sequence[timedelta]
    stored_bytes: int
    stored_seconds: float


class Tally:
    """Every query that counts. Reads only."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Make the index that videos are counted in."""
        await self._collection.create_index("status")

    async def of_all(self) -> Mapping[VideoStatus, int]:
        """Return how many videos of all users have each status, deleted ones left out. Raises PyMongoError."""
        return {status: await self._collection.count_documents({"status": status.value}) for status in VideoStatus}

    async def standing_since(self) -> Mapping[str, datetime]:
        """Return since when nothing was heard of the video that has been in each stage longest. Raises PyMongoError."""
        running = {"status": {"$in": [VideoStatus.PENDING.value, VideoStatus.PROCESSING.value]}}
        oldest = {"_id": "$stage", "since": {"$min": "$updatedAt"}}
        found = await self._collection.aggregate([{"$match": running}, {"$group": oldest}])
        return {group["_id"]: group["since"] for group in await found.to_list()}

    async def of(self, user_id: str) -> Numbers:
        """Return this user's numbers. Raises PyMongoError."""
        shelf = {"shelf": shelf_of(user_id)}
        groups = {
            "_id": {"status": "$status", "code": "$error.code"},
            "videos": {"$sum": 1},
            "bytes": {"$sum": "$metadata.size"},
            "seconds": {"$sum": "$metadata.duration"},
        }
        counting = await self._collection.aggregate([{"$match": shelf}, {"$group": groups}])
        found = await counting.to_list()
        videos: Counter[VideoStatus] = Counter()
        failures: Counter[str] = Counter()
        for group in found:
            status = VideoStatus(group["_id"]["status"])
            videos[status] += group["videos"]
            if status is VideoStatus.FAILED:
                failures[group["_id"].get("code") or "UNKNOWN"] += group["videos"]
        return Numbers(
            videos=videos,
            failures=failures,
            took=await self._took({"userId": user_id, "status": VideoStatus.READY, **shelf}),
            stored_bytes=sum(group["bytes"] for group in found),
            stored_seconds=sum(group["seconds"] for group in found),
        )

    async def _took(self, ready: Document) -> list[timedelta]:
        newest = self._collection.find(ready, {"requestedAt": 1, "readyAt": 1}).sort("shelf", -1).limit(SAMPLE)
        times = [(video.get("requestedAt"), video.get("readyAt")) async for video in newest]
        return sorted(ready_at - asked_at for asked_at, ready_at in times if asked_at and ready_at)
