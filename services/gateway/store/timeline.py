"""`timeline`: one document per entry, named after the event it tells of, kept as long as its video."""

from collections.abc import Iterable

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from services.gateway.outcomes import Settled, of
from services.gateway.timeline.entry import REPLACED, UNSETTLED, Entry, Weight, judgement_of
from shared.contracts.events import CallbackJudged
from shared.delivery.outbox import Document


class Entries:
    """Every query on `timeline`."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Make the index of one video's entries in order of time."""
        await self._collection.create_index([("videoId", 1), ("at", 1)])

    async def add(self, entry: Entry) -> bool:
        """Keep `entry`; return False, having changed nothing, where it is there already."""
        try:
            await self._collection.insert_one(_document(entry))
        except DuplicateKeyError:
            return False
        return True

    async def judge(self, entry_id: str, event: CallbackJudged) -> bool:
        """Note what came of a webhook, and of which attempt. Returns whether its entry is there and not settled yet."""
        entry = await self._collection.find_one({"_id": entry_id, "open": True}, {"videoId": 1, "outcome": 1})
        if entry is None:
            return False
        if entry.get("outcome") == REPLACED and event.outcome not in of(Settled.IN_EFFECT):
            return True
        if event.video_id in (None, entry["videoId"]):
            await self._settle(entry_id, event.outcome, event.attempt)
        else:
            await self._settle(entry_id, "repeat", None)  # it had counted for another video
        return True

    async def passed_on_again(self, entry_id: str) -> None:
        """Note that an operator had a webhook judged again: what comes of it is told by another entry.

        Unless it had its effect before: that may be heard of only now.
        """
        await self._settle(entry_id, REPLACED, None)

    async def _settle(self, entry_id: str, outcome: str, attempt: int | None) -> None:
        judgement = judgement_of(outcome)
        values: Document = {
            "outcome": outcome,
            "level": judgement.level,
            "weight": int(judgement.weight),
            "open": outcome in UNSETTLED,
        }
        known = {} if attempt is None else {"attempt": attempt}
        await self._collection.update_one({"_id": entry_id, "open": True}, {"$set": {**values, **known}})

    async def of_video(self, video_id: str) -> list[Entry]:
        """Return a video's entries in order of time."""
        found = await self._collection.find({"videoId": video_id}).to_list()
        return sorted(map(_entry, found), key=lambda entry: entry.place)

    async def erase(self, video_id: str) -> None:
        """Forget a video's entries."""
        await self._collection.delete_many({"videoId": video_id})

    async def drop_beyond(self, video_id: str, most: int) -> None:
        """Keep about `most` entries of a video: passing ones go first, then steps, the oldest of them; corners stay."""
        found = await self._collection.find({"videoId": video_id}, {"weight": 1, "at": 1}).to_list()
        await self._drop(_least(found, len(found) - most))

    async def _drop(self, documents: Iterable[Document]) -> None:
        for document in documents:
            await self._collection.delete_one({"_id": document["_id"]})


def _least(found: list[Document], count: int) -> list[Document]:
    minor = [document for document in found if document["weight"] < Weight.CORNER]
    return sorted(minor, key=lambda document: (document["weight"], document["at"]))[: max(0, count)]


def _document(entry: Entry) -> Document:
    document = {
        "_id": entry.id,
        "videoId": entry.video_id,
        "at": entry.at,
        "attempt": entry.attempt,
        "service": entry.service,
        "code": entry.code,
        "message": entry.message,
        "level": entry.level,
        "weight": int(entry.weight),
        "traceId": entry.trace_id,
        "details": dict(entry.details) or None,
        "outcome": entry.outcome,
        "open": entry.open or None,
    }
    return {name: value for name, value in document.items() if value is not None}


def _entry(document: Document) -> Entry:
    return Entry(
        id=document["_id"],
        video_id=document["videoId"],
        at=document["at"],
        attempt=document.get("attempt"),
        service=document["service"],
        code=document["code"],
        message=document["message"],
        level=document["level"],
        weight=Weight(document["weight"]),
        trace_id=document.get("traceId"),
        details=document.get("details", {}),
        outcome=document.get("outcome"),
        open=document.get("open", False),
    )
