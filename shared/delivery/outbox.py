"""The outbox: documents carry the events their change caused; a relay publishes them, at least once, in order.

Fields of a document: `outbox` (records in order), `outboxAt` (only while something waits; sparse index), `relay`
(token of the relay that is publishing it now), and `expiresAt` (never while something waits; only where documents are
kept for a time).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import structlog
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from shared.contracts.cloudevents import Record, encode
from shared.contracts.events import Event
from shared.contracts.wire import utc_now
from shared.delivery.standstill import Standstill
from shared.wiring.cancellation import over_or_cut_off
from shared.wiring.metrics import Metrics
from shared.wiring.tracing import current_traceparent

Document = dict[str, Any]
Publish = Callable[[Record], Awaitable[None]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FAR = datetime(9999, 1, 1, tzinfo=UTC)
SWEEP_LIMIT = 500
NUDGES_LIMIT = 1000
SETTLE_SECONDS = 1.0
"""What a stop gives the database to take back the leases of what it cut off."""

log = structlog.get_logger(__name__)


class PublishError(Exception):
    """The broker did not confirm a record; it stays in its outbox."""


class RecordTooLargeError(PublishError):
    """No broker takes the record, however often it is tried."""


class Outbox:
    """The events waiting in one collection, and the relay that publishes them.

    `carry`, `carry_new` and `carry_held` put events into a write; after the write call `nudge`. `run` sweeps what a
    crash left behind. All publish under a per-document lease, in order, and stop at the first failure. With `keep` the
    database drops a document so long after its last event was published: however long the broker is away, never before.
    """

    def __init__(
        self,
        collection: AsyncCollection[Document],
        publish: Publish,
        *,
        source: str,
        metrics: Metrics,
        lease: timedelta = timedelta(seconds=15),
        sweep_every: timedelta = timedelta(seconds=1),
        concurrency: int = 16,
        keep: timedelta | None = None,
    ) -> None:
        self._collection = collection
        self._publish = publish
        self._source = source
        self._metrics = metrics
        self._takeovers = metrics.lease_takeovers.labels(kind="relay")
        self._sweep_seconds = sweep_every.total_seconds()
        self._keep = keep
        self._standstill = Standstill(lease)
        self._slots = asyncio.Semaphore(concurrency)
        self._publishing: set[asyncio.Task[None]] = set()
        self._failed: set[object] = set()

    async def ensure_indexes(self) -> None:
        """Make the index the sweep reads, and the one that lets documents go when their time is over."""
        await self._collection.create_index("outboxAt", sparse=True)
        if self._keep is not None:
            await self._collection.create_index("expiresAt", expireAfterSeconds=0)

    def carry(self, update: Document, *events: Event) -> Document:
        """Return `update` (operators, not a pipeline) with `events` appended to the document's outbox."""
        if not events:
            return update
        merged = dict(update)
        merged["$push"] = {**update.get("$push", {}), "outbox": {"$each": self._entries(events)}}
        merged["$set"] = {**update.get("$set", {}), "outboxAt": utc_now()}
        if self._keep is not None:
            merged["$unset"] = {**update.get("$unset", {}), "expiresAt": ""}
        return merged

    def carry_new(self, document: Document, *events: Event) -> Document:
        """Return `document`, about to be inserted, with `events` in its outbox."""
        if not events:
            return document
        return {**document, "outbox": self._entries(events), "outboxAt": utc_now()}

    def carry_held(self, document: Document, *events: Event) -> Document:
        """Return the same, born with this relay's lease, so that it need not be claimed and read; then `nudge_held`.

        Under pressure it gets none: it would only be kept from other relays.
        """
        carried = self.carry_new(document, *events)
        return carried if self._slots.locked() else {**carried, "relay": uuid4().hex}

    def nudge_held(self, document: Document) -> None:
        """Publish the events of what `carry_held` returned, and was inserted, soon. Never blocks."""
        held = document.get("relay")
        if held is None:
            self.nudge(document["_id"])
        else:
            self._soon(partial(self._send, document["_id"], held, document["outbox"]))

    def nudge(self, document_id: object) -> None:
        """Publish this document's events soon. Never blocks; under pressure the sweep does it instead."""
        if len(self._publishing) < NUDGES_LIMIT:
            self._soon(partial(self._relay, document_id, None))

    async def run(self) -> None:
        """Sweep until cancelled; a broker or database that is away only delays."""
        failing = False
        while True:
            try:
                await self.sweep()
                failing = False
            except (PublishError, PyMongoError) as error:
                if not failing:
                    log.warning("outbox.waits", collection=self._collection.name, error=repr(error))
                failing = True
            await asyncio.sleep(self._sweep_seconds)

    async def flush(self, within: float | None = None) -> None:
        """Wait for what is being published, the last sweep's as well; after `within` seconds cut it off (at a stop)."""
        await over_or_cut_off(set(self._publishing), within, SETTLE_SECONDS)

    async def sweep(self) -> None:
        """Publish what waits and nobody is publishing. Raises PublishError at the first failure.

        What failed before comes last, so that a document whose events no broker takes does not hold up the others.
        """
        waiting = await self._collection.find(
            {"outboxAt": {"$gte": EPOCH, "$lt": FAR}}, {"relay": 1, "outboxAt": 1}
        ).to_list(SWEEP_LIMIT)
        self._measure(waiting)
        self._standstill.keep_only(document["_id"] for document in waiting)
        self._failed &= {document["_id"] for document in waiting}
        for document in sorted(waiting, key=lambda document: document["_id"] in self._failed):
            held = document.get("relay")
            if held is None or self._standstill.stands(document["_id"], held):
                await self._relay_swept(document["_id"], held)

    async def _relay_swept(self, document_id: object, held: str | None) -> None:
        try:
            await asyncio.shield(self._begin(self._relay(document_id, held)))  # cut off, it would leave its lease
        except PublishError:
            self._failed.add(document_id)
            raise
        self._failed.discard(document_id)

    def _soon(self, publish: Callable[[], Awaitable[None]]) -> None:
        self._begin(self._quietly(publish))

    def _begin(self, publishing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(publishing)
        self._publishing.add(task)
        task.add_done_callback(self._published)
        return task

    def _published(self, task: asyncio.Task[None]) -> None:
        self._publishing.discard(task)
        if not task.cancelled():
            task.exception()  # seen: the sweep meets what is left again, and raises it

    async def _quietly(self, publish: Callable[[], Awaitable[None]]) -> None:
        async with self._slots:
            with contextlib.suppress(PublishError, PyMongoError):  # the sweep meets it again and says so
                await publish()

    async def _relay(self, document_id: object, held: str | None) -> None:
        token = uuid4().hex
        claim = {"_id": document_id, "outboxAt": {"$gte": EPOCH}, "relay": held}
        if not (await self._collection.update_one(claim, {"$set": {"relay": token}})).modified_count:
            return
        if held is not None:
            self._takeovers.inc()
        document = await self._collection.find_one({"_id": document_id, "relay": token}, {"outbox": 1})
        await self._send(document_id, token, (document or {}).get("outbox", []))

    async def _send(self, document_id: object, token: str, entries: list[Document]) -> None:
        sent: list[str] = []
        try:
            for entry in entries:
                await self._publish(_record(entry))
                sent.append(entry["id"])
        finally:
            await self._settle(document_id, token, sent)

    async def _settle(self, document_id: object, token: str, sent: list[str]) -> None:
        """Remove what was sent and give the lease back; clear the sweep's mark only where nothing is left.

        Others only append while the lease is held: where no more is there than was sent, nothing else is there.
        """
        mine = {"_id": document_id, "relay": token}
        done: Document = {"$unset": {"outboxAt": "", "relay": "", "outbox": ""}}
        if self._keep is not None:
            done["$max"] = {"expiresAt": utc_now() + self._keep}  # an answer may have come already, and ask for longer
        if not (await self._collection.update_one({**mine, "outbox": {"$size": len(sent)}}, done)).modified_count:
            left = {"$pull": {"outbox": {"id": {"$in": sent}}}, "$unset": {"relay": ""}}
            await self._collection.update_one(mine, left)

    def _entries(self, events: tuple[Event, ...]) -> list[Document]:
        return [self._entry(event) for event in events]

    def _entry(self, event: Event) -> Document:
        traced = event.model_copy(update={"traceparent": event.traceparent or current_traceparent()})
        record = encode(traced, self._source)
        return {
            "id": event.id,
            "topic": record.topic,
            "key": record.key.decode(),
            "headers": record.headers,
            "value": None if record.value is None else record.value.decode(),
        }

    def _measure(self, waiting: list[Document]) -> None:
        oldest = min((document["outboxAt"] for document in waiting), default=None)
        age = 0.0 if oldest is None else max(0.0, (utc_now() - oldest).total_seconds())
        labels = {"collection": self._collection.name}
        self._metrics.outbox_documents.labels(**labels).set(len(waiting))
        self._metrics.outbox_oldest_seconds.labels(**labels).set(age)


def _record(entry: Document) -> Record:
    value = entry["value"]
    return Record(
        topic=entry["topic"],
        key=entry["key"].encode(),
        headers=entry["headers"],
        value=None if value is None else value.encode(),
    )
