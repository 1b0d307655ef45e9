"""The claims: one document per key this service has written to or taken over, made before the object exists.

`_id` is the key, so that a key has one owner. Fields: videoId, token (of the worker that claimed it), foreign (the
workflow put the object there), refused (it did not do, so another video may have it), writing (an upload may be under
way), uploadId, claimedAt, sweepAt (when the sweeper looks at it; absent once it is settled).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from services.media.domain import claim_key
from shared.contracts.wire import utc_now
from shared.delivery.outbox import EPOCH, Document

FIRST_LOOK = timedelta(minutes=1)
SWEEP_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Claim:
    """One key, and what is known of the object there."""

    key: str
    video_id: str
    token: str
    foreign: bool
    writing: bool
    upload_id: str | None
    claimed_at: datetime


class Claims:
    """Who may write which key, and which keys have to be looked after."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Make the indexes of the queries below."""
        await self._collection.create_index("sweepAt", sparse=True)
        await self._collection.create_index("videoId")

    async def reserve(self, video_id: str, user_id: str, token: str) -> str:
        """Return a key nobody has ever claimed, now claimed for this video's worker `token`."""
        timestamp_ms = int(utc_now().timestamp() * 1000)
        while not await self._insert(claim_key(user_id, timestamp_ms), video_id, token, foreign=False):
            timestamp_ms += 1
        return claim_key(user_id, timestamp_ms)

    async def adopt(self, key: str, video_id: str, token: str) -> bool:
        """Claim the key of an object the workflow wrote; return False where it belongs to another video."""
        if await self._insert(key, video_id, token, foreign=True):
            return True
        known = {"videoId": video_id, "token": token, "writing": True, "sweepAt": utc_now() + FIRST_LOOK}
        for free in ({"videoId": video_id}, {"refused": True}):
            taken = {"$set": known, "$unset": {"refused": ""}}
            if (await self._collection.update_one({"_id": key, **free}, taken)).matched_count:
                return True
        return False

    async def note(self, key: str, video_id: str) -> None:
        """Claim the key of an object the workflow wrote and nobody moves; what becomes of it is looked at now.

        A claim that this video has already stays its worker's, another video's is not touched.
        """
        if not await self._insert(key, video_id, token="", foreign=True, writing=False):
            await self._collection.update_one({"_id": key, "videoId": video_id}, {"$set": {"sweepAt": utc_now()}})

    async def remember_upload(self, key: str, upload_id: str) -> None:
        """Note a multipart upload, so that its parts are found again."""
        await self._collection.update_one({"_id": key}, {"$set": {"uploadId": upload_id}})

    async def settle(self, key: str) -> None:
        """Note that the object is in use: it is not looked at again."""
        await self._collection.update_one({"_id": key}, {"$set": {"writing": False}, "$unset": {"sweepAt": ""}})

    async def refuse(self, key: str) -> None:
        """Note that the workflow's object did not do: it goes with its video, unless another video takes it."""
        refused = {"$set": {"writing": False, "refused": True}, "$unset": {"sweepAt": ""}}
        await self._collection.update_one({"_id": key}, refused)

    async def close(self, key: str, video_id: str) -> bool:
        """See to it that no other video takes the key any more; return False where one has."""
        own = {"_id": key, "videoId": video_id}
        return (await self._collection.update_one(own, {"$unset": {"refused": ""}})).matched_count > 0

    async def leave(self, key: str) -> None:
        """Note that nobody writes to the key any more: what became of it is looked at now."""
        await self._collection.update_one({"_id": key}, {"$set": {"writing": False, "sweepAt": utc_now()}})

    async def look_again(self, key: str, at: datetime) -> None:
        """Have the sweeper look at the key again at `at`."""
        await self._collection.update_one({"_id": key}, {"$set": {"sweepAt": at}})

    async def look_at_others(self, video_id: str, key: str) -> None:
        """Have the sweeper look at every other key of this video now."""
        others = {"videoId": video_id, "_id": {"$ne": key}}
        await self._collection.update_many(others, {"$set": {"sweepAt": utc_now()}})

    async def forget(self, key: str) -> None:
        """Give the key up."""
        await self._collection.delete_one({"_id": key})

    async def of_video(self, video_id: str) -> list[Claim]:
        """Return every claim of a video."""
        return [_claim(found) for found in await self._collection.find({"videoId": video_id}).to_list()]

    async def due(self) -> list[Claim]:
        """Return claims the sweeper is to look at now, not more than SWEEP_LIMIT."""
        waiting = {"sweepAt": {"$gte": EPOCH, "$lte": utc_now()}}
        return [_claim(found) for found in await self._collection.find(waiting).to_list(SWEEP_LIMIT)]

    async def _insert(self, key: str, video_id: str, token: str, *, foreign: bool, writing: bool = True) -> bool:
        now = utc_now()
        claim = {
            "_id": key,
            "videoId": video_id,
            "token": token,
            "foreign": foreign,
            "writing": writing,
            "claimedAt": now,
            "sweepAt": now + FIRST_LOOK if writing else now,
        }
        try:
            await self._collection.insert_one(claim)
        except DuplicateKeyError:
            return False
        return True


def _claim(document: Document) -> Claim:
    return Claim(
        key=document["_id"],
        video_id=document["videoId"],
        token=document["token"],
        foreign=document["foreign"],
        writing=document.get("writing", False),
        upload_id=document.get("uploadId"),
        claimed_at=document["claimedAt"],
    )
