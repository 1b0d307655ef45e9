"""When a run is over: everything healed, and nobody has anything left to do."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from tests.chaos.evidence import Stored
from tests.chaos.reading import Reading
from tests.chaos.rules.objects import orphans

_LOOK_SECONDS = 1.0
SWEPT_WITHIN = timedelta(minutes=2)


async def wait_for_quiet(
    reading: Reading, within_seconds: float, show: Callable[[list[str]], None]
) -> tuple[Stored, list[str]]:
    """Return what is stored once nothing is left to do, or when the time is over, with what was still going on then."""
    deadline = time.monotonic() + within_seconds
    while True:
        stored = await reading.everything()
        busy = list(still_busy(stored, datetime.now(UTC)))
        show(busy)
        if not busy or time.monotonic() > deadline:
            return stored, busy
        await asyncio.sleep(_LOOK_SECONDS)


def still_busy(stored: Stored, now: datetime) -> Iterator[str]:
    """Say what is still being done, or waits to be done."""
    for video in stored.videos:
        if video["status"] in ("pending", "processing") or video.get("stage") == "adopting":
            yield f"video {video['_id']} is {video.get('stage')}"
    for name in ("videos", "receipts", "workflows", "assets", "held"):
        yield from (f"{name} {one['_id']} has a job" for one in getattr(stored, name) if "job" in one)
    for name in ("videos", "receipts", "workflows", "assets", "notifications"):
        yield from (f"{name} {one['_id']} has news to publish" for one in getattr(stored, name) if "outboxAt" in one)
    for attempt in stored.workflows:
        if attempt.get("state") in ("requested", "calling", "unknown", "started"):
            yield f"attempt {attempt['_id']} is {attempt['state']}"
    for run in stored.executions:
        if run["status"] == "running" or run.get("owes"):
            yield f"execution {run['id']} is {run['status']}"
    yield from _unswept(stored, now)


def _unswept(stored: Stored, now: datetime) -> Iterator[str]:
    """The sweeper looks at keys that lost within a minute; only then can be judged what was left behind."""
    if not orphans(stored) and not stored.uploads:
        return
    for claim in stored.claims:
        if "sweepAt" in claim and claim["sweepAt"] < now + SWEPT_WITHIN:
            yield f"key {claim['_id']} is about to be swept"
