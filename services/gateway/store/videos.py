"""`videos`: one document per video: the request, its idempotency key, the user's view, in the end the tombstone.

`shelf` is the videoId while the video is shown in the gallery; `slot` is the place it takes in its owner's quota
while it runs; `key` is the request's idempotency key. Each is absent where it means nothing, and its index sparse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from services.gateway.domain import (
    FOREVER,
    SAID,
    Accepted,
    Failure,
    Rank,
    Restart,
    Stage,
    Video,
    VideoRequest,
    order_of,
    told_enough,
)
from services.gateway.store.view_documents import (
    accepted_of,
    error_of,
    shelf_of,
    slot_of,
    slots_of,
    to_document,
    to_video,
)
from shared.contracts.events import Event, VideoRetryRequested
from shared.contracts.videos import VideoKind, VideoStatus
from shared.contracts.wire import utc_now
from shared.delivery.inserting import insert_through
from shared.delivery.leases import new_job
from shared.delivery.outbox import EPOCH, FAR, Document, Outbox
from shared.wiring.tracing import current_traceparent


class IdTakenError(Exception):
    """Another video has this id, or had it before it was deleted."""


class SlotTakenError(Exception):
    """Another running video of this user has this place in the quota."""


class KeyTakenError(Exception):
    """A request with this idempotency key was accepted before."""


@dataclass(frozen=True, slots=True)
class Known:
    """Whose video it is, its newest attempt and where that one started, and whether a workflow makes it."""

    user_id: str
    attempt: int
    rendered: bool
    restart: Restart | None = None


_TAKEN: dict[str, type[Exception]] = {"_id": IdTakenError, "slot": SlotTakenError, "key": KeyTakenError}

_PASSING = ("progress", "message")
RESULT = ("resultUrl", "resultKey")
_SCRIPT = ("shelf", "slot", "title", "email", "fields", "sourceUrl", *RESULT, "error", *_PASSING)
_FILE = ("s3Key", "posterKey", "metadata", "estimatedCompletion")


class Videos:
    """Every query on `videos`. Methods return whether they changed something, so that repeats can be told."""

    def __init__(self, collection: AsyncCollection[Document], outbox: Outbox, patience: timedelta) -> None:
        """`patience` is how long an answer may take before it is asked for again."""
        self._collection = collection
        self._outbox = outbox
        self._patience = patience

    async def ensure_indexes(self) -> None:
        """Make the indexes of every query below that does not ask by _id."""
        await self._collection.create_index("key", unique=True, sparse=True)
        await self._collection.create_index("slot", unique=True, sparse=True)
        await self._collection.create_index("shelf", sparse=True)
        await self._collection.create_index([("userId", 1), ("status", 1), ("shelf", 1)])
        await self._collection.create_index([("kind", 1), ("readyAt", -1)])

    async def add(
        self,
        accepted: Accepted,
        request: VideoRequest,
        *,
        slot: int | None,
        key: str | None,
        body_hash: str,
        event: Event,
    ) -> None:
        """Store a request with the event it causes. Raises IdTakenError, SlotTakenError, KeyTakenError."""
        document = to_document(accepted, request, slot=slot, key=key, body_hash=body_hash)
        document = self._outbox.carry_held({**document, **self._waiting()}, event)
        try:
            await insert_through(self._collection, document, mark="requestId")
        except DuplicateKeyError as error:
            raise _taken(error) from error
        self._outbox.nudge_held(document)

    async def accepted_with(self, key: str) -> tuple[Accepted, str] | None:
        """Return what was answered to the request with this key, deleted or not, and the hash of its body."""
        document = await self._collection.find_one({"key": key})
        return (accepted_of(document), document["bodyHash"]) if document else None

    async def taken_slots(self, user_id: str) -> set[int]:
        """Return the places in the quota that this user's running videos take."""
        taken = self._collection.find({"slot": slots_of(user_id)}, {"slot": 1})
        return {int(document["slot"].rpartition(":")[2]) async for document in taken}

    async def find(self, video_id: str, user_id: str) -> Video | None:
        """Return this user's video; None where nobody, somebody else or only a tombstone has it."""
        document = await self._collection.find_one({"_id": video_id})
        if document is None or document["userId"] != user_id or document["order"] >= FOREVER:
            return None
        return to_video(document)

    async def known(self, video_id: str) -> Known | None:
        """Return what is known of a video; None where nobody has it or it was deleted."""
        fields = {"userId": 1, "attempt": 1, "kind": 1, "order": 1, "restart": 1}
        document = await self._collection.find_one({"_id": video_id}, fields)
        if document is None or document["order"] >= FOREVER:
            return None
        return Known(document["userId"], document["attempt"], document["kind"] != "import", document.get("restart"))

    async def page(self, user_id: str, status: VideoStatus | None, before: str | None, limit: int) -> list[Video]:
        """Return up to `limit` videos of this user, newest first, older than position `before`."""
        wanted: Document = {"shelf": shelf_of(user_id, before)}
        if status is not None:
            wanted = {"userId": user_id, "status": status, **wanted}
        found = self._collection.find(wanted).sort("shelf", -1).limit(limit)
        return [to_video(document) async for document in found]

    async def durations(self, kind: VideoKind, limit: int) -> list[timedelta]:
        """Return how long the newest ready videos of this kind took, from the request of their last attempt on.

        Those whose last attempt only fetched the file of an earlier one are left out; imports never do more.
        """
        ready: Document = {"kind": kind, "readyAt": {"$gte": EPOCH, "$lt": FAR}}
        if kind != "import":
            ready["restart"] = {"$ne": "transfer"}
        found = self._collection.find(ready, {"requestedAt": 1, "readyAt": 1}).sort("readyAt", -1).limit(limit)
        took = [video["readyAt"] - video["requestedAt"] async for video in found if "requestedAt" in video]
        return [duration for duration in took if duration > timedelta(0)]

    async def advance(
        self, video_id: str, attempt: int, rank: Rank, fields: Mapping[str, Any], *, clear: Sequence[str] = ()
    ) -> bool:
        """Bring the view to `rank` of `attempt` with `fields`, unless it is there or further already.

        An end that follows another one is asked about anew: of the first its owner was told, and that was all.
        """
        order = order_of(attempt, rank)
        gone = [*_PASSING, *clear] if rank < Rank.UNANSWERED else [*_PASSING, "slot", *clear]
        anew = self._waiting() if rank > Rank.FAILED else {}
        update = {
            "$set": {**fields, "order": order, "updatedAt": utc_now(), **anew},
            "$unset": dict.fromkeys((name for name in gone if name not in fields), ""),
        }
        changed = await self._collection.update_one({"_id": video_id, "order": {"$lt": order}}, update)
        return bool(changed.modified_count)

    async def give_up(self, video: Video, failure: Failure, event: Event) -> bool:
        """Show it as failed, unless there was news since `video` was read; it is asked about as before."""
        values: Document = {"status": VideoStatus.FAILED, "stage": Stage.FAILED, "error": error_of(failure)}
        values |= {"order": order_of(video.attempt, Rank.UNANSWERED), "updatedAt": utc_now()}
        as_seen = {"_id": video.video_id, "order": video.order, "updatedAt": video.updated_at}
        update = {"$set": values, "$unset": dict.fromkeys(("slot", *_PASSING), "")}
        return await self._change_where(as_seen, update, event)

    async def adopting(self, video_id: str, attempt: int, fields: Mapping[str, Any]) -> bool:
        """Show that a late result of the failed attempt is being fetched; it stays failed meanwhile."""
        # Once the fetching has failed too, this is a repeat, or news that came in the wrong order.
        failed = {"_id": video_id, "order": order_of(attempt, Rank.FAILED), "error.origin": "workflow"}
        values = {**fields, "stage": Stage.ADOPTING, "updatedAt": utc_now(), **self._waiting()}
        return bool((await self._collection.update_one(failed, {"$set": values})).modified_count)

    async def adopted(self, video_id: str, attempt: int) -> None:
        """Ask about a failed video whose late result is said to be taken: the news itself may be lost."""
        unheard = {"_id": video_id, "order": order_of(attempt, Rank.FAILED), "error.origin": "workflow"}
        values = {"stage": Stage.ADOPTING, "updatedAt": utc_now(), **self._waiting()}
        await self._collection.update_one({**unheard, "stage": Stage.FAILED}, {"$set": values})

    async def adoption_failed(self, video_id: str, attempt: int, failure: Failure) -> bool:
        """Show why the late result could not be had after all, also where nothing was heard of that result yet."""
        adopting = {"_id": video_id, "order": order_of(attempt, Rank.FAILED), "error.origin": "workflow"}
        update = {"$set": {"stage": Stage.FAILED, "error": error_of(failure), "updatedAt": utc_now()}}
        return bool((await self._collection.update_one(adopting, update)).modified_count)

    async def said_why(self, video_id: str, attempt: int, failure: Failure) -> None:
        """Show why the workflow itself says that it failed, where it had been given up because nothing was heard."""
        failed = {"_id": video_id, "order": order_of(attempt, Rank.FAILED)}
        unheard = {"error.origin": "workflow", "error.code": {"$nin": [*SAID]}}
        update = {"$set": {"error": error_of(failure), "updatedAt": utc_now()}}
        await self._collection.update_one({**failed, **unheard}, update)

    async def learn_result(self, video_id: str, attempt: int, place: Mapping[str, str]) -> None:
        """Note where the file is, or came from, although the view is further than that already."""
        further = {"$gt": order_of(attempt, Rank.COMPLETED), "$lt": order_of(attempt, Rank.CANCELLED) + 1}
        unknown = {"_id": video_id, "order": further, **{name: {"$exists": False} for name in RESULT}}
        await self._collection.update_one(unknown, {"$set": dict(place)})

    async def progressed(self, video_id: str, order: int, percent: float | None, message: str | None) -> None:
        """Raise the progress of a video that is at exactly this `order`, and show `message` or none."""
        update: Document = {"$set": {"updatedAt": utc_now()}}
        if percent is not None:
            update["$max"] = {"progress": percent}
        if message is None:
            update["$unset"] = {"message": ""}
        else:
            update["$set"]["message"] = message
        await self._collection.update_one({"_id": video_id, "order": order}, update)

    async def retry(
        self, video: Video, fields: Mapping[str, Any], slot: int | None, event: VideoRetryRequested
    ) -> bool:
        """Begin the next attempt, unless the view moved on since `video` was read. Raises SlotTakenError."""
        order = order_of(video.attempt + 1, Rank.REQUESTED)
        values = {**fields, "attempt": video.attempt + 1, "order": order, "updatedAt": utc_now()}
        values |= {"restart": event.restart, "requestedAt": event.time, "expectedSeconds": event.expected_seconds}
        values |= {"takesResult": event.takes_result}
        if slot is not None:
            values["slot"] = slot_of(video.user_id, slot)
        # What is rendered anew lies elsewhere: the last attempt's file must not be fetched in its place.
        renewed = event.restart == "workflow" or not fields.keys().isdisjoint(RESULT)
        gone = ("error", *_PASSING, *(name for name in RESULT if renewed and name not in fields))
        update = {"$set": values, "$unset": dict.fromkeys(gone, "")}
        try:
            return await self._change(video, update, event)
        except DuplicateKeyError as error:
            raise _taken(error) from error

    async def cancel(self, video: Video, failure: Failure, event: Event) -> bool:
        """End the attempt by its owner's wish, unless the view moved on since `video` was read."""
        values = {
            "status": VideoStatus.FAILED,
            "stage": Stage.CANCELLED,
            "error": error_of(failure),
            "order": order_of(video.attempt, Rank.CANCELLED),
            "updatedAt": event.time,
        }
        return await self._change(video, {"$set": values, "$unset": dict.fromkeys(("slot", *_PASSING), "")}, event)

    async def delete(self, video: Video, event: Event) -> bool:
        """Leave the tombstone: no script, no title, but still the answer its idempotency key is owed."""
        now = utc_now()
        values = {"status": "deleted", "order": FOREVER, "deletedAt": now, "updatedAt": now}
        return await self._change(video, {"$set": values, "$unset": dict.fromkeys((*_SCRIPT, *_FILE), "")}, event)

    async def told(self, video_id: str, order: int) -> None:
        """Note that the owner was told of `order`; of an end that is known to all, nothing more is asked."""
        await self._collection.update_one({"_id": video_id}, {"$max": {"toldOrder": order}})
        if told_enough(order, order):
            await self._ask_no_more(video_id, order)

    async def workflow_removed(self, video_id: str) -> None:
        """Note that the generator knows of the deletion; where its owner does, too, nothing more is asked about it."""
        deleted = {"_id": video_id, "order": FOREVER}
        await self._collection.update_one(deleted, {"$set": {"workflowRemoved": True}})
        await self._ask_no_more(video_id, FOREVER)

    async def _ask_no_more(self, video_id: str, order: int) -> None:
        at_its_end: Document = {"_id": video_id, "order": order, "toldOrder": order}
        at_its_end |= {"workflowRemoved": True} if order >= FOREVER else {"stage": {"$ne": Stage.ADOPTING}}
        await self._collection.update_one(at_its_end, {"$unset": {"job": ""}})

    async def _change(self, video: Video, update: Document, event: Event) -> bool:
        seen = {"_id": video.video_id, "order": video.order}
        return await self._change_where(seen, {**update, "$set": {**update["$set"], **self._waiting()}}, event)

    async def _change_where(self, seen: Document, update: Document, event: Event) -> bool:
        changed = await self._collection.update_one(seen, self._outbox.carry(update, event))
        if changed.modified_count:
            self._outbox.nudge(seen["_id"])
        return bool(changed.modified_count)

    def _waiting(self) -> Document:
        job = new_job("reannounce", due_at=utc_now() + self._patience)
        return {"job": job, "traceparent": current_traceparent()}


def _taken(error: DuplicateKeyError) -> Exception:
    """Return what the duplicate means; an index that is none of ours stays as it is."""
    pattern = (error.details or {}).get("keyPattern", {})
    return next((_TAKEN[name]() for name in pattern if name in _TAKEN), error)
