"""The notifier's database: each user's notifications, numbered without a gap.

`notifications`: `_id` is `<userId>/<seq>`, so that (userId, seq) is unique and every query of a user's news is a
short range of `_id`. A user's own log is the lock: whoever writes number last + 1 knows that nothing was told to that
user since `last` was read, so what was decided in between still holds. `heads`: per user the newest number, a
hint that may be one behind after a crash, but outlives the notifications.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from services.notifier.domain import News, Notification
from shared.contracts.events import NotificationCreated
from shared.contracts.wire import utc_now
from shared.delivery.outbox import FAR, Document, Outbox

LARGEST_SEQ = 10**12 - 1
READS_AT_ONCE = 48
_MOST_RACES = 50
_LOOK_AHEAD = 1000


class ContendedError(Exception):
    """Others took the user's next number again and again."""


class Store:
    """Every query of the notifier. Raises PyMongoError where the database is away."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        outbox: Callable[..., Outbox],
        retention: timedelta,
    ) -> None:
        self._notifications = database["notifications"]
        self._heads = database["heads"]
        self._outbox = outbox(self._notifications, keep=retention)
        # Thousands of clients that come back at once must not wait longer for a connection than a query may take.
        self._turn = asyncio.Semaphore(READS_AT_ONCE)

    async def prepare(self) -> None:
        """Make the indexes; the one that lets old notifications go is the outbox's."""
        await self._notifications.create_index("source", unique=True)
        await self._notifications.create_index("videoId")
        await self._heads.create_index("movedAt")

    async def append(self, news: News) -> Notification | None:
        """Store `news` as the user's next notification; None where it repeats something or comes too late."""
        last = await self._head(news.user_id)
        for _ in range(_MOST_RACES):
            if news.order <= await self.order_of(news.video_id):
                return None
            notification = Notification(news.user_id, last + 1, news.video_id, news.order, news.payload)
            try:
                await self._insert(notification, news.source)
            except DuplicateKeyError:
                if await self._knows(news.source):
                    return None
                last = await self.last_seq(news.user_id)
            else:
                return notification
        raise ContendedError(f"notifications of one user: {_MOST_RACES} races lost")

    async def move_head(self, user_id: str, seq: int) -> None:
        """Remember that the user's newest notification is at least `seq`."""
        moved = {"$max": {"last": seq}, "$set": {"movedAt": utc_now()}}
        try:
            await self._heads.update_one({"_id": user_id}, moved, upsert=True)
        except DuplicateKeyError:  # made by another replica at this very moment
            await self._heads.update_one({"_id": user_id}, moved)

    async def last_seq(self, user_id: str) -> int:
        """Return the user's newest number, 0 before the first."""
        async with self._turn:
            last = await self._head(user_id)
            while ahead := await self._range(user_id, last, last + _LOOK_AHEAD, {"seq": 1}):
                last = ahead[-1]["seq"]
            return last

    async def between(self, user_id: str, after: int, upto: int) -> list[Notification]:
        """Return the user's notifications after number `after` up to `upto`, oldest first; what expired is missing."""
        async with self._turn:
            return [_notification(document) for document in await self._range(user_id, after, upto)]

    async def order_of(self, video_id: str) -> int:
        """Return the highest order told of the video, 0 where nothing was."""
        told = await self._notifications.find({"videoId": video_id}, {"order": 1}).to_list()
        return max((document["order"] for document in told), default=0)

    async def moved_since(self, moment: datetime) -> list[tuple[str, int]]:
        """Return the users who got something since `moment`, each with the newest number."""
        moved = self._heads.find({"movedAt": {"$gte": moment, "$lt": FAR}}, {"last": 1})
        return [(head["_id"], head["last"]) for head in await moved.to_list()]

    async def _insert(self, notification: Notification, source: str) -> None:
        document_id = _id(notification.user_id, notification.seq)
        document = {
            "_id": document_id,
            "userId": notification.user_id,
            "seq": notification.seq,
            "videoId": notification.video_id,
            "order": notification.order,
            "source": source,
            "payload": notification.payload,
            "createdAt": utc_now(),
        }
        created = NotificationCreated(
            id=document_id,
            user_id=notification.user_id,
            seq=notification.seq,
            video_id=notification.video_id,
            order=notification.order,
        )
        carried = self._outbox.carry_held(document, created)
        await self._notifications.insert_one(carried)
        self._outbox.nudge_held(carried)

    async def _knows(self, source: str) -> bool:
        return await self._notifications.find_one({"source": source}, {"_id": 1}) is not None

    async def _head(self, user_id: str) -> int:
        head = await self._heads.find_one({"_id": user_id})
        return int(head["last"]) if head else 0

    async def _range(
        self, user_id: str, after: int, upto: int, fields: dict[str, int] | None = None
    ) -> list[dict[str, Any]]:
        bounds = {"$gt": _id(user_id, after), "$lte": _id(user_id, min(upto, LARGEST_SEQ))}
        return await self._notifications.find({"_id": bounds}, fields or _SHOWN).sort("_id", 1).to_list()


_SHOWN = {"userId": 1, "seq": 1, "videoId": 1, "order": 1, "payload": 1}


def _id(user_id: str, seq: int) -> str:
    return f"{user_id}/{seq:012d}"


def _notification(document: dict[str, Any]) -> Notification:
    return Notification(
        document["userId"], document["seq"], document["videoId"], document["order"], document["payload"]
    )
