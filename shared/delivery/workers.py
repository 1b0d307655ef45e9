"""Workers: they claim due jobs, do each under a lease with a heartbeat, and take over those of the dead."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple
from uuid import uuid4

import structlog
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from shared.contracts.wire import utc_now
from shared.delivery.ages import Ages
from shared.delivery.leases import Lease, LeaseLostError, backoff
from shared.delivery.outbox import EPOCH, FAR, Document
from shared.delivery.standstill import Standstill
from shared.wiring.cancellation import over_or_cut_off, to_its_end
from shared.wiring.metrics import Metrics
from shared.wiring.mongo import database_is_away
from shared.wiring.stop_time import StopTime

GIVE_BACK_SECONDS = 3.0

log = structlog.get_logger(__name__)

_WHOSE = {"job.token": 1, "job.beat": 1, "job.leasedAt": 1}

Work = Callable[[Lease], Awaitable[None]]

MayBegin = Callable[[], bool]
"""Returns whether jobs that are due may begin now."""

Room = Callable[[Iterable[Document]], Document]
"""Returns the query of the jobs that may begin beside these documents' jobs, which this process does already."""


class _Begun(NamedTuple):
    """A document whose job is being done here, and what does it."""

    document: Document
    task: asyncio.Task[None]


class Workers:
    """Does the due jobs of one collection with `work`, at most `concurrency` at once in this process.

    `work` ends a job with the lease's finish, hand_over or again. An exception it raises makes the job due again
    after a backoff; deadlines are the work's own affair. Jobs of dead workers are taken over. Where `room` is given,
    it is asked before each job is begun: so what is slow takes only its share of the places. While `may_begin` says no,
    due jobs stay as they are, and are not even looked for.
    """

    def __init__(
        self,
        collection: AsyncCollection[Document],
        work: Work,
        *,
        metrics: Metrics,
        concurrency: int = 4,
        lease: timedelta = timedelta(seconds=20),
        poll_every: timedelta = timedelta(seconds=1),
        retry_first: timedelta = timedelta(seconds=1),
        retry_most: timedelta = timedelta(minutes=1),
        grace: timedelta = timedelta(seconds=5),
        room: Room = lambda _: {},
        may_begin: MayBegin = lambda: True,
        stop_time: StopTime | None = None,
    ) -> None:
        self._collection = collection
        self._work = work
        self._metrics = metrics
        self._takeovers = metrics.lease_takeovers.labels(kind="job")
        self._concurrency = concurrency
        self._lease_seconds = lease.total_seconds()
        self._poll_seconds = poll_every.total_seconds()
        self._retry_first, self._retry_most = retry_first, retry_most
        self._grace_seconds = grace.total_seconds()
        self._stop_time = stop_time or StopTime()
        self._standstill = Standstill(lease)
        self._ages = Ages(collection, metrics)
        self._room = room
        self._may_begin = may_begin
        self._claiming: set[asyncio.Task[bool]] = set()
        self._running: dict[object, _Begun] = {}
        self._woken = asyncio.Event()

    async def ensure_indexes(self) -> None:
        """Make the two indexes the polling reads."""
        await self._collection.create_index("job.dueAt", sparse=True)
        await self._collection.create_index("job.leasedAt", sparse=True)

    def wake(self) -> None:
        """Look for due jobs now instead of at the next poll. Never blocks."""
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled; then let running jobs finish for the grace time and give the others back."""
        try:
            failing = False
            while True:
                try:
                    await self._start_due()
                    await self._take_over_dead()
                    await self._ages.measure_due()
                    failing = False
                except PyMongoError as error:
                    if not failing:
                        log.warning("jobs.wait", collection=self._collection.name, error=repr(error))
                    failing = True
                await self._pause()
        finally:
            await self._stop()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), self._poll_seconds)
        self._woken.clear()

    @property
    def _begun(self) -> Iterator[Document]:
        return (begun.document for begun in self._running.values())

    @property
    def _free(self) -> int:
        return 0 if self._stop_time.has_begun else self._concurrency - len(self._running)

    async def _start_due(self) -> None:
        begun = True
        while begun and self._may_begin() and (free := self._free):
            begun = False
            due = {"job.dueAt": {"$gte": EPOCH, "$lte": utc_now()}, **self._room(self._begun)}
            found = await self._collection.find(due, {"job": 1}).sort("job.dueAt").limit(free).to_list()
            for document in found:
                begun |= await self._claim({"_id": document["_id"], "job.dueAt": document["job"]["dueAt"]})
            if len(found) < free:
                return

    async def _take_over_dead(self) -> None:
        leased = {"job.leasedAt": {"$gte": EPOCH, "$lt": FAR}}
        held = await self._collection.find(leased, _WHOSE).to_list()
        self._ages.measure_leased(held)
        others = [document for document in held if document["_id"] not in self._running]
        self._standstill.keep_only(document["_id"] for document in others)
        for document in others:
            job = document["job"]
            stands = self._standstill.stands(document["_id"], (job["token"], job["beat"]))
            if stands and self._free > 0:
                mark = {"job.token": job["token"], "job.beat": job["beat"]}
                if await self._claim({"_id": document["_id"], **mark}):
                    self._takeovers.inc()
                    log.info("jobs.taken_over", document=str(document["_id"]))

    async def _claim(self, expected: Document) -> bool:
        """Take a job and begin it. A stop does not cut this off: nobody would know of the lease it has taken."""
        if expected["_id"] in self._running:
            return False
        claiming = asyncio.create_task(self._begin(expected))
        self._claiming.add(claiming)
        claiming.add_done_callback(self._claiming.discard)
        return await asyncio.shield(claiming)

    async def _begin(self, expected: Document) -> bool:
        token = uuid4().hex
        claim = {
            "$set": {"job.token": token, "job.beat": 0, "job.leasedAt": utc_now()},
            "$inc": {"job.tries": 1},
            "$unset": {"job.dueAt": ""},
        }
        expected = {**expected, **self._room(self._begun)}
        if not (await self._collection.update_one(expected, claim)).modified_count:
            return False
        document = await self._collection.find_one({"_id": expected["_id"], "job.token": token})
        if document is None:
            return False
        lease = Lease(self._collection, document)
        if self._stop_time.has_begun:  # while the database was about to answer
            await self._give_back(lease)
            return False
        task = asyncio.create_task(self._do(lease))
        self._running[lease.id] = _Begun(document, task)
        task.add_done_callback(lambda _: self._done(lease.id))
        return True

    def _done(self, document_id: object) -> None:
        self._running.pop(document_id, None)
        self.wake()

    async def _do(self, lease: Lease) -> None:
        structlog.contextvars.bind_contextvars(job=lease.kind, document=str(lease.id))
        outcome = "done"
        try:
            await self._while_held(lease)
        except LeaseLostError:
            outcome = "lost"
        except asyncio.CancelledError:
            outcome = "given_back"
            await asyncio.shield(self._give_back(lease))
            raise
        except Exception as error:
            if database_is_away(error):
                outcome = "interrupted"
                log.warning("jobs.interrupted", tries=lease.tries, error=repr(error))
            else:
                outcome = "failed"
                log.exception("jobs.failed", tries=lease.tries, error=repr(error))
            await to_its_end(self._retry(lease))
        finally:
            self._metrics.jobs.labels(kind=lease.kind, outcome=outcome).inc()

    async def _while_held(self, lease: Lease) -> None:
        """Run the work beside its heartbeat; whichever ends first ends the other."""
        work = asyncio.ensure_future(self._work(lease))
        beats = asyncio.create_task(self._beat(lease))
        try:
            await asyncio.wait({work, beats}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
            else:
                beats.result()
        finally:
            for task in (work, beats):
                task.cancel()
            await asyncio.gather(work, beats, return_exceptions=True)

    async def _beat(self, lease: Lease) -> None:
        """Beat three times a lease; stop the work where the lease is lost or could not be shown in time."""
        loop = asyncio.get_running_loop()
        shown = loop.time()
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            try:
                async with asyncio.timeout(self._lease_seconds / 3):
                    await lease.beat()
                shown = loop.time()
            except (PyMongoError, TimeoutError) as error:
                log.warning("jobs.heartbeat_failed", error=repr(error))
                if loop.time() - shown > self._lease_seconds * 2 / 3:
                    raise LeaseLostError(str(lease.id)) from error

    async def _retry(self, lease: Lease) -> None:
        wait = backoff(lease.tries, first=self._retry_first, most=self._retry_most)
        with contextlib.suppress(LeaseLostError, PyMongoError):  # a takeover does it then
            await lease.again(wait)

    async def _give_back(self, lease: Lease) -> None:
        with contextlib.suppress(LeaseLostError, PyMongoError):  # a takeover does it then
            await lease.give_back()

    async def _stop(self) -> None:
        """Let jobs end and give the others back; what no database takes back in time is taken over later."""
        self._stop_time.begin()
        grace = self._stop_time.at_most(self._grace_seconds)
        give_back = self._stop_time.at_most(GIVE_BACK_SECONDS, last=True)
        tasks = [begun.task for begun in self._running.values()]
        await over_or_cut_off([*tasks, *self._claiming], grace, give_back)
