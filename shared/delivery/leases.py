"""Leased work: what takes time is a job inside the document it is about, done by one worker at a time.

A document's `job` is `{kind, tries, dueAt}` while it waits and `{kind, tries, token, beat, leasedAt}` while a
worker has it. Writing a whole new `job` (or removing it) fences off whoever held the old one.
"""

import random
from datetime import datetime, timedelta
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection

from shared.contracts.wire import utc_now
from shared.delivery.outbox import Document

_HELD_FIELDS = frozenset({"token", "beat", "leasedAt"})


class LeaseLostError(Exception):
    """Another worker or a newer state has the document now: nothing more may be written."""


def new_job(kind: str, *, due_at: datetime | None = None, **extra: Any) -> Document:
    """Return the value of a document's `job` field: work of `kind`, due now or at `due_at`."""
    return {"kind": kind, "tries": 0, "dueAt": due_at or utc_now(), **extra}


def backoff(tries: int, *, first: timedelta, most: timedelta) -> timedelta:
    """Return how long to wait after `tries` failures: doubling, capped, with half of it left to chance."""
    full = min(most.total_seconds(), first.total_seconds() * 2 ** min(tries, 30))
    return timedelta(seconds=full * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing


class Lease:
    """One worker's hold on one document. Every write matches the token, so a worker thought dead changes nothing."""

    def __init__(self, collection: AsyncCollection[Document], document: Document) -> None:
        self._collection = collection
        self.document = document
        self.id = document["_id"]
        self.kind: str = document["job"]["kind"]
        self.tries: int = document["job"]["tries"]
        self._held = {"_id": self.id, "job.token": document["job"]["token"]}

    async def write(self, update: Document) -> None:
        """Apply `update` and keep the lease. Raises LeaseLostError where the token is no longer ours."""
        if not (await self._collection.update_one(self._held, update)).matched_count:
            raise LeaseLostError(str(self.id))

    async def finish(self, update: Document | None = None) -> None:
        """Apply `update` and end the job in the same write. Raises LeaseLostError."""
        update = update or {}
        await self.write({**update, "$unset": {**update.get("$unset", {}), "job": ""}})

    async def hand_over(self, job: Document, update: Document | None = None) -> None:
        """Apply `update` and put `job` in this one's place in the same write. Raises LeaseLostError."""
        update = update or {}
        await self.write({**update, "$set": {**update.get("$set", {}), "job": job}})

    async def again(self, after: timedelta, update: Document | None = None) -> None:
        """Apply `update` and make the same job due again, its count of tries kept. Raises LeaseLostError."""
        kept = {key: value for key, value in self.document["job"].items() if key not in _HELD_FIELDS}
        await self.hand_over({**kept, "dueAt": utc_now() + after}, update)

    async def give_back(self) -> None:
        """Make the job due at once for anyone, the try counted. Raises LeaseLostError."""
        await self.again(timedelta(0), {})

    async def beat(self) -> None:
        """Show that the worker lives. Raises LeaseLostError."""
        await self.write({"$inc": {"job.beat": 1}})
