"""Progress on its way into the view: the newest report of each video, written about once a second, and never backwards.

Nothing is lost that matters: a crash forgets at most a second's worth, and the next report comes soon.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from pymongo.errors import PyMongoError

LIMIT = 10_000

log = structlog.get_logger(__name__)

Write = Callable[[str, "Progress"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a video is while it is at `order`, in percent, and what is said of it: both as they are now.

    `execution_id` is the execution that works on `attempt`, where that is news.
    """

    order: int
    attempt: int
    percent: float | None
    message: str | None = None
    execution_id: str | None = None

    def after(self, earlier: "Progress") -> "Progress":
        """Return the two as one: what is newer counts, but no percentage goes back, or is lost to a mere message."""
        percents = [one.percent for one in (earlier, self) if one.order == self.order and one.percent is not None]
        same_attempt = earlier.attempt == self.attempt
        execution_id = self.execution_id or (earlier.execution_id if same_attempt else None)
        return replace(self, percent=max(percents, default=None), execution_id=execution_id)


class ProgressBuffer:
    """Keeps the newest report of each video until `run` writes it."""

    def __init__(self, write: Write, every: timedelta = timedelta(seconds=1)) -> None:
        self._write = write
        self._every_seconds = every.total_seconds()
        self._waiting: dict[str, Progress] = {}

    def put(self, video_id: str, news: Progress) -> None:
        """Remember `news` unless later news of this video waits. Never blocks; beyond LIMIT videos news is dropped."""
        known = self._waiting.get(video_id)
        if known is None and len(self._waiting) >= LIMIT:
            return
        if known is None or news.order >= known.order:
            self._waiting[video_id] = news if known is None else news.after(known)

    async def run(self) -> None:
        """Write what waits until cancelled; while the database is away, newer news takes the place of older."""
        while True:
            await asyncio.sleep(self._every_seconds)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits now; what can't be written waits on, unless newer news has come."""
        waiting, self._waiting = self._waiting, {}
        while waiting:
            video_id, news = next(iter(waiting.items()))
            try:
                await self._write(video_id, news)
            except PyMongoError as error:
                log.warning("progress.not_written", error=repr(error))
                newer, self._waiting = self._waiting, waiting
                for id_, later in newer.items():
                    self.put(id_, later)
                return
            del waiting[video_id]
