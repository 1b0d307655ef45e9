"""`history`: one document per attempt that a workflow worked on, as its owner may look it up."""

from datetime import datetime
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from services.gateway.domain import Rank
from services.gateway.store.view_documents import shelf_of
from shared.delivery.outbox import Document

DELETED = "You deleted this video."
TRIED_AGAIN = "You tried again before this attempt came to its end."


class History:
    """Every query on `history`. Ordered by rank within an attempt; repeats and late news change nothing."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Make the indexes of the queries below."""
        await self._collection.create_index("shelf")
        await self._collection.create_index("executionId", sparse=True)

    async def record(self, video_id: str, attempt: int, rank: Rank, at: datetime, fields: dict[str, Any]) -> bool:
        """Bring the entry of this attempt to `rank`, making it where it is missing. Returns whether that was news."""
        newer = {"_id": entry_id(video_id, attempt), "order": {"$lt": int(rank)}}
        known = {name: value for name, value in fields.items() if value is not None}
        update = {
            "$set": {**known, "order": int(rank)},
            "$unset": {name: "" for name in ("completedAt", "errorMessage") if name not in known},
            "$setOnInsert": {
                "shelf": _place(video_id, attempt),
                "videoId": video_id,
                "attempt": attempt,
                "createdAt": at,
            },
        }
        try:
            changed = await self._collection.update_one(newer, update, upsert=True)
        except DuplicateKeyError:
            return False  # the entry is there and further already
        return bool(changed.modified_count or changed.upserted_id is not None)

    async def give_up(self, video_id: str, attempt: int, at: datetime, message: str) -> None:
        """Show an attempt that had begun by `at` as failed, until its real end is heard of."""
        begun = {"_id": entry_id(video_id, attempt), "createdAt": {"$lte": at}, "order": {"$lt": int(Rank.UNANSWERED)}}
        values = {"order": int(Rank.UNANSWERED), "status": "failed", "completedAt": at, "errorMessage": message}
        await self._collection.update_one(begun, {"$set": values})

    async def supersede(self, video_id: str, attempt: int, at: datetime) -> None:
        """End what is under way of the attempts before `attempt`, until a real end is heard of: mostly none is."""
        before: Document = {"shelf": {"$gte": f"{video_id}:", "$lt": _place(video_id, attempt)}, "status": "pending"}
        values = {"order": int(Rank.UNANSWERED), "status": "failed", "completedAt": at, "errorMessage": TRIED_AGAIN}
        await self._collection.update_many(before, {"$set": values})

    async def forget(self, video_id: str, at: datetime) -> None:
        """Take the title out of a deleted video's entries, and end those that were under way: nobody tells of them."""
        of_video = _of_video(video_id)
        await self._collection.update_many(of_video, {"$unset": {"title": ""}})
        ended = {"order": int(Rank.CANCELLED), "status": "failed", "completedAt": at, "errorMessage": DELETED}
        await self._collection.update_many({**of_video, "status": "pending"}, {"$set": ended})

    async def learn_execution(self, video_id: str, attempt: int, execution_id: str) -> None:
        """Note which execution this attempt is, where that came after its start."""
        nameless = {"_id": entry_id(video_id, attempt), "executionId": {"$exists": False}}
        await self._collection.update_one(nameless, {"$set": {"executionId": execution_id}})

    async def knows_execution(self, execution_id: str) -> bool:
        """Return whether some attempt is known to be this execution."""
        return await self._collection.find_one({"executionId": execution_id}, {"_id": 1}) is not None

    async def last_rendered(self, video_id: str) -> int | None:
        """Return the newest attempt of a video that a workflow is known to have worked on."""
        newest = self._collection.find(_of_video(video_id), {"attempt": 1, "shelf": 1}).sort("shelf", -1).limit(1)
        found = await newest.to_list()
        return int(found[0]["attempt"]) if found else None

    async def page(self, user_id: str, before: str | None, limit: int) -> list[Document]:
        """Return up to `limit` entries of this user, newest video first, older than position `before`."""
        shelf = {"shelf": shelf_of(user_id, before)}
        return await self._collection.find(shelf).sort("shelf", -1).limit(limit).to_list()


def entry_id(video_id: str, attempt: int) -> str:
    """Return the id of an attempt's entry."""
    return f"{video_id}:{attempt}"


def _place(video_id: str, attempt: int) -> str:
    return f"{video_id}:{attempt:09d}"


def _of_video(video_id: str) -> Document:
    return {"shelf": {"$gte": f"{video_id}:", "$lt": f"{video_id};"}}
