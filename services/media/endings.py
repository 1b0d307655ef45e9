"""How jobs end: the state, its event and the end of the job in one write, guarded by the job's token."""

import asyncio
import contextlib

import structlog
from pymongo.errors import PyMongoError

from services.media import answers
from services.media.claims import FIRST_LOOK, Claim, Claims
from services.media.domain import Attempt, Rank, TransferError, order_of
from services.media.mover import Moved
from services.media.objects import StorageAwayError
from services.media.sweeper import Sweeper
from shared.contracts.events import TransferNoted
from shared.contracts.wire import utc_now
from shared.delivery.leases import Lease
from shared.delivery.outbox import Document, Outbox
from shared.wiring.metrics import Metrics
from shared.wiring.mongo import database_is_away

WRITE_AGAIN_SECONDS = 0.5

log = structlog.get_logger(__name__)


class Endings:
    """Ends jobs. Every method raises LeaseLostError where the job is no longer ours, and then has changed nothing."""

    def __init__(self, claims: Claims, sweeper: Sweeper, outbox: Outbox, metrics: Metrics) -> None:
        self._claims = claims
        self._sweeper = sweeper
        self._outbox = outbox
        self._metrics = metrics

    async def ready(self, lease: Lease, attempt: Attempt, moved: Moved) -> None:
        """Make `moved` the video's file and say that it can be watched."""
        replaced = lease.document.get("key")
        if replaced:  # noted first, so that a crash leaves no object behind that nobody looks at
            await self._claims.look_again(replaced, utc_now() + FIRST_LOOK)
        news = answers.ready(attempt, moved.key, moved.poster_key, moved.metadata)
        change = _state(attempt, Rank.READY) | {
            "key": moved.key,
            "posterKey": moved.poster_key,
            "metadata": moved.metadata.model_dump(by_alias=True, exclude_none=True),
        }
        await self._finish(lease, self._outbox.carry({"$set": change}, news))
        if replaced and replaced != moved.key:
            await self._claims.look_again(replaced, utc_now())
        self._metrics.transfers.labels(outcome="ready").inc()
        self._metrics.transfer_bytes.inc(moved.metadata.size)
        log.info("transfer.ready", key=moved.key, size_bytes=moved.metadata.size)

    async def fail(self, lease: Lease, attempt: Attempt, error: TransferError, note: TransferNoted) -> None:
        """Erase what was written, then say that it failed, and by `note` what the last try met."""
        for claim in await self.claims_while_held(lease):
            if not claim.foreign and claim.key != lease.document.get("key"):
                with contextlib.suppress(StorageAwayError):  # then the sweeper does it
                    await self._sweeper.erase(claim)
        message = error.message_for(attempt)
        change = _state(attempt, Rank.FAILED) | {"failure": {"code": error.code, "message": message}}
        news = answers.failed(attempt, error.code, message)
        await self._finish(lease, self._outbox.carry({"$set": change}, note, news))
        self._metrics.transfers.labels(outcome="failed").inc()
        log.info("transfer.failed", code=error.code)

    async def erased(self, lease: Lease, attempt: Attempt, *, deleted: bool) -> None:
        """Note that the objects are gone, and say so where the video was deleted."""
        removed = [answers.removed(attempt)] if deleted else []
        await self._finish(lease, self._outbox.carry({"$set": {"erasedAt": utc_now()}}, *removed))

    async def claims_while_held(self, lease: Lease) -> list[Claim]:
        """Return the video's claims, none of them by a worker that came after this one. Raises LeaseLostError."""
        claims = await self._claims.of_video(lease.id)
        await lease.beat()  # the job was still ours when they were read, so whoever follows is not among them
        return claims

    async def _finish(self, lease: Lease, change: Document) -> None:
        """End the job; a database that is away is waited for while the lease lasts: hours of work hang on it."""
        while True:
            try:
                await lease.finish(change)
                break
            except PyMongoError as error:
                if not database_is_away(error):
                    raise
                await asyncio.sleep(WRITE_AGAIN_SECONDS)
        self._outbox.nudge(lease.id)


def _state(attempt: Attempt, rank: Rank) -> Document:
    return {"state": rank.value, "order": order_of(attempt.number, rank), "updatedAt": utc_now()}
