"""Callbacks that match nothing yet (collection `held`): looked at again and again, then given up, kept for people."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import structlog
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from services.generator.judgement import IN_EFFECT, Report, judgement, of_the_same
from shared.contracts.events import CallbackJudged, CompletionReported, WorkflowErrorReported, former_ids, read_kept
from shared.contracts.wire import utc_now
from shared.delivery.leases import Lease, backoff, new_job
from shared.delivery.outbox import EPOCH, FAR, Document

LOOK_FIRST, LOOK_MOST = timedelta(seconds=1), timedelta(seconds=30)
SETTLED_KEPT = timedelta(days=7)
QUARANTINED_KEPT = timedelta(days=90)

log = structlog.get_logger(__name__)

_SAID = {"settled": "repeat", "replaced": "held"}
"""What is said of a state where no judgement was kept; of others their own name.

Settled without one is of a former release. What was replaced has no end of its own: another event tells that.
"""

_REPORTS: Mapping[str, type[Report]] = {
    report.__name__: report for report in (CompletionReported, WorkflowErrorReported)
}


class Held:
    """Documents named after the event: the event, its state, and while that is held a job that looks again.

    The state is held, settled, quarantined, or replaced: a person had the same webhook passed on anew.
    """

    def __init__(self, collection: AsyncCollection[Document], held_for: timedelta, wake: Callable[[], None]) -> None:
        self._collection = collection
        self._held_for = held_for
        self._wake = wake

    async def ensure_indexes(self) -> None:
        """Make the index by execution and the one that lets old documents go."""
        await self._collection.create_index("executionId", sparse=True)
        await self._collection.create_index("removeAt", expireAfterSeconds=0)

    async def judged(self, event: Report) -> CallbackJudged | None:
        """Return what is to be said of `event` where it was held before, None where it was not."""
        known = await self._collection.find_one({"_id": event.id}, {"state": 1, "judgement": 1})
        if known is None:
            return None
        if "judgement" in known:
            return read_kept(CallbackJudged, known["judgement"])
        state = str(known["state"])
        return judgement(event, _SAID.get(state, state))

    async def replace(self, event: Report) -> bool:
        """Look no longer at what `event` was before; return False while somebody is just looking at that."""
        former = former_ids(event.id)
        if not former:
            return True
        closed = {"state": "replaced", "removeAt": utc_now() + SETTLED_KEPT}
        waiting: dict[str, Any] = {"_id": {"$in": list(former)}, "state": "held"}
        unseen = {**waiting, "job.token": {"$exists": False}}
        await self._collection.update_many(unseen, {"$set": closed, "$unset": {"job": ""}})
        return await self._collection.find_one(waiting, {"_id": 1}) is None

    async def had_effect(self, event: Report) -> CallbackJudged | None:
        """Return what is to be said of `event` where what it was before had its effect, heard of or not."""
        for id_ in former_ids(event.id):
            before = await self._collection.find_one({"_id": id_}, {"judgement": 1})
            if before is not None and "judgement" in before:
                said = read_kept(CallbackJudged, before["judgement"])
                if said.outcome in IN_EFFECT:
                    return of_the_same(said, event)
        return None

    async def hold(self, event: Report) -> None:
        """Keep `event` and look at it again at once: what it is about may have become known in between."""
        now = utc_now()
        # The event as text: what a workflow says of its file may hold numbers and names that no database takes.
        document: dict[str, Any] = {
            "_id": event.id,
            "type": type(event).__name__,
            "event": event.model_dump_json(by_alias=True, exclude_none=True),
            "state": "held",
            "heldAt": now,
            "until": now + self._held_for,
            "job": new_job("look_again"),
        }
        if event.execution_id:
            document["executionId"] = event.execution_id
        try:
            await self._collection.insert_one(document)
        except DuplicateKeyError:
            return  # another process was as quick, and will say what comes of it
        log.info("callback.held", receipt=event.receipt_id, execution=event.execution_id, video=event.video_id)
        self._wake()

    async def look_at(self, execution_id: str) -> None:
        """Look now at what is held for an execution that has just become known."""
        waiting = {"executionId": execution_id, "job.dueAt": {"$gte": EPOCH, "$lt": FAR}}
        if (await self._collection.update_many(waiting, {"$set": {"job.dueAt": utc_now()}})).matched_count:
            self._wake()

    def event(self, lease: Lease) -> Report:
        """Return the callback that a job is about."""
        return read_kept(_REPORTS[lease.document["type"]], lease.document["event"])

    async def settle(self, lease: Lease, judged: CallbackJudged) -> None:
        """Let the callback go; what was said of it may be lost, so it is kept to be said again."""
        said = judged.model_dump_json(by_alias=True)
        await lease.finish({"$set": {"state": "settled", "judgement": said, "removeAt": utc_now() + SETTLED_KEPT}})

    async def keep(self, lease: Lease) -> bool:
        """Hold the callback longer; return False where its time was over and it went into quarantine."""
        now = utc_now()
        left = lease.document["until"] - now
        if left > timedelta(0):
            await lease.again(min(left, backoff(lease.tries, first=LOOK_FIRST, most=LOOK_MOST)))
            return True
        log.warning("callback.quarantined", document=lease.id, execution=lease.document.get("executionId"))
        await lease.finish({"$set": {"state": "quarantined", "removeAt": now + QUARANTINED_KEPT}})
        return False
