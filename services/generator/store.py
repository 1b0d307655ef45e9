"""The generator's own database: attempts (collection `workflows`) and the tombstones of deleted videos."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from services.generator.announcements import announcement
from services.generator.attempt import LIVING, Attempt, Kind, State, attempt_id
from shared.contracts.events import Event, ResultDiscarded, WorkflowNoted
from shared.contracts.wire import utc_now
from shared.delivery.leases import new_job
from shared.delivery.outbox import EPOCH, FAR, Document, Outbox

DISPATCH, AWAIT, STOP = "dispatch", "await", "stop"

LATEST = 20
"""Among so many results one with an executionId is looked for: where n8n tells none, no more are read for that."""

LONG_AGO, READ_ON = timedelta(minutes=1), timedelta(seconds=10)
SOON = timedelta(minutes=1)
"""How often, at least, is asked about what waits to be called again for the answer."""


@dataclass(frozen=True, slots=True)
class Video:
    """All that is known of one video: whose it is, its attempts, oldest first, and whether it was deleted."""

    video_id: str
    user_id: str | None
    deleted: bool
    attempts: tuple[Attempt, ...]

    def attempt(self, number: int) -> Attempt | None:
        """Return attempt `number`."""
        return next((attempt for attempt in self.attempts if attempt.attempt == number), None)

    def reported(self, number: int | None, execution_id: str | None, newest: int | None = None) -> Attempt | None:
        """Return the attempt a report is about: the one it names, else the one that ran so, else the newest.

        `newest` is the newest when the report came, where that is known: none that began later is meant.
        """
        if number is not None:
            return self.attempt(number)
        ran = (attempt for attempt in self.attempts if execution_id and attempt.execution_id == execution_id)
        until_then = (attempt for attempt in reversed(self.attempts) if newest is None or attempt.attempt <= newest)
        return next(ran, None) or next(until_then, None)


class Attempts:
    """Documents `${videoId}:${attempt}`: the attempt's fields, its job, its outbox.

    Invariant: whoever changes a document's state without holding its lease also replaces its job, which fences
    the worker that held it.
    """

    def __init__(
        self, collection: AsyncCollection[Document], outbox: Outbox, look_every: timedelta | None = None
    ) -> None:
        """`look_every` is how often the engine is asked about an attempt; None: it can't be asked, nor told to stop."""
        self._collection = collection
        self._outbox = outbox
        self._look_every = look_every

    async def ensure_indexes(self) -> None:
        """Make the indexes of the questions asked beside `_id`."""
        await self._collection.create_index([("videoId", 1), ("attempt", 1)])
        await self._collection.create_index("executionId", sparse=True)
        await self._collection.create_index("stuckSince", sparse=True)
        await self._collection.create_index([("kind", 1), ("state", 1), ("completedAt", -1)])

    async def find(self, id_: str) -> Attempt | None:
        """Return the attempt with this document id."""
        document = await self._collection.find_one({"_id": id_})
        return None if document is None else Attempt.model_validate(document)

    async def of_video(self, video_id: str) -> Video:
        """Return what is known of a video."""
        documents = await self._collection.find({"videoId": video_id}).to_list()
        attempts = [Attempt.model_validate(document) for document in documents if "attempt" in document]
        return Video(
            video_id=video_id,
            user_id=next((document["userId"] for document in documents if "userId" in document), None),
            deleted=len(attempts) < len(documents),
            attempts=tuple(sorted(attempts, key=lambda attempt: attempt.attempt)),
        )

    async def with_execution(self, execution_id: str, at: datetime, called_since: datetime) -> list[Attempt]:
        """Return the attempts that ran as `execution_id` at a time; where none did, those of it called since then.

        Two engines may use the same id, and one uses it again when its database is made anew.
        """
        documents = await self._collection.find({"executionId": execution_id}).to_list()
        found = [Attempt.model_validate(document) for document in documents]
        lately = [one for one in found if one.called_at and one.called_at >= called_since]
        went_on = [one for one in lately if one.may_run or (one.completed_at and one.completed_at > at)]
        living = [one for one in found if one.state in LIVING and one not in went_on]
        return [*living, *went_on] or lately

    async def known_to_run_as(self, kind: Kind, called_since: datetime, ids: list[str]) -> set[str]:
        """Return those of these executions that attempts of this kind run as which were called since then."""
        found = self._collection.find({"executionId": {"$in": ids}}, {"executionId": 1, "kind": 1, "calledAt": 1})
        return {
            document["executionId"]
            async for document in found
            if document["kind"] == kind and document.get("calledAt", EPOCH) >= called_since
        }

    async def last_delivered(self, kind: Kind) -> Attempt | None:
        """Return the attempt of this kind that came to a result last, of the few latest whose execution is known."""
        delivered = {"kind": kind, "state": State.COMPLETED}
        latest = await self._collection.find(delivered, sort=[("completedAt", -1)], limit=LATEST).to_list()
        known = (document for document in latest if document.get("executionId"))
        return next((Attempt.model_validate(document) for document in known), None)

    async def is_deleted(self, video_id: str) -> bool:
        """Return whether the video has a tombstone."""
        return await self._collection.find_one({"_id": _tombstone(video_id)}, {"_id": 1}) is not None

    async def bury(self, video_id: str, user_id: str) -> None:
        """Make the tombstone that outlives every redelivery about the video."""
        stone = {"$set": {"userId": user_id}, "$setOnInsert": {"videoId": video_id, "deletedAt": utc_now()}}
        await self._collection.update_one({"_id": _tombstone(video_id)}, stone, upsert=True)

    async def add(self, attempt: Attempt, *news: Event) -> bool:
        """Store a new attempt with its job, and tell `news`; return False where it is there already."""
        document = self._outbox.carry_new({"_id": attempt.id, **_fields(attempt)}, *news)
        job = self.job_of(attempt)
        try:
            await self._collection.insert_one(document if job is None else {**document, "job": job})
        except DuplicateKeyError:
            return False
        if news:
            self._outbox.nudge(attempt.id)
        return True

    async def add_with_result(self, attempt: Attempt, before: Attempt, note: WorkflowNoted) -> None:
        """Store a new attempt at its end, with the result of the one `before`, and tell that."""
        now = utc_now()
        ended = {"state": State.COMPLETED, "changed_at": now, "completed_at": now}
        after = attempt.but(video_url=before.video_url, s3_key=before.s3_key, **ended)
        news = announcement(after)
        await self.add(after, note, *([] if news is None else [news]))

    async def change(self, before: Attempt, after: Attempt, *, told: bool, also: Iterable[Event] = ()) -> bool:
        """Make `after` of `before`, and tell `also`; False, having changed nothing, where it is no longer `before`.

        Whoever works on it begins anew where its state or its executionId is news: another id may be in their hands.
        """
        guard = {"_id": before.id, "state": before.state, "executionId": before.execution_id}
        update = self.update(before, after, told=told, also=also)
        if after.state is not before.state or after.execution_id != before.execution_id:
            job = self.job_of(after)
            name, value = ("$unset", "") if job is None else ("$set", job)
            update = {**update, name: {**update.get(name, {}), "job": value}}
        if not (await self._collection.update_one(guard, update)).matched_count:
            return False
        self._outbox.nudge(before.id)
        return True

    async def learn(self, id_: str, execution_id: str) -> None:
        """Keep `execution_id` where none is known yet, whatever the state; stop it where nobody wants it any more.

        Whoever asks about it, or stops it, begins anew: another id may be in their hands.
        """
        known = {"executionId": execution_id}
        jobs: list[tuple[Document, Document]] = [({"job.kind": AWAIT}, {"job": new_job(AWAIT)}), ({}, {})]
        if self._look_every is not None:
            jobs.insert(0, ({"stopSince": {"$gte": EPOCH, "$lt": FAR}}, {"job": new_job(STOP)}))
        for where, job in jobs:
            nameless = {"_id": id_, "executionId": None, **where}
            if (await self._collection.update_one(nameless, {"$set": {**known, **job}})).matched_count:
                return

    async def stuck(self) -> dict[State, int]:
        """Return how many attempts stand in each state that are unknown or beyond their first deadline."""
        found = await self._collection.find({"stuckSince": {"$gte": EPOCH, "$lt": FAR}}, {"state": 1}).to_list()
        return Counter(State(document["state"]) for document in found)

    async def announce_again(self, attempt: Attempt) -> None:
        """Tell the others once more what state the attempt is in: whoever asks again may have missed it."""
        news = announcement(attempt)
        if news is not None:
            guard = {"_id": attempt.id, "state": attempt.state}
            await self._collection.update_one(guard, self._outbox.carry({}, news))
            self._outbox.nudge(attempt.id)

    async def discard(self, event: ResultDiscarded, *, deleted: bool = False) -> None:
        """Tell of an object that the attempt, or in its place the tombstone of a deleted video, does not take."""
        id_ = _tombstone(event.video_id) if deleted else attempt_id(event.video_id, event.attempt)
        await self._collection.update_one({"_id": id_}, self._outbox.carry({}, event))
        self._outbox.nudge(id_)

    async def note(self, attempt: Attempt, note: WorkflowNoted) -> None:
        """Tell something about an attempt that changes nothing of it."""
        await self._collection.update_one({"_id": attempt.id}, self._outbox.carry({}, note))
        self._outbox.nudge(attempt.id)

    def update(self, before: Attempt, after: Attempt, *, told: bool, also: Iterable[Event] = ()) -> Document:
        """Return the operators that make `after` of `before`, with `also` and, if `told`, its event in the outbox."""
        old, new = _fields(before), _fields(after)
        update: Document = {"$set": {name: value for name, value in new.items() if old.get(name) != value}}
        gone = {name: "" for name in old.keys() - new.keys()}
        if gone:
            update["$unset"] = gone
        news = announcement(after) if told else None
        return self._outbox.carry(update, *also, *([] if news is None else [news]))

    def job_of(self, attempt: Attempt) -> Document | None:
        """Return the job an attempt waits with."""
        if attempt.state is State.REQUESTED:
            return new_job(DISPATCH, due_at=_call_at(attempt))
        if attempt.state in LIVING:
            return new_job(AWAIT, due_at=utc_now() + self.look_after(attempt))
        if attempt.stop_since is not None and self._look_every is not None:
            return new_job(STOP)
        return None

    def look_after(self, attempt: Attempt) -> timedelta:
        """Return in what time a running attempt is to be looked after: at its deadline at the latest."""
        left = attempt.time_left(utc_now())
        if self._look_every is None:
            return left
        return min(left, self._look_every, *([SOON] if attempt.was_turned_away else []))

    def nudge(self, id_: str) -> None:
        """Publish what the attempt carries soon."""
        self._outbox.nudge(id_)


def _call_at(attempt: Attempt) -> datetime:
    """Return when to call: what waited for long may have been cancelled since, which is mostly read by then."""
    now = utc_now()
    return now + READ_ON if now - attempt.created_at >= LONG_AGO else now


def _fields(attempt: Attempt) -> dict[str, Any]:
    return attempt.model_dump(by_alias=True, exclude_none=True)


def _tombstone(video_id: str) -> str:
    return f"{video_id}:deleted"
