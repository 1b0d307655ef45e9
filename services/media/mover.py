"""One claim's way: move or read the file in a thread, verify, probe, store the poster, and report meanwhile."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog
from pymongo.errors import PyMongoError

from services.media import notes
from services.media.claims import Claims
from services.media.domain import Attempt, HopelessError, poster_key
from services.media.inspection import Inspection
from services.media.objects import ObjectMissingError, Objects, StorageAwayError
from services.media.probe import Prober
from services.media.reports import Reports
from services.media.stopping import Stop
from services.media.transfer import Progress, Stored, Transfers
from shared.contracts.videos import FailureCode, VideoMetadata
from shared.delivery.leases import Lease

REPORT_SECONDS = 0.5
STORAGE_PAUSE_SECONDS = 1.0
STORAGE_TOLD_EVERY = 10
REMEMBER_SECONDS = 15.0
STOP_SECONDS = 8.0

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Moved:
    """A checked file in the bucket."""

    key: str
    poster_key: str
    metadata: VideoMetadata


class Mover:
    """Brings files into the bucket. Cancelling a call stops its thread before the call ends."""

    def __init__(
        self,
        transfers: Transfers,
        prober: Prober,
        objects: Objects,
        claims: Claims,
        reports: Reports,
        *,
        concurrency: int,
    ) -> None:
        self._transfers = transfers
        self._prober = prober
        self._objects = objects
        self._claims = claims
        self._reports = reports
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="transfer")

    async def fetch(self, lease: Lease, attempt: Attempt, key: str) -> Moved:
        """Move the file at the attempt's URL to `key`. Raises TransferError, StorageAwayError or LeaseLostError."""
        loop = asyncio.get_running_loop()
        progress, stop = Progress(), Stop()

        def remember(upload_id: str) -> None:
            noting = asyncio.run_coroutine_threadsafe(self._claims.remember_upload(key, upload_id), loop)
            try:
                noting.result(REMEMBER_SECONDS)
            except TimeoutError as error:  # of the database, not of the transfer: another try may succeed
                noting.cancel()
                raise StorageAwayError("the upload could not be noted") from error

        def move() -> Stored:
            url = attempt.source.video_url or ""
            return self._transfers.fetch(url, key, progress=progress, stop=stop, remember=remember)

        try:
            stored = await self._reported(lease, attempt, progress, self._in_thread(stop, move))
        finally:
            if progress.resumes:
                self._reports.noted(notes.resumed(attempt, lease.tries, progress.resumes))
        await self._patiently(attempt, stored, lambda: asyncio.to_thread(self._transfers.verify, key, stored))
        return await self._checked(attempt, key, stored)

    async def adopt(self, lease: Lease, attempt: Attempt, key: str) -> Moved:
        """Check the object the workflow has put at `key`. Raises as `fetch` does."""
        progress, stop = Progress(), Stop()

        def examine() -> Stored:
            return self._transfers.examine(key, progress=progress, stop=stop)

        try:
            stored = await self._reported(lease, attempt, progress, self._in_thread(stop, examine))
        except ObjectMissingError as error:
            message = "The workflow named a stored file that does not exist."
            raise HopelessError(FailureCode.OBJECT_REFUSED, message) from error
        return await self._checked(attempt, key, stored)

    async def _checked(self, attempt: Attempt, key: str, stored: Stored) -> Moved:
        """Return the file as it is once it was seen to be a video; storage that is away is waited for."""
        seen = await self._patiently(attempt, stored, Inspection(self._prober, self._objects, key, stored).look)
        poster = poster_key(key)
        put = partial(self._objects.put, poster, seen.poster, "image/jpeg")
        # Not merely in a thread: what is still being written when this is cancelled would come after the erasing.
        await self._patiently(attempt, stored, lambda: self._in_thread(Stop(), put))
        metadata = VideoMetadata(
            size=stored.size_bytes,
            format=stored.format.name,
            duration=seen.duration,
            width=seen.width,
            height=seen.height,
            codec=seen.codec,
            sha256=stored.sha256,
            original_url=attempt.source.video_url,
        )
        self._reports.noted(notes.probed(attempt, metadata))
        return Moved(key, poster, metadata)

    async def _in_thread(self, stop: Stop, work: Callable[[], T]) -> T:
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(running)
        finally:
            stop.stop()
            await asyncio.wait({running}, timeout=STOP_SECONDS)
            running.add_done_callback(_seen)

    async def _reported(self, lease: Lease, attempt: Attempt, progress: Progress, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` beside the reports of its progress; where the lease is lost, stop it."""
        working = asyncio.ensure_future(work)
        reporting = asyncio.create_task(self._report(lease, attempt, progress))
        try:
            await asyncio.wait({working, reporting}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                reporting.result()
            return await working
        finally:
            working.cancel()
            reporting.cancel()
            await asyncio.gather(working, reporting, return_exceptions=True)

    async def _report(self, lease: Lease, attempt: Attempt, progress: Progress) -> None:
        """Tell how far it is and see that the job is still ours, twice a second. Raises LeaseLostError."""
        told = 0
        telling: asyncio.Future[None] | None = None
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            with contextlib.suppress(PyMongoError):  # the workers' own heartbeat judges a database that is away
                await lease.beat()
            if progress.transferred_bytes != told and (telling is None or telling.done()):
                told = progress.transferred_bytes
                telling = self._reports.progressed(attempt, progress)

    async def _patiently(self, attempt: Attempt, stored: Stored, ask: Callable[[], Awaitable[T]]) -> T:
        """Return what `ask` gives; while the storage is away say so and ask again, until the deadline cancels it."""
        progress = Progress(stored.size_bytes, stored.size_bytes)
        asked = 0
        while True:
            try:
                given = await ask()
                break
            except StorageAwayError as error:
                log.warning("transfer.waits_for_storage", error=repr(error))
                if asked % STORAGE_TOLD_EVERY == 0:
                    self._reports.troubled(attempt, progress, error)
            asked += 1
            await asyncio.sleep(STORAGE_PAUSE_SECONDS)
        if asked:
            self._reports.progressed(attempt, progress)
        return given


def _seen(done: asyncio.Future[Any]) -> None:
    """Mark the outcome as looked at: it was raised already, or nobody waits for it any more."""
    if not done.cancelled():
        done.exception()
