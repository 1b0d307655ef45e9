"""`receipts`: every webhook that was answered 2xx, raw as it came, until no workflow can repeat it any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from services.gateway.outcomes import is_answer, replaceable_by
from shared.contracts.events import BY_TYPE, CompletionReported, Event, read_kept
from shared.contracts.wire import utc_now
from shared.delivery.inserting import insert_through
from shared.delivery.leases import new_job
from shared.delivery.outbox import Document, Outbox
from shared.wiring.tracing import current_traceparent

QUARANTINED_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Receipt:
    """One webhook: its id derives from what it says, so a repeat has the same one."""

    receipt_id: str
    purpose: str
    matched: bool
    video_id: str | None
    attempt: int | None
    execution_id: str | None
    authenticated_by: str
    body: bytes
    body_hash: str


@dataclass(frozen=True, slots=True)
class Kept:
    """When a stored webhook came, and what it was passed on as; None for one of a release that did not keep it."""

    at: datetime
    report: Event | None


@dataclass(frozen=True, slots=True)
class Result:
    """Where the file is that a workflow reported."""

    url: str | None
    key: str | None


class ReceiptTakenError(Exception):
    """A receipt with this id is stored; the hash tells whether it is a repeat of the same body."""

    def __init__(self, body_hash: str, matched: bool) -> None:
        super().__init__("receipt taken")
        self.body_hash = body_hash
        self.matched = matched


class Receipts:
    """Every query on `receipts`. The outbox keeps them: their time begins when their event is published."""

    def __init__(self, collection: AsyncCollection[Document], outbox: Outbox, patience: timedelta) -> None:
        """`patience` is how long a judgement may take before the webhook is passed on again."""
        self._collection = collection
        self._outbox = outbox
        self._patience = patience

    async def add(self, receipt: Receipt, event: Event) -> None:
        """Store a receipt with the event it causes. Raises ReceiptTakenError."""
        document = self._outbox.carry_held({**self._document(receipt), **self._waiting(event)}, event)
        try:
            await insert_through(self._collection, document, mark="receivedAt")
        except DuplicateKeyError as error:
            known = await self._collection.find_one({"_id": receipt.receipt_id}, {"bodyHash": 1, "matched": 1})
            raise ReceiptTakenError((known or {}).get("bodyHash", ""), (known or {}).get("matched", False)) from error
        self._outbox.nudge_held(document)

    async def kept(self, receipt_id: str) -> Kept | None:
        """Return what is kept of a webhook."""
        document = await self._collection.find_one({"_id": receipt_id}, {"receivedAt": 1, "passedOn": 1})
        return None if document is None else Kept(document["receivedAt"], passed_on(document))

    async def result_of(self, video_id: str, attempt: int, outcomes: Sequence[str | None]) -> Result | None:
        """Return the file of the completion of this attempt that counts, of those with one of these outcomes.

        That is one that was judged, else the first that came.
        """
        wanted: Document = {"videoId": video_id, "purpose": "complete", "outcome": {"$in": list(outcomes)}}
        fields = {"passedOn": 1, "outcome": 1, "receivedAt": 1}
        found = await self._collection.find(wanted, fields).to_list()
        for document in sorted(found, key=lambda one: ("outcome" not in one, one["receivedAt"])):
            report = passed_on(document)
            if isinstance(report, CompletionReported) and (report.attempt or report.newest) == attempt:
                url, key = (report.video_url or "").strip(), (report.s3_key or "").strip()
                if report.status == "ready" and (url or key):
                    return Result(url or None, key or None)
        return None

    async def ensure_indexes(self) -> None:
        """Make the indexes of the listings."""
        await self._collection.create_index([("outcome", 1), ("receivedAt", -1)])
        await self._collection.create_index([("receivedAt", -1)])
        await self._collection.create_index("videoId", sparse=True)

    async def judged(self, receipt_id: str, outcome: str, report_id: str | None) -> timedelta | None:
        """Note what came of a webhook, unless more was said before; once that is settled it is not passed on again.

        `report_id` is the event that was judged, where that is known: what is said of one that another has replaced
        since changes nothing. What nobody could place is kept for people.

        Return how long its sender's news waited for that, None where it had been judged before or is not kept.
        """
        receipt = await self._collection.find_one({"_id": receipt_id}, {"receivedAt": 1, "judgedAt": 1})
        now = utc_now()
        known: Document = {"outcome": outcome, "judgedAt": now}
        if outcome == "quarantined":
            known["expiresAt"] = now + QUARANTINED_KEPT
        update = {"$set": known, "$unset": {"job": ""}} if is_answer(outcome) else {"$set": known}
        less_settled: Document = {"_id": receipt_id, "outcome": {"$in": list(replaceable_by(outcome))}}
        if report_id is not None:
            less_settled["passedOn.id"] = {"$in": [report_id, None]}  # former releases kept no id
        changed = await self._collection.update_one(less_settled, update)
        news = receipt is not None and "judgedAt" not in receipt and changed.modified_count
        return now - receipt["receivedAt"] if receipt and news else None

    async def ask_about_held(self) -> None:
        """Ask on about what a former release left when it was held."""
        left: Document = {"outcome": "held", "job": {"$exists": False}}
        await self._collection.update_many(left, {"$set": {"job": new_job("reannounce")}})

    async def find(self, receipt_id: str) -> Document | None:
        """Return a receipt's document."""
        return await self._collection.find_one({"_id": receipt_id})

    async def newest(self, outcomes: Sequence[str] | None, limit: int) -> list[Document]:
        """Return the newest receipts with one of these outcomes, or with any, without their bodies."""
        wanted: Document = {} if outcomes is None else {"outcome": {"$in": list(outcomes)}}
        found = self._collection.find(wanted, {"body": 0, "passedOn": 0, "outbox": 0})
        return await found.sort("receivedAt", -1).limit(limit).to_list()

    async def pass_on_again(self, receipt: Document, event: Event, about: Mapping[str, Any]) -> bool:
        """Pass a webhook on once more as `event`, noting what it is `about`; False where it was judged meanwhile."""
        as_seen = {"_id": receipt["_id"], "judgedAt": receipt.get("judgedAt")}
        update = {
            "$set": {**about, **self._waiting(event)},
            "$unset": {"outcome": "", "judgedAt": ""},
            "$inc": {"tries": 1},
        }
        changed = await self._collection.update_one(as_seen, self._outbox.carry(update, event))
        self._outbox.nudge(receipt["_id"])
        return bool(changed.modified_count)

    async def discard(self, receipt: Document) -> bool:
        """Close a webhook that nobody wants; False where something else has become of it meanwhile."""
        as_seen = {"_id": receipt["_id"], "outcome": receipt.get("outcome")}
        closed = {"$set": {"outcome": "discarded", "judgedAt": utc_now()}, "$unset": {"job": ""}}
        return bool((await self._collection.update_one(as_seen, closed)).modified_count)

    def _waiting(self, event: Event) -> Document:
        # As text: what a workflow says of its file may hold numbers and names that no database takes.
        passed_on = {"type": type(event).__name__, "id": event.id, "event": event.model_dump_json(by_alias=True)}
        job = new_job("reannounce", due_at=utc_now() + self._patience)
        return {"passedOn": passed_on, "job": job, "traceparent": current_traceparent()}

    def _document(self, receipt: Receipt) -> Document:
        document = {
            "_id": receipt.receipt_id,
            "purpose": receipt.purpose,
            "matched": receipt.matched,
            "videoId": receipt.video_id,
            "attempt": receipt.attempt,
            "executionId": receipt.execution_id,
            "authenticatedBy": receipt.authenticated_by,
            "body": receipt.body,
            "bodyHash": receipt.body_hash,
            "receivedAt": utc_now(),
        }
        return {name: value for name, value in document.items() if value is not None}


def passed_on(document: Document) -> Event | None:
    """Return the event a stored webhook was passed on as; None for one of a release that did not keep it."""
    kept = document.get("passedOn")
    return read_kept(BY_TYPE[kept["type"]], kept["event"]) if kept else None
