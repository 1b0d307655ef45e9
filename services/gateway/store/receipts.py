"""`receipts`: every webhook that was answered 2xx, raw as it came, until no workflow can repeat it any more."""

from dataclasses import dataclass
from datetime import timedelta

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import AutoReconnect, DuplicateKeyError, ServerSelectionTimeoutError

from shared.contracts.events import Event
from shared.contracts.wire import utc_now
from shared.delivery.outbox import Document, Outbox


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


class ReceiptTakenError(Exception):
    """A receipt with this id is stored; the hash tells whether it is a repeat of the same body."""

    def __init__(self, body_hash: str, matched: bool) -> None:
        super().__init__("receipt taken")
        self.body_hash = body_hash
        self.matched = matched


class Receipts:
    """Every query on `receipts`."""

    def __init__(self, collection: AsyncCollection[Document], outbox: Outbox, keep: timedelta) -> None:
        self._collection = collection
        self._outbox = outbox
        self._keep = keep

    async def ensure_indexes(self) -> None:
        """Make the index that lets receipts go when their time is over."""
        await self._collection.create_index("expiresAt", expireAfterSeconds=0)

    async def add(self, receipt: Receipt, event: Event) -> None:
        """Store a receipt with the event it causes. Raises ReceiptTakenError."""
        document = self._outbox.carry_new(self._document(receipt), event)
        try:
            await self._insert(document)
        except DuplicateKeyError as error:
            known = await self._collection.find_one({"_id": receipt.receipt_id}, {"bodyHash": 1, "matched": 1})
            raise ReceiptTakenError((known or {}).get("bodyHash", ""), (known or {}).get("matched", False)) from error
        self._outbox.nudge(receipt.receipt_id)

    async def _insert(self, document: Document) -> None:
        # A write that was cut off may have been stored: then the second try is a repeat of ourselves.
        try:
            await self._collection.insert_one(document)
        except ServerSelectionTimeoutError:
            raise  # nothing was sent, and waiting once more would only make the caller wait
        except AutoReconnect:
            await self._collection.insert_one(document)

    def _document(self, receipt: Receipt) -> Document:
        now = utc_now()
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
            "receivedAt": now,
            "expiresAt": now + self._keep,
        }
        return {name: value for name, value in document.items() if value is not None}
