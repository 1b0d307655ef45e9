"""Which job may begin beside those under way: a slow address that a user named holds up only that user.

Anyone may name an address that answers a byte now and then, and name many of them. A rendered video was paid for, and
what was deleted is to be gone soon: neither waits behind imports.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from services.media.store import ERASE
from shared.contracts.wire import utc_now
from shared.delivery.outbox import EPOCH, Document

FOR_ERASING = 2


@dataclass(frozen=True, slots=True)
class Slots:
    """How many transfers there may be at once in one process, of those imports, and of those one user's."""

    transfers: int
    imports: int
    imports_per_user: int
    unreachable_for: timedelta
    """How long an import may bring nothing: whose time is up needs no place, only to be told so."""

    @property
    def all(self) -> int:
        """Return how many jobs there may be at once; the places beyond the transfers are for erasing alone."""
        return self.transfers + FOR_ERASING

    def room(self, running: Iterable[Document]) -> Document:
        """Return the query of the jobs that may begin beside these assets' jobs."""
        transfers = [asset for asset in running if asset["job"]["kind"] != ERASE]
        if len(transfers) >= self.transfers:
            return {"$or": self._without_place()}
        importing = Counter(asset["userId"] for asset in transfers if asset.get("imported"))
        if importing.total() >= self.imports:
            return {"$or": [*self._without_place(), {"imported": {"$ne": True}}]}
        busy = [user for user, count in importing.items() if count >= self.imports_per_user]
        if busy:
            return {"$or": [*self._without_place(), {"imported": {"$ne": True}}, {"userId": {"$nin": busy}}]}
        return {}

    def _without_place(self) -> list[Document]:
        now = utc_now()
        return [
            {"job.kind": ERASE},
            {"deadlineAt": {"$gt": EPOCH, "$lte": now}},
            {"imported": True, "unreachableSince": {"$gt": EPOCH, "$lte": now - self.unreachable_for}},
        ]
