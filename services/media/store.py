"""The assets: one document per video, what media knows of it, its job and the events it has yet to tell.

Fields: userId, title, attempt, order, state, source {videoUrl, s3Key}, adopted, imported, moved (the newest attempt
that had a file to move, 0 for none), job, deadlineAt (from the attempt's first try on), endedEarly (count of tries),
unreachableSince (while no try gets a byte), triesEnded (number of the last try that ended by itself), trouble (of the
last try) and failure {code, message}, key, posterKey, metadata, traceparent, createdAt, updatedAt, erasedAt.
"""

from collections.abc import Callable

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from services.media.domain import DELETED_ORDER, Attempt, Rank, Source, order_of
from shared.contracts.events import Event
from shared.contracts.wire import utc_now
from shared.delivery.leases import new_job
from shared.delivery.outbox import Document, Outbox
from shared.wiring.tracing import current_traceparent

TRANSFER, ERASE = "transfer", "erase"

_OF_TRIES = ("deadlineAt", "endedEarly", "unreachableSince", "triesEnded", "trouble", "failure")


class Assets:
    """Every write to the assets that does not belong to a running job; each is one atomic, idempotent update."""

    def __init__(self, collection: AsyncCollection[Document], outbox: Outbox) -> None:
        self._collection = collection
        self._outbox = outbox

    async def ensure_indexes(self) -> None:
        """Make the index that what is stored is added up in."""
        await self._collection.create_index([("state", 1), ("metadata.size", 1)])

    async def stored_bytes(self) -> int:
        """Return the size of all videos that can be watched. Raises PyMongoError."""
        ready = {"$match": {"state": Rank.READY.value}}
        total = {"$group": {"_id": None, "bytes": {"$sum": "$metadata.size"}}}
        found = await (await self._collection.aggregate([ready, total])).to_list()
        return int(found[0]["bytes"]) if found else 0

    async def find(self, video_id: str) -> Document | None:
        """Return the asset's document."""
        return await self._collection.find_one({"_id": video_id})

    async def begin(self, attempt: Attempt, given_up: Callable[[Attempt], Event]) -> bool:
        """Note that a file is to be moved; return False where the state is already at or beyond that.

        `given_up` returns the news of an older attempt whose file was being moved until now.
        """
        state = {
            "userId": attempt.user_id,
            "title": attempt.title,
            "attempt": attempt.number,
            "source": {"videoUrl": attempt.source.video_url, "s3Key": attempt.source.s3_key},
            "adopted": attempt.adopted,
            "imported": attempt.imported,
            "moved": attempt.number,
            "job": new_job(TRANSFER),
        }

        def overtaken(known: Document) -> Event | None:
            begun = known["state"] == Rank.TRANSFERRING and "deadlineAt" in known
            return given_up(attempt_of(known)) if begun else None

        order = order_of(attempt.number, Rank.TRANSFERRING)
        return await self._follow(attempt.video_id, _change(Rank.TRANSFERRING, order, state, _OF_TRIES), overtaken)

    async def cancel(self, video_id: str, user_id: str, title: str, attempt: int, news: Event) -> bool:
        """Cancel an attempt, known or not; `news` is told only where this attempt had a transfer."""
        state = {"userId": user_id, "title": title, "attempt": attempt, "job": new_job(ERASE, since=utc_now())}

        def stopped(known: Document) -> Event | None:
            return news if known["attempt"] == attempt else None

        order = order_of(attempt, Rank.CANCELLED)
        return await self._follow(video_id, _change(Rank.CANCELLED, order, state, ("key", "posterKey")), stopped)

    async def had(self, video_id: str, attempt: int) -> bool:
        """Return whether there ever was a file of this attempt to move; where there was none, others answer for it."""
        before_it_was_noted = None
        known = {"_id": video_id, "moved": {"$in": [attempt, before_it_was_noted]}}
        return await self._collection.find_one(known, {"_id": 1}) is not None

    async def delete(self, video_id: str, user_id: str, attempt: int) -> bool:
        """Leave a tombstone, also for an id nobody has heard of; return False where there is one already."""
        state = {"userId": user_id, "attempt": attempt, "job": new_job(ERASE, since=utc_now())}
        gone = ("title", "source", "key", "posterKey", "metadata", "erasedAt", *_OF_TRIES)
        older = {"_id": video_id, "order": {"$lt": DELETED_ORDER}}
        return await self._upsert(older, _change(Rank.DELETED, DELETED_ORDER, state, gone))

    async def tell(self, known: Document, news: Event) -> None:
        """Publish `news` of the state that was read, unless another has taken its place."""
        as_read = {"_id": known["_id"], "order": known["order"]}
        if (await self._collection.update_one(as_read, self._outbox.carry({}, news))).modified_count:
            self._outbox.nudge(known["_id"])

    async def _follow(self, video_id: str, change: Document, ends: Callable[[Document], Event | None]) -> bool:
        """Apply `change` and tell how that `ends` what stood there; False where the state is at or beyond it."""
        order = change["$set"]["order"]
        while True:
            known = await self.find(video_id)
            if known is not None and known["order"] >= order:
                return False
            news = ends(known) if known else None
            told = self._outbox.carry(change, news) if news else change
            # What was read must still stand, or else this is decided anew.
            as_read = {"order": known["order"], "deadlineAt": known.get("deadlineAt")} if known else {"order": None}
            if await self._upsert({"_id": video_id, **as_read}, told):
                self._outbox.nudge(video_id)
                return True

    async def _upsert(self, expected: Document, change: Document) -> bool:
        """Apply `change` where `expected` matches or the id is new; return False where another state stands there."""
        try:
            await self._collection.update_one(expected, change, upsert=True)
        except DuplicateKeyError:
            return False
        return True


def attempt_of(document: Document) -> Attempt:
    """Return the attempt an asset's document describes."""
    source = document.get("source") or {}
    return Attempt(
        video_id=document["_id"],
        user_id=document["userId"],
        number=document["attempt"],
        title=document.get("title", ""),
        source=Source(source.get("videoUrl"), source.get("s3Key")),
        adopted=document.get("adopted", False),
        imported=document.get("imported", False),
    )


def _change(rank: Rank, order: int, state: Document, gone: tuple[str, ...]) -> Document:
    now = utc_now()
    return {
        "$set": {
            **state,
            "state": rank.value,
            "order": order,
            "traceparent": current_traceparent(),
            "updatedAt": now,
        },
        "$unset": dict.fromkeys(gone, ""),
        "$setOnInsert": {"createdAt": now} | ({} if "moved" in state else {"moved": 0}),
    }
