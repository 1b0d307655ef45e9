"""The leased jobs on assets: `transfer` brings an attempt to its end, `erase` takes the objects away."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import structlog
from pymongo.errors import PyMongoError

from services.media import notes
from services.media.answers import started
from services.media.claims import Claims
from services.media.domain import (
    Attempt,
    HopelessError,
    Rank,
    TransferError,
    TroubleError,
    adoptable,
)
from services.media.endings import Endings
from services.media.mover import Mover
from services.media.objects import StorageAwayError
from services.media.patience import Patience, Tries
from services.media.reports import Reports, Setback
from services.media.store import ERASE, attempt_of
from services.media.sweeper import Sweeper
from services.media.transfer import Progress
from shared.contracts.videos import FailureCode
from shared.contracts.wire import utc_now
from shared.delivery.leases import Lease
from shared.delivery.outbox import Document, Outbox
from shared.wiring.metrics import Metrics
from shared.wiring.tracing import enter_trace

LOOK_FOR_WRITER_AGAIN = timedelta(seconds=0.5)

log = structlog.get_logger(__name__)

_TIMEOUT = TransferError(FailureCode.TRANSFER_TIMEOUT, "The video could not be stored in time.", "Retry later.")


class Jobs:
    """Does one job at a time per lease; `work` is what the workers call."""

    def __init__(
        self,
        mover: Mover,
        claims: Claims,
        sweeper: Sweeper,
        endings: Endings,
        outbox: Outbox,
        metrics: Metrics,
        reports: Reports,
        patience: Patience,
    ) -> None:
        self._mover = mover
        self._claims = claims
        self._sweeper = sweeper
        self._endings = endings
        self._outbox = outbox
        self._metrics = metrics
        self._reports = reports
        self._patience = patience

    async def work(self, lease: Lease) -> None:
        """Do the job of `lease` and end it."""
        attempt = attempt_of(lease.document)
        enter_trace(lease.document.get("traceparent"))
        structlog.contextvars.bind_contextvars(video_id=attempt.video_id, attempt=attempt.number)
        if lease.kind == ERASE:
            await self._erase(lease, attempt)
        else:
            await self._transfer(lease, attempt)

    # --- transfer -----------------------------------------------------------------------------------------

    async def _transfer(self, lease: Lease, attempt: Attempt) -> None:
        began = time.monotonic()
        if lease.tries > lease.document.get("triesEnded", 0) + 1:
            self._reports.noted(notes.taken_over(attempt, lease.tries))
        deadline_at = lease.document.get("deadlineAt") or await self._start(lease, attempt)
        tries = Tries.of(lease.document)
        if self._patience.ends(tries, imported=attempt.imported, deadline_at=deadline_at, next_try_at=utc_now()):
            error = _trouble_before(lease.document) or _TIMEOUT
            await self._endings.fail(lease, attempt, error, notes.came_too_late(attempt, lease.tries))
            return
        try:
            await self._claim_and_move(lease, attempt, deadline_at)
        except TimeoutError:
            error = _trouble_before(lease.document) or _TIMEOUT
            await self._endings.fail(lease, attempt, error, notes.timed_out(attempt, lease.tries))
        except HopelessError as error:
            await self._endings.fail(lease, attempt, error, notes.refused(attempt, lease.tries, error))
        except (TroubleError, StorageAwayError) as error:
            await self._again(lease, attempt, error, deadline_at)
        else:
            self._metrics.transfer_seconds.observe(time.monotonic() - began)

    async def _start(self, lease: Lease, attempt: Attempt) -> datetime:
        """Note the attempt's deadline and tell that it has begun: once, at its first try."""
        deadline_at = utc_now() + self._patience.deadline
        await lease.write(self._outbox.carry({"$set": {"deadlineAt": deadline_at}}, started(attempt)))
        self._outbox.nudge(lease.id)
        return deadline_at

    async def _claim_and_move(self, lease: Lease, attempt: Attempt, deadline_at: datetime) -> None:
        source, token = attempt.source, lease.document["job"]["token"]
        if source.s3_key:
            await self._claim_foreign(attempt, source.s3_key, token)
            key, move = source.s3_key, self._mover.adopt
        elif source.video_url:
            key, move = await self._claims.reserve(attempt.video_id, attempt.user_id, token), self._mover.fetch
            await self._claims.look_at_others(attempt.video_id, key)
        else:
            raise HopelessError(FailureCode.RESULT_INVALID, "The workflow delivered neither a file nor an address.")
        async with self._left_unless_won(lease, key, foreign=bool(source.s3_key)):
            async with asyncio.timeout((deadline_at - utc_now()).total_seconds()):
                moved = await move(lease, attempt, key)
            # Beyond the time limit: a write that was cut off could still take effect after the objects were erased.
            await self._endings.ready(lease, attempt, moved)

    async def _claim_foreign(self, attempt: Attempt, key: str, token: str) -> None:
        if not adoptable(key, attempt.user_id) or not await self._claims.adopt(key, attempt.video_id, token):
            message = "The workflow named a stored file that does not belong to this video."
            raise HopelessError(FailureCode.OBJECT_REFUSED, message)

    @contextlib.asynccontextmanager
    async def _left_unless_won(self, lease: Lease, key: str, *, foreign: bool) -> AsyncIterator[None]:
        try:
            yield
        except HopelessError:
            await lease.beat()  # a worker without its job gives up nothing
            await (self._claims.refuse(key) if foreign else self._claims.leave(key))
            raise
        except BaseException:
            with contextlib.suppress(PyMongoError):  # the sweeper comes round to it anyway
                await self._claims.leave(key)
            raise
        with contextlib.suppress(PyMongoError):
            await self._claims.settle(key)

    async def _again(self, lease: Lease, attempt: Attempt, error: Setback, deadline_at: datetime) -> None:
        """Have another try after a pause and tell so, unless there is no time or no sense in it."""
        now, wait = utc_now(), self._patience.pause(lease.tries)
        tries = Tries.of(lease.document).and_then(error, now)
        last = error if isinstance(error, TransferError) else _TIMEOUT
        if self._patience.ends(tries, imported=attempt.imported, deadline_at=deadline_at, next_try_at=now + wait):
            await self._endings.fail(lease, attempt, last, notes.try_failed(attempt, lease.tries, error, None))
            return
        log.warning("transfer.again", error=str(error), wait_seconds=round(wait.total_seconds(), 2), tries=lease.tries)
        self._metrics.transfers.labels(outcome="again").inc()
        trouble = {"code": last.code, "what": last.what, "advice": last.advice}
        change = {"$set": {**tries.fields, "triesEnded": lease.tries, "trouble": trouble}}
        note = notes.try_failed(attempt, lease.tries, error, wait)
        await lease.again(wait, self._outbox.carry(change, note))
        self._outbox.nudge(lease.id)
        self._reports.troubled(attempt, Progress(), error, next_try_at=now + wait)

    # --- erase --------------------------------------------------------------------------------------------

    async def _erase(self, lease: Lease, attempt: Attempt) -> None:
        deleted = lease.document["state"] == Rank.DELETED
        claims = [claim for claim in await self._endings.claims_while_held(lease) if deleted or not claim.foreign]
        try:
            for claim in claims:
                await self._sweeper.erase(claim)
        except StorageAwayError as error:
            log.warning("erase.again", error=repr(error), tries=lease.tries)
            await lease.again(self._patience.pause(lease.tries))
            return
        since = lease.document["job"]["since"]
        if any(claim.writing for claim in claims) and utc_now() < since + self._patience.with_writers:
            await lease.again(LOOK_FOR_WRITER_AGAIN)  # its worker is stopping; what it still writes goes too
            return
        await self._endings.erased(lease, attempt, deleted=deleted)


def _trouble_before(document: Document) -> TransferError | None:
    """Return what ended the try before this one: at the deadline it says more than that time is up."""
    trouble = document.get("trouble")
    if not trouble:
        return None
    what = trouble.get("what") or trouble["message"]  # of an earlier release
    return TransferError(FailureCode(trouble["code"]), what, trouble.get("advice", ""))
