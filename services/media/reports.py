"""Reports of how far transfers are: told as they come, without promise."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from services.media.domain import Attempt, TroubleError
from services.media.objects import StorageAwayError
from services.media.transfer import Progress
from shared.contracts.events import Event, TransferNoted, TransferProgressed
from shared.contracts.naming import naming

STORAGE_AWAY = "The storage is not available at the moment."

Send = Callable[[Event], Awaitable[None]]
Setback = TroubleError | StorageAwayError


class Reports:
    """Tells users of transfers; `send` publishes an event that may be lost."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._sending: set[asyncio.Future[None]] = set()

    def progressed(self, attempt: Attempt, progress: Progress) -> asyncio.Future[None]:
        """Tell how far it is, and by that that all is well. Never blocks; the future is done once it is sent."""
        return self._tell(_event(attempt, progress, f"transferred:{progress.transferred_bytes}"))

    def troubled(
        self, attempt: Attempt, progress: Progress, setback: Setback, *, next_try_at: datetime | None = None
    ) -> None:
        """Tell what keeps the file from being stored while it is tried again. Never blocks."""
        event = _event(attempt, progress, f"troubled:{progress.transferred_bytes}")
        message = f"{what_of(setback)} Trying again."
        self._tell(event.model_copy(update={"message": message, "next_try_at": next_try_at}))

    def noted(self, note: TransferNoted) -> None:
        """Tell something for the timeline that no write goes with. Never blocks."""
        self._tell(note)

    def _tell(self, event: Event) -> asyncio.Future[None]:
        sending = asyncio.ensure_future(self._send(event))
        self._sending.add(sending)  # else nobody holds the one that is not waited for
        sending.add_done_callback(self._sending.discard)
        return sending


def what_of(setback: Setback) -> str:
    """Return what happened, in words for users."""
    return setback.what if isinstance(setback, TroubleError) else STORAGE_AWAY


def _event(attempt: Attempt, progress: Progress, transition: str) -> TransferProgressed:
    return TransferProgressed(
        **naming(attempt.video_id, attempt.user_id, attempt.number, transition),
        title=attempt.title,
        transferred_bytes=progress.transferred_bytes,
        size_bytes=progress.size_bytes,
    )
